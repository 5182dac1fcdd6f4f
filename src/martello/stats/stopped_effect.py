"""What to report after an experiment stopped at a look, and whether it is worth going on before it has.

A plain interval after stopping early leans to the large side. The stagewise one orders outcomes by how early and how
far they crossed; it leaves 0 out when a bound was crossed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import optimize, special

from martello.errors import DataError
from martello.stats.checks import check_level
from martello.stats.crossing import Path
from martello.stats.effects import Effect
from martello.stats.estimate import Estimate

__all__ = ["conditional_power", "futility_bound", "repeated_estimate", "stagewise_estimate"]


def repeated_estimate(effect: Effect, bound: float, *, level: float = 0.95) -> Estimate:
    """Give the effect with the interval that goes with a look: as many standard errors wide as the look's bound.

    Parameters
    ----------
    bound
        z of the look, from `spending_bounds`.
    level
        What the bounds were made for, on both sides together.

    Assumptions
    -----------
    As `spending_bounds`.

    Guarantee
    ---------
    All looks' intervals hold together with probability `level`, whether or not the experiment stops.

    References
    ----------
    Jennison & Turnbull (1989), "Interim analyses: the repeated confidence interval approach", JRSS-B 51.

    Examples
    --------
    >>> print(repeated_estimate(Effect(value=1.0, error=0.4, df=998, n=1000), 2.361))
    1.000 (0.056 to 1.944)
    """
    check_level(level)
    half = bound * effect.error
    return Estimate(
        value=effect.value,
        low=effect.value - half,
        high=effect.value + half,
        level=level,
        n=effect.n,
        method="repeated interval of a planned look",
    )


def stagewise_estimate(
    effect: Effect,
    bounds: Sequence[float],
    information: Sequence[float],
    *,
    floors: Sequence[float] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Give the median-unbiased effect and its interval after stopping at the last of these looks.

    Parameters
    ----------
    effect
        At the last look.
    bounds, information
        Of the looks so far, the last included, as `spending_bounds`; shape (K,).
    floors
        z below which each look stops for want of hope, −inf at the last planned look; None: none does.

    Raises
    ------
    DataError
        ``stats.looks-unordered``, ``stats.level-out-of-range``.

    Assumptions
    -----------
    As `spending_bounds` with one side; it stopped at the first look above its bound or below its floor, or at the last
    planned one.

    Guarantee
    ---------
    Coverage `level` and median unbiased, exact for normal estimates, over experiments however they end. Where the last
    bound was crossed the lower end is above 0; at the last planned look, only there.

    References
    ----------
    Fairbanks & Madsen (1982); Tsiatis, Rosner & Mehta (1984), Biometrics 40; Jennison & Turnbull (2000), §8.4–8.5.

    Examples
    --------
    >>> print(stagewise_estimate(Effect(value=1.0, error=0.4, df=998, n=1000), [2.963, 1.969], [1, 2]))
    0.993 (0.201 to 1.780)
    """
    check_level(level)
    lower = [-math.inf] * len(bounds) if floors is None else list(floors)
    if not bounds or not len(bounds) == len(information) == len(lower):
        raise DataError("stats.looks-unordered", "bounds and information differ", expected="one of each per look")
    z = effect.value / effect.error
    # Information of a drift measured in standard errors of the last look.
    scaled = [one / information[-1] for one in information]

    def as_far(drift: float) -> float:
        """Give the chance of an outcome at least as high: above early, above late, neither, below late, below early."""
        path, above, below = Path(drift), 0.0, 0.0
        for floor, bound, amount in zip(lower[:-1], bounds[:-1], scaled[:-1], strict=True):
            down, up = path.step(floor, bound, amount)
            above, below = above + up, below + down
        return 1 - below - path.below(z, scaled[-1]) if z <= lower[-1] else above + path.above(z, scaled[-1])

    tail, far = (1 - level) / 2, abs(z) + 12
    low, middle, high = (
        float(optimize.brentq(lambda drift, chance=chance: as_far(drift) - chance, -far, far, xtol=1e-7))
        for chance in (tail, 0.5, 1 - tail)
    )
    return Estimate(
        value=middle * effect.error,
        low=low * effect.error,
        high=high * effect.error,
        level=level,
        n=effect.n,
        method="stagewise order of looks",
    )


def futility_bound(share: float, *, bound: float, drift: float, least: float) -> float:
    """Give the z below which the chance to be above the last bound at the end is less than wanted.

    Parameters
    ----------
    share, bound, drift
        As `conditional_power`.
    least
        The chance below which it is not worth going on.

    Raises
    ------
    DataError
        ``stats.looks-unordered``.

    Assumptions
    -----------
    As `conditional_power`.

    Guarantee
    ---------
    Its inverse, exactly.

    References
    ----------
    As `conditional_power`.

    Examples
    --------
    >>> z = futility_bound(0.5, bound=1.97, drift=2.8, least=0.1)
    >>> round(z, 3), round(conditional_power(z, 0.5, bound=1.97, drift=2.8), 3)
    (-0.475, 0.1)
    """
    _check_share(share)
    spare = float(special.ndtri(1 - least)) * math.sqrt(1 - share)
    return (bound - drift * (1 - share) - spare) / math.sqrt(share)


def conditional_power(z: float, share: float, *, bound: float, drift: float) -> float:
    """Give the chance to be above the last bound at the end, given where the experiment stands.

    Parameters
    ----------
    z
        Where it stands.
    share
        Information so far over that at the end, in (0, 1).
    bound
        z of the last look.
    drift
        Mean of z at the end if the planned effect is true: effect / standard error at the end.

    Raises
    ------
    DataError
        ``stats.looks-unordered``.

    Assumptions
    -----------
    As `cross_chances`; looks between are left out, so it is a little too low.

    Guarantee
    ---------
    Exact for that. Stopping below γ adds at most a share γ / (1 − γ) of the missed effects.

    References
    ----------
    Lan, Simon & Halperin (1982), "Stochastically curtailed tests in long-term clinical trials", Sequential Analysis 1.

    Examples
    --------
    >>> round(conditional_power(0.0, 0.5, bound=1.97, drift=2.8), 3)
    0.21
    """
    _check_share(share)
    expected = z * math.sqrt(share) + drift * (1 - share)
    return float(special.ndtr((expected - bound) / math.sqrt(1 - share)))


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise DataError("stats.looks-unordered", f"{share:g} is no share of the run", expected="above 0 and below 1")
