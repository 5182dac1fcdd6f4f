"""The shapes of a declaration: a source of events, and an aggregate over it. What is wrong with one is `faults`."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from martello.spec.schema import FieldType

__all__ = ["AGGREGATES", "DAY", "MOST_KEPT", "WINDOW", "HistoryFeature", "Source", "Where"]

AGGREGATES = ("last", "first", "count", "sum", "mean", "distinct_count", "rate", "last_k")

#: Most events that `last_k` may give: a list longer than this is a sum that was not taken.
MOST_KEPT = 100

#: How a window is written.
WINDOW = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
#: Microseconds of a day.
DAY = 86_400_000_000

_UNITS = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": DAY, "w": 7 * DAY}


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of events: whom they concern, when they happened, when they became known."""

    table: str
    id: str  # names an event uniquely: what came twice counts once, and ties in time are broken by it
    key: tuple[str, ...]  # whom an event concerns: columns that a request has too
    time: str
    known_at: str | None = None
    columns: dict[str, FieldType]  # every column in use, with its type, as [input] does for a request

    @property
    def clock(self) -> str:
        """Name the column that says when an event counts."""
        return self.known_at or self.time


class HistoryFeature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An aggregate of the events of one key in a window that ends strictly before the decision."""

    source: str = msgspec.field(name="from")
    agg: str
    value: str | None = None  # column of the events; `count` and `rate` take none
    window: str | None = None  # such as 30m, 7d, 52w
    where: str | None = None  # conditions on events; `file_id = :file_id` makes a column part of the key
    k: int | None = None  # last_k only

    @property
    def span(self) -> int:
        """Give the length of the window in microseconds."""
        found = WINDOW.fullmatch(self.window or "")
        assert found, "the feature was checked"
        return int(found[1]) * _UNITS[found[2]]


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `where` that was read: trees of what must hold of an event, and column by column what a request gives."""

    trees: tuple[list[Any], ...] = ()
    bound: dict[str, str] = {}
