"""The query that reads one group of features for one key from the online state, written once per declaration.

Parameters are the parts of the key and then the moment. No declared name but the source's, quoted, is part of the text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from martello.features.history.declare import Group
from martello.features.history.shapes import DAY, HistoryFeature

__all__ = ["Lookup", "lookup"]

_Convert = Callable[[Any], Any] | None


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """How a group is read: one row with the clock's cut and a value per column, and a query per list."""

    source_name: str
    span: int
    parameters: tuple[str, ...]
    features: tuple[str, ...]
    sql: str
    columns: tuple[str, ...]
    converts: tuple[_Convert, ...]
    lists: tuple[tuple[str, str], ...]


def lookup(group: Group) -> Lookup:
    """Write how a group is read."""
    now = f"?{len(group.key) + 1}"
    keys = " and ".join(f"k{place} = ?{place + 1}" for place in range(len(group.key)))
    columns, converts, lists = [], [], []
    aggregated: list[str] = []
    parts: list[str] = []
    spans = [each.span for each in group.features.values() if each.agg in _AGGREGATES]
    for name, feature in group.features.items():
        value = _value(group, feature)
        within = f"{keys} and ts >= {now} - {feature.span} and ts < {now}"
        if feature.agg == "last_k":
            lists.append(
                (name, f"select {value} from {group.name} where {within} order by ts desc, id desc limit {feature.k}")
            )
            continue
        columns.append(name)
        converts.append(_convert(group, feature))
        if feature.agg in _AGGREGATES:
            only = "" if feature.span == max(spans) else f" filter (where ts >= {now} - {feature.span})"
            parts.append(f"a.c{len(aggregated)}")
            aggregated.append(f"{_AGGREGATES[feature.agg].format(value)}{only} as c{len(aggregated)}")
        else:
            order = "desc" if feature.agg == "last" else "asc"
            parts.append(f"(select {value} from {group.name} where {within} order by ts {order}, id {order} limit 1)")
    cut = f"(select cut from clock where source = {_text(group.source_name)})"
    within = f"{keys} and ts >= {now} - {max(spans, default=0)} and ts < {now}"
    rest = f" from (select {', '.join(aggregated)} from {group.name} where {within}) as a" if aggregated else ""
    return Lookup(
        source_name=group.source_name,
        span=group.span,
        parameters=tuple(name for _, name in group.key),
        features=tuple(group.features),
        sql=f"select {', '.join([cut, *parts])}{rest}",
        columns=tuple(columns),
        converts=tuple(converts),
        lists=tuple(lists),
    )


_AGGREGATES = {
    "count": "count(*)",
    "rate": "count(*)",
    "sum": "sum({} * 1.0)",
    "mean": "avg({})",
    "distinct_count": "count(distinct {})",
}


def _value(group: Group, feature: HistoryFeature) -> str:
    """Name the column that holds a value."""
    if feature.value is None or feature.value == group.source.clock:
        return "ts"
    return f"v{group.values.index(feature.value)}"


def _convert(group: Group, feature: HistoryFeature) -> _Convert:
    """Give what a value of SQLite must go through to be of its declared type."""
    if feature.agg == "rate":
        days = feature.span / DAY
        return lambda count: count / days
    if feature.agg in ("sum", "mean"):
        return lambda value: value if math.isfinite(value) else None
    if feature.value and group.source.columns[feature.value] == "boolean" and feature.agg in ("last", "first"):
        return bool
    return None


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
