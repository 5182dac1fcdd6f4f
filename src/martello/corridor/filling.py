"""Events from where they are declared into the online state: at the start of a server, and for a rehearsal of the past.

Part of the corridor, and not of the serving process: it opens the engine that holds the events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from martello.engines import Engine, open_engine
from martello.engines.base import quote
from martello.engines.dialect import literal
from martello.errors import DataError
from martello.features.declared import DeclaredFeatures
from martello.features.history.shapes import Source
from martello.features.history.state import State
from martello.features.table import event_table
from martello.settings import Settings

__all__ = ["Filled", "fill_state"]

#: Events held at once while they are written.
_BATCH = 20_000


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What came into the state: events by source, and the faults of those that did not."""

    accepted: dict[str, int]
    faults: tuple[DataError, ...]


def fill_state(
    path: Path,
    declared: DeclaredFeatures,
    directory: Path,
    settings: Settings,
    *,
    only: Mapping[str, list[Any]] | None = None,
) -> Filled:
    """Read the declared events into a state; those that are there already count once.

    Parameters
    ----------
    path
        The state's file, made when absent.
    declared
        The features.
    directory, settings
        Where the declared tables are.
    only
        Requests of the past, inputs by name: the events of whom they concern, all of them, and nothing is forgotten.
        None: what the windows of the newest event hold.

    Raises
    ------
    DataError
        Faults of the tables; IntegrityError and EnvironmentFault as `State`.
    """
    accepted: dict[str, int] = {}
    faults: list[DataError] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with State(path, declared.history, forgets=only is None) as state:
        for name, source in declared.history.sources.items():
            with open_engine(source.table, directory, settings) as engine:
                condition = _condition(engine, name, source, state.keeps(name), only)
                taken = state.put(name, _events(engine, name, source, condition))
            accepted[name] = taken.accepted
            faults.extend(taken.faults)
    return Filled(accepted=accepted, faults=tuple(faults))


def _condition(engine: Engine, name: str, source: Source, span: int, only: Mapping[str, list[Any]] | None) -> str:
    """Write which events are wanted."""
    clock = quote(source.clock)
    if only is None:
        newest = f"select max({clock}) from {event_table(engine, name, source)} as newest"
        return f"{clock} >= ({newest}) - {span}"
    wanted = " and ".join(f"{quote(column)} in ({_list(only[column])})" for column in source.key)
    return f"{clock} is not null and {wanted}"


def _list(values: list[Any]) -> str:
    known = dict.fromkeys(value for value in values if value is not None)
    return ", ".join(literal(value) if isinstance(value, str) else str(value) for value in known) or "null"


def _events(engine: Engine, name: str, source: Source, condition: str) -> Iterator[dict[str, Any]]:
    """Give events in the order in which they became known, so that the first of two with one id stands."""
    relation = event_table(engine, name, source)
    order = f"{quote(source.clock)}, {quote(source.id)}"
    columns = ", ".join(map(quote, source.columns))
    table = engine.arrow(f"select {columns} from {relation} as events where {condition} order by {order}")
    for batch in table.to_batches(max_chunksize=_BATCH):
        yield from batch.to_pylist()
