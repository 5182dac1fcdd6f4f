"""The jackknife: the error of any smooth statistic, by leaving out one sampled cluster at a time.

Input is a `SurveyDesign` of `martello.stats.linearization` and a function of the row weights; output is an `Estimate`.
Use it where no linearization is at hand, or as a second opinion on one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.linearization import LonelyRule, SurveyDesign, lonely_refusal
from martello.stats.survey import t_interval

__all__ = ["jackknife"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.intp]


def jackknife(
    design: SurveyDesign,
    statistic: Callable[[_Floats], float],
    *,
    level: float = 0.95,
    lonely: LonelyRule = "refuse",
) -> Estimate | NotEstimable:
    """Estimate any smooth function of the weights, leaving out one cluster at a time (JK1, by strata JKn).

    Parameters
    ----------
    statistic
        Takes row weights, shape (n,), 0 for the rows left out, and gives the estimate. To carry calibration into the
        error, calibrate inside it.
    level, lonely
        As `survey_total`; "center" is the same as "certainty" here, a single cluster has no replicate.

    Assumptions
    -----------
    The statistic is smooth (not a median) and finite on every replicate.

    Guarantee
    ---------
    Consistent; equal to the linearized variance for totals. The finite population correction is applied when there is
    one stage; with two it is left out, which is conservative.

    References
    ----------
    Wolter, K. M. (2007). Introduction to Variance Estimation, 2nd ed., ch. 4. Deviations are taken from the mean of the
    stratum's replicates.

    Examples
    --------
    >>> from martello.stats.linearization import survey_design
    >>> import numpy as np
    >>> y = np.array([1.0, 2.0, 3.0, 4.0])
    >>> str(jackknife(survey_design(pi=[0.5] * 4), lambda w: float(w @ y)))
    '20.000 (3.566 to 36.434)'
    """
    value = float(statistic(design.weight))
    m = design.stratum.size
    pi = design.stage_pi[0] if len(design.stage_pi) == 1 else np.zeros(m)
    risky = np.flatnonzero(pi < 1)
    counts = np.bincount(design.stratum[risky], minlength=int(design.stratum.max()) + 1)
    if (counts == 1).any() and lonely == "refuse":
        return lonely_refusal(int((counts == 1).sum()))
    risky = risky[counts[design.stratum[risky]] > 1]
    if not risky.size:
        return NotEstimable(reason="no cluster can be left out", needs="two sampled clusters in a stratum")
    of_cluster = design.stratum[risky]
    replicates = np.array([statistic(_without(design, j, counts)) for j in risky.tolist()], dtype=np.float64)
    if not np.isfinite(replicates).all():
        return NotEstimable(reason="the statistic is not defined without one of the clusters", needs="more clusters")
    centers = np.bincount(of_cluster, weights=replicates) / np.maximum(np.bincount(of_cluster), 1)
    n = counts[of_cluster]
    variance = float(np.sum((n - 1) / n * (1 - pi[risky]) * (replicates - centers[of_cluster]) ** 2))
    df = risky.size - np.unique(of_cluster).size
    return t_interval(value, (variance, df), design.weight.size, level, "jackknife")


def _without(design: SurveyDesign, cluster: int, counts: _Ints) -> _Floats:
    stratum = design.stratum[cluster]
    factor = np.where(design.stratum == stratum, counts[stratum] / (counts[stratum] - 1), 1.0)
    if len(design.stage_pi) == 1:
        # Clusters taken with certainty do not stand for the one left out.
        factor = np.where(design.stage_pi[0] >= 1, 1.0, factor)
    factor[cluster] = 0.0
    return design.weight * factor[design.cluster]
