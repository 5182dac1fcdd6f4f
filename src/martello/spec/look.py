"""What can be counted about a source before anything is agreed: facts per column, and the values of the label.

The engine does the counting, in the SQL of DuckDB. What the facts suggest is `guess`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

from martello.engines.base import Engine, quote

__all__ = ["MISSING_MARKERS", "ColumnFacts", "SourceFacts", "look_at"]

#: Texts that files use for "no value", compared without spaces around them. "None" and "unknown" are not among them:
#: they are answers as often as they are gaps.
MISSING_MARKERS = ("", "?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "-", "--", ".")

Family = Literal["integer", "number", "text", "boolean", "time", "other"]

_INTEGERS = tuple(sign + size for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"))
_FLOATS = ("FLOAT", "DOUBLE")
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
_RFC3339 = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
#: How a text column is counted: what each form of text looks like.
_FORMS = {
    "integer": r"[+-]?[0-9]{1,18}",
    "number": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
    "zero_led": r"[+-]?0[0-9]+",
    "boolean": r"(?i)true|false",
    "time": _TIME,
    "rfc3339": _RFC3339,
}
# A column that is pure in every one of its values is no accident when each value has this many rows.
_ROWS_PER_VALUE = 20
_MANY_CLASSES = 1001


class ColumnFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted in one column; missing values and markers of them are not counted as values."""

    name: str
    family: Family
    n_missing: int
    n_distinct: int
    n_rows: int
    n_infinite: int = 0
    markers: tuple[str, ...] = ()  # the texts that stand for "no value", exactly as they are in the file
    mean_words: float = 0.0
    is_rfc3339: bool = True  # False for times as text that leave out the seconds
    is_running: bool = False  # integers that never fall from one row to the next
    copy_of: str | None = None
    gives_label_away: bool = False

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value and no two rows share one."""
        return self.n_missing == 0 and self.n_distinct == self.n_rows

    @property
    def n_present(self) -> int:
        """How many rows have a value."""
        return self.n_rows - self.n_missing


class SourceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted in the whole source."""

    n_rows: int
    columns: tuple[ColumnFacts, ...]  # all, the label too
    labels: tuple[tuple[str, int], ...]  # value as text, rows; most frequent first; cut at 1,001


def look_at(engine: Engine, relation: str, label: str) -> SourceFacts:
    """Count what a draft needs to know.

    Parameters
    ----------
    engine
        Where the data lies.
    relation
        SQL text for use after FROM, from `Engine.relation`.
    label
        A column of the relation.
    """
    return _Look(engine, relation, label).facts()


class _Look:
    """The queries over one source; columns go by number (``c0``, ``c1``…), so that no name needs quoting twice."""

    def __init__(self, engine: Engine, relation: str, label: str) -> None:
        self._engine = engine
        self._types = engine.columns(relation)
        self._names = list(self._types)
        self._label = f"c{self._names.index(label)}"
        cleaned = [
            f"{quote(name)} AS r{i}, {_cleaned(quote(name), stored)} AS c{i}"
            for i, (name, stored) in enumerate(self._types.items())
        ]
        self._source = f"(SELECT {', '.join(cleaned)} FROM {relation})"

    def facts(self) -> SourceFacts:
        counts = self._row([*self._counts(), ("n_rows", "count(*)")])
        n_rows: int = counts["n_rows"]
        columns = [self._column(i, counts) for i in range(len(self._names))]
        columns = self._with_copies(columns, counts)
        columns = self._with_leaks(columns)
        columns = self._with_order(columns)
        return SourceFacts(n_rows=n_rows, columns=tuple(columns), labels=self._labels())

    def _row(self, expressions: list[tuple[str, str]]) -> dict[str, Any]:
        if not expressions:
            return {}
        listed = ", ".join(f"{sql} AS {alias}" for alias, sql in expressions)
        (row,) = self._engine.arrow(f"SELECT {listed} FROM {self._source}").to_pylist()
        return dict(row)

    def _counts(self) -> Iterator[tuple[str, str]]:
        for i, stored in enumerate(self._types.values()):
            column = f"c{i}"
            yield f"present_{i}", f"count({column})"
            yield f"distinct_{i}", f"count(DISTINCT {column})"
            yield f"print_{i}", f"CAST(sum(hash(CAST({column} AS VARCHAR))) AS VARCHAR)"
            if stored in _FLOATS:
                yield f"infinite_{i}", f"count(*) FILTER (WHERE isinf({column}))"
            if _stored_family(stored) == "text":
                yield f"markers_{i}", f"list(DISTINCT CAST(r{i} AS VARCHAR)) FILTER (WHERE {column} IS NULL)"
                yield f"words_{i}", f"avg(length(trim({column})) - length(replace(trim({column}), ' ', '')) + 1)"
                for form, pattern in _FORMS.items():
                    yield f"{form}_{i}", f"count(*) FILTER (WHERE regexp_full_match(trim({column}), '{pattern}'))"

    def _column(self, i: int, counts: dict[str, Any]) -> ColumnFacts:
        name = self._names[i]
        return ColumnFacts(
            name=name,
            family=self._family(i, counts),
            n_missing=counts["n_rows"] - counts[f"present_{i}"],
            n_distinct=counts[f"distinct_{i}"],
            n_rows=counts["n_rows"],
            n_infinite=counts.get(f"infinite_{i}", 0),
            markers=tuple(sorted(marker for marker in counts.get(f"markers_{i}") or () if marker is not None)),
            mean_words=counts.get(f"words_{i}") or 0.0,
            is_rfc3339=counts.get(f"rfc3339_{i}", counts[f"present_{i}"]) == counts[f"present_{i}"],
        )

    def _family(self, i: int, counts: dict[str, Any]) -> Family:
        """Give the family of a column; a text column is what all of its values look like."""
        stored, present = _stored_family(self._types[self._names[i]]), counts[f"present_{i}"]
        if stored != "text" or present == 0:
            return stored
        # Digits that a typed file keeps as text are codes, unless a marker for "no value" is what made them text.
        is_untyped = set(self._types.values()) == {"VARCHAR"} or bool(counts[f"markers_{i}"])
        if is_untyped and counts[f"zero_led_{i}"] == 0 and counts[f"number_{i}"] == present:
            return "integer" if counts[f"integer_{i}"] == present else "number"
        if counts[f"boolean_{i}"] == present:
            return "boolean"
        return "time" if counts[f"time_{i}"] == present else "text"

    def _labels(self) -> tuple[tuple[str, int], ...]:
        rows = self._engine.arrow(
            f"SELECT CAST({self._label} AS VARCHAR) AS label, count(*) AS n FROM {self._source}"
            f" WHERE {self._label} IS NOT NULL GROUP BY 1 ORDER BY n DESC, label LIMIT {_MANY_CLASSES}"
        ).to_pylist()
        return tuple((row["label"], row["n"]) for row in rows)

    def _with_copies(self, columns: list[ColumnFacts], counts: dict[str, Any]) -> list[ColumnFacts]:
        seen: dict[tuple[int, int, str], list[int]] = {}
        pairs: list[tuple[int, int]] = []
        for i, column in enumerate(columns):
            key = (column.n_distinct, column.n_missing, counts[f"print_{i}"])
            if column.n_distinct > 1 and f"c{i}" != self._label:
                pairs.extend((earlier, i) for earlier in seen.get(key, ()))
                seen.setdefault(key, []).append(i)
        # Equal sums of hashes are the same values in some order; only a comparison row by row proves a copy.
        differ = self._row([(f"d_{i}_{j}", f"bool_or({_text(i)} IS DISTINCT FROM {_text(j)})") for i, j in pairs])
        copies = {j: i for i, j in reversed(pairs) if not differ[f"d_{i}_{j}"]}
        return [
            msgspec.structs.replace(column, copy_of=columns[copies[i]].name) if i in copies else column
            for i, column in enumerate(columns)
        ]

    def _with_leaks(self, columns: list[ColumnFacts]) -> list[ColumnFacts]:
        n_classes = columns[int(self._label[1:])].n_distinct
        asked = [
            i for i, column in enumerate(columns) if f"c{i}" != self._label and _could_give_away(column, n_classes)
        ]
        leaks = {i for i in asked if self._is_pure(i)}
        return self._marked(columns, "gives_label_away", leaks)

    def _is_pure(self, i: int) -> bool:
        """Say whether each value of a column goes with one label only; that a value is missing counts as a value."""
        (row,) = self._engine.arrow(
            f"SELECT bool_and(low = high) AS pure, count(*) AS n FROM (SELECT min({self._label}) AS low,"
            f" max({self._label}) AS high FROM {self._source} WHERE {self._label} IS NOT NULL GROUP BY c{i})"
        ).to_pylist()
        return bool(row["pure"]) and row["n"] > 1

    def _with_order(self, columns: list[ColumnFacts]) -> list[ColumnFacts]:
        asked = [i for i, column in enumerate(columns) if column.family == "integer" and column.n_missing == 0]
        if not asked:
            return columns
        steps = ", ".join(f"{_integer(i)} - lag({_integer(i)}) OVER () AS s{i}" for i in asked)
        rises = ", ".join(f"bool_and(s{i} >= 0) AS s{i}" for i in asked)
        (row,) = self._engine.arrow(f"SELECT {rises} FROM (SELECT {steps} FROM {self._source})").to_pylist()
        return self._marked(columns, "is_running", {i for i in asked if row[f"s{i}"] and columns[i].n_distinct > 1})

    @staticmethod
    def _marked(columns: list[ColumnFacts], fact: str, which: set[int]) -> list[ColumnFacts]:
        replace: Callable[..., ColumnFacts] = msgspec.structs.replace
        return [replace(column, **{fact: True}) if i in which else column for i, column in enumerate(columns)]


def _stored_family(stored: str) -> Family:
    if stored in _INTEGERS:
        return "integer"
    if stored in _FLOATS or stored.startswith("DECIMAL"):
        return "number"
    if stored in ("VARCHAR", "UUID") or stored.startswith("ENUM"):
        return "text"
    if stored == "BOOLEAN":
        return "boolean"
    return "time" if stored.startswith("TIMESTAMP") or stored == "DATE" else "other"


def _cleaned(name: str, stored: str) -> str:
    """Write a column with every form of "no value" as NULL."""
    family = _stored_family(stored)
    if family == "text":
        markers = ", ".join(f"'{marker}'" for marker in MISSING_MARKERS)
        text = f"CAST({name} AS VARCHAR)"
        return f"CASE WHEN trim({text}) IN ({markers}) THEN NULL ELSE {text} END"
    if stored in _FLOATS:
        return f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END"
    return f"CAST({name} AS VARCHAR)" if family == "other" else name


def _text(i: int) -> str:
    return f"CAST(c{i} AS VARCHAR)"


def _integer(i: int) -> str:
    return f"CAST(c{i} AS HUGEINT)"


def _could_give_away(column: ColumnFacts, n_classes: int) -> bool:
    values = column.n_distinct + (column.n_missing > 0)
    return values > 1 and (values <= n_classes or column.n_rows >= _ROWS_PER_VALUE * values)
