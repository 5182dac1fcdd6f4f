"""An effect watched every day: an interval that holds at all times together, for harm that cannot wait for a look.

Shipping is decided at planned looks (`spending`), where intervals are shorter; this is for what may be read any day.
"""

from __future__ import annotations

import math

from martello.errors import DataError
from martello.stats.checks import check_level
from martello.stats.effects import Effect
from martello.stats.estimate import Estimate, NotEstimable

__all__ = ["always_valid_estimate", "sequence_bound"]

#: Units per arm below which a mean is not taken as normal; a sequence that starts later only gains.
LEAST_UNITS = 100


def sequence_bound(n: float, *, tuned_at: float, level: float = 0.95) -> float:
    """Give how many standard errors the interval at n units reaches, tuned to be shortest near some n.

    Parameters
    ----------
    n
        Units of both arms so far.
    tuned_at
        Units of both arms at which the interval should be shortest.

    Raises
    ------
    DataError
        ``stats.level-out-of-range``, ``stats.sample-size``.

    Assumptions
    -----------
    As `always_valid_estimate`.

    Guarantee
    ---------
    The normal mixture's bound, two-sided.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2021), "Time-uniform central limit theory and asymptotic confidence
    sequences", arXiv:2103.06476, eq. 9 and the choice of ρ after it.

    Examples
    --------
    >>> [round(sequence_bound(n, tuned_at=5000), 2) for n in (500, 5000, 50_000)]
    [3.86, 3.04, 3.24]
    """
    check_level(level)
    if n <= 0 or tuned_at <= 0:
        raise DataError("stats.sample-size", "a sequence needs units", where="n", expected="numbers above 0")
    error = 1 - level
    rho = (-2 * math.log(error) + math.log(1 - 2 * math.log(error))) / tuned_at
    return math.sqrt(2 * (n * rho + 1) / (n * rho) * math.log(math.sqrt(n * rho + 1) / error))


def always_valid_estimate(
    effect: Effect, *, tuned_at: float, level: float = 0.95, least_units: int = 2 * LEAST_UNITS
) -> Estimate | NotEstimable:
    """Give the effect with an interval that may be read at every moment and acted on.

    Parameters
    ----------
    tuned_at
        As `sequence_bound`; about three days of traffic catches harm early.
    least_units
        Units of both arms before which there is no interval.

    Raises
    ------
    DataError
        ``stats.level-out-of-range``, ``stats.sample-size``.

    Assumptions
    -----------
    Units come in turn and are independent; from `least_units` on, means are about normal. A metric of rare, huge values
    needs more.

    Guarantee
    ---------
    Asymptotic: the chance that the true effect is ever outside is about 1 − level, over all looks together.

    References
    ----------
    As `sequence_bound`.

    Examples
    --------
    >>> print(always_valid_estimate(Effect(value=0.29, error=0.12478, df=6000, n=6868), tuned_at=5000))
    0.290 (-0.089 to 0.669)
    """
    if effect.n < least_units:
        return NotEstimable(reason=f"{effect.n} units are few", needs=f"{least_units} units")
    half = sequence_bound(effect.n, tuned_at=tuned_at, level=level) * effect.error
    return Estimate(
        value=effect.value,
        low=effect.value - half,
        high=effect.value + half,
        level=level,
        n=effect.n,
        method="asymptotic confidence sequence",
    )
