"""The source as SQL: declared columns cast by their declared types, units named, types checked.

Everything here writes or runs SQL through the `Engine` protocol; nothing is drawn yet. A value that cannot be cast is a
fault that names the column, how many rows and an example; it is never silently null.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from martello.engines.base import Engine
from martello.engines.dialect import Dialect, Kind, quote
from martello.errors import DataError, EngineError, SpecError, nearest
from martello.spec.schema import Field, Output, Population, SampleDesign

__all__ = ["Source", "open_source"]

_PLAIN = SampleDesign()
_NO_TEXT = "CAST(NULL AS VARCHAR)"
_KIND_OF: dict[str, Kind] = {
    "number": "float",
    "integer": "integer",
    "boolean": "boolean",
    "time": "moment",
    "category": "text",
    "text": "text",
}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A population as SQL text.

    Attributes
    ----------
    typed
        Relation with every declared column cast, the population's condition applied, plus `_unit` and `_group` (text),
        `_time` (integer), `_stratum` (text), `_size` and `_spread` (numbers); null where they are not declared.
    content
        SQL expression of the hash of a row's declared inputs.
    texts
        SQL of the label and of each slice column as text, by column.
    fingerprint
        SQL aggregate over all rows: the engine's own hash of unit key and declared inputs.
    group_value
        SQL expression that differs exactly where `_group` does.
    has_group, has_time, has_strata
        Whether `_group`, `_time` and `_stratum` are declared.
    """

    typed: str
    content: str
    has_group: bool
    has_time: bool
    has_strata: bool = False
    texts: dict[str, str] = {}
    fingerprint: str = "''"
    group_value: str = "_group"

    @property
    def key(self) -> str:
        """Name the column by which units are drawn: the group where one is declared."""
        return "_group" if self.has_group else "_unit"


class _Columns(NamedTuple):
    """The stored columns, with what writes their SQL."""

    dialect: Dialect
    stored: dict[str, str]
    missing: tuple[str, ...]

    def kind(self, name: str) -> Kind:
        return self.dialect.kind(self.stored[name])

    def present(self, name: str, declared: str) -> str:
        return self.dialect.present(quote(name), self.kind(name), declared, self.missing)

    def cast(self, name: str, declared: str) -> str:
        return self.dialect.cast(self.present(name, declared), self.kind(name), declared)

    def text(self, name: str) -> str:
        return self.dialect.text(quote(name), self.kind(name))

    def number(self, name: str | None) -> str:
        return "CAST(NULL AS DOUBLE PRECISION)" if name is None else self.cast(name, "number")

    def key(self, names: Iterable[str]) -> str:
        """Write the SQL of a text key; the separator is escaped so that two keys never run together."""
        return " || '|' || ".join(
            self.text(name) if self.kind(name) == "integer" else f"replace({self.text(name)}, '|', '||')"
            for name in names
        )

    def group_value(self, names: tuple[str, ...], declared: Mapping[str, str]) -> str:
        """Write what tells groups apart: an integer itself is counted faster than its text."""
        is_integer = len(names) == 1 and self.kind(names[0]) == "integer" and names[0] not in declared
        return quote(names[0]) if is_integer else "_group"


def _hash(texts: Collection[str]) -> str:
    """Write the SQL of a content hash of some texts; null and the empty text differ."""
    if not texts:
        return "''"
    return f"md5(concat_ws(chr(31), {', '.join(f'coalesce({text}, chr(30))' for text in texts)}))"


def open_source(
    engine: Engine,
    population: Population,
    fields: tuple[Field, ...],
    output: Output,
    slices: tuple[str, ...],
    design: SampleDesign = _PLAIN,
) -> Source:
    """Give the population as SQL, after checking that its columns exist and hold what the spec declares.

    Raises
    ------
    DataError
        ``data.no-such-column``, ``data.wrong-type``, ``data.float-key`` or ``data.no-rows``; faults of the file from
        the engine.
    """
    relation = engine.relation(population.source)
    stored = engine.columns(relation)
    _check_columns(stored, population, fields, output, slices, design)
    _check_keys_are_exact(engine.dialect, stored, population, design)
    columns = _Columns(engine.dialect, stored, population.missing)
    declared = {field.name: field.type for field in fields}
    casts = ", ".join(
        f"{columns.cast(name, declared[name])} AS {quote(name)}" if name in declared else quote(name) for name in stored
    )
    where = f"WHERE {population.where}" if population.where else ""
    extra = ", ".join(
        (
            f"{_unit_key(columns, population)} AS _unit",
            f"{columns.key(population.group) if population.group else _NO_TEXT} AS _group",
            f"{_time(columns, population.time)} AS _time",
            f"{_stratum(columns, design.by)} AS _stratum",
            f"{columns.number(design.size or design.score)} AS _size",
            f"{columns.number(design.spread)} AS _spread",
        )
    )

    def typed(more: str) -> str:
        return f"(SELECT * FROM (SELECT {casts}, {more} FROM {relation} AS stored) AS typed {where})"

    if population.where:
        _check_condition(engine, population.where, typed("1 AS _one"))
    _check_values(engine, population.source, typed, declared, columns)
    inputs = tuple(quote(name) for name in declared)
    return Source(
        typed=typed(extra),
        content=_hash([_typed_text(columns, name, declared) for name in declared]),
        has_group=bool(population.group),
        has_time=bool(population.time),
        has_strata=bool(design.by),
        texts={
            name: _typed_text(columns, name, declared)
            for name in {*slices, output.column, output.author}
            if name is not None
        },
        fingerprint=engine.dialect.fingerprint(("_unit", *inputs)),
        group_value=columns.group_value(population.group, declared),
    )


def _typed_text(columns: _Columns, name: str, declared: Mapping[str, str]) -> str:
    """Write a column of the typed relation as text."""
    kind = _KIND_OF[declared[name]] if name in declared else columns.kind(name)
    return columns.dialect.text(quote(name), kind)


def _check_condition(engine: Engine, condition: str, relation: str) -> None:
    try:
        engine.columns(relation)
    except EngineError as err:
        raise SpecError(
            "sample.bad-condition",
            f"the engine does not understand the population's condition: {err.what}",
            where=f"population.where = {condition!r}",
            expected="a SQL condition over columns of the source",
            fix='quote column names that are not plain words: where = ""capital-gain" > 0"',
        ) from err


def _unit_key(columns: _Columns, population: Population) -> str:
    if population.unit:
        return columns.key(population.unit)
    # Named by content and a count among equal rows: stable when rows are re-ordered.
    content = f"substr({_hash([columns.text(name) for name in columns.stored])}, 1, 16)"
    return f"{content} || '-' || CAST(row_number() OVER (PARTITION BY {content}) AS VARCHAR)"


def _time(columns: _Columns, name: str | None) -> str:
    if name is None:
        return "CAST(NULL AS BIGINT)"
    return columns.dialect.order(columns.present(name, "time"), columns.kind(name))


def _stratum(columns: _Columns, by: tuple[str, ...]) -> str:
    """Write the SQL of a unit's stratum; units without a value make a stratum of their own."""
    if not by:
        return _NO_TEXT
    return " || '|' || ".join(
        f"coalesce(replace({columns.cast(name, 'category')}, '|', '||'), '(missing)')" for name in by
    )


def _check_columns(
    stored: Mapping[str, str],
    population: Population,
    fields: tuple[Field, ...],
    output: Output,
    slices: tuple[str, ...],
    design: SampleDesign,
) -> None:
    wanted = [("population.unit", name) for name in population.unit]
    wanted += [("population.group", name) for name in population.group]
    wanted += [("population.time", population.time)] if population.time else []
    wanted += [("input", field.name) for field in fields]
    wanted += [(f"output.{key}", name) for key in ("column", "author") if (name := getattr(output, key))]
    wanted += [("requirement.slices", name) for name in slices]
    wanted += [("[sample] by", name) for name in design.by]
    wanted += [(f"[sample] {key}", name) for key in ("size", "spread", "score") if (name := getattr(design, key))]
    faults = []
    for place, name in wanted:
        if name not in stored:
            near = nearest(name, stored)
            faults.append(
                DataError(
                    "data.no-such-column",
                    f"the source has no column {name!r}",
                    where=f"{population.source}, named by {place}",
                    expected="one of " + ", ".join(list(stored)[:12]) + ("…" if len(stored) > 12 else ""),
                    fix=f"write {near!r}" if near else "name a column the source has",
                )
            )
    if faults:
        raise _all_of(faults)


def _check_keys_are_exact(
    dialect: Dialect, stored: Mapping[str, str], population: Population, design: SampleDesign
) -> None:
    faults = [
        DataError(
            "data.float-key",
            f"{name!r} is a {stored[name].lower()}, which cannot name a unit, group or stratum",
            where=population.source,
            expected="an integer or text column: two numbers that print alike may differ",
            fix="cast the column to an integer or text in the source",
        )
        for name in (*population.unit, *population.group, *design.by)
        if dialect.kind(stored[name]) in ("float", "decimal")
    ]
    if faults:
        raise _all_of(faults)


def _check_values(
    engine: Engine,
    source: str,
    typed: Callable[[str], str],
    declared: Mapping[str, str],
    columns: _Columns,
) -> None:
    """Count the values that do not read as their declared type, in one scan."""
    raw = ["1 AS _one"]
    checks = ["count(*) AS n"]
    for number, (name, kind) in enumerate(declared.items()):
        value = columns.dialect.text(columns.present(name, kind), columns.kind(name))
        raw.append(f"{value} AS _raw{number}")
        bad = f"_raw{number} IS NOT NULL AND {quote(name)} IS NULL"
        checks.append(
            f"count(*) FILTER (WHERE {bad}) AS n{number}, min(_raw{number}) FILTER (WHERE {bad}) AS bad{number}"
        )
    row = engine.arrow(f"SELECT {', '.join(checks)} FROM {typed(', '.join(raw))} AS checked").to_pylist()[0]
    if row["n"] == 0:
        raise DataError(
            "data.no-rows",
            "the population has no rows",
            where=source,
            expected="a header and rows, some of them inside population.where",
            fix="check the file and population.where",
        )
    faults = [
        DataError(
            "data.wrong-type",
            f"{name!r} is declared {declared[name]}, but {row[f'n{number}']} of {row['n']} values are not",
            where=f"{source}, column {name!r}, for example {row[f'bad{number}']!r}",
            expected=f"values that read as {declared[name]}",
            fix="declare it category or text, or list the marker under population.missing if it means no value",
        )
        for number, name in enumerate(declared)
        if row[f"n{number}"]
    ]
    if faults:
        raise _all_of(faults)


def _all_of(faults: list[DataError]) -> DataError:
    first, *rest = faults
    return DataError(
        first.code, first.what, where=first.where, expected=first.expected, fix=first.fix, others=tuple(rest)
    )
