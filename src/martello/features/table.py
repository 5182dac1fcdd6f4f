"""The features of a whole table, each as of its row's own time: history by SQL where the events lie, then expressions.

What a request gets is `online`; both run the same closure over the same declarations. Files are read by DuckDB, tables
of the warehouse where they are; each engine is handed the moments it is asked about.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from martello.engines.base import WAREHOUSE, Engine, quote
from martello.engines.dialect import Kind, literal
from martello.errors import DataError, nearest
from martello.features.declared import DeclaredFeatures
from martello.features.expressions.closure import RowFeatures
from martello.features.expressions.declare import NOW
from martello.features.history.declare import History
from martello.features.history.offline import backfill
from martello.features.history.relation import event_relation
from martello.features.history.shapes import Source
from martello.records import Finding

__all__ = ["ARROW", "Computed", "OpenEngine", "compute_table", "event_table", "history_table"]

#: Opens the engine that holds a table of events.
OpenEngine = Callable[[str], Engine]

_SINGLE: dict[str, Any] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "category": pa.string(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "time": pa.int64(),
}
#: Arrow type of every type a value may have.
ARROW: dict[str, Any] = _SINGLE | {f"list[{name}]": pa.list_(kind) for name, kind in _SINGLE.items()}

# What an engine may hold for a declared type without being read as text first; an integer may be a time's microseconds.
_NATURAL: dict[str, tuple[Kind, ...]] = {
    "number": ("float", "integer"),
    "integer": ("integer",),
    "category": ("text", "integer"),
    "text": ("text", "integer"),
    "boolean": ("boolean",),
    "time": ("moment", "zoned", "date", "integer"),
}


class Computed(msgspec.Struct, frozen=True, kw_only=True):
    """All features of a table: values by name, in row order, and what one should know about the events."""

    columns: dict[str, list[Any]]
    findings: tuple[Finding, ...]


def compute_table(
    declared: DeclaredFeatures,
    inputs: Mapping[str, Sequence[Any]],
    moments: Sequence[int | None],
    open_engine: OpenEngine,
    *,
    units: Sequence[str],
) -> Computed:
    """Compute every feature of every row.

    Parameters
    ----------
    declared
        What is computed.
    inputs
        Typed inputs by name.
    moments
        The time of each row in microseconds.
    open_engine
        Opens the engine of a table of events.
    units
        Names of the rows, for the faults.

    Raises
    ------
    DataError
        ``features.no-moment`` when a row has no time and a feature needs one; faults of the events.
    """
    if declared.uses_now and None in moments:
        without = [unit for unit, moment in zip(units, moments, strict=True) if moment is None]
        raise DataError(
            "features.no-moment",
            f"{len(without):,} of {len(units):,} units have no time, and features are taken as of their time",
            where=f"unit {without[0]}",
            expected="a time for every unit",
            fix="leave units without a time out by population.where",
        )
    history = history_table(declared.history, inputs, moments, open_engine)
    known = {**inputs, **history.columns, NOW: moments}
    rows = RowFeatures(declared.row).columns(known, len(units)) if declared.row.features else {}
    found = history.columns | rows
    return Computed(columns={name: found[name] for name in declared.names}, findings=history.findings)


def history_table(
    history: History, inputs: Mapping[str, Sequence[Any]], moments: Sequence[int | None], open_engine: OpenEngine
) -> Computed:
    """Compute the history of every row, on each engine that holds events."""
    columns: dict[str, list[Any]] = {}
    findings: list[Finding] = []
    for is_warehouse in (False, True):
        names = [name for name, each in history.sources.items() if each.table.startswith(WAREHOUSE) == is_warehouse]
        part = history.of_sources(names)
        if not part.features:
            continue
        with open_engine(part.sources[names[0]].table) as engine, tempfile.TemporaryDirectory() as folder:
            asked = _moments(part, inputs, moments, engine, Path(folder))
            events = {name: event_table(engine, name, each) for name, each in part.sources.items()}
            found = backfill(engine.arrow, part, events, asked, dialect=_name(engine))
        columns |= {name: found.table[name].to_pylist() for name in part.features}
        findings.extend(found.findings)
    return Computed(columns=columns, findings=tuple(findings))


def _name(engine: Engine) -> str:
    return engine.name.split("-")[0]


def event_table(engine: Engine, name: str, source: Source) -> str:
    """Give a relation of the events of a source, each column as its declared type wants it.

    Raises
    ------
    DataError
        ``features.unknown-column``, ``features.event-wrong-type``, and those of the engine for the file.
    """
    try:
        raw = engine.relation(source.table)
    except DataError as fault:
        fix = fault.fix.replace("population.source", f"table of [source.{name}]")
        where = f"[source.{name}] table, {fault.where}"
        raise DataError(fault.code, fault.what, where=where, expected=fault.expected, fix=fix) from fault
    stored = engine.columns(raw)
    for column in source.columns:
        if column not in stored:
            near = nearest(column, stored)
            raise DataError(
                "features.unknown-column",
                f"the events of {name} have no column {column}",
                where=f"[source.{name}] columns, {source.table}",
                expected="a column of: " + ", ".join(stored),
                fix=f"did you mean {near}?" if near else f"take {column} out of the columns",
            )
    kinds = {column: engine.dialect.kind(stored[column]) for column in source.columns}
    casts, checks = {}, []
    for column, declared in source.columns.items():
        casts[column] = quote(column)
        if kinds[column] not in _NATURAL[declared]:
            present = engine.dialect.present(quote(column), kinds[column], declared, ())
            casts[column] = engine.dialect.cast(present, kinds[column], declared)
            checks.append((column, f"{present} is not null and {casts[column]} is null"))
    _check_values(engine, name, source, raw, checks)
    typed = f"(select {', '.join(f'{sql} as {quote(column)}' for column, sql in casts.items())} from {raw} as stored)"
    return event_relation(typed, source.columns, engine.columns(typed), _name(engine))


def _check_values(engine: Engine, name: str, source: Source, raw: str, checks: Sequence[tuple[str, str]]) -> None:
    """Refuse events whose values do not read as declared: none is silently null."""
    if not checks:
        return
    counts = ", ".join(f"count(case when {bad} then 1 end) as n{place}" for place, (_, bad) in enumerate(checks))
    found = engine.arrow(f"select {counts} from {raw} as stored").to_pylist()[0]
    for place, (column, _) in enumerate(checks):
        if found[f"n{place}"]:
            kind = source.columns[column]
            raise DataError(
                "features.event-wrong-type",
                f"{column} of source {name} is declared {kind}, but {found[f'n{place}']:,} values are not",
                where=f"[source.{name}] columns, {source.table}",
                expected=f"values that read as {kind}",
                fix="declare another type, or mend the events",
            )


def _moments(
    history: History, inputs: Mapping[str, Sequence[Any]], moments: Sequence[int | None], engine: Engine, folder: Path
) -> str:
    """Hand an engine the moments it is asked about: a file to DuckDB, a literal to a database that is only read."""
    types = {name: group.source.columns[column] for group in history.groups for column, name in group.key}
    declared = {"row": "integer", "now": "integer", **types}
    values: dict[str, list[Any]] = {
        "row": list(range(len(moments))),
        "now": list(moments),
        **{name: list(inputs[name]) for name in types},
    }
    if _name(engine) == "duckdb":
        path = folder / "moments.parquet"
        arrays = {name: pa.array(own, type=ARROW[declared[name]]) for name, own in values.items()}
        pq.write_table(pa.table(arrays), path)
        relation = engine.relation(str(path))
    else:
        rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
        kinds = ", ".join(
            f"{quote(name)} {'bigint' if kind == 'integer' else 'text'}" for name, kind in declared.items()
        )
        json = literal(msgspec.json.encode(rows).decode())
        relation = f"(select * from json_to_recordset({json}) as given({kinds}))"
    return event_relation(relation, declared, engine.columns(relation), _name(engine))
