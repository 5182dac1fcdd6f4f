"""Metrics of a score for a binary task, as weighted point values and as estimates with intervals.

Here live average precision, area under the ROC curve, log loss and Brier score, with ties and weights treated exactly
as scikit-learn treats them, and the table that says which metric is which. The areas are computed in `areas`; precision
and recall of decisions are `shares`, ranked lists `ranking_metrics`, several classes `multiclass`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from martello.errors import DataError, nearest
from martello.stats.areas import (
    Statistic,
    average_precision_of,
    draw_masses,
    linearized_average_precision,
    linearized_roc_auc,
    roc_auc_of,
)
from martello.stats.bootstrap import bootstrap_values
from martello.stats.checks import (
    Bools,
    Design,
    Floats,
    check_design,
    check_flags,
    check_level,
    check_numbers,
    check_probabilities,
    check_same_length,
)
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import Linearized, bounded_interval, linearized_value, symmetric_interval

__all__ = [
    "METRICS",
    "Metric",
    "average_precision",
    "brier_losses",
    "brier_score",
    "estimate_metric",
    "lacking_class",
    "log_loss",
    "log_losses",
    "metric_named",
    "roc_auc",
]


def average_precision(truth: npt.ArrayLike, score: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> float:
    """Give average precision: precision at each positive's score, averaged over the positives.

    Assumptions
    -----------
    Higher scores mean more likely positive; at least one positive has weight.

    Guarantee
    ---------
    Equals scikit-learn's `average_precision_score`, ties and weights included.

    References
    ----------
    Manning, Raghavan and Schütze (2008), Introduction to Information Retrieval, §8.4.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    return _point("average_precision", truth, score, weight)


def roc_auc(truth: npt.ArrayLike, score: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> float:
    """Give the chance that a random positive scores above a random negative, ties counted half.

    Assumptions
    -----------
    Both classes have weight.

    Guarantee
    ---------
    Equals scikit-learn's `roc_auc_score`, ties and weights included.

    References
    ----------
    Hanley, J. A. and McNeil, B. J. (1982), Radiology 143, 29–36.

    Examples
    --------
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    return _point("roc_auc", truth, score, weight)


def log_loss(truth: npt.ArrayLike, score: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> float:
    """Give the mean of -log(probability given to what happened).

    Assumptions
    -----------
    Scores are probabilities of the positive class.

    Guarantee
    ---------
    Equals scikit-learn's `log_loss`, which keeps probabilities 2.2e-16 away from 0 and 1.

    References
    ----------
    Good, I. J. (1952), Journal of the Royal Statistical Society B 14, 107–114.

    Examples
    --------
    >>> round(log_loss([1, 0], [0.8, 0.3]), 4)
    0.2899
    """
    return _point("log_loss", truth, score, weight)


def brier_score(truth: npt.ArrayLike, score: npt.ArrayLike, *, weight: npt.ArrayLike | None = None) -> float:
    """Give the mean squared difference between probability and outcome.

    Assumptions
    -----------
    Scores are probabilities of the positive class.

    Guarantee
    ---------
    Equals scikit-learn's `brier_score_loss`, weights included.

    References
    ----------
    Brier, G. W. (1950), Monthly Weather Review 78, 1–3.

    Examples
    --------
    >>> round(brier_score([1, 0], [0.8, 0.3]), 4)
    0.065
    """
    return _point("brier_score", truth, score, weight)


def log_losses(truth: Bools, score: Floats) -> Floats:
    """Give -log(probability given to what happened) of each unit, shape (n,).

    Assumptions
    -----------
    Arrays are checked already.

    Guarantee
    ---------
    Finite: probabilities are kept 2.2e-16 away from 0 and 1, as scikit-learn does.

    References
    ----------
    Good (1952).

    Examples
    --------
    >>> log_losses(np.array([True, False]), np.array([0.8, 0.3])).round(4).tolist()
    [0.2231, 0.3567]
    """
    edge = np.finfo(np.float64).eps
    return np.asarray(-np.log(np.clip(np.where(truth, score, 1 - score), edge, 1 - edge)), dtype=np.float64)


def brier_losses(truth: Bools, score: Floats) -> Floats:
    """Give the squared difference between probability and outcome of each unit, shape (n,).

    Assumptions
    -----------
    Arrays are checked already.

    Guarantee
    ---------
    Values in [0, 1].

    References
    ----------
    Brier (1950).

    Examples
    --------
    >>> brier_losses(np.array([True, False]), np.array([0.5, 0.5])).tolist()
    [0.25, 0.25]
    """
    return np.square(score - truth)


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of a metric that is computed from truth and score.

    Attributes
    ----------
    name
        Its name in a spec and in `METRICS`.
    label
        Its name for people.
    higher_is_better
        Direction.
    needs_both_classes
        Whether it is undefined when all units are positive or all negative.
    needs_probability
        Whether scores have to lie in [0, 1].
    prepare
        Turns truth and score (checked) into a function of weight vectors.
    linearize
        Turns truth, score (checked) and design into the value with its variance.
    edges
        Lowest and highest possible value.
    """

    name: str
    label: str
    higher_is_better: bool
    needs_both_classes: bool
    needs_probability: bool
    prepare: Callable[[Bools, Floats], Statistic]
    linearize: Callable[[Bools, Floats, Design], Linearized]
    edges: tuple[float, float]


def metric_named(name: str) -> Metric:
    """Give the metric of a name.

    Assumptions
    -----------
    None.

    Guarantee
    ---------
    An unknown name is refused with the nearest known one.

    Examples
    --------
    >>> metric_named("roc_auc").higher_is_better
    True
    """
    if name in METRICS:
        return METRICS[name]
    close = nearest(name, METRICS)
    raise DataError(
        "stats.unknown-metric",
        f"there is no metric called {name!r}",
        where="metric",
        expected="one of " + ", ".join(METRICS),
        fix=f"metric = {close!r}" if close else "",
    )


def estimate_metric(
    name: str,
    truth: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
    seed: int | None = None,
    resamples: int = 400,
) -> Estimate | NotEstimable:
    """Estimate a metric of scores with its interval.

    Parameters
    ----------
    name
        A key of `METRICS`.
    truth
        Whether each unit is positive, shape (n,).
    score
        Model scores, shape (n,); in [0, 1] for log loss and Brier score.
    weight, cluster, level
        As for `mean_estimate`.
    seed, resamples
        With a seed, the variance of average precision is bootstrapped by cluster; without, it is linearized. The other
        metrics have closed forms.

    Assumptions
    -----------
    Clusters are independent draws; each class was seen in at least 2 of them (about 10 for the stated level).

    Guarantee
    ---------
    Coverage about `level` (tests/guarantees/test_coverage.py). Log loss and Brier score: Student's t on the cluster
    means. Areas: inside [0, 1] and never of width 0 (Korn–Graubard on the variance; that of the area under the ROC
    curve is DeLong's, held by the weight of 4 draws to Hanley and McNeil's, since few positives show too little).

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837–845; Obuchowski, N. A. (1997), Biometrics 53, 567–578
    for clusters; Hanley and McNeil (1982); Korn and Graubard (1998).

    Examples
    --------
    >>> truth, score = [0, 0, 1, 1, 0, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.2, 0.9, 0.5, 0.7]
    >>> print(estimate_metric("roc_auc", truth, score))
    0.875 (0.209 to 1.000)
    >>> print(estimate_metric("roc_auc", [1, 1], [0.2, 0.3]))
    not estimable: all units are positive; needs at least 2 independent draws with a negative unit
    """
    metric = metric_named(name)
    check_level(level)
    true, scores = _check(metric, truth, score)
    design = check_design(len(true), weight, cluster)
    if metric.needs_both_classes and (lacking := lacking_class(true, design)):
        return lacking
    found = metric.linearize(true, scores, design)
    if not metric.needs_both_classes:
        return symmetric_interval(found, level=level, edges=metric.edges)
    if seed is not None and name == "average_precision":
        found = replace(found, variance=_bootstrap_variance(metric, true, scores, design, resamples, seed))
    return bounded_interval(found, level=level)


def lacking_class(truth: Bools, design: Design) -> NotEstimable | None:
    """Say which class was seen too little for a metric that compares the two, or None when both were seen.

    Assumptions
    -----------
    Arrays are checked already.

    Guarantee
    ---------
    None is answered only when each class has weight in at least 2 independent draws.

    Examples
    --------
    >>> print(lacking_class(np.array([True, True, False]), check_design(3)))
    not estimable: only one independent draw holds a negative unit; needs at least 2 independent draws with a negative
    unit
    """
    for kind, other, rows in (("positive", "negative", truth), ("negative", "positive", ~truth)):
        seen = np.count_nonzero(draw_masses(rows, design))
        if seen < 2:
            reason = f"all units are {other}" if seen == 0 else f"only one independent draw holds a {kind} unit"
            return NotEstimable(reason=reason, needs=f"at least 2 independent draws with a {kind} unit")
    return None


def _check(metric: Metric, truth: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Bools, Floats]:
    true = check_flags(truth)
    scores = check_probabilities(score) if metric.needs_probability else check_numbers(score)
    check_same_length(truth=true, score=scores)
    return true, scores


def _point(name: str, truth: npt.ArrayLike, score: npt.ArrayLike, weight: npt.ArrayLike | None) -> float:
    metric = METRICS[name]
    true, scores = _check(metric, truth, score)
    weights = check_design(len(true), weight).weights()
    value = float(metric.prepare(true, scores)(weights[None])[0])
    if np.isnan(value):
        raise DataError(
            "stats.metric-undefined",
            f"{metric.label} is not defined when a class it speaks of has no unit",
            where="truth",
            expected="at least one such unit with weight",
            fix="estimate_metric answers NotEstimable instead",
        )
    return value


def _bootstrap_variance(
    metric: Metric, truth: Bools, score: Floats, design: Design, resamples: int, seed: int
) -> float:
    order = np.argsort(-score, kind="stable")  # of sorted rows, no resample's weights have to be sorted
    statistic = metric.prepare(truth[order], score[order])
    values = bootstrap_values(statistic, design.take(order), resamples=resamples, seed=seed)
    return float(np.nanvar(values, ddof=1))


def _mean_of(losses: Callable[[Bools, Floats], Floats]) -> Callable[[Bools, Floats], Statistic]:
    def prepare(truth: Bools, score: Floats) -> Statistic:
        values = losses(truth, score)
        return lambda weight: np.asarray(weight @ values / np.sum(weight, axis=-1), dtype=np.float64)

    return prepare


def _linearize_mean(losses: Callable[[Bools, Floats], Floats]) -> Callable[[Bools, Floats, Design], Linearized]:
    def linearize(truth: Bools, score: Floats, design: Design) -> Linearized:
        values, weight = losses(truth, score), design.weights()
        value = float(np.sum(weight * values) / weight.sum())
        return linearized_value(value, values - value, design, weight > 0)

    return linearize


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                name="average_precision",
                label="average precision",
                higher_is_better=True,
                needs_both_classes=True,
                needs_probability=False,
                prepare=average_precision_of,
                linearize=linearized_average_precision,
                edges=(0.0, 1.0),
            ),
            Metric(
                name="roc_auc",
                label="area under the ROC curve",
                higher_is_better=True,
                needs_both_classes=True,
                needs_probability=False,
                prepare=roc_auc_of,
                linearize=linearized_roc_auc,
                edges=(0.0, 1.0),
            ),
            Metric(
                name="log_loss",
                label="log loss",
                higher_is_better=False,
                needs_both_classes=False,
                needs_probability=True,
                prepare=_mean_of(log_losses),
                linearize=_linearize_mean(log_losses),
                edges=(0.0, float("inf")),
            ),
            Metric(
                name="brier_score",
                label="Brier score",
                higher_is_better=False,
                needs_both_classes=False,
                needs_probability=True,
                prepare=_mean_of(brier_losses),
                linearize=_linearize_mean(brier_losses),
                edges=(0.0, 1.0),
            ),
        )
    }
)
