"""From an event as it arrives to the rows that the online state keeps of it, one per group that it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from martello.errors import DataError
from martello.features.expressions.closure import RowFeatures
from martello.features.expressions.declare import Declaration, Input, RowFeature
from martello.features.expressions.tree import to_json
from martello.features.history.declare import Group
from martello.features.history.shapes import Source
from martello.features.values import Reader
from martello.spec.schema import Field

__all__ = ["Event", "Intake"]


class Event(NamedTuple):
    """One event as it is kept: id, clock, a digest of its content, and rows by table."""

    id: Any
    ts: int
    digest: bytes
    rows: list[tuple[str, tuple[Any, ...]]]


class Intake:
    """Read the events of one source with the rules of `Reader`, and sort them into groups.

    Parameters
    ----------
    name, source
        The source.
    groups
        The groups of all sources.
    """

    def __init__(self, name: str, source: Source, groups: Sequence[Group]) -> None:
        self._name = name
        self._source = source
        self._groups = [group for group in groups if group.source_name == name]
        self._reader = Reader(
            tuple(Field(name=each, type=kind, optional=True) for each, kind in source.columns.items())
        )
        self._conditions = [_condition(group) for group in self._groups]
        self._needed = tuple(dict.fromkeys((source.id, source.clock, *source.key)))

    def read(self, event: Mapping[str, object]) -> Event:
        """Read one event; columns that are not declared are passed over.

        Raises
        ------
        DataError
            Any fault of `Reader.read`, or ``features.event-incomplete`` when id, key or clock are missing.
        """
        values = self._reader.read({name: event[name] for name in self._source.columns if name in event})
        id_, ts = values[self._source.id], values[self._source.clock]
        missing = [name for name in self._needed if values[name] is None]
        if missing or not isinstance(ts, int):
            raise DataError(
                "features.event-incomplete",
                f"an event has no {' and no '.join(missing)}",
                where=f"source {self._name}, event {id_}",
                expected="id, key and time of every event",
                fix="send the event again, whole",
            )
        rows = [
            (group.name, row)
            for group, holds in zip(self._groups, self._conditions, strict=True)
            if holds(values) and (row := _row(group, values, id_, ts))
        ]
        digest = hashlib.blake2b(msgspec.json.encode(list(values.values())), digest_size=12).digest()
        return Event(id_, ts, digest, rows)


def _row(group: Group, values: Mapping[str, Any], id_: object, ts: int) -> tuple[Any, ...] | None:
    """Give the row that a group keeps, None where part of its key is not known."""
    key = [values[column] for column, _ in group.key]
    return None if None in key else (*key, ts, id_, *(values[name] for name in group.values))


def _condition(group: Group) -> Any:
    """Make the function that says whether an event belongs to a group."""
    if not group.conditions:
        return lambda values: True
    declared = Declaration(
        inputs=tuple(Input(name=name, type=kind, optional=True) for name, kind in group.source.columns.items()),
        features=tuple(
            RowFeature(name=f" {place}", type="boolean", optional=each.nullable, tree=to_json(each.node))
            for place, each in enumerate(group.conditions)
        ),
    )
    row = RowFeatures(declared, {}).row
    return lambda values: all(each is True for each in row(values).values())
