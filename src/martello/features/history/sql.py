"""The one SQL statement of a group of features: events and moments in one table, windows over it.

The text uses what SQL:2003 has and is the same on DuckDB, SQLite and Postgres. Events and moments come as relations in
the shape that `relation` makes: times in whole microseconds, numbers finite. A window ends one microsecond before the
moment, so that an event at the moment itself never counts.
"""

from __future__ import annotations

from martello.engines.base import quote
from martello.features.expressions.sql import sql_of
from martello.features.history.declare import Group
from martello.features.history.shapes import DAY, HistoryFeature

__all__ = ["ITEM", "history_sql"]

#: Column of the item at a place of a `last_k` list, most recent first.
ITEM = "{name}[{place}]"


def history_sql(group: Group, events: str, moments: str, dialect: str) -> str:
    """Write the statement that gives every feature of a group for every moment.

    Parameters
    ----------
    group
        The features.
    events, moments
        Relations for use after FROM: the events of the source; and `row` (a whole number, unique), `now` and what a
        request gives, one row per moment. Rows without id, clock or key are no events.
    dialect
        Whose guards the conditions take; without `where` it does not matter.

    Returns
    -------
    str
        A query with `row` and a column per feature; `last_k` gives a column per place.
    """
    return _Statement(group, dialect).text(events, moments)


class _Statement:
    def __init__(self, group: Group, dialect: str) -> None:
        self._group = group
        self._dialect = dialect
        self._clock = group.source.clock
        self._keys = [f"k{place}" for place in range(len(group.key))]
        self._value = {name: f"v{place}" for place, name in enumerate(group.values)}
        # The number of an event within its key: what finds single events without comparing times.
        self._numbered = {name: each for name, each in group.features.items() if self._by_number(each)}

    def _by_number(self, feature: HistoryFeature) -> bool:
        if feature.agg in ("last", "first"):
            return feature.value != self._clock
        return feature.agg in ("last_k", "distinct_count")

    def text(self, events: str, moments: str) -> str:
        """Put the parts together."""
        joins, columns = [], []
        for place, (name, feature) in enumerate(self._group.features.items()):
            found, join = self._feature(f"f{place}", name, feature)
            columns.extend(found)
            joins.extend(join)
        return "\n".join(
            [
                f"with e as ({self._events(events)}),",
                f"u as ({self._union(moments)}),",
                f"w as ({self._windows()}),",
                "q as (select * from w where r is not null)",
                "select q.r as " + ", ".join(['"row"', *columns]),
                "from q",
                *joins,
            ]
        )

    def _events(self, events: str) -> str:
        source, group = self._group.source, self._group
        columns = [f"{quote(column)} as {key}" for key, (column, _) in zip(self._keys, group.key, strict=True)]
        columns += [
            f"{quote(self._clock)} as ts",
            *(f"{quote(name)} as {short}" for name, short in self._value.items()),
        ]
        if self._numbered:
            keys = ", ".join(quote(column) for column, _ in group.key)
            order = f"{quote(self._clock)}, {quote(source.id)}"
            columns.append(f"row_number() over (partition by {keys} order by {order}) as n")
        there = dict.fromkeys([source.id, self._clock, *(column for column, _ in group.key)])
        names = {name: quote(name) for name in source.columns}
        conditions = [f"{quote(name)} is not null" for name in there]
        conditions += [sql_of(each, self._dialect, names) for each in group.conditions]
        return f"select {', '.join(columns)} from {events} as events where {' and '.join(conditions)}"

    def _union(self, moments: str) -> str:
        keys = ", ".join(self._keys)
        given = ", ".join(f"{quote(name)} as {key}" for key, (_, name) in zip(self._keys, self._group.key, strict=True))
        summed = self._summed()
        values = "".join(f", cast({short} as double precision) as {short}" for short in summed)
        nothing = "".join(f", cast(null as double precision) as {short}" for short in summed)
        return (
            f"select cast(null as bigint) as r, {keys}, ts, ts as et{values} from e union all "
            f'select "row" as r, {given}, "now" as ts, cast(null as bigint) as et{nothing} from {moments} as moments'
        )

    def _summed(self) -> list[str]:
        values = (each.value for each in self._group.features.values() if each.agg in ("sum", "mean") and each.value)
        return [self._value[value] for value in dict.fromkeys(values)]

    def _windows(self) -> str:
        """Write every aggregate over its window, and the windows by name."""
        parts: dict[str, str] = {}
        if self._numbered:
            parts["count(et) over everything"] = "n"
        for feature in self._group.features.values():
            for call in self._aggregates(feature):
                parts[f"{call} over s{feature.span}"] = _column(call, feature.span)
        spans = dict.fromkeys(each.span for each in self._group.features.values())
        over = f"partition by {', '.join(self._keys)} order by ts range between"
        windows = [f"s{span} as ({over} {span} preceding and 1 preceding)" for span in spans]
        if self._numbered:
            windows.append(f"everything as ({over} unbounded preceding and 1 preceding)")
        columns = ", ".join(f"{call} as {name}" for call, name in parts.items())
        return f"select r, {', '.join(self._keys)}, {columns} from u window {', '.join(windows)}"

    def _aggregates(self, feature: HistoryFeature) -> list[str]:
        if feature.agg in ("sum", "mean"):
            value = self._value[str(feature.value)]
            return [f"sum({value})", f"count({value})"][: 1 + (feature.agg == "mean")]
        if feature.agg in ("last", "first") and feature.value == self._clock:
            return [f"{_SQL[feature.agg]}(et)"]
        return ["count(et)"]

    def _feature(self, alias: str, name: str, feature: HistoryFeature) -> tuple[list[str], list[str]]:
        """Give the columns of a feature and the joins they need."""
        column = "q." + _column(self._aggregates(feature)[0], feature.span)
        if feature.agg == "count":
            return [f"{self._if_known(column)} as {quote(name)}"], []
        if feature.agg == "rate":
            days = f"cast('{feature.span / DAY!r}' as double precision)"
            return [f"{self._if_known(f'cast({column} as double precision) / {days}')} as {quote(name)}"], []
        if feature.agg == "mean":  # Postgres takes squares for its own avg, which overflow
            return [
                f"{column} / nullif(q.{_column(self._aggregates(feature)[1], feature.span)}, 0) as {quote(name)}"
            ], []
        if name not in self._numbered:
            return [f"{column} as {quote(name)}"], []
        value = self._value.get(str(feature.value), "ts")
        if feature.agg in ("last", "first"):
            number = "q.n" if feature.agg == "last" else f"q.n - {column} + 1"
            return [f"{alias}.{value} as {quote(name)}"], [self._nth(alias, column, 0, number)]
        if feature.agg == "last_k":
            return self._items(alias, name, feature, column, value)
        among = " and ".join(f"e.{key} = q.{key}" for key in self._keys)
        join = (
            f"left join (select q.r, count(distinct e.{value}) as d from q join e on {among} "
            f"and e.n between q.n - {column} + 1 and q.n group by q.r) as {alias} on {alias}.r = q.r"
        )
        return [f"{self._if_known(f'coalesce({alias}.d, 0)')} as {quote(name)}"], [join]

    def _items(
        self, alias: str, name: str, feature: HistoryFeature, column: str, value: str
    ) -> tuple[list[str], list[str]]:
        """Find each of the last events by its number."""
        places = range(feature.k or 0)
        joins = [self._nth(f"{alias}_{place}", column, place, f"q.n - {place}") for place in places]
        items = [f"{alias}_{place}.{value} as {quote(ITEM.format(name=name, place=place))}" for place in places]
        # Nothing happened is an empty list; whom it concerns is not known is null. The count tells them apart.
        return [*items, f"{self._if_known('0')} as {quote(name)}"], joins

    def _nth(self, alias: str, count: str, place: int, number: str) -> str:
        """Join the event of a number, if the window holds more than `place` of them.

        The join is one equality per side: with any other condition beside it DuckDB compares every pair.
        """
        keys = " and ".join(f"{alias}.{key} = q.{key}" for key in self._keys)
        return f"left join e as {alias} on {keys} and {alias}.n = case when {count} > {place} then {number} end"

    def _if_known(self, value: str) -> str:
        """Give null where the key is not known: nothing is known then, not that nothing happened."""
        return f"case when {' and '.join(f'q.{key} is not null' for key in self._keys)} then {value} end"


_SQL = {"last": "max", "first": "min"}


def _column(call: str, span: int) -> str:
    return "a_" + "".join(letter if letter.isalnum() else "_" for letter in call) + str(span)
