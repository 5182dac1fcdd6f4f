"""Bounds for planned looks: how much error each look may spend, and the z that spends just that.

O'Brien–Fleming spends little early, Pocock about as much at each look. Looking on other days than planned, or at other
amounts of data than planned, is what spending is for; the classic bounds for equal looks are here as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import optimize, special

from martello.errors import DataError
from martello.stats.checks import check_level
from martello.stats.crossing import Path, cross_chances

__all__ = ["Shape", "classic_bounds", "spending_bounds", "spent_error"]

Shape = Literal["obrien-fleming", "pocock"]


def spent_error(time: float, *, error: float, shape: Shape = "obrien-fleming") -> float:
    """Give the error that may be spent up to a share of the experiment.

    Parameters
    ----------
    time
        Share of the planned run, in days or units, in [0, 1].
    error
        Whole error of one side, such as 0.025.

    Raises
    ------
    DataError
        ``stats.level-out-of-range``, ``stats.looks-unordered``.

    Assumptions
    -----------
    Time does not depend on what the data showed.

    Guarantee
    ---------
    Grows from 0 at time 0 to `error` at time 1. For a two-sided test of level 2·error each side spends so.

    References
    ----------
    Lan & DeMets (1983), "Discrete sequential boundaries for clinical trials", Biometrika 70, α₁* and α₂*; calendar
    time: Lan & DeMets (1989), Statistics in Medicine 8.

    Examples
    --------
    >>> [round(spent_error(t, error=0.025), 6) for t in (0.2, 0.6, 1.0)]
    [1e-06, 0.003808, 0.025]
    """
    check_level(1 - error)
    if not 0 <= time <= 1:
        raise _unordered(f"time is {time:g}", "a share of the planned run")
    if shape == "pocock":
        return error * math.log1p((math.e - 1) * time)
    return 0.0 if time == 0 else float(2 * special.ndtr(special.ndtri(error / 2) / math.sqrt(time)))


def spending_bounds(
    information: Sequence[float],
    times: Sequence[float] | None = None,
    *,
    error: float = 0.025,
    shape: Shape = "obrien-fleming",
    sides: Literal[1, 2] = 1,
) -> tuple[float, ...]:
    """Give the z that a look must exceed, for looks at any amounts of information.

    Parameters
    ----------
    information
        At each look so far, growing, in any unit (units per arm, or 1 / error²), shape (K,).
    times
        Share of the planned run at each look, in (0, 1]; None: information over its last.
    error
        Of each side that has a bound.
    sides
        1: only the upper bound stops. 2: bounds at ±z, each side spending `error`.

    Raises
    ------
    DataError
        ``stats.looks-unordered``, ``stats.level-out-of-range``.

    Assumptions
    -----------
    As `cross_chances`; neither the number nor the time of looks depends on what the data showed.

    Guarantee
    ---------
    Without an effect the chance ever to exceed a bound is exactly the error spent so far, at most `error` per side.
    Bounds of past looks do not depend on looks to come.

    References
    ----------
    Lan & DeMets (1983), Biometrika 70. Recursion: Armitage, McPherson & Rowe (1969).

    Examples
    --------
    >>> [round(z, 3) for z in spending_bounds([1, 2, 3, 4, 5], sides=2)]
    [4.877, 3.357, 2.68, 2.29, 2.031]
    """
    if times is None:
        times = [one / information[-1] for one in information]
    if len(times) != len(information) or list(times) != sorted(set(times)):
        raise _unordered("the times of the looks do not grow", "a growing share of the run for each look")
    path, spent, bounds = Path(), 0.0, []
    for amount, time in zip(information, times, strict=True):
        allowed = spent_error(time, error=error, shape=shape)
        bounds.append(_bound(path, amount, allowed - spent))
        path.step(-bounds[-1] if sides == 2 else -np.inf, bounds[-1], amount)
        spent = allowed
    return tuple(bounds)


def _bound(path: Path, information: float, allowed: float) -> float:
    """Give the z whose chance of being exceeded first at this look is what is allowed."""
    if allowed < 1e-14:  # nothing to spend yet: no number of standard errors is enough
        return math.inf
    return float(optimize.brentq(lambda z: path.above(z, information) - allowed, -8.0, 9.0, xtol=1e-10))


def classic_bounds(looks: int, *, error: float = 0.05, shape: Shape = "obrien-fleming") -> tuple[float, ...]:
    """Give the classic two-sided bounds for looks at equal steps: O'Brien and Fleming's, and Pocock's.

    Parameters
    ----------
    error
        Of both sides together.

    Raises
    ------
    DataError
        ``stats.looks-unordered``, ``stats.level-out-of-range``.

    Assumptions
    -----------
    As `cross_chances`; exactly this many looks, equally spaced in information.

    Guarantee
    ---------
    Without an effect the chance ever to be outside ±z is exactly `error`.

    References
    ----------
    O'Brien & Fleming (1979), Biometrics 35; Pocock (1977), Biometrika 64. Constants: Jennison & Turnbull (2000),
    tables 2.1 and 2.3.

    Examples
    --------
    >>> [round(z, 2) for z in classic_bounds(5)]
    [4.56, 3.23, 2.63, 2.28, 2.04]
    >>> round(classic_bounds(5, shape="pocock")[0], 3)
    2.413
    """
    check_level(1 - error)
    if looks < 1:
        raise _unordered(f"there are {looks} looks", "at least one")
    at = [float(look) for look in range(1, looks + 1)]
    form = [math.sqrt(looks / look) if shape == "obrien-fleming" else 1.0 for look in at]

    def excess(constant: float) -> float:
        upper = [constant * one for one in form]
        down, up = cross_chances([-one for one in upper], upper, at)
        return float(down.sum() + up.sum()) - error

    constant = float(optimize.brentq(excess, 0.5, 9.0, xtol=1e-10))
    return tuple(constant * one for one in form)


def _unordered(what: str, expected: str) -> DataError:
    return DataError("stats.looks-unordered", what, where="looks", expected=expected)
