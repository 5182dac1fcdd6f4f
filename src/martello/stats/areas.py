"""Areas under the precision–recall and the ROC curve as functions of the rows' weights.

Here the ranking is sorted once; after that the area is a few cumulative sums for any number of weight vectors at a
time, and its derivative by each row's weight (the influence) is closed-form. The bootstrap and the linearized variance
both stand on this. Ties are treated as scikit-learn treats them: rows of equal score enter together. Arrays are checked
already; `metrics` is the public door.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from martello.stats.checks import Bools, Design, Floats, Ints
from martello.stats.intervals import Linearized, linearized_value

__all__ = [
    "Statistic",
    "average_precision_influence",
    "average_precision_of",
    "draw_masses",
    "linearized_average_precision",
    "linearized_roc_auc",
    "roc_auc_influence",
    "roc_auc_of",
]

Statistic = Callable[[npt.NDArray[np.number]], Floats]
"""Gives one value per weight vector: (b, n) weights in, (b,) values out, NaN where a class has no weight."""


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Rows from highest to lowest score, and where the tie group of each positive row begins and ends.

    `order` is None when the rows came sorted, so that sorting the weights can be skipped. `begin` and `end` count rows
    before the group and up to its end; `positive_end` counts positive rows up to the group's end.
    """

    order: Ints | None
    positives: Ints
    begin: Ints
    end: Ints
    positive_end: Ints

    def sorted(self, weight: npt.NDArray[np.number]) -> npt.NDArray[np.number]:
        return weight if self.order is None else weight[..., self.order]


def _rank(truth: Bools, score: Floats) -> _Ranking:
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    new_group = np.flatnonzero(np.diff(ranked)) + 1
    edges = np.concatenate(([0], new_group, [len(ranked)]))
    positives = np.flatnonzero(truth[order])
    group = np.searchsorted(edges, positives, side="right") - 1
    end = edges[group + 1]
    return _Ranking(
        order=None if np.array_equal(order, np.arange(len(order))) else order,
        positives=positives,
        begin=edges[group],
        end=end,
        positive_end=np.searchsorted(positives, end, side="left"),
    )


def _sums_up_to(ends: Ints, values: npt.NDArray[np.number]) -> npt.NDArray[np.number]:
    """Give the sums of the values before each of the ascending ends, shape (..., len(ends))."""
    # a running sum of floats waits for each addition; sums between ends do not, but an end costs about 5 additions
    if values.dtype.kind == "f" and 0 < 5 * len(ends) < values.shape[-1]:
        between = np.add.reduceat(values[..., : ends[-1]], np.append(0, ends[:-1]), axis=-1)
        return np.cumsum(between, axis=-1)
    return np.cumsum(values, axis=-1)[..., ends - 1]


def average_precision_of(truth: Bools, score: Floats) -> Statistic:
    """Prepare average precision, sum over positives of weight * precision at their score, for many weight vectors.

    Assumptions
    -----------
    Arrays are checked already.

    Guarantee
    ---------
    Equals scikit-learn's `average_precision_score` for every weight vector, ties included.

    References
    ----------
    Manning, Raghavan and Schütze (2008), §8.4.

    Examples
    --------
    >>> truth, score = np.array([False, True, True]), np.array([0.3, 0.2, 0.9])
    >>> average_precision_of(truth, score)(np.array([[1, 1, 1], [0, 1, 1]])).round(3).tolist()
    [0.833, 1.0]
    """
    ranking = _rank(truth, score)
    ends, group = np.unique(ranking.end, return_inverse=True)

    def statistic(weight: npt.NDArray[np.number]) -> Floats:
        ranked = ranking.sorted(weight)
        flagged = _sums_up_to(ends, ranked)[..., group]
        positive = ranked[..., ranking.positives]
        found = np.cumsum(positive, axis=-1)[..., ranking.positive_end - 1]
        # a weight of 0 up to here means the positive itself has none, and 0 * anything is 0
        gained = np.sum(positive * (found / np.maximum(flagged, np.finfo(np.float64).tiny)), axis=-1)
        with np.errstate(invalid="ignore"):
            return np.asarray(gained / np.sum(positive, axis=-1), dtype=np.float64)

    return statistic


def roc_auc_of(truth: Bools, score: Floats) -> Statistic:
    """Prepare the chance that a positive scores above a negative, ties counted half, for many weight vectors.

    Assumptions
    -----------
    Arrays are checked already.

    Guarantee
    ---------
    Equals scikit-learn's `roc_auc_score` for every weight vector, ties included.

    References
    ----------
    Hanley and McNeil (1982).

    Examples
    --------
    >>> truth, score = np.array([False, True, True]), np.array([0.3, 0.2, 0.9])
    >>> roc_auc_of(truth, score)(np.array([[1, 1, 1], [1, 0, 1]])).tolist()
    [0.5, 1.0]
    """
    ranking = _rank(truth, score)

    def statistic(weight: npt.NDArray[np.number]) -> Floats:
        ranked = ranking.sorted(weight)
        positive = ranked[..., ranking.positives]
        negative = ranked.astype(np.float64)
        negative[..., ranking.positives] = 0.0
        before = np.cumsum(np.insert(negative, 0, 0.0, axis=-1), axis=-1)
        total = before[..., -1]
        below = total[..., None] - (before[..., ranking.begin] + before[..., ranking.end]) / 2
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sum(positive * below, axis=-1) / (np.sum(positive, axis=-1) * total), dtype=np.float64)

    return statistic


def average_precision_influence(truth: Bools, score: Floats, weight: Floats) -> Floats:
    """Give the derivative of average precision by each row's share of the weight, shape (n,).

    With p the shares, B(t) the share scored at least t, P(t) the precision there and pi the share of positives:
    `(y_k (P(s_k) - AP) + sum over positives i with s_i <= s_k of p_i (y_k - P(s_i)) / B(s_i)) / pi`.

    Assumptions
    -----------
    Arrays are checked already; a positive has weight.

    Guarantee
    ---------
    The exact derivative, tested against finite differences; its weighted mean is 0.

    References
    ----------
    Deville, J.-C. (1999), Survey Methodology 25, 193–203 (influence of a statistic of weights).

    Examples
    --------
    >>> truth, score = np.array([False, True, True]), np.array([0.3, 0.2, 0.9])
    >>> average_precision_influence(truth, score, np.ones(3)).round(3).tolist()
    [-0.333, -0.083, 0.417]
    """
    levels, group = np.unique(score, return_inverse=True)
    share = weight / weight.sum()
    in_group = np.bincount(group, weights=share, minlength=len(levels))
    positive_in_group = np.bincount(group, weights=share * truth, minlength=len(levels))
    flagged = np.cumsum(in_group[::-1])[::-1]
    found = np.cumsum(positive_in_group[::-1])[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(flagged > 0, found / flagged, 0.0)
        per_flag = np.where(flagged > 0, positive_in_group / flagged, 0.0)
    below = np.cumsum(per_flag)[group]
    below_precision = np.cumsum(per_flag * precision)[group]
    prevalence = positive_in_group.sum()
    value = np.sum(positive_in_group * precision) / prevalence
    influence: Floats = (truth * (precision[group] - value) + truth * below - below_precision) / prevalence
    return influence


def roc_auc_influence(truth: Bools, score: Floats, weight: Floats) -> Floats:
    """Give the derivative of the area under the ROC curve by each row's share of the weight, shape (n,).

    These are DeLong's placement values, centered and divided by the share of the row's own class.

    Assumptions
    -----------
    Arrays are checked already; each class has weight.

    Guarantee
    ---------
    The exact derivative, tested against finite differences; its weighted mean is 0.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988).

    Examples
    --------
    >>> truth, score = np.array([False, True, True]), np.array([0.3, 0.2, 0.9])
    >>> roc_auc_influence(truth, score, np.ones(3)).round(3).tolist()
    [0.0, -0.75, 0.75]
    """
    levels, group = np.unique(score, return_inverse=True)
    share = weight / weight.sum()
    positive = np.bincount(group, weights=share * truth, minlength=len(levels))
    negative = np.bincount(group, weights=share * ~truth, minlength=len(levels))
    below = (np.cumsum(negative) - negative / 2) / negative.sum()
    above = (np.cumsum(positive[::-1])[::-1] - positive / 2) / positive.sum()
    value = np.sum(positive * below) / positive.sum()
    influence: Floats = np.where(
        truth, (below[group] - value) / positive.sum(), (above[group] - value) / negative.sum()
    )
    return influence


def draw_masses(rows: Bools, design: Design) -> Floats:
    """Give the weight of some rows in each draw, shape (n_clusters,).

    Assumptions
    -----------
    Arrays are checked already.

    Guarantee
    ---------
    Sums to the weight of those rows.

    Examples
    --------
    >>> from martello.stats.checks import check_design
    >>> draw_masses(np.array([True, True, False]), check_design(3, cluster=["a", "a", "b"])).tolist()
    [2.0, 0.0]
    """
    return design.totals(design.weights() * rows)


def linearized_average_precision(truth: Bools, score: Floats, design: Design) -> Linearized:
    """Give average precision with its cluster-robust variance.

    Assumptions
    -----------
    Arrays are checked already; each class was seen in 2 draws at least; draws are independent.

    Guarantee
    ---------
    Consistent as the draws of both classes grow; agrees with the cluster bootstrap (tests/stats/test_metrics.py).

    References
    ----------
    Deville (1999).

    Examples
    --------
    >>> truth, score = np.array([False, True, True, False]), np.array([0.3, 0.2, 0.9, 0.1])
    >>> from martello.stats.checks import check_design
    >>> round(linearized_average_precision(truth, score, check_design(4)).value, 3)
    0.833
    """
    weight = design.weights()
    value = float(average_precision_of(truth, score)(weight[None])[0])
    influence = average_precision_influence(truth, score, weight)
    return _known_by_rarer_class(linearized_value(value, influence, design, weight > 0), truth, design)


_PRIOR_DRAWS = 4  # the fewest that kept 95% at 20 positives with an area of .98, normal and heavy-tailed scores


def linearized_roc_auc(truth: Bools, score: Floats, design: Design) -> Linearized:
    """Give the area under the ROC curve with DeLong's variance, cluster-robust, held a little to Hanley and McNeil's.

    Assumptions
    -----------
    Arrays are checked already; each class was seen in 2 draws at least; draws are independent.

    Guarantee
    ---------
    Consistent as the draws of both classes grow: the share of Hanley and McNeil's variance, which few positives need
    (tests/guarantees/test_coverage.py), then goes to 0.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988); Obuchowski (1997); Hanley and McNeil (1982).

    Examples
    --------
    >>> truth, score = np.array([False, True, True, False]), np.array([0.3, 0.2, 0.9, 0.1])
    >>> from martello.stats.checks import check_design
    >>> linearized_roc_auc(truth, score, check_design(4)).value
    0.75
    """
    weight = design.weights()
    value = float(roc_auc_of(truth, score)(weight[None])[0])
    influence = roc_auc_influence(truth, score, weight)
    masses = draw_masses(truth, design), draw_masses(~truth, design)
    everyone = np.count_nonzero(masses[0] + masses[1])
    # DeLong divides by draws - 1 within each class; the linearized variance does so for all draws together
    for rows, mass in zip((truth, ~truth), masses, strict=True):
        seen = np.count_nonzero(mass)
        influence[rows] *= np.sqrt(seen / (seen - 1) * (everyone - 1) / everyone)
    found = _known_by_rarer_class(linearized_value(value, influence, design, weight > 0), truth, design)
    expected = _hanley_mcneil(value, *(mass.sum() ** 2 / np.sum(mass**2) for mass in masses))
    degrees = found.n_clusters - 1
    return replace(found, variance=(degrees * found.variance + _PRIOR_DRAWS * expected) / (degrees + _PRIOR_DRAWS))


def _hanley_mcneil(area: float, positives: float, negatives: float) -> float:
    """Give the variance of the area when both classes' scores are exponential, from the area and the counts alone."""
    two_positives, two_negatives = area / (2 - area), 2 * area**2 / (1 + area)
    shared = (positives - 1) * (two_positives - area**2) + (negatives - 1) * (two_negatives - area**2)
    return (area * (1 - area) + shared) / (positives * negatives)


def _known_by_rarer_class(found: Linearized, truth: Bools, design: Design) -> Linearized:
    """Count only the draws of the class seen in fewer of them: the spread is known no better than that."""
    fewer = min(draw_masses(truth, design), draw_masses(~truth, design), key=np.count_nonzero)
    return replace(
        found, n_clusters=int(np.count_nonzero(fewer)), equivalent_n=float(fewer.sum() ** 2 / np.sum(fewer**2))
    )
