"""The difference of two estimates from independent samples, when only their intervals are known.

Paired comparisons on the same units are `compare`; this is for numbers that come from different places, such as what
gold promised and what happened online.
"""

from __future__ import annotations

import math

from martello.stats.estimate import Estimate, NotEstimable

__all__ = ["independent_difference"]


def independent_difference(a: Estimate | NotEstimable, b: Estimate | NotEstimable) -> Estimate | NotEstimable:
    """Give a - b with an interval recovered from the two intervals (MOVER).

    Parameters
    ----------
    a, b
        Estimates of the same kind of quantity at the same level.

    Assumptions
    -----------
    The two estimates come from independent samples, and each interval covers at its level on each side.

    Guarantee
    ---------
    Approximate coverage at the common level; exact in the limit of normal estimates. Follows the skew of both
    intervals, so it stays sensible near 0 and 1 where a normal difference does not.

    Examples
    --------
    >>> a = Estimate(value=0.80, low=0.76, high=0.83, level=0.95, n=500, method="exact")
    >>> b = Estimate(value=0.78, low=0.77, high=0.79, level=0.95, n=9000, method="exact")
    >>> print(independent_difference(a, b))
    0.020 (-0.021 to 0.052)

    References
    ----------
    Zou and Donner (2008), "Construction of confidence limits about effect measures", Statistics in Medicine 27, eq. 2.
    """
    for one in (a, b):
        if isinstance(one, NotEstimable):
            return one
    assert isinstance(a, Estimate)
    assert isinstance(b, Estimate)
    if not math.isclose(a.level, b.level):
        return NotEstimable(
            reason=f"the intervals are at different levels, {a.level:g} and {b.level:g}", needs="intervals at one level"
        )
    value = a.value - b.value
    return Estimate(
        value=value,
        low=value - math.hypot(a.value - a.low, b.high - b.value),
        high=value + math.hypot(a.high - a.value, b.value - b.low),
        level=a.level,
        n=a.n + b.n,
        method="MOVER from two intervals",
    )
