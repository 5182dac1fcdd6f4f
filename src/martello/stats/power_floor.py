"""How many labels it costs to show on which side of an agreed floor a rate is, such as precision against 0.80.

Input are a guess and a floor; output are whole numbers of labels, a power, or a `NotEstimable`. All is exact and for a
number of labels fixed beforehand, but for `information_bound`, which no rule of any kind beats. Sequential rules are
certification's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from martello.stats.estimate import NotEstimable
from martello.stats.power import MAX_LABELS, check_n, check_probabilities, normal_size, too_many

__all__ = ["detectable_rate", "information_bound", "labels_for_floor", "power_for_floor"]

_Floats = NDArray[np.float64]


def information_bound(rate: float, floor: float, *, level: float = 0.95) -> float | NotEstimable:
    """Give the expected labels below which no rule, sequential or not, can decide rate against floor.

    Assumptions
    -----------
    Independent 0/1 labels; either wrong decision (ship below the floor, refuse above it) has probability at most
    1 - level.

    Guarantee
    ---------
    kl(a, 1 - a) / KL(rate, floor) with a = 1 - level: a lower bound on the expected number of labels of any such rule.

    References
    ----------
    Wald (1945). Garivier & Kaufmann (2016), Optimal best arm identification, lemma 1.

    Examples
    --------
    >>> round(information_bound(0.86, 0.80))
    216
    """
    check_probabilities(rate=rate, floor=floor, level=level)
    if rate == floor:
        return _undecidable(floor)
    error = 1 - level
    return (1 - 2 * error) * math.log((1 - error) / error) / _divergence(rate, floor)


def power_for_floor(n: int, rate: float, floor: float, *, level: float = 0.95) -> float:
    """Give the chance that n labels show, by the exact binomial test, on which side of the floor the rate is.

    Above the floor: the chance to certify it; below: the chance to show that it is missed.

    Assumptions
    -----------
    n independent labels, n fixed beforehand; one look.

    Guarantee
    ---------
    Exact; the test itself errs with probability at most 1 - level at the floor.

    References
    ----------
    Clopper & Pearson (1934). Biometrika 26 (the interval whose one-sided bound is this test).

    Examples
    --------
    >>> round(power_for_floor(249, 0.86, 0.80), 3)
    0.803
    """
    check_probabilities(rate=rate, floor=floor, level=level)
    check_n(n)
    return float(_floor_power(np.array([n]), rate, floor, level)[0])


def labels_for_floor(
    rate: float, floor: float, *, power: float = 0.8, level: float = 0.95, stable: bool = True
) -> int | NotEstimable:
    """Give the labels that a fixed-size exact test needs to show on which side of the floor the rate is.

    Parameters
    ----------
    stable
        True: every larger n reaches the power, too. False: the first n that does (exact power goes up and down by
        single labels, so a slightly larger n may fall short again).

    Assumptions
    -----------
    As `power_for_floor`; the rate is known, which it never is: a sequential rule asks for less.

    Guarantee
    ---------
    Exact. Refuses at rate = floor, and above `MAX_LABELS`.

    References
    ----------
    As `power_for_floor`; Chernick & Liu (2002), The American Statistician 56, on the saw-tooth.

    Examples
    --------
    >>> labels_for_floor(0.86, 0.80, stable=False), labels_for_floor(0.86, 0.80, power=0.95)
    (249, 447)
    """
    check_probabilities(rate=rate, floor=floor, power=power, level=level)
    if rate == floor:
        return _undecidable(floor)
    guess = normal_size(abs(rate - floor), math.sqrt(floor * (1 - floor)), math.sqrt(rate * (1 - rate)), power, level)
    if guess > MAX_LABELS:
        return too_many(guess)
    # The teeth are of order 1/sqrt(n): half as much again, and some, is beyond the last fall below the power.
    sizes = np.arange(1 if guess < 10_000 else int(0.8 * guess), int(1.5 * guess) + 200)
    enough = _floor_power(sizes, rate, floor, level) >= power
    found = np.flatnonzero(enough)[0] if not stable else np.flatnonzero(~enough)[-1] + 1
    return int(sizes[found])


def detectable_rate(n: int, floor: float, *, power: float = 0.8, level: float = 0.95) -> float | NotEstimable:
    """Give the lowest true rate that n labels certify above the floor with this power.

    Assumptions
    -----------
    As `power_for_floor`.

    Guarantee
    ---------
    Exact; refuses when even n correct labels out of n are not enough.

    Examples
    --------
    >>> round(detectable_rate(249, 0.80), 3)
    0.86
    """
    check_probabilities(floor=floor, power=power, level=level)
    check_n(n)
    critical = _critical(np.array([n]), floor, level)
    if critical[0] >= n:
        needed = math.ceil(math.log(1 - level) / math.log(floor))
        return NotEstimable(reason=f"{n} labels cannot certify {floor:g}, even all correct", needs=f"{needed} labels")
    return float(optimize.brentq(lambda p: stats.binom.sf(critical[0], n, p) - power, 0.0, 1.0, xtol=1e-10))


def _divergence(p: float, m: float) -> float:
    return p * math.log(p / m) + (1 - p) * math.log((1 - p) / (1 - m))


def _critical(n: NDArray[np.int64], floor: float, level: float) -> _Floats:
    """Give the largest count of correct labels that does not certify the floor."""
    return np.asarray(stats.binom.isf(1 - level, n, floor), dtype=np.float64)


def _floor_power(n: NDArray[np.int64], rate: float, floor: float, level: float) -> _Floats:
    if rate < floor:  # showing that correct labels are too few is certifying that wrong ones are many
        rate, floor = 1 - rate, 1 - floor
    return np.asarray(stats.binom.sf(_critical(n, floor, level), n, rate), dtype=np.float64)


def _undecidable(floor: float) -> NotEstimable:
    return NotEstimable(
        reason=f"a rate of exactly {floor:g} cannot be told from the floor", needs="a guess that differs"
    )
