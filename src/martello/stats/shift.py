"""Whether the traffic a product meets differs from the sample it was judged on: by how much, not whether at all.

With enough rows every difference is significant, so nothing here is a p-value. Each comparison gives an effect size
with its interval, and the verdict compares that interval with a size declared to matter: more rows narrow the interval,
they do not change the question. What a shift would do to a metric is `martello.stats.harm`'s subject.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.weighting import kish_effective_n

__all__ = ["ShiftVerdict", "judge_shift", "quantile_bins", "total_variation", "two_sample_auc"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.intp]

_LEAST_ROWS = 20
"""Effective rows per side below which no interval is given: normal errors are not credible there."""


class ShiftVerdict(StrEnum):
    """Whether a difference matters: three values, because not knowing is one of them."""

    SHIFTED = "shifted"
    NOT_SHIFTED = "not shifted"
    UNDECIDED = "undecided"


def judge_shift(effect: Estimate | NotEstimable, *, material: float, neutral: float = 0.0) -> ShiftVerdict:
    """Judge an effect size against the size that matters.

    Parameters
    ----------
    effect
        From `total_variation` (neutral 0) or `two_sample_auc` (neutral 0.5).
    material
        Smallest distance from neutral that matters, above 0; declared before looking.
    neutral
        Value of the effect when nothing has shifted.

    Raises
    ------
    DataError
        ``stats.material-size``.

    Assumptions
    -----------
    The interval is valid at its level. Many columns: give each effect the level 1 - (1 - level) / columns.

    Guarantee
    ---------
    "Shifted" only if the whole interval is at least material away from neutral on one side, "not shifted" only if the
    whole interval is nearer: each wrong with at most the interval's error, at any number of rows.

    Examples
    --------
    >>> auc = Estimate(value=0.70, low=0.66, high=0.74, level=0.95, n=900, method="DeLong")
    >>> judge_shift(auc, material=0.10, neutral=0.5)
    <ShiftVerdict.SHIFTED: 'shifted'>
    """
    if not material > 0:
        raise DataError(
            "stats.material-size", f"material is {material}", expected="a number above 0", fix="material=0.1"
        )
    if isinstance(effect, NotEstimable):
        return ShiftVerdict.UNDECIDED
    low, high = effect.low - neutral, effect.high - neutral
    if max(low, -high) >= material:
        return ShiftVerdict.SHIFTED
    if max(abs(low), abs(high)) < material:
        return ShiftVerdict.NOT_SHIFTED
    return ShiftVerdict.UNDECIDED


def two_sample_auc(
    sample: ArrayLike,
    traffic: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    traffic_weight: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate | NotEstimable:
    """Estimate the chance that a row of traffic has a larger value than a row of the sample, ties counted half.

    For one numeric column it is the effect size of its location. For out-of-fold scores of a classifier that tells
    traffic from sample it is the classifier two-sample test, over all columns together.

    Parameters
    ----------
    sample, traffic
        Values, or scores, of the rows of either side; shapes (n,) and (m,), finite.
    sample_weight, traffic_weight
        Design weights 1/π, so that a sample drawn unevenly on purpose is not called shifted.

    Raises
    ------
    DataError
        ``stats.value-not-finite``, ``stats.weight-not-positive``, ``stats.length-mismatch``,
        ``stats.level-out-of-range``.

    Assumptions
    -----------
    Independent rows; scores are out of fold (scores on training rows always differ).

    Guarantee
    ---------
    Asymptotic coverage (DeLong's variance on the logit scale); where all pairs compare alike, as when the two sides do
    not overlap, an exact bound from independent pairs. Blind to a change of spread around the same center: see
    `quantile_bins`.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988). Biometrics 44. Lopez-Paz & Oquab (2017), classifier two-sample tests. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> str(two_sample_auc(np.arange(100), np.arange(100) + 20))
    '0.680 (0.603 to 0.748)'
    """
    _check_level(level)
    x, a = _side(sample, sample_weight)
    y, b = _side(traffic, traffic_weight)
    rows = min(kish_effective_n(a), kish_effective_n(b))
    if rows < _LEAST_ROWS:
        return _too_few(rows)
    above, below = _share_below(-y, b, -x), _share_below(x, a, y)
    auc = float(a @ above)
    if max(np.ptp(above), np.ptp(below)) < 1e-9:  # every pair compares alike: all below, all above, or all tied
        auc = round(2 * auc) / 2
        low, high = _pairs_bound(auc, rows, level)
    else:
        error = math.sqrt(_placement_variance(a, above, auc) + _placement_variance(b, below, auc))
        low, high = _logit_interval(auc, error, level)
    method = "two-sample AUC, DeLong"
    return Estimate(value=auc, low=low, high=high, level=level, n=x.size + y.size, method=method, effective_n=rows)


def total_variation(
    sample: Iterable[Any],
    traffic: Iterable[Any],
    *,
    sample_weight: ArrayLike | None = None,
    traffic_weight: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate | NotEstimable:
    """Estimate the share of rows that would have to change category for sample and traffic to agree.

    Parameters
    ----------
    sample, traffic
        Category of every row; None and NaN are one category, "missing".
    sample_weight, traffic_weight
        As `two_sample_auc`.

    Raises
    ------
    DataError
        As `two_sample_auc`.

    Assumptions
    -----------
    Independent rows.

    Guarantee
    ---------
    Conservative interval. The plain estimate is never too small on average, and at most Σ E|error| / 2 too large: that
    much is taken off the lower end only. Its standard deviation is below sqrt(1/n + 1/m) / 2 whatever the categories.
    The value shown is corrected for that bias.

    References
    ----------
    Levin, Peres & Wilmer (2017). Markov Chains and Mixing Times, §4.1. Boucheron, Lugosi & Massart (2013).
    Concentration Inequalities, §3.1 (Efron–Stein).

    Examples
    --------
    >>> str(total_variation(["a"] * 500 + ["b"] * 500, ["a"] * 800 + ["b"] * 200))
    '0.300 (0.240 to 0.344)'
    """
    _check_level(level)
    codes, n_sample, n_codes = _joint_codes(sample, traffic)
    a, b = _weights(sample_weight, n_sample), _weights(traffic_weight, codes.size - n_sample)
    sizes = kish_effective_n(a), kish_effective_n(b)
    if min(sizes) < _LEAST_ROWS:
        return _too_few(min(sizes))
    # Rounding may carry a sum of weights above 1.
    p = np.minimum(np.bincount(codes[:n_sample], weights=a, minlength=n_codes), 1.0)
    q = np.minimum(np.bincount(codes[n_sample:], weights=b, minlength=n_codes), 1.0)
    gap, error = np.abs(q - p), np.sqrt(p * (1 - p) / sizes[0] + q * (1 - q) / sizes[1])
    plain = 0.5 * float(gap.sum())
    reach = float(special.ndtri(0.5 + level / 2)) * 0.5 * math.sqrt(1 / sizes[0] + 1 / sizes[1])
    return Estimate(
        value=_debiased(gap, error),
        low=max(0.0, plain - reach - 0.5 * math.sqrt(2 / math.pi) * float(error.sum())),
        high=min(1.0, plain + reach),
        level=level,
        n=codes.size,
        method="total variation, debiased",
        effective_n=min(sizes),
    )


def quantile_bins(
    sample: ArrayLike, traffic: ArrayLike, *, bins: int = 10
) -> tuple[list[int | None], list[int | None]]:
    """Sort two sides' numbers into common bins of about equal size, for `total_variation`; missing stays missing.

    Binned, a numeric column shows a change of spread, of shape and of its missing share as well as of location.

    Assumptions
    -----------
    Both sides together say which values are heavy, and give the quantiles of the rest at which the other bins are cut.

    Guarantee
    ---------
    Equal values share a bin, and bins keep the order of values. A heavy value, one that 1/bins of the rows have, is
    alone in its bin; any other bin holds less than about 2/bins of the rows. Fewer than 3 * bins bins and the missing;
    with no heavy value at most `bins`.

    Examples
    --------
    >>> quantile_bins([1.0, 2.0, float("nan")], [3.0, 4.0], bins=2)
    ([0, 0, None], [1, 1])
    >>> quantile_bins([1.0, 999.0, 999.0], [2.0, 999.0, 999.0], bins=2)
    ([0, 2, 2], [1, 2, 2])
    """
    x, y = np.asarray(sample, dtype=np.float64), np.asarray(traffic, dtype=np.float64)
    both = np.concatenate([x, y])
    known = both[~np.isnan(both)]
    distinct, counts = np.unique(known, return_counts=True)
    heavy = distinct[counts * bins >= known.size]
    rest = known[~np.isin(known, heavy)]
    quantiles = np.quantile(rest, np.arange(1, bins) / bins, method="lower") if rest.size else rest
    cuts = np.union1d(quantiles, heavy)

    def binned(values: _Floats) -> list[int | None]:
        # a bin ends with a cut; a heavy value's bin begins with it, too
        codes = np.searchsorted(cuts, values, side="left") + np.searchsorted(heavy, values, side="right")
        return [None if missing else code for code, missing in zip(codes.tolist(), np.isnan(values), strict=True)]

    return binned(x), binned(y)


def _share_below(values: _Floats, weight: _Floats, points: _Floats) -> _Floats:
    """Give the weighted share of values below each point, those equal to it counted half."""
    order = np.argsort(values, kind="stable")
    cumulative = np.concatenate([[0.0], np.cumsum(weight[order])])
    left = np.searchsorted(values[order], points, side="left")
    right = np.searchsorted(values[order], points, side="right")
    return np.asarray(0.5 * (cumulative[left] + cumulative[right]), dtype=np.float64)


def _placement_variance(weight: _Floats, placement: _Floats, auc: float) -> float:
    squared = np.square(weight)
    return float(squared @ np.square(placement - auc) / (1 - squared.sum()))


def _logit_interval(auc: float, error: float, level: float) -> tuple[float, float]:
    center, half = special.logit(auc), special.ndtri(0.5 + level / 2) * error / (auc * (1 - auc))
    return float(special.expit(center - half)), float(special.expit(center + half))


def _pairs_bound(auc: float, pairs: float, level: float) -> tuple[float, float]:
    """Bound an AUC when all pairs agree: disjoint pairs are as many independent trials without an exception."""
    exceptions = 1 - ((1 - level) / 2) ** (1 / pairs)
    return auc - exceptions * auc, auc + exceptions * (1 - auc)


def _debiased(gap: _Floats, error: _Floats) -> float:
    """Shrink the observed gaps by one factor until, with noise added, they would give the observed total variation."""
    plain = 0.5 * float(gap.sum())

    def expected(factor: float) -> float:
        mean = factor * gap
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(error > 0, mean / error, 0.0)
        folded = error * math.sqrt(2 / math.pi) * np.exp(-0.5 * z**2) + mean * special.erf(z / math.sqrt(2))
        return 0.5 * float(np.where(error > 0, folded, mean).sum())

    low, high = 0.0, 1.0
    if expected(0.0) >= plain:
        return 0.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if expected(middle) < plain else (low, middle)
    return low * plain


def _joint_codes(sample: Iterable[Any], traffic: Iterable[Any]) -> tuple[_Ints, int, int]:
    index: dict[Any, int] = {}
    # NaN differs from itself: it and None are one category.
    sides = [[None if label != label else label for label in _plain(side)] for side in (sample, traffic)]
    codes = [index.setdefault(label, len(index)) for side in sides for label in side]
    return np.array(codes, dtype=np.intp), len(sides[0]), len(index)


def _plain(side: Iterable[Any]) -> list[Any]:
    return side.tolist() if isinstance(side, np.ndarray) else list(side)


def _side(values: ArrayLike, weight: ArrayLike | None) -> tuple[_Floats, _Floats]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise DataError(
            "stats.value-not-finite",
            "a value is missing or not finite",
            expected="one finite number per row",
            fix="compare columns with missing values by quantile_bins and total_variation",
        )
    return array, _weights(weight, array.size)


def _weights(weight: ArrayLike | None, n: int) -> _Floats:
    """Give weights that add up to 1."""
    w = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    if w.shape != (n,):
        raise DataError("stats.length-mismatch", f"weight has {w.size} entries", expected=f"{n}, one per row")
    if not n:
        raise DataError("stats.empty", "one side has no rows", expected="rows in sample and traffic")
    if not (np.isfinite(w) & (w > 0)).all():
        raise DataError("stats.weight-not-positive", "a weight is 0, negative or missing", expected="finite, above 0")
    return np.asarray(w / w.sum(), dtype=np.float64)


def _too_few(rows: float) -> NotEstimable:
    return NotEstimable(reason=f"{rows:.0f} effective rows on one side", needs=f"at least {_LEAST_ROWS} on each")


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise DataError(
            "stats.level-out-of-range", f"level is {level}, not a confidence", expected="a number in (0, 1)"
        )
