"""A log of random decisions as a file: what another policy would have earned, by every estimator the columns allow."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from martello.engines.base import Engine, quote
from martello.errors import DataError, nearest
from martello.records import Measure
from martello.stats.estimate import NotEstimable
from martello.stats.intervals import mean_estimate, ratio_estimate
from martello.stats.offpolicy import (
    doubly_robust_value,
    importance_weights,
    ips_value,
    snips_value,
    switch_value,
    weights_refusal,
)
from martello.stats.weighting import kish_effective_n

__all__ = ["LogColumns", "OffPolicy", "evaluate_log"]


class LogColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns are what: `fitted…` are a cross-fitted model's rewards, of the action taken, of the target's
    actions on average, and the part of that from actions above the limit of the switch.
    """

    reward: str
    propensity: str
    target: str
    fitted: str | None = None
    fitted_target: str | None = None
    fitted_rare: str | None = None


class OffPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of the target policy.

    Attributes
    ----------
    logged
        Mean reward of the policy that made the log.
    values
        The target's mean reward by estimator: ips, snips, doubly_robust, switch; only those the columns allow.
    relative
        IPS over the logged mean; above 1 is better.
    n, effective_n, heaviest
        Rows, rows they are worth for the target, and the largest row's share of the weight.
    statement
        In a sentence.
    """

    logged: Measure
    values: dict[str, Measure]
    relative: Measure
    n: int
    effective_n: float
    heaviest: float
    statement: str


def evaluate_log(
    engine: Engine, source: str, columns: LogColumns, *, most: float = 10.0, level: float = 0.95
) -> OffPolicy:
    """Evaluate a policy from a log.

    Parameters
    ----------
    most
        Limit on the weight beyond which the switch estimator trusts the model.

    Raises
    ------
    DataError
        ``data.no-such-column``, ``data.no-rows``, ``data.wrong-type``, ``stats.propensity-out-of-range`` and faults of
        a file.
    """
    named = {name: column for name, column in msgspec.structs.asdict(columns).items() if column is not None}
    table = _read(engine, source, list(dict.fromkeys(named.values())))
    data = {name: _numbers(table, column) for name, column in named.items()}
    reward, weight = data["reward"], importance_weights(data["propensity"], data["target"])
    values: dict[str, Measure] = {
        "ips": ips_value(reward, weight, level=level),
        "snips": snips_value(reward, weight, level=level),
    }
    if "fitted" in data and "fitted_target" in data:
        fitted = data["fitted"], data["fitted_target"]
        values["doubly_robust"] = doubly_robust_value(reward, weight, *fitted, level=level)
        if "fitted_rare" in data:
            values["switch"] = switch_value(reward, weight, *fitted, data["fitted_rare"], most=most, level=level)
    refused = weights_refusal(weight)
    logged = mean_estimate(reward, level=level)
    relative: Measure = refused or ratio_estimate(weight * reward, reward, level=level)
    return OffPolicy(
        logged=logged,
        values=values,
        relative=relative,
        n=len(weight),
        effective_n=kish_effective_n(weight) if weight.any() else 0.0,
        heaviest=float(weight.max() / weight.sum()) if weight.any() else 1.0,
        statement=_statement(values["ips"], logged),
    )


def _statement(value: Measure, logged: Measure) -> str:
    if isinstance(value, NotEstimable):
        return f"The log cannot say what this policy would have earned: {value.reason}; it needs {value.needs}."
    text = f"This policy would have earned {value.value:.4g} a decision, between {value.low:.4g} and {value.high:.4g}"
    return (
        f"{text}."
        if isinstance(logged, NotEstimable)
        else f"{text}; the one that made the log earned {logged.value:.4g}."
    )


def _read(engine: Engine, source: str, names: list[str]) -> pa.Table:
    relation = engine.relation(source)
    known = engine.columns(relation)
    for name in names:
        if name not in known:
            close = nearest(name, known)
            raise DataError(
                "data.no-such-column",
                f"{source} has no column {name!r}",
                where=source,
                expected="one of " + ", ".join(known),
                fix=f"write {close}" if close else "",
            )
    table = engine.arrow(f"SELECT {', '.join(map(quote, names))} FROM {relation} AS log")
    if table.num_rows < 2:
        raise DataError(
            "data.no-rows", f"{source} has {table.num_rows} rows", where=source, expected="a row per decision"
        )
    return table


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    try:
        return np.asarray(pc.cast(table[name], pa.float64()).to_numpy(), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as err:
        raise DataError(
            "data.wrong-type", f"{name} holds something that is no number", where=name, expected="a number in every row"
        ) from err
