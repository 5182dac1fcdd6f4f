"""One record: what it says, what it was made from and into, by whom, when, with which version; and the ledger of all.

The same pages give JSON with `?format=json`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from martello.corridor.project import Project
from martello.errors import DataError
from martello.records import AnyRecord, kind_of, record_id
from martello.ship.known import Known
from martello.spec.schema import Spec
from martello.store.ledger import LedgerLine
from martello.web.figures import chapters
from martello.web.responses import json_response, page, project_of, whole_number
from martello.web.tables import evidence

__all__ = ["ledger", "record", "shown_of"]

_RECORD = re.compile("[a-z_]+-[0-9a-f]{12}")
_PAGE = 50
#: More lines than this are not sorted; they come newest first.
_MOST_SORTED = 100_000
_SORTS = {
    "when": lambda line: line.seq,
    "word": lambda line: line.word,
    "who": lambda line: line.who.casefold(),
    "took": lambda line: line.seconds,
    "version": lambda line: line.version,
}


def shown_of(spec: Spec, made: Mapping[str, AnyRecord]) -> dict[str, Any]:
    """Give the pictures and tables that some records allow by themselves."""
    kinds = {kind_of(record): record for record in made.values()}
    tables = [table for table in evidence(made, kinds, ()) if table.name != "lineage"]
    return {"chapters": chapters(Known.of(spec, made)), "tables": tables}


def record(request: Request) -> Response:
    """Show one record."""
    project, id = project_of(request), request.path_params["id"]
    if not _RECORD.fullmatch(id):
        raise DataError("web.unknown-page", "this is no id of a record", where=id, expected="such as gate-0123456789ab")
    found = project.store.get_record(id)
    if request.query_params.get("format") == "json":
        return json_response({"id": record_id(found), **msgspec.to_builtins(found)})
    lines = project.ledger.lines(limit=_MOST_SORTED)
    line = next((line for line in reversed(lines) if id in line.records), None)
    children = dict.fromkeys(child for line in lines if id in line.parents for child in line.records)
    is_current = any(record_id(each) == id for each in project.records().values())
    return page(
        request,
        "record.html",
        id=id,
        kind=kind_of(found).replace("_", " "),
        parents=found.parents,
        children=tuple(children),
        line=line,
        is_current=is_current,
        written_out=msgspec.json.format(msgspec.json.encode(found), indent=2).decode(),
        **shown_of(project.spec, {id: found}),
    )


def ledger(request: Request) -> Response:
    """Show what was made from what, when, by whom; a page at a time, in the order asked for."""
    project = project_of(request)
    asked = request.query_params
    sort = asked.get("sort", "when") if asked.get("sort") in _SORTS else "when"
    is_down = asked.get("down", "1") != "0"
    word = asked.get("word") or None
    lines = project.ledger.lines(limit=_MOST_SORTED, word=word)
    lines.sort(key=lambda line: line.seq, reverse=True)
    lines.sort(key=_SORTS[sort], reverse=is_down)
    offset = min(whole_number(request, "offset"), max(0, len(lines) - 1))
    shown = lines[offset : offset + _PAGE]
    if asked.get("format") == "json":
        return json_response({"total": len(lines), "offset": offset, "lines": shown})
    return page(
        request,
        "ledger.html",
        lines=shown,
        total=len(lines),
        offset=offset,
        size=_PAGE,
        sort=sort,
        is_down=is_down,
        word=word,
        words=_words(project, lines, word),
        link=lambda **changes: _link({"sort": sort, "down": str(int(is_down)), "word": word or ""} | changes),
    )


def _words(project: Project, lines: list[LedgerLine], word: str | None) -> list[str]:
    every = lines if word is None else project.ledger.lines(limit=_MOST_SORTED)
    return sorted({line.word for line in every})


def _link(values: dict[str, str]) -> str:
    kept = {name: value for name, value in values.items() if value not in ("", "0") or name == "down"}
    return f"/ledger?{urlencode(kept)}"
