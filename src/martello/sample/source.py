"""The source as SQL: declared columns cast by their declared types, units named, types checked.

Everything here writes or runs SQL through the `Engine` protocol; nothing is drawn yet. A value that cannot be cast is a
fault that names the column, how many rows and an example; it is never silently null.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from martello.engines.base import Engine, quote
from martello.errors import DataError, EngineError, SpecError, nearest
from martello.spec.schema import Field, Output, Population, SampleDesign

__all__ = ["Source", "open_source"]

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
_FLOATS = ("FLOAT", "DOUBLE", "DECIMAL")
_TIMES = ("TIMESTAMP", "DATE")
_PLAIN = SampleDesign()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A population as SQL text.

    Attributes
    ----------
    typed
        Relation with every declared column cast, the population's condition applied, plus `_unit` and `_group` (text),
        `_time` (integer), `_stratum` (text), `_size` and `_spread` (numbers); null where they are not declared.
    content
        SQL expression of the hash of a row's declared inputs.
    has_group, has_time, has_strata
        Whether `_group`, `_time` and `_stratum` are declared.
    """

    typed: str
    content: str
    has_group: bool
    has_time: bool
    has_strata: bool = False

    @property
    def key(self) -> str:
        """Name the column by which units are drawn: the group where one is declared."""
        return "_group" if self.has_group else "_unit"


def _is(type_name: str, kinds: tuple[str, ...]) -> bool:
    return type_name.upper().startswith(kinds)


def _present(column: str, stored: str, declared: str, missing: tuple[str, ...]) -> str:
    """Write the SQL of a stored value that is null where the source says "no value"."""
    value = quote(column)
    if stored.upper() in ("FLOAT", "DOUBLE"):
        return f"(CASE WHEN isnan({value}) THEN NULL ELSE {value} END)"  # Parquet floats say "missing" with NaN
    if stored.upper() == "VARCHAR":
        for text in missing:
            value = f"nullif({value}, {_text(text)})"
        if declared not in ("category", "text"):
            value = f"nullif(trim({value}), '')"
    return value


def _cast(value: str, stored: str, declared: str) -> str:
    """Write the SQL that turns a present value into its declared type; null where it cannot."""
    match declared:
        case "number":
            return f"TRY_CAST({value} AS DOUBLE)"
        case "integer":
            return _cast_integer(value, stored)
        case "boolean":
            return f"TRY_CAST({value} AS BOOLEAN)"
        case "time":  # as the reader takes it: a moment, not a count
            return (
                "CAST(NULL AS TIMESTAMP)" if _is(stored, _INTEGERS) else f"make_timestamp({_cast_time(value, stored)})"
            )
        case _:
            return f"CAST({value} AS VARCHAR)"


def _cast_integer(value: str, stored: str) -> str:
    if _is(stored, _INTEGERS):
        return f"TRY_CAST({value} AS BIGINT)"
    # A plain cast would round 3.7 to 4; only whole numbers are integers.
    number = f"TRY_CAST({value} AS DOUBLE)"
    return f"(CASE WHEN {number} = floor({number}) THEN TRY_CAST({value} AS BIGINT) END)"


def _cast_time(value: str, stored: str) -> str:
    if _is(stored, _INTEGERS):
        return f"CAST({value} AS BIGINT)"  # an order, not a clock
    target = "TIMESTAMPTZ" if stored.upper() in ("VARCHAR", "TIMESTAMP WITH TIME ZONE") else "TIMESTAMP"
    return f"epoch_us(TRY_CAST({value} AS {target}))"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _key(columns: Iterable[str]) -> str:
    """Write the SQL of a text key; the separator is escaped so that two keys never run together."""
    return " || '|' || ".join(f"replace(CAST({quote(name)} AS VARCHAR), '|', '||')" for name in columns)


def _hash(columns: Collection[str]) -> str:
    """Write the SQL of a row's content hash; null and the empty text differ."""
    if not columns:
        return "''"
    parts = ", ".join(f"coalesce(CAST({quote(name)} AS VARCHAR), chr(30))" for name in columns)
    return f"md5(concat_ws(chr(31), {parts}))"


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
    declared = {field.name: field.type for field in fields}
    present = {name: _present(name, stored[name], kind, population.missing) for name, kind in declared.items()}
    casts = [f"{_cast(present[name], stored[name], kind)} AS {quote(name)}" for name, kind in declared.items()]
    everything = f"* REPLACE ({', '.join(casts)})" if casts else "*"
    where = f"WHERE {population.where}" if population.where else ""
    extra = ", ".join(
        (
            f"{_unit_key(population, stored)} AS _unit",
            f"{_group_key(population)} AS _group",
            f"{_time(population, stored)} AS _time",
            f"{_stratum(design.by, stored, population.missing)} AS _stratum",
            f"{_number(design.size, stored, population.missing)} AS _size",
            f"{_number(design.spread, stored, population.missing)} AS _spread",
        )
    )

    def typed(more: str) -> str:
        return f"(SELECT * FROM (SELECT {everything}, {more} FROM {relation}) {where})"

    if population.where:
        _check_condition(engine, population.where, typed("1 AS _one"))
    _check_values(engine, population.source, typed, declared, present)
    return Source(
        typed=typed(extra),
        content=_hash(declared),
        has_group=bool(population.group),
        has_time=bool(population.time),
        has_strata=bool(design.by),
    )


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


def _unit_key(population: Population, stored: Mapping[str, str]) -> str:
    if population.unit:
        return _key(population.unit)
    # Named by content and a count among equal rows: stable when rows are re-ordered.
    content = f"substr({_hash(stored)}, 1, 16)"
    return f"{content} || '-' || CAST(row_number() OVER (PARTITION BY {content}) AS VARCHAR)"


def _group_key(population: Population) -> str:
    return _key(population.group) if population.group else "CAST(NULL AS VARCHAR)"


def _time(population: Population, stored: Mapping[str, str]) -> str:
    name = population.time
    if name is None:
        return "CAST(NULL AS BIGINT)"
    return f"CAST({_cast_time(_present(name, stored[name], 'time', population.missing), stored[name])} AS BIGINT)"


def _stratum(by: tuple[str, ...], stored: Mapping[str, str], missing: tuple[str, ...]) -> str:
    """Write the SQL of a unit's stratum; units without a value make a stratum of their own."""
    if not by:
        return "CAST(NULL AS VARCHAR)"
    values = [f"CAST({_present(name, stored[name], 'category', missing)} AS VARCHAR)" for name in by]
    return " || '|' || ".join(f"coalesce(replace({value}, '|', '||'), '(missing)')" for value in values)


def _number(name: str | None, stored: Mapping[str, str], missing: tuple[str, ...]) -> str:
    if name is None:
        return "CAST(NULL AS DOUBLE)"
    return f"TRY_CAST({_present(name, stored[name], 'number', missing)} AS DOUBLE)"


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
    wanted += [("output.column", output.column)] if output.column else []
    wanted += [("requirement.slices", name) for name in slices]
    wanted += [("[sample] by", name) for name in design.by]
    wanted += [(f"[sample] {key}", name) for key in ("size", "spread") if (name := getattr(design, key))]
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
    faults += [
        DataError(
            "data.float-key",
            f"{name!r} is a {stored[name].lower()}, which cannot name a unit, group or stratum",
            where=population.source,
            expected="an integer or text column: engines write floats differently",
            fix="cast the column to an integer or text in the source",
        )
        for name in (*population.unit, *population.group, *design.by)
        if name in stored and _is(stored[name], _FLOATS)
    ]
    if faults:
        raise _all_of(faults)


def _check_values(
    engine: Engine,
    source: str,
    typed: Callable[[str], str],
    declared: Mapping[str, str],
    present: Mapping[str, str],
) -> None:
    """Count the values that do not read as their declared type, in one scan."""
    raw = ["1 AS _one", *(f"CAST({value} AS VARCHAR) AS _raw{number}" for number, value in enumerate(present.values()))]
    checks = ["count(*) AS n"]
    for number, name in enumerate(present):
        bad = f"_raw{number} IS NOT NULL AND {quote(name)} IS NULL"
        checks.append(
            f"count(*) FILTER (WHERE {bad}) AS n{number}, min(_raw{number}) FILTER (WHERE {bad}) AS bad{number}"
        )
    row = engine.arrow(f"SELECT {', '.join(checks)} FROM {typed(', '.join(raw))}").to_pylist()[0]
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
        for number, name in enumerate(present)
        if row[f"n{number}"]
    ]
    if faults:
        raise _all_of(faults)


def _all_of(faults: list[DataError]) -> DataError:
    first, *rest = faults
    return DataError(
        first.code, first.what, where=first.where, expected=first.expected, fix=first.fix, others=tuple(rest)
    )
