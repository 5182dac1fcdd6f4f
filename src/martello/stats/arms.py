"""The two arms of an experiment as means with the variance of one unit: plain, ratio, adjusted by a covariate.

Input are `Sums`; output are `ArmMean`s, which `effects` compares. Which arm a unit is in, and when it is judged, is not
known here.
"""

from __future__ import annotations

import msgspec

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.sums import Sums

__all__ = ["ArmMean", "adjusted_arms", "arm_mean", "covariate_gain"]


class ArmMean(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over units: `variance` is that of one unit's contribution, so the mean's own is variance / n."""

    n: int
    mean: float
    variance: float


def arm_mean(sums: Sums) -> ArmMean | NotEstimable:
    """Give the mean of the metric per unit, or the ratio of sums with the delta method's variance.

    Assumptions
    -----------
    Units are independent; for a ratio the unit is the one assigned, and the denominator's mean is far from 0.

    Guarantee
    ---------
    Mean and sample variance exactly. A ratio R = Σy / Σd gets the variance of (y − R d) / mean(d), consistent as units
    grow. Refuses under 2 units and at a denominator of 0.

    References
    ----------
    Deng, Knoblich & Lu (2018), "Applying the delta method in metric analytics", KDD, eq. 4.

    Examples
    --------
    >>> arm_mean(Sums(n=4, y=2, yy=2))
    ArmMean(n=4, mean=0.5, variance=0.3333333333333333)
    >>> arm_mean(Sums(n=2, y=3, yy=5, d=6, dd=20, yd=10))
    ArmMean(n=2, mean=0.5, variance=0.0)
    """
    if sums.n < 2:
        return NotEstimable(reason=f"an arm has {sums.n} units", needs="at least 2 in each arm")
    if sums.d is None:
        return ArmMean(n=sums.n, mean=sums.y / sums.n, variance=_covariance(sums.n, sums.y, sums.y, sums.yy))
    if sums.d == 0:
        return NotEstimable(reason="the denominator of the ratio is 0", needs="units with a denominator")
    ratio = sums.y / sums.d
    return ArmMean(n=sums.n, mean=ratio, variance=_spread(sums, ratio, 0.0))


def adjusted_arms(a: Sums, b: Sums) -> tuple[ArmMean, ArmMean] | NotEstimable:
    """Give both arms' means adjusted by the covariate from before the experiment (CUPED), for means and ratios.

    Parameters
    ----------
    a, b
        Sums of the two arms, with a covariate.

    Raises
    ------
    DataError
        ``stats.no-covariate``.

    Assumptions
    -----------
    The covariate was fixed before a unit was assigned, so that assignment cannot move it.

    Guarantee
    ---------
    The difference of the adjusted means estimates the same effect; its variance is about 1 − ρ² of the plain one (ρ:
    correlation of covariate and the unit's contribution), never larger in the limit. One slope, pooled over arms, which
    is optimal for arms of equal size.

    References
    ----------
    Deng, Xu, Kohavi & Walker (2013), "Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data", WSDM, eq. 3–5.

    Examples
    --------
    >>> from martello.stats.sums import sums_of
    >>> a, b = sums_of([1.0, 2, 3], x=[1, 2, 3]), sums_of([3.0, 4, 4], x=[2, 3, 4])
    >>> old, new = adjusted_arms(a, b)
    >>> round(new.mean - old.mean, 3)
    0.917
    """
    if a.x is None or b.x is None or a.xx is None or b.xx is None:
        raise DataError("stats.no-covariate", "the sums have no covariate", where="sums", expected="x, xx and xy")
    arms = arm_mean(a), arm_mean(b)
    if isinstance(arms[0], NotEstimable):
        return arms[0]
    if isinstance(arms[1], NotEstimable):
        return arms[1]
    theta = _slope((a, arms[0].mean), (b, arms[1].mean))
    center = (a.x + b.x) / (a.n + b.n)
    first, second = (
        ArmMean(
            n=sums.n,
            mean=arm.mean - theta * ((sums.x or 0.0) / sums.n - center),
            variance=_spread(sums, arm.mean if sums.d is not None else 0.0, theta),
        )
        for sums, arm in ((a, arms[0]), (b, arms[1]))
    )
    return first, second


def covariate_gain(sums: Sums) -> float | NotEstimable:
    """Give ρ², the share of the variance that the covariate takes away: what CUPED would save in units.

    Assumptions
    -----------
    As `adjusted_arms`; the units are like those of the experiment to come.

    Guarantee
    ---------
    1 − (variance with the covariate) / (variance without), in [0, 1]; refuses where either does not vary.

    References
    ----------
    Deng et al. (2013), eq. 5.

    Examples
    --------
    >>> from martello.stats.sums import sums_of
    >>> round(covariate_gain(sums_of([1, 2, 3, 4], x=[1, 3, 2, 4])), 2)
    0.64
    """
    arm = arm_mean(sums)
    if isinstance(arm, NotEstimable):
        return arm
    ratio = arm.mean if sums.d is not None else 0.0
    if arm.variance == 0 or sums.x is None:
        return NotEstimable(reason="the metric or the covariate does not vary", needs="a covariate that varies")
    theta = _slope((sums, ratio))
    return min(max(1 - _spread(sums, ratio, theta) / arm.variance, 0.0), 1.0)


def _slope(*arms: tuple[Sums, float]) -> float:
    """Give the pooled within-arm slope of a unit's contribution on the covariate, 0 when the covariate is constant."""
    up = sum((sums.n - 1) * _with_covariate(sums, ratio) for sums, ratio in arms)
    down = sum((sums.n - 1) * _covariance(sums.n, sums.x or 0.0, sums.x or 0.0, sums.xx or 0.0) for sums, _ in arms)
    return up / down if down > 0 else 0.0


def _with_covariate(sums: Sums, ratio: float) -> float:
    """Give the covariance of the covariate with y, or with (y − R d) / mean(d)."""
    assert sums.x is not None
    assert sums.xy is not None
    plain = _covariance(sums.n, sums.x, sums.y, sums.xy)
    if sums.d is None or sums.xd is None:
        return plain
    return (plain - ratio * _covariance(sums.n, sums.x, sums.d, sums.xd)) / (sums.d / sums.n)


def _spread(sums: Sums, ratio: float, theta: float) -> float:
    """Give the variance of one unit's contribution, less theta times its covariate."""
    spread = _covariance(sums.n, sums.y, sums.y, sums.yy)
    if sums.d is not None:
        assert sums.dd is not None
        assert sums.yd is not None
        cross = _covariance(sums.n, sums.y, sums.d, sums.yd)
        own = _covariance(sums.n, sums.d, sums.d, sums.dd)
        spread = (spread - 2 * ratio * cross + ratio**2 * own) / (sums.d / sums.n) ** 2
    if theta:
        assert sums.x is not None
        assert sums.xx is not None
        around = _covariance(sums.n, sums.x, sums.x, sums.xx)
        spread += theta**2 * around - 2 * theta * _with_covariate(sums, ratio)
    return max(spread, 0.0)


def _covariance(n: int, first: float, second: float, product: float) -> float:
    return (product - first * second / n) / (n - 1)
