"""Calibration: whether a score of 0.7 means that 70% of such units are positive.

Here live the reliability bins and one number for the miscalibration, each with its interval. Nothing here recalibrates;
that is a learner's work.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from martello.stats.checks import (
    Bools,
    Design,
    Floats,
    Ints,
    check_design,
    check_flags,
    check_level,
    check_probabilities,
    check_same_length,
)
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.shares import share_estimate

__all__ = ["CalibrationBin", "calibration_bins", "calibration_error"]


class CalibrationBin(msgspec.Struct, frozen=True, kw_only=True):
    """Units of similar score.

    Attributes
    ----------
    low, high
        Lowest and highest score in the bin.
    mean_score
        Weighted mean score: the share of positives that was promised.
    observed
        Share of positives that came.
    n
        Units in the bin.
    share
        Part of the total weight.
    """

    low: float
    high: float
    mean_score: float
    observed: Estimate | NotEstimable
    n: int
    share: float


def calibration_bins(
    truth: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    n_bins: int = 10,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[CalibrationBin, ...]:
    """Give the reliability table over bins of equal mass.

    Parameters
    ----------
    truth
        Whether each unit is positive, shape (n,).
    score
        Probabilities, shape (n,).
    n_bins
        Bins at most; equal scores stay together, so there may be fewer.
    weight, cluster, level
        As for `precision_estimate`; the level holds for each bin by itself.

    Assumptions
    -----------
    Clusters are independent draws.

    Guarantee
    ---------
    Each bin's observed share as `precision_estimate`.

    References
    ----------
    Bröcker, J. and Smith, L. A. (2007), Weather and Forecasting 22, 651–661.

    Examples
    --------
    >>> for one in calibration_bins([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.8], n_bins=2):
    ...     print(round(one.mean_score, 2), one.observed)
    0.2 0.333 (0.008 to 0.906)
    0.7 0.667 (0.094 to 0.992)
    """
    true, scores, design = _check(truth, score, weight, cluster)
    check_level(level)
    code = _equal_mass_bins(scores, design.weights(), n_bins)
    return tuple(_bin(true, scores, design, code == one, level) for one in range(int(code.max()) + 1))


def calibration_error(
    truth: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    n_bins: int = 10,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
    seed: int,
) -> Estimate | NotEstimable:
    """Estimate the root-mean-square calibration error over bins of equal mass, free of the bias of noise.

    The error is sqrt(sum over bins of share * (mean score - share of positives)^2). The plug-in value counts sampling
    noise as miscalibration; here the noise (cluster-robust) is subtracted, and what falls below 0 is 0. The interval
    holds the errors under which a plug-in value as large, and as small, as the one seen is not too rare; the
    distribution is simulated along the direction of the observed gaps.

    Parameters
    ----------
    truth, score, n_bins, weight, cluster, level
        As for `calibration_bins`.
    seed
        Of the simulated noise.

    Assumptions
    -----------
    Clusters are independent draws; each bin holds enough of them that its gap is near normal (about 20 units
    that are not all alike).

    Guarantee
    ---------
    Coverage about `level` of the error between these bins (tests/guarantees/test_coverage.py); error within bins is not
    seen, so the true calibration error is at least as large.

    References
    ----------
    Bröcker, J. (2012), Climate Dynamics 39, 655–667; Kumar, Liang and Ma (2019), NeurIPS 32, "Verified uncertainty
    calibration", §4.

    Examples
    --------
    >>> score = np.linspace(0.05, 0.95, 1000)
    >>> truth = np.random.default_rng(3).random(1000) < score
    >>> found = calibration_error(truth, score, seed=1)
    >>> found.low, found.high < 0.06
    (0.0, True)
    """
    true, scores, design = _check(truth, score, weight, cluster)
    check_level(level)
    if design.n_clusters < 2:
        return NotEstimable(reason="one independent draw shows no spread", needs="at least 2 units (or clusters)")
    code = _equal_mass_bins(scores, design.weights(), n_bins)
    share, gap, covariance = _gaps(true, scores, design, code)
    raw = float(np.sum(share * gap**2))
    noise = float(np.sum(share * np.diag(covariance)))
    low, high = _error_limits(share, gap, covariance, level, seed)
    value = float(np.sqrt(max(raw - noise, 0.0)))
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        n=int(np.count_nonzero(design.weights())),
        method=f"debiased root-mean-square over {len(share)} equal-mass bins, simulated inversion",
    )


def _equal_mass_bins(scores: Floats, weight: Floats, n_bins: int) -> Ints:
    """Give the bin of each row: equal weight per bin as near as ties allow, numbered from the lowest score."""
    levels, group = np.unique(scores, return_inverse=True)
    mass = np.bincount(group, weights=weight, minlength=len(levels))
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    code = np.minimum((middle * n_bins).astype(np.intp), n_bins - 1)
    code[mass == 0] = code[mass > 0].min() if (mass > 0).any() else 0
    bins: Ints = np.unique(code, return_inverse=True)[1].astype(np.intp)
    return bins[group]


def _bin(true: Bools, scores: Floats, design: Design, rows: Bools, level: float) -> CalibrationBin:
    weight = design.weights() * rows
    counted = weight > 0
    return CalibrationBin(
        low=float(scores[counted].min()),
        high=float(scores[counted].max()),
        mean_score=float(np.sum(weight * scores) / weight.sum()),
        observed=share_estimate(true, rows, design, level=level, of="in the bin"),
        n=int(np.count_nonzero(counted)),
        share=float(weight.sum() / design.weights().sum()),
    )


def _gaps(true: Bools, scores: Floats, design: Design, code: Ints) -> tuple[Floats, Floats, Floats]:
    """Give share, mean of score - truth, and the cluster-robust covariance of these means over the bins."""
    weight, bins = design.weights(), int(code.max()) + 1
    mass = np.bincount(code, weights=weight, minlength=bins).astype(np.float64)
    gap = np.bincount(code, weights=weight * (scores - true), minlength=bins) / mass
    residual = weight * (scores - true - gap[code]) / mass[code]
    draws = np.arange(design.n) if design.cluster is None else design.cluster
    cell = draws * bins + code
    by_draw = np.bincount(cell, weights=residual, minlength=design.n_clusters * bins).reshape(-1, bins)
    held = np.count_nonzero(np.bincount(cell, weights=weight, minlength=by_draw.size).reshape(-1, bins), axis=0)
    by_draw = by_draw * np.sqrt(held / np.maximum(held - 1, 1))
    return mass / mass.sum(), gap, by_draw.T @ by_draw


_NOISE_DRAWS = 4000  # the simulated tail of 2.5% then has a relative error of 10%


def _error_limits(share: Floats, gap: Floats, covariance: Floats, level: float, seed: int) -> tuple[float, float]:
    """Invert the test of each possible error: find those under which the plug-in seen is not in either tail."""
    seen = float(np.sum(share * gap**2))
    direction = gap / np.sqrt(seen) if seen > 0 else np.ones(len(gap))
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(seed).standard_normal((_NOISE_DRAWS, len(gap)))
    noise = (normal * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    along, across = noise @ (share * direction), np.sum(share * noise**2, axis=1)
    tail = (1 - level) / 2

    def chance_below(error: float) -> float:
        """Share of simulated plug-ins at most as large as the one seen, if this were the true error."""
        return float(np.mean(error**2 + 2 * error * along + across <= seen))

    top = float(np.sqrt(seen)) + 5 * float(np.sqrt(float(np.sum(share * np.diag(covariance))))) + 1e-12
    return _where(chance_below, 1 - tail, top), _where(chance_below, tail, top)


def _where(falling: Callable[[float], float], target: float, top: float) -> float:
    """Find where a falling function crosses the target in [0, top]; 0 when it starts below."""
    if falling(0.0) <= target:
        return 0.0
    low, high = 0.0, top
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > target else (low, middle)
    return (low + high) / 2


def _check(
    truth: npt.ArrayLike, score: npt.ArrayLike, weight: npt.ArrayLike | None, cluster: npt.ArrayLike | None
) -> tuple[Bools, Floats, Design]:
    true, scores = check_flags(truth), check_probabilities(score)
    n = check_same_length(truth=true, score=scores)
    return true, scores, check_design(n, weight, cluster)
