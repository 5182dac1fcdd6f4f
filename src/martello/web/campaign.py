"""The owner's side of labeling: who takes part, what they disagree about, what the guidelines say.

Every form works by itself; with htmx only the part that changed is sent.
"""

from __future__ import annotations

import difflib
import hashlib
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from martello.errors import DataError, MartelloError
from martello.label.contract import LabelingRoom
from martello.web.labeling import unit_html
from martello.web.responses import page, read_form, room_of, whole_number

__all__ = ["adjudicate", "disagreements", "guidelines", "invite", "revoke", "team", "write_guidelines"]

_PAGE = 10


def team(request: Request) -> Response:
    """Show everyone who takes part and how far they have come."""
    return _team_page(request)


async def invite(request: Request) -> Response:
    """Make a link for somebody; it is shown once, since only its hash is kept."""
    form = await read_form(request)
    return await run_in_threadpool(_invite, request, form)


def _invite(request: Request, form: dict[str, str]) -> Response:
    name, days = form.get("name", "").strip(), form.get("days", "30")
    try:
        if any(each.name == name and each.role == "owner" for each in request.app.state.register.all()):
            raise DataError(
                "web.name-taken",
                f"{name} is an owner; a second link would end theirs",
                where="name",
                expected="another name",
            )
        token = request.app.state.register.invite(name, days=_days(days))
    except MartelloError as fault:
        return _team_page(request, fault=fault, form=form, status=422)
    link = f"{request.url.scheme}://{request.headers['host']}/enter/{token}"
    return _team_page(request, invited=name, link=link)


def _days(text: str) -> float | None:
    if text == "":
        return None
    if not text.isdigit() or not 0 < int(text) <= 3650:
        raise DataError(
            "web.bad-days", f"{text!r} is no number of days", where="days", expected="1 to 3650, or nothing for no end"
        )
    return float(text)


async def revoke(request: Request) -> Response:
    """End somebody's access; their answers stay."""
    name = (await read_form(request)).get("name", "")
    return await run_in_threadpool(_revoke, request, name)


def _revoke(request: Request, name: str) -> Response:
    try:
        if name == request.state.who.name:
            raise DataError("web.own-link", "this would end your own access", where="name", expected="another name")
        request.app.state.register.revoke(name)
    except MartelloError as fault:
        return _team_page(request, fault=fault, status=422)
    return _team_page(request)


def _team_page(request: Request, *, status: int = 200, **values: Any) -> Response:
    room = room_of(request)
    context: dict[str, Any] = {"fault": None, "form": {}, "invited": "", "link": ""}
    people = {each.name: each for each in request.app.state.register.all()}
    progress = {each.annotator: each for each in room.progress()}
    rows = [(name, people.get(name), progress.get(name)) for name in sorted({*people, *progress}, key=str.casefold)]
    template = "team_part.html" if request.headers.get("hx-request") else "team.html"
    is_local = request.url.hostname in ("localhost", "127.0.0.1", "::1")
    context |= {"rows": rows, "n_split": room.disagreements(limit=1)[0], "is_local": is_local}
    # htmx shows what comes with status 200 in place; a form without it learns of the fault by the status.
    shown = 200 if request.headers.get("hx-request") else status
    return page(request, template, status=shown, **context | values)


def disagreements(request: Request) -> Response:
    """Show units that the votes do not settle, for the owner to decide."""
    return _disagreement_page(request, whole_number(request, "offset"))


def _disagreement_page(request: Request, offset: int, *, fault: MartelloError | None = None) -> Response:
    room = room_of(request)
    total, found = room.disagreements(offset=offset, limit=_PAGE)
    shown = [(each, unit_html(each.view)) for each in found]
    return page(
        request,
        "disagreements.html",
        status=200 if fault is None else 422,
        total=total,
        shown=shown,
        offset=offset,
        back=max(0, offset - _PAGE),
        more=offset + _PAGE if offset + _PAGE < total else None,
        fault=fault,
    )


async def adjudicate(request: Request) -> Response:
    """Settle one unit by the owner's word."""
    form = await read_form(request)
    return await run_in_threadpool(_adjudicate, request, form)


def _adjudicate(request: Request, form: dict[str, str]) -> Response:
    unit, answer = form.get("unit", ""), form.get("answer", "")
    try:
        room_of(request).adjudicate(unit, answer, owner=request.state.who.name)
    except MartelloError as fault:
        if request.headers.get("hx-request"):
            raise
        return _disagreement_page(request, 0, fault=fault)
    if request.headers.get("hx-request"):
        total, _ = room_of(request).disagreements(limit=1)
        return page(request, "settled.html", answer=answer, total=total)
    return RedirectResponse("/label/disagreements", status_code=303)


def guidelines(request: Request) -> Response:
    """Show the guidelines; the owner edits them here."""
    return _guideline_page(request, room_of(request))


async def write_guidelines(request: Request) -> Response:
    """Write the guidelines and show what changed."""
    form = await read_form(request)
    return await run_in_threadpool(_write_guidelines, request, form)


def _write_guidelines(request: Request, form: dict[str, str]) -> Response:
    room, text = room_of(request), form.get("text", "").replace("\r\n", "\n")
    before = room.guidelines()
    try:
        if form.get("base") != _mark(before):
            raise DataError(
                "web.guidelines-changed",
                "somebody else has changed the guidelines since this page was opened",
                where="text",
                fix="compare the two below, then save again to keep yours",
            )
        room.write_guidelines(text)
    except MartelloError as fault:
        return _guideline_page(request, room, fault=fault, text=text, changes=_changes(before, text), status=409)
    return _guideline_page(request, room, changes=_changes(before, room.guidelines()), is_saved=True)


def _guideline_page(request: Request, room: LabelingRoom, *, status: int = 200, **values: Any) -> Response:
    now = room.guidelines()
    context = {"fault": None, "changes": (), "is_saved": False, "text": now, "base": _mark(now), "now": now}
    return page(request, "guidelines.html", status=status, **context | values)


def _mark(text: str) -> str:
    """Name a text, so that a change in between is seen."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _changes(before: str, after: str) -> tuple[tuple[str, str], ...]:
    """Give changed lines and their neighbors: (kind, text), kind being added, removed, same or gap."""
    kinds = {"+": "added", "-": "removed", " ": "same", "@": "gap"}
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return tuple((kinds[line[0]], line[1:] if line[0] != "@" else "…") for line in list(lines)[2:])
