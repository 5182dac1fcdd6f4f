"""The difference of a quantile between two arms, such as the 95th percentile of latency; from values, not from sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from martello.errors import DataError
from martello.stats.checks import check_level, check_numbers
from martello.stats.difference import independent_difference
from martello.stats.estimate import Estimate, NotEstimable

__all__ = ["quantile_effect", "quantile_estimate"]


def quantile_estimate(values: ArrayLike, *, at: float, level: float = 0.95) -> Estimate | NotEstimable:
    """Give a quantile with the exact interval between two of the values.

    Parameters
    ----------
    values
        One per independent unit, finite, shape (n,).
    at
        Which quantile, in (0, 1).

    Raises
    ------
    DataError
        ``stats.not-a-probability``, ``stats.level-out-of-range`` and faults of a column.

    Assumptions
    -----------
    Independent values of one distribution. A unit with many values (a user's requests) must be summarized first.

    Guarantee
    ---------
    Coverage of at least `level` for any continuous distribution. Refuses where the sample is too small for an end.

    References
    ----------
    Conover (1999), Practical Nonparametric Statistics, §3.2.

    Examples
    --------
    >>> print(quantile_estimate(range(101), at=0.5))
    50.000 (40.000 to 60.000)
    """
    check_level(level)
    if not 0 < at < 1:
        raise DataError("stats.not-a-probability", f"at is {at}", expected="a number between 0 and 1, exclusive")
    column = check_numbers(values, where="values")
    if len(column) < 2:
        return NotEstimable(reason=f"there are {len(column)} values", needs="at least 2")
    value = float(np.quantile(column, at, method="hazen"))
    found: Any = stats.quantile_test(column, q=value, p=at).confidence_interval(level)
    if np.isnan([found.low, found.high]).any():  # an end beyond the sample
        return NotEstimable(reason=f"{len(column)} values do not bound the {at:g} quantile", needs="more units")
    return Estimate(
        value=value,
        low=min(float(found.low), value),
        high=max(float(found.high), value),
        level=level,
        n=len(column),
        method="order statistics",
    )


def quantile_effect(a: ArrayLike, b: ArrayLike, *, at: float, level: float = 0.95) -> Estimate | NotEstimable:
    """Give the quantile of b minus that of a.

    Parameters
    ----------
    a, b, at
        As `quantile_estimate`.

    Raises
    ------
    DataError
        As `quantile_estimate`.

    Assumptions
    -----------
    As `quantile_estimate`, in both arms; the arms are independent.

    Guarantee
    ---------
    About `level` coverage, from the two exact intervals; follows their skew.

    References
    ----------
    As `quantile_estimate` and `independent_difference`.

    Examples
    --------
    >>> print(quantile_effect(range(101), range(5, 106), at=0.5))
    5.000 (-9.142 to 19.142)
    """
    return independent_difference(quantile_estimate(b, at=at, level=level), quantile_estimate(a, at=at, level=level))
