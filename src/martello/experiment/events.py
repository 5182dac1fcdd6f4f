"""Sums from an event log, computed where it lies: one query, a few numbers per day and arm come back.

A unit is in the experiment from its first event; its totals grow with later ones, or, with a window, count once when
the window has passed. What the sums mean is `history`'s and `verdict`'s business.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

from martello.engines.base import Engine, quote
from martello.errors import DataError, nearest
from martello.experiment.contract import Contract
from martello.experiment.history import ArmTotals, Checkpoint, History
from martello.experiment.plan import Baseline
from martello.stats.arms import arm_mean, covariate_gain
from martello.stats.estimate import NotEstimable
from martello.stats.sums import Sums

__all__ = ["EventColumns", "baseline_of_events", "history_of_events"]

_DAY = 86_400_000_000  # microseconds
MOST_MIXED = 0.01


class EventColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of a log are what.

    Attributes
    ----------
    unit, time
        Who, and when.
    arm
        Which arm; None for a baseline, before there are any.
    covariate
        A number known before the unit was assigned, the same on all its rows; or None.
    window
        Days after a unit's first event that count; a unit is counted once they have passed. None: all, at once.
    """

    unit: str
    time: str
    arm: str | None = None
    covariate: str | None = None
    window: int | None = None


def history_of_events(engine: Engine, source: str, columns: EventColumns, contract: Contract) -> History:
    """Compute the history of an experiment from its events.

    Parameters
    ----------
    source
        A file, glob or table with a row per event: exposure, and whatever followed, in any order.
    contract
        What was agreed; a metric A/B is the sum of column A over that of column B, per unit.

    Raises
    ------
    DataError
        ``data.no-such-column``, ``data.no-rows``, ``experiment.no-such-arm`` and faults of a file.
    """
    daily = _query(engine, source, columns, contract.metrics())
    n_mixed = sum(int(str(row["n"])) for row in daily if row["day"] is None)
    rows = [row for row in daily if row["day"] is not None]
    for arm in {str(row["arm"]) for row in rows}:
        if arm not in contract.shares:
            close = nearest(arm, contract.shares)
            raise DataError(
                "experiment.no-such-arm",
                f"{source} has an arm {arm!r}, which has no share",
                where=columns.arm or "",
                expected="one of " + ", ".join(contract.shares),
                fix=f"write {close} in the contract, or leave those rows out" if close else "add it to the shares",
            )
    if not rows:
        raise DataError(
            "data.no-rows",
            f"{source} has no unit that may be counted yet",
            where=source,
            expected="units in one arm each",
        )
    checkpoints = _checkpoints(rows, contract)
    return History(contract=contract, checkpoints=checkpoints, alarms=_alarms(checkpoints, n_mixed))


def baseline_of_events(engine: Engine, source: str, columns: EventColumns, metric: str) -> Baseline:
    """Read from a log what a metric does today, for a plan.

    Raises
    ------
    DataError
        As `history_of_events`; ``experiment.plan-unclear`` where the metric does not vary.
    """
    daily = _query(engine, source, msgspec.structs.replace(columns, arm=None), (metric,))
    rows = [row for row in daily if row["day"] is not None]
    if not rows:
        raise DataError("data.no-rows", f"{source} has no unit", where=source, expected="events of units")
    total = _nothing(rows[0])
    for row in rows:
        _add(total, row)
    sums = _sums(total, 0)
    arm = arm_mean(sums)
    explained = covariate_gain(sums) if columns.covariate else 0.0
    days = [int(str(row["day"])) for row in rows]
    if isinstance(arm, NotEstimable):
        raise DataError("experiment.plan-unclear", f"the log has no baseline: {arm.reason}", where=source)
    return Baseline(
        mean=arm.mean,
        variance=arm.variance,
        daily_units=sums.n / (max(days) - min(days) + 1),
        explained=0.0 if isinstance(explained, NotEstimable) else min(explained, 0.99),
    )


def _query(engine: Engine, source: str, columns: EventColumns, metrics: tuple[str, ...]) -> list[dict[str, object]]:
    relation = engine.relation(source)
    known = engine.columns(relation)
    parts = {metric: metric.split("/", 1) for metric in metrics}
    wanted = [columns.unit, columns.time, *(one for one in (columns.arm, columns.covariate) if one)]
    for name in [*wanted, *(part for each in parts.values() for part in each)]:
        if name not in known:
            close = nearest(name, known)
            raise DataError(
                "data.no-such-column",
                f"{source} has no column {name!r}",
                where=source,
                expected="one of " + ", ".join(known),
                fix=f"write {close}" if close else "",
            )
    found: list[dict[str, object]] = engine.arrow(
        _sql(engine, relation, known, columns, list(parts.values()))
    ).to_pylist()
    return found


def _sql(engine: Engine, relation: str, known: dict[str, str], columns: EventColumns, metrics: list[list[str]]) -> str:
    """Write the query: events to days per unit, days to what each adds to a unit's totals, that to sums per day."""
    d = engine.dialect

    def number(name: str) -> str:
        kind = d.kind(known[name])
        return d.double(quote(name)) if kind == "text" else f"CAST({quote(name)} AS DOUBLE PRECISION)"

    stamp = d.micros(d.stamp(quote(columns.time), d.kind(known[columns.time])))
    place = {name: f"v{i}" for i, name in enumerate(dict.fromkeys(part for each in metrics for part in each))}
    arm = f"CAST({quote(columns.arm)} AS VARCHAR)" if columns.arm else "''"
    sums = ", ".join(f"sum(coalesce({number(name)}, 0.0)) AS {v}" for name, v in place.items())
    before = number(columns.covariate) if columns.covariate else "0.0"
    adds = ", ".join(
        _added(i, [place[name] for name in each], columns.covariate is not None) for i, each in enumerate(metrics)
    )
    steps = _running(list(place.values())) if columns.window is None else _once(list(place.values()), columns.window)
    return f"""
        WITH events AS (
            SELECT {quote(columns.unit)} AS unit, {arm} AS arm,
                   CAST(floor({stamp} / {float(_DAY)}) AS BIGINT) AS day, {sums}, max({before}) AS before
            FROM {relation} AS log
            WHERE {quote(columns.unit)} IS NOT NULL AND {quote(columns.time)} IS NOT NULL AND {arm} IS NOT NULL
            GROUP BY 1, 2, 3),
        {steps}
        SELECT arm, day, count(*) FILTER (WHERE nth = 1) AS n, {adds} FROM steps
        WHERE NOT is_mixed AND day <= (SELECT max(day) FROM events) GROUP BY arm, day
        UNION ALL
        SELECT NULL, NULL, count(DISTINCT unit), {", ".join("NULL" for _ in _fields(metrics, columns))}
        FROM steps WHERE is_mixed
    """


def _running(values: list[str]) -> str:
    """Write the steps of units whose totals grow from day to day: in one sort."""
    running = ", ".join(f"{v}, sum({v}) OVER w AS {v}_now, sum({v}) OVER w - {v} AS {v}_was" for v in values)
    return f"""
        steps AS (
            SELECT unit, arm, day, {running}, row_number() OVER w AS nth, max(before) OVER p AS x,
                   min(arm) OVER p <> max(arm) OVER p AS is_mixed
            FROM events
            WINDOW w AS (PARTITION BY unit ORDER BY day ROWS UNBOUNDED PRECEDING), p AS (PARTITION BY unit))"""


def _once(values: list[str], window: int) -> str:
    """Write the one step of each unit, on the day its window is over."""
    totals = ", ".join(f"sum({v}) AS {v}, sum({v}) AS {v}_now, 0.0 AS {v}_was" for v in values)
    return f"""
        units AS (
            SELECT unit, min(day) AS first, min(arm) <> max(arm) AS is_mixed, max(before) AS x
            FROM events GROUP BY unit),
        steps AS (
            SELECT e.unit, min(e.arm) AS arm, u.first + {int(window) - 1} AS day, {totals}, 1 AS nth, u.x, u.is_mixed
            FROM events AS e JOIN units AS u ON e.unit = u.unit
            WHERE e.day - u.first < {int(window)} GROUP BY e.unit, u.first, u.x, u.is_mixed)"""


def _fields(metrics: list[list[str]], columns: EventColumns) -> list[str]:
    has = columns.covariate is not None
    return [f"{field}{i}" for i, each in enumerate(metrics) for field in _products(len(each) > 1, has)]


def _products(is_ratio: bool, has_covariate: bool) -> list[str]:
    names = ["y", "yy", *(["d", "dd", "yd"] if is_ratio else []), *(["x", "xx", "xy"] if has_covariate else [])]
    return [*names, *(["xd"] if is_ratio and has_covariate else [])]


def _added(i: int, columns: list[str], has_covariate: bool) -> str:
    """Write what a day adds to the sums: of a product, the product now less the product before."""
    of = {"y": columns[0], "d": columns[-1]}
    written = []
    for name in _products(len(columns) > 1, has_covariate):
        if name == "x":
            term = "CASE WHEN nth = 1 THEN coalesce(x, 0.0) ELSE 0.0 END"
        elif name == "xx":
            term = "CASE WHEN nth = 1 THEN coalesce(x * x, 0.0) ELSE 0.0 END"
        elif name in ("xy", "xd"):
            term = f"coalesce(x, 0.0) * {of[name[1]]}"
        elif len(name) == 1:
            term = of[name]
        else:
            now, was = (" * ".join(f"{of[letter]}_{when}" for letter in name) for when in ("now", "was"))
            term = f"{now} - {was}"
        written.append(f"sum({term}) AS {name}{i}")
    return ", ".join(written)


def _nothing(row: dict[str, object]) -> dict[str, float]:
    return {name: 0.0 for name in row if name not in ("arm", "day")}


def _add(total: dict[str, float], row: dict[str, object]) -> None:
    for name in total:
        if row.get(name) is not None:
            total[name] += float(str(row[name]))


def _sums(total: dict[str, float], i: int) -> Sums:
    names = [name for name in Sums.__struct_fields__ if f"{name}{i}" in total]
    return Sums(n=round(total["n"]), **{name: total[f"{name}{i}"] for name in names})


def _checkpoints(rows: list[dict[str, object]], contract: Contract) -> tuple[Checkpoint, ...]:
    """Add the days up to running totals."""
    days = sorted({int(str(row["day"])) for row in rows})
    of_day = {(row["day"], row["arm"]): row for row in rows}
    totals = {arm: _nothing(rows[0]) for arm in contract.shares}
    points = []
    for day in days:
        for arm, total in totals.items():
            _add(total, of_day.get((day, arm), {}))
        arms = {
            arm: ArmTotals(
                n=round(total["n"]), metrics={metric: _sums(total, i) for i, metric in enumerate(contract.metrics())}
            )
            for arm, total in totals.items()
        }
        points.append(Checkpoint(day=day - days[0] + 1, arms=arms))
    return tuple(points)


def _alarms(points: tuple[Checkpoint, ...], n_mixed: int) -> tuple[str, ...]:
    alarms = []
    gap = next((later.day for earlier, later in pairwise(points) if later.day > earlier.day + 1), None)
    if gap is not None:
        alarms.append(f"there is no event on day {gap - 1}")
    n_units = sum(arm.n for arm in points[-1].arms.values())
    if n_mixed > MOST_MIXED * (n_units + n_mixed):
        alarms.append(f"{n_mixed:,} of {n_units + n_mixed:,} units are in more than one arm")
    return tuple(alarms)
