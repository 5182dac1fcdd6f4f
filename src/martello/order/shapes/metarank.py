"""Metarank: answers of `/rank/<model>` with the id of their request, and the events sent to `/feedback`.

A decision is the request and the answer together, ``{"id", "items": [{"item", "score"}]}`` or ``{"request",
"response"}``; a `ranking` event holds what was displayed, in order, an `interaction` of type `click` what was chosen.

Source: github.com/metarank/metarank, doc/api.md and doc/event-schema.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from martello.order.facts import Click, RankedDecision, Render, Shown
from martello.order.shapes.rows import Row, RowFault, Shape, ids_of, moment, name_of, text_of, word_of

__all__ = ["SHAPE"]


def _decisions(row: Row) -> Iterator[RankedDecision]:
    request, answer = row.get("request", row), row.get("response", row)
    if not isinstance(request, Mapping) or not isinstance(answer, Mapping):
        raise RowFault("request and response are no objects")
    yield RankedDecision(
        decision=text_of(request, "id"),
        items=ids_of(answer.get("items"), inside="item"),
        at=moment(request.get("timestamp")),
        subject=word_of(request, "user"),
        surface=_field(request, "source"),
    )


def _renders(row: Row) -> Iterator[Render | Click]:
    kind = row.get("event")
    if kind == "ranking":
        listed = row.get("items")
        if not isinstance(listed, list):
            raise RowFault("there is no list of items")
        yield Render(
            id=text_of(row, "id") + f"@{row.get('timestamp', '')}",  # one ranking may be shown again under its id
            decision=text_of(row, "id"),
            shown=tuple(Shown(id=name_of(e.get("id") if isinstance(e, Mapping) else e)) for e in listed),
            at=moment(row.get("timestamp")),
            subject=word_of(row, "user"),
            surface=_field(row, "source"),
        )
    elif kind == "interaction" and row.get("ranking") is not None and row.get("type") == "click":
        yield Click(decision=text_of(row, "ranking"), item=text_of(row, "item"))
    elif kind not in ("item", "user", "interaction"):
        raise RowFault(f"{kind!r} is no kind of event")


def _field(row: Row, name: str) -> str | None:
    fields = row.get("fields")
    for each in fields if isinstance(fields, list) else ():
        if isinstance(each, Mapping) and each.get("name") == name and isinstance(each.get("value"), str):
            return str(each["value"])
    return None


SHAPE = Shape(_decisions, _renders)
