"""The ledger of changes: what an offline gain was worth online, when both were measured with error.

A plain regression of online on offline gains is pulled towards 0 by the offline error. With few changes there is no
link to speak of, and the answer says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from martello.errors import DataError
from martello.stats.checks import check_level, check_numbers
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import proportion_interval

__all__ = ["Link", "LinkPoints", "link_points", "link_slope", "sign_agreement"]

_Floats = NDArray[np.float64]
LEAST_CHANGES = 5


class LinkPoints(msgspec.Struct, frozen=True, kw_only=True):
    """Changes: offline and online gain with their standard errors, each shape (n,)."""

    offline: _Floats
    offline_error: _Floats
    online: _Floats
    online_error: _Floats


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Online gain per offline gain, and the share of changes whose two signs agree."""

    slope: Estimate | NotEstimable
    agreement: Estimate | NotEstimable
    n_changes: int


def link_points(offline: ArrayLike, offline_error: ArrayLike, online: ArrayLike, online_error: ArrayLike) -> LinkPoints:
    """Check the ledger's columns.

    Raises
    ------
    DataError
        ``stats.length-mismatch``, ``stats.error-not-positive`` and faults of columns.

    Assumptions
    -----------
    One row per change that was measured both ways.

    Guarantee
    ---------
    Equal lengths, finite, errors above 0.

    References
    ----------
    None.

    Examples
    --------
    >>> link_points([0.01], [0.002], [0.5], [0.2]).online.tolist()
    [0.5]
    """
    given = {"offline": offline, "offline_error": offline_error, "online": online, "online_error": online_error}
    columns = {name: check_numbers(values, where=name) for name, values in given.items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise DataError("stats.length-mismatch", "the ledger's columns differ in length", expected="a row per change")
    for name in ("offline_error", "online_error"):
        if (columns[name] <= 0).any():
            raise DataError("stats.error-not-positive", f"a value of {name} is not above 0", where=name)
    return LinkPoints(**columns)


def link_slope(points: LinkPoints, *, level: float = 0.95) -> Link:
    """Give the online gain that goes with one unit of offline gain, with errors on both sides.

    Assumptions
    -----------
    No offline change means no online change (the line goes through 0); errors are independent of each other and their
    sizes known. Changes may scatter about the line beyond their errors, all by the same variance.

    Guarantee
    ---------
    The slope solves York's equation; the interval holds the slopes that a t test does not reject (n − 2 degrees: slope
    and scatter), which about keeps its level for few changes and weak links, too. Refuses under 5 changes, and where
    that set has no end: the link is unproven.

    References
    ----------
    York et al. (2004), American Journal of Physics 72, eq. 13; test inversion as Fieller (1954); scatter: Paule &
    Mandel (1982), Journal of Research of the NBS 87.

    Examples
    --------
    >>> x = np.array([0.01, 0.02, -0.01, 0.03, 0.015, 0.025])
    >>> points = link_points(x, np.full(6, 0.003), 40 * x + [0.1, -0.1, 0.0, 0.1, -0.1, 0.0], np.full(6, 0.1))
    >>> print(link_slope(points).slope)
    40.464 (35.661 to 46.057)
    """
    check_level(level)
    n = len(points.offline)
    few = NotEstimable(
        reason=f"the link is unproven: {n} changes were measured both ways", needs=f"at least {LEAST_CHANGES}"
    )
    slope = few if n < LEAST_CHANGES else _slope(points, float(special.stdtrit(n - 2, 0.5 + level / 2)), level)
    return Link(slope=slope, agreement=sign_agreement(points, level=level), n_changes=n)


def sign_agreement(points: LinkPoints, *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give the share of changes whose online gain has the sign of the offline gain.

    Assumptions
    -----------
    Changes are independent draws of such changes.

    Guarantee
    ---------
    The exact binomial interval; of the measured signs, which agree less often than the true ones would.

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26.

    Examples
    --------
    >>> x = np.arange(1.0, 10.0)
    >>> y = np.where(x < 8, x, -x)
    >>> print(sign_agreement(link_points(x, x, y, x)))
    0.778 (0.400 to 0.972)
    """
    agree = np.sign(points.offline) == np.sign(points.online)
    return proportion_interval(int(agree.sum()), len(agree), level=level)


def _slope(points: LinkPoints, critical: float, level: float) -> Estimate | NotEstimable:
    n = len(points.offline)

    def score(slope: float) -> float:
        """Give the t statistic of the residuals' trend in the gain: 0 at the best slope, ±critical at the ends."""
        residual = points.online - slope * points.offline
        variance = _with_scatter(points.online_error**2 + slope**2 * points.offline_error**2, residual)
        # The true offline gain as best known at this slope: independent of the residual.
        gain = points.offline + slope * points.offline_error**2 / variance * residual
        along, size = float(np.sum(gain * residual / variance)), float(np.sum(gain**2 / variance))
        # What is left once the residuals are freed of that trend: else no wrong slope would look wrong.
        left = (float(np.sum(residual**2 / variance)) - along**2 / size) / (n - 1)
        return along / math.sqrt(left * size) if left > 0 else math.copysign(math.inf, along)

    start = float(points.offline @ points.online / (points.offline @ points.offline))
    unit = float(np.max(points.online_error) / np.sqrt(np.mean(points.offline**2)))
    value = _cross(score, 0.0, start, unit)
    if value is None:
        return NotEstimable(reason="the link is unproven: no slope fits better than others", needs="larger changes")
    low, high = _cross(score, critical, value, -unit), _cross(score, -critical, value, unit)
    if low is None or high is None:
        return NotEstimable(
            reason="the link is unproven: offline gains are no larger than their errors",
            needs="larger offline gains, or a larger gold set",
        )
    return Estimate(value=value, low=low, high=high, level=level, n=n, method="errors in variables")


def _with_scatter(variance: _Floats, residual: _Floats) -> _Floats:
    """Add to known variances what the residuals scatter beyond them (Paule and Mandel's rule), if they do."""
    n, square = len(residual), residual**2

    def excess(scatter: float) -> float:
        return float(np.sum(square / (variance + scatter))) - n

    if excess(0.0) <= 0:
        return variance
    most = float(square.max())
    return variance + float(optimize.brentq(excess, 0.0, most, xtol=1e-12 * most, rtol=1e-10))


def _cross(score: Callable[[float], float], target: float, start: float, step: float) -> float | None:
    """Give where the falling score meets a target, searching outward from a start in growing steps."""
    if target == 0.0 and score(start) < 0:
        step = -step
    side = score(start) - target
    near = start
    for grown in range(60):
        far = start + step * 0.1 * 1.25**grown
        if (score(far) - target) * side <= 0:
            return float(optimize.brentq(lambda slope: score(slope) - target, min(near, far), max(near, far)))
        near = far
    return None
