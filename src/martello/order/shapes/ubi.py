"""User Behavior Insights 1.3: the documents of `ubi_queries` and `ubi_events`.

``query_response_hit_ids`` is the order returned, ``event_attributes.position.ordinal`` where each event happened; an
event knows one place, so its render is sparse. Events of any action count as sightings, clicks also as clicks.

Source: github.com/o19s/ubi, schema 1.3.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from martello.order.facts import Click, RankedDecision, Render, Shown
from martello.order.shapes.rows import Row, RowFault, Shape, ids_of, moment, text_of, word_of

__all__ = ["SHAPE"]

_CLICKS = ("click", "click_through")


def _decisions(row: Row) -> Iterator[RankedDecision]:
    yield RankedDecision(
        decision=text_of(row, "query_id"),
        items=ids_of(row.get("query_response_hit_ids")),
        at=moment(row.get("timestamp")),
        surface=word_of(row, "application"),
        subject=word_of(row, "client_id"),
    )


def _renders(row: Row) -> Iterator[Render | Click]:
    attributes = row.get("event_attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    thing, position = attributes.get("object"), attributes.get("position")
    if row.get("query_id") is None or not isinstance(thing, dict):
        return  # events about a page or a session say nothing of an order
    query, item = text_of(row, "query_id"), text_of(thing, "object_id")
    if row.get("action_name") in _CLICKS:
        yield Click(decision=query, item=item)
    ordinal = position.get("ordinal") if isinstance(position, dict) else None
    if ordinal is None:
        return
    if not isinstance(ordinal, int) or isinstance(ordinal, bool) or ordinal < 0:
        raise RowFault(f"position.ordinal is {ordinal!r}, no place in a list")
    yield Render(
        id="",
        decision=query,
        shown=(Shown(id=item, slot=ordinal),),
        sparse=True,
        at=moment(row.get("timestamp")),
        surface=word_of(row, "application"),
        subject=word_of(row, "client_id"),
    )


SHAPE = Shape(
    _decisions,
    _renders,
    caution="UBI events name single places: what stood where no event happened is not known.",
)
