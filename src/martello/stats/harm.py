"""What a shift would do to a metric: the judged sample, weighted to look like traffic, and when that cannot be known.

Input are each judged row's contribution to the metric and its density ratio; output is the expected change with its
interval. Finding the shift is `martello.stats.shift`. Nothing here knows the metric.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.linearization import SurveyDesign, finite_column, survey_variance
from martello.stats.survey import t_interval
from martello.stats.weighting import kish_effective_n

__all__ = ["density_ratio", "expected_change"]

_Floats = NDArray[np.float64]


def density_ratio(scores: ArrayLike, *, n_sample: float, n_traffic: float) -> _Floats:
    """Turn a classifier's chance that a sampled row is traffic into the ratio of traffic's density to the sample's.

    Parameters
    ----------
    scores
        Calibrated out-of-fold probabilities of "is traffic" for the sampled rows, in [0, 1), shape (n,).
    n_sample, n_traffic
        Rows of either side the classifier was trained on (sums of weights, when trained with them).

    Raises
    ------
    DataError
        ``stats.score-not-a-probability``.

    Assumptions
    -----------
    Scores are calibrated; traffic holds no kind of row that the sample could not hold.

    Guarantee
    ---------
    Odds times n_sample / n_traffic (Bayes' rule): exact when the scores are.

    References
    ----------
    Sugiyama, Suzuki & Kanamori (2012). Density Ratio Estimation in Machine Learning, §4.2.

    Examples
    --------
    >>> density_ratio([0.5, 0.8], n_sample=100, n_traffic=100).round(3).tolist()
    [1.0, 4.0]
    """
    s = np.asarray(scores, dtype=np.float64)
    if not ((s >= 0) & (s < 1)).all():
        raise DataError(
            "stats.score-not-a-probability",
            "a score is missing or outside [0, 1)",
            expected="calibrated probabilities; 1 would mean that the sample cannot hold such a row",
            fix="calibrate the classifier, or give it fewer features",
        )
    return np.asarray(s / (1 - s) * (n_sample / n_traffic), dtype=np.float64)


def expected_change(
    design: SurveyDesign, contributions: ArrayLike, ratio: ArrayLike, *, level: float = 0.95
) -> Estimate | NotEstimable:
    """Estimate how a metric changes from the sampled population to traffic: traffic minus sample.

    Parameters
    ----------
    contributions
        Per-row parts whose mean is the metric, such as 1 for a correct row; shape (n,), finite.
    ratio
        Density ratio of traffic to the sampled population, at least 0, shape (n,); any constant factor cancels from the
        estimate, but it should average 1.

    Raises
    ------
    DataError
        ``stats.ratio-negative``, ``stats.value-not-finite``, ``stats.length-mismatch``,
        ``stats.level-out-of-range``.

    Assumptions
    -----------
    Covariate shift: the outcome given the features is the same in traffic; the ratio is right (its own error is not in
    the interval); a sampled row exists for every kind of traffic.

    Guarantee
    ---------
    Self-normalized importance weighting with linearized error that respects strata and clusters. Refuses when fewer
    than max(100, 1 % of n) effective rows are left, when one row carries more than 5 % of the weight, or when the
    ratios do not average 1 (by 3 standard errors and 0.1): then part of traffic has no like in the sample.

    References
    ----------
    Owen, A. B. (2013). Monte Carlo Theory, Methods and Examples, ch. 9 (diagnostics: §9.3).

    Examples
    --------
    >>> from martello.stats.linearization import survey_design
    >>> import numpy as np
    >>> correct = np.tile([1.0, 1.0, 1.0, 0.0], 250)
    >>> harder = np.tile([0.8, 0.8, 0.8, 1.6], 250)
    >>> str(expected_change(survey_design(weight=np.ones(1000)), correct, harder))
    '-0.150 (-0.158 to -0.142)'
    """
    n = design.weight.size
    y, r = finite_column(contributions, n), finite_column(ratio, n)
    if (r < 0).any():
        raise DataError("stats.ratio-negative", "a density ratio is below 0", expected="numbers of at least 0")
    refusal = _cannot_stand_in(design, r)
    if refusal:
        return refusal
    w, wr = design.weight, design.weight * r
    before, after = float(w @ y / w.sum()), float(wr @ y / wr.sum())
    influence = r * (y - after) / wr.sum() - (y - before) / w.sum()
    spread = survey_variance(design, influence)
    if isinstance(spread, NotEstimable):
        return spread
    if spread[0] == 0 or spread[1] < 1:
        return NotEstimable(reason="the sample shows no spread", needs="rows that differ, or more clusters")
    return t_interval(after - before, spread, n, level, "importance weighting", kish_effective_n(wr))


def _cannot_stand_in(design: SurveyDesign, ratio: _Floats) -> NotEstimable | None:
    """Say why the sampled rows cannot speak for traffic, if they cannot."""
    n, wr = ratio.size, design.weight * ratio
    needed = max(100.0, 0.01 * n)
    effective = kish_effective_n(wr) if wr.any() else 0.0
    if effective < needed:
        return NotEstimable(
            reason=f"weighted to traffic, {n} rows are worth {effective:.0f}",
            needs=f"{needed:.0f} effective rows: labels drawn from traffic",
        )
    if wr.max() > 0.05 * wr.sum():
        return NotEstimable(reason="one row carries more than 5 % of the weight", needs="labels drawn from traffic")
    mean = float(wr.sum() / design.weight.sum())
    spread = survey_variance(design, (ratio - mean) / design.weight.sum())
    if isinstance(spread, NotEstimable):
        return spread
    if abs(mean - 1) > max(3 * math.sqrt(spread[0]), 0.1):
        return NotEstimable(
            reason=f"density ratios average {mean:.2f}, not 1: the sample lacks part of traffic, or they are wrong",
            needs="calibrated ratios, or labels drawn from traffic",
        )
    return None
