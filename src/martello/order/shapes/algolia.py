"""Algolia: responses of the search API with `queryID`, and events of the Insights API.

``hits`` is the order returned, of page ``page``; a click's ``positions`` count through all pages from 1. An event knows
the places of the items it names, so its render is sparse. Views carry no places and say nothing of the order.

Source: algolia.com/doc, search response and "Clicked object IDs after search".
"""

from __future__ import annotations

from collections.abc import Iterator

from martello.order.facts import Click, RankedDecision, Render, Shown
from martello.order.shapes.rows import Row, RowFault, Shape, ids_of, moment, objects_of, text_of, word_of

__all__ = ["SHAPE"]


def _decisions(row: Row) -> Iterator[RankedDecision]:
    for answer in objects_of(row, "results"):  # several queries in one request
        items = ids_of(answer.get("hits"), inside="objectID")
        page, per_page = answer.get("page", 0), answer.get("hitsPerPage", len(items))
        if not (isinstance(page, int) and isinstance(per_page, int) and page >= 0 and per_page >= 0):
            raise RowFault(f"page {page!r} of {per_page!r} is none")
        yield RankedDecision(
            decision=text_of(answer, "queryID"),
            items=items,
            offset=page * per_page,
            at=moment(answer.get("timestamp")),
            surface=word_of(answer, "index"),
            subject=word_of(answer, "userToken"),
        )


def _renders(row: Row) -> Iterator[Render | Click]:
    for event in objects_of(row, "events"):
        if event.get("queryID") is not None and event.get("positions") is not None:
            yield from _placed(event)


def _placed(event: Row) -> Iterator[Render | Click]:
    query, positions = text_of(event, "queryID"), event["positions"]
    items = ids_of(event.get("objectIDs"))
    whole = isinstance(positions, list) and all(type(each) is int and each > 0 for each in positions)
    if not whole or len(positions) != len(items):
        raise RowFault("positions are not one whole number from 1 per objectID")
    if event.get("eventType") == "click":
        yield from (Click(decision=query, item=each) for each in items)
    yield Render(
        id="",
        decision=query,
        shown=tuple(Shown(id=each, slot=slot) for each, slot in zip(items, positions, strict=True)),
        sparse=True,
        at=moment(event.get("timestamp")),
        surface=word_of(event, "index"),
        subject=word_of(event, "userToken"),
    )


SHAPE = Shape(
    _decisions,
    _renders,
    caution="Many pages send Algolia the position the engine gave (`__position`) and not the one on the page: with "
    "those, nothing can be seen, and a contract that looks kept is not shown to be.",
)
