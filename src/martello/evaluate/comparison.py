"""Two models on the same units: their difference in each metric, paired, and who was right where the other was not."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.evaluate.estimates import by_stratum, influence_of, mean_of
from martello.evaluate.units import ScoredUnits
from martello.records import Measure
from martello.stats.checks import check_design
from martello.stats.compare import mcnemar, paired_metric_difference, unit_losses
from martello.stats.estimate import NotEstimable
from martello.stats.intervals import symmetric_interval
from martello.stats.metrics import METRICS, lacking_class

__all__ = ["Comparison", "compare_scores"]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One model beside another on the same units.

    Attributes
    ----------
    against
        The other model's column, or columns.
    differences
        Metric to ours minus theirs.
    only_ours_right, only_theirs_right
        Units that one of the two got right at the threshold and the other did not.
    p_value
        McNemar's exact two-sided test of these; None where units carry weights, clusters or strata, which it ignores.
    """

    against: tuple[str, ...]
    differences: dict[str, Measure]
    only_ours_right: int | None = None
    only_theirs_right: int | None = None
    p_value: float | None = None


def compare_scores(
    units: ScoredUnits,
    theirs: NDArray[np.float64],
    *,
    outputs: tuple[NDArray[np.int64], NDArray[np.int64]],
    against: tuple[str, ...],
    level: float,
    seed: int,
) -> Comparison:
    """Compare the scores of two models on the same units.

    Parameters
    ----------
    units
        Units with our scores.
    theirs
        The other model's scores, shape (n, K).
    outputs
        What each of the two puts out, class codes of shape (n,).
    against
        Names of the other model's columns.
    level, seed
        Of the intervals; the areas' are bootstrapped where no strata are known.
    """
    ours_right, theirs_right = (output == units.truth for output in outputs)
    is_simple = units.strata is None and check_design(len(units.truth), **units.where(units.everyone)).is_simple
    tested = mcnemar(ours_right, theirs_right, level=level)
    differences: dict[str, Measure] = {}
    if units.scores.shape[1] == 2:
        differences = {name: _difference(name, units, theirs[:, 1], level, seed) for name in METRICS}
    else:
        losses = unit_losses(units.truth, units.scores) - unit_losses(units.truth, theirs)
        differences["log_loss"] = mean_of(units, losses, rows=units.everyone, level=level)
    gained = ours_right.astype(np.float64) - theirs_right
    right = tested.difference if is_simple else mean_of(units, gained, rows=units.everyone, level=level)
    return Comparison(
        against=against,
        differences=differences | {"accuracy": right},
        only_ours_right=tested.only_a_right,
        only_theirs_right=tested.only_b_right,
        p_value=tested.p_value if is_simple else None,
    )


def _difference(name: str, units: ScoredUnits, theirs: NDArray[np.float64], level: float, seed: int) -> Measure:
    truth, ours = units.truth == 1, units.scores[:, 1]
    design = units.where(units.everyone)
    if units.strata is None:
        return paired_metric_difference(name, truth, ours, theirs, level=level, seed=seed, **design)
    metric = METRICS[name]
    if metric.needs_both_classes and (lacking := lacking_class(truth, check_design(len(truth), **design))):
        return lacking
    value = float(
        (metric.prepare(truth, ours)(units.weight[None]) - metric.prepare(truth, theirs)(units.weight[None]))[0]
    )
    influence = influence_of(name, truth, ours, units.weight) - influence_of(name, truth, theirs, units.weight)
    found = by_stratum(value, influence, units.strata, units.everyone)
    return found if isinstance(found, NotEstimable) else symmetric_interval(found, level=level)
