"""History features: aggregates of past events in a window, the same offline over a table and online for one key.

`declare_history` checks what is declared, `backfill` computes many moments on an engine, `State` keeps recent events
and answers for one key while a request waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from martello.features.history.declare import History, declare_history, load_history
from martello.features.history.shapes import HistoryFeature, Source
from martello.features.history.state import State, Taken

if TYPE_CHECKING:
    from martello.features.history.offline import Backfill, backfill
    from martello.features.history.relation import event_relation

__all__ = [
    "Backfill",
    "History",
    "HistoryFeature",
    "Source",
    "State",
    "Taken",
    "backfill",
    "declare_history",
    "event_relation",
    "load_history",
]


def __getattr__(name: str) -> Any:
    # The serving process reads the state and must not pay for Arrow.
    if name in ("Backfill", "backfill"):
        from martello.features.history import offline

        return getattr(offline, name)
    if name == "event_relation":
        from martello.features.history.relation import event_relation

        return event_relation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
