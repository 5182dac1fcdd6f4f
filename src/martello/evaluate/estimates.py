"""The estimators of evaluation for units drawn in any way: exact where the draw was simple, by weight and cluster where
it was not, and by stratum where strata are known.

With strata every variance is the design's (Taylor linearization within strata); what the plain estimators know of small
samples is kept. Which metric is asked of whom is `assess`'s business.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.evaluate.units import ScoredUnits
from martello.records import Measure
from martello.stats.areas import average_precision_influence, roc_auc_influence
from martello.stats.checks import check_design
from martello.stats.estimate import NotEstimable
from martello.stats.intervals import (
    Linearized,
    bounded_interval,
    linearized_ratio,
    linearized_value,
    symmetric_interval,
)
from martello.stats.linearization import SurveyDesign, survey_variance
from martello.stats.metrics import METRICS, brier_losses, estimate_metric, lacking_class, log_losses
from martello.stats.multiclass import macro_estimate
from martello.stats.shares import held_to_copies, share_estimate

__all__ = ["by_stratum", "f1_of", "influence_of", "macro_of", "mean_of", "metric_of", "share_of"]

_Bools = NDArray[np.bool_]
_Floats = NDArray[np.float64]


def share_of(units: ScoredUnits, hit: _Bools, domain: _Bools, *, rows: _Bools, level: float, of: str) -> Measure:
    """Estimate the share of hits among the rows of a domain: precision among the flagged, recall among the positive.

    Parameters
    ----------
    hit, domain
        Masks of all units, shape (n,).
    rows
        The part of the population spoken of.
    of
        What a unit of the domain is called.
    """
    weight = np.where(domain & rows, units.weight, 0.0)
    if not weight.any():
        return NotEstimable(reason=f"no unit {'was' if of == 'flagged' else 'is'} {of}", needs=f"at least 1 {of} unit")
    design = check_design(int(rows.sum()), **units.where(rows))
    if units.strata is None:
        return share_estimate(hit[rows], domain[rows], design, level=level, of=of)
    value = float(weight @ hit / weight.sum())
    found = by_stratum(value, hit.astype(np.float64) - value, units.strata, weight > 0)
    draws = np.bincount(units.strata.cluster, weights=weight)
    if isinstance(found, NotEstimable):
        return found
    rarer = min(float(weight @ hit), float(weight @ ~hit))
    return bounded_interval(held_to_copies(found, rarer / float(draws.max())), level=level)


def f1_of(units: ScoredUnits, truth: _Bools, flagged: _Bools, *, rows: _Bools, level: float) -> Measure:
    """Estimate F1 as 2 J / (1 + J), J being the share of hits among units that are positive or flagged.

    F1 rises with J, and J is a plain share: its interval, exact for simple draws, becomes that of F1.
    """
    if not (truth & rows & (units.weight > 0)).any():
        return NotEstimable(reason="no unit is positive", needs="at least 1 positive unit")
    of = "positive or flagged"
    found = share_of(units, truth & flagged, truth | flagged, rows=rows, level=level, of=of)
    if isinstance(found, NotEstimable):
        return found
    value, low, high = (2 * j / (1 + j) for j in (found.value, found.low, found.high))
    method = f"{found.method} on the share shared by positive and flagged"
    return msgspec.structs.replace(found, value=value, low=low, high=high, method=method)


def metric_of(name: str, units: ScoredUnits, *, level: float, seed: int) -> Measure:
    """Estimate a metric of binary scores (a key of `METRICS`) over all units."""
    truth, score = units.truth == 1, units.scores[:, 1]
    if units.strata is None:
        return estimate_metric(name, truth, score, level=level, seed=seed, **units.where(units.everyone))
    metric, design = METRICS[name], check_design(len(truth), **units.where(units.everyone))
    if metric.needs_both_classes and (lacking := lacking_class(truth, design)):
        return lacking
    plain = metric.linearize(truth, score, design)
    influence = influence_of(name, truth, score, units.weight)
    found = by_stratum(plain.value, influence, units.strata, units.everyone)
    if isinstance(found, NotEstimable):
        return found
    # The plain estimator's care for few positives is kept; strata scale what it says of the spread.
    unstratified = linearized_value(plain.value, influence, design, units.everyone).variance
    scale = found.variance / unstratified if unstratified > 0 else 1.0
    draws = min(plain.n_clusters, found.n_clusters)
    found = replace(plain, variance=plain.variance * scale, n_clusters=draws)
    if metric.needs_both_classes:
        return bounded_interval(found, level=level)
    return symmetric_interval(found, level=level, edges=metric.edges)


def mean_of(
    units: ScoredUnits, values: _Floats, *, rows: _Bools, level: float, edges: tuple[float, float] = (-np.inf, np.inf)
) -> Measure:
    """Estimate the mean of a value over some units; values that are all alike inside [0, 1] get a binomial interval."""
    if not (rows & (units.weight > 0)).any():
        return NotEstimable(reason="there is no unit", needs="at least 2 units")
    found: Linearized | NotEstimable
    if units.strata is None:
        design = check_design(int(rows.sum()), **units.where(rows))
        found = linearized_ratio(values[rows], np.ones(design.n), design)
    else:
        weight = np.where(rows, units.weight, 0.0)
        value = float(weight @ values / weight.sum())
        found = by_stratum(value, values - value, units.strata, rows)
    if isinstance(found, NotEstimable):
        return found
    if found.variance == 0 and edges == (0.0, 1.0):
        return bounded_interval(found, level=level)
    return symmetric_interval(found, level=level, edges=edges)


def macro_of(
    name: str, units: ScoredUnits, output: NDArray[np.int64], *, rows: _Bools, level: float, seed: int
) -> Measure:
    """Estimate an average over classes (``macro_precision``, ``macro_recall`` or ``macro_f1``)."""
    truth, n_classes = units.truth, units.scores.shape[1]
    plain = macro_estimate(
        name,
        truth[rows],
        output[rows],
        n_classes,
        level=level,
        seed=None if units.strata else seed,
        **units.where(rows),
    )
    if units.strata is None or isinstance(plain, NotEstimable):
        return plain
    weight = np.where(rows, units.weight, 0.0)
    influence = np.zeros(len(truth))
    for code in range(n_classes):
        true, said = (truth == code).astype(np.float64), (output == code).astype(np.float64)
        bottom = {"macro_precision": said, "macro_recall": true, "macro_f1": (true + said) / 2}[name]
        mass = float(weight @ bottom)
        ratio = float(weight @ (true * said)) / mass
        influence += (true * said - ratio * bottom) * weight.sum() / mass / n_classes
    found = by_stratum(plain.value, influence, units.strata, rows)
    return found if isinstance(found, NotEstimable) else bounded_interval(found, level=level)


def influence_of(name: str, truth: _Bools, score: _Floats, weight: _Floats) -> _Floats:
    """Give the derivative of a metric of `METRICS` by each row's share of the weight, shape (n,)."""
    match name:
        case "average_precision":
            return average_precision_influence(truth, score, weight)
        case "roc_auc":
            return roc_auc_influence(truth, score, weight)
    losses = (log_losses if name == "log_loss" else brier_losses)(truth, score)
    return losses - float(weight @ losses / weight.sum())


def by_stratum(value: float, influence: _Floats, design: SurveyDesign, domain: _Bools) -> Linearized | NotEstimable:
    """Turn the influence of each row on a statistic of a domain into its variance under a stratified design.

    Rows outside the domain stay in the design, as they must. Degrees of freedom are draws minus strata, counted where
    the domain was seen (Korn and Graubard 1999, §5.2).
    """
    weight = np.where(domain, design.weight, 0.0)
    share = weight / weight.sum()
    found = survey_variance(design, np.where(domain, influence, 0.0) / weight.sum())
    if isinstance(found, NotEstimable):
        return NotEstimable(
            reason=found.reason, needs="at least 2 units (or clusters) in each stratum; merge small ones"
        )
    draws = np.bincount(design.cluster, weights=share, minlength=len(design.stratum))
    degrees = int(np.count_nonzero(draws)) - len(np.unique(design.stratum[draws > 0]))
    if degrees < 1:
        return NotEstimable(
            reason="one unit (or cluster) in each stratum shows no spread",
            needs="at least 2 units (or clusters) in a stratum",
        )
    n = int(np.count_nonzero(domain))
    return Linearized(
        value=value,
        variance=found[0],
        n=n,
        n_clusters=degrees + 1,
        equivalent_n=float(1 / np.sum(draws**2)),
        simple_variance=float(np.sum(share * influence**2)) / max(n - 1, 1),
    )
