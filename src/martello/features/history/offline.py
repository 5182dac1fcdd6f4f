"""History features of many moments at once, from a whole table of events: what training reads.

It gives for each moment what a request at that moment would have read from the online state, provided the clock says
when an event became known; `tests/features/test_history_parity.py` replays one against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
import numpy as np
import pyarrow as pa

from martello.engines.base import quote
from martello.errors import DataError
from martello.features.history.declare import Group, History
from martello.features.history.shapes import HistoryFeature, Source
from martello.features.history.sql import ITEM, history_sql
from martello.records import Finding

__all__ = ["Backfill", "Run", "backfill"]

#: Run one query on an engine and give its whole result.
Run = Callable[[str], pa.Table]

_ARROW: dict[str, Any] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "category": pa.string(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "time": pa.int64(),
}


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """The features of every moment, and what one should know about the events."""

    table: pa.Table
    findings: tuple[Finding, ...]


def backfill(
    run: Run, history: History, events: Mapping[str, str], moments: str, *, dialect: str = "duckdb"
) -> Backfill:
    """Compute every history feature for every moment.

    Parameters
    ----------
    run
        Runs SQL on the engine that holds the tables.
    history
        The checked declarations.
    events
        By source, a relation of its events as `event_relation` makes it.
    moments
        A relation with `row` (whole number, unique), `now` (microseconds) and the parameters of the history, all of
        the types the events have.
    dialect
        The engine's name.

    Returns
    -------
    Backfill
        `row` and one column per feature, by ascending row; ids that came twice and events that cannot be counted are
        named in the findings.

    Raises
    ------
    DataError
        ``features.rows-not-unique`` when `row` does not name the moments.
    """
    findings = list(history.findings)
    relations = {}
    for name, source in history.sources.items():
        relations[name], found = _without_copies(run, name, source, events[name])
        findings.extend(found)
    columns: dict[str, pa.Array[Any]] = {}
    rows: np.ndarray[Any, Any] | None = None
    for group in history.groups:
        table = run(history_sql(group, relations[group.source_name], moments, dialect)).sort_by("row")
        rows = _agreeing(rows, table["row"].to_numpy())
        for name, feature in group.features.items():
            columns[name] = _column(table, name, feature, group)
    named = {} if rows is None else {"row": pa.array(rows)}
    return Backfill(
        table=pa.table({**named, **{name: columns[name] for name in history.features}}), findings=tuple(findings)
    )


def _agreeing(earlier: Any, rows: Any) -> Any:
    """Check that rows are unique, and the same in every group."""
    if len(rows) > 1 and not (np.diff(rows) > 0).all():
        raise DataError(
            "features.rows-not-unique",
            "two moments have the same row number",
            expected="a whole number of its own for every moment",
            fix="number the rows, for example with row_number() over ()",
        )
    assert earlier is None or np.array_equal(earlier, rows), "every group reads the same moments"
    return rows


def _column(table: pa.Table, name: str, feature: HistoryFeature, group: Group) -> pa.Array[Any]:
    """Give one feature in its declared type; a number that is not finite is no value."""
    if feature.agg == "last_k":
        return _lists(table, name, feature, group)
    if feature.agg in ("sum", "mean", "rate"):
        values: Any = table[name].cast(pa.float64()).to_numpy()
        numbers: pa.Array[Any] = pa.array(values, mask=~np.isfinite(values))
        return numbers
    kind = "integer" if feature.agg in ("count", "distinct_count") else group.source.columns[str(feature.value)]
    return cast("pa.Array[Any]", table[name].combine_chunks().cast(_ARROW[kind]))


def _lists(table: pa.Table, name: str, feature: HistoryFeature, group: Group) -> pa.Array[Any]:
    """Put the items of `last_k` together, most recent first, without those that have no value."""
    items = [table[ITEM.format(name=name, place=place)].to_pylist() for place in range(feature.k or 0)]
    known = table[name].to_pylist()
    lists = [
        None if is_known is None else [item for item in row if item is not None]
        for is_known, row in zip(known, zip(*items, strict=True), strict=True)
    ]
    return pa.array(lists, pa.list_(_ARROW[group.source.columns[str(feature.value)]]))


def _without_copies(run: Run, name: str, source: Source, events: str) -> tuple[str, list[Finding]]:
    """Look whether ids come twice; if they do, keep the event that was known first, as the online state does."""
    needed = dict.fromkeys((source.id, source.clock, *source.key))
    there = " and ".join(f"{quote(column)} is not null" for column in needed)
    key = quote(source.id)
    counts = run(
        f"select count(*) as n, count(case when {there} then 1 end) as whole, count({key}) as ids, "
        f"count(distinct {key}) as different from {events} as events"
    ).to_pylist()[0]
    findings = []
    if counts["whole"] < counts["n"]:
        findings.append(
            Finding(
                code="features.event-incomplete",
                what=f"{counts['n'] - counts['whole']:,} of {counts['n']:,} events of {name} have no id, key or time "
                "and count nowhere",
                severity="warning",
                columns=tuple(needed),
            )
        )
    if counts["different"] == counts["ids"]:
        return events, findings
    findings.append(
        Finding(
            code="features.duplicate-events",
            what=f"{counts['ids'] - counts['different']:,} of {counts['ids']:,} events of {name} repeat an id; the one "
            "that was known first counts",
            severity="warning",
            columns=(source.id,),
        )
    )
    columns = ", ".join(quote(column) for column in source.columns)
    numbered = (
        f"select {columns}, row_number() over (partition by {key} order by {quote(source.clock)}) as copy "
        f"from {events} as events where {there}"
    )
    return f"(select {columns} from ({numbered}) as numbered where copy = 1)", findings
