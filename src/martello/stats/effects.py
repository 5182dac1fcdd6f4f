"""What a change did: the difference of two arms, absolute and relative, and over strata.

Input are `ArmMean`s; output is an `Effect`, a value with its standard error, from which come the interval, the p-value
and every sequential bound. Decisions stand on the absolute difference; the relative one is for reading.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from scipy import special

from martello.errors import DataError
from martello.stats.arms import ArmMean
from martello.stats.checks import check_level
from martello.stats.estimate import Estimate, NotEstimable

__all__ = [
    "Effect",
    "effect_estimate",
    "mean_effect",
    "p_value",
    "poststratified_effect",
    "relative_effect",
    "relative_estimate",
]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """A difference with its standard error: `df` are the error's degrees of freedom, `n` the units of both arms."""

    value: float
    error: float
    df: float
    n: int


def mean_effect(a: ArmMean, b: ArmMean) -> Effect | NotEstimable:
    """Give b − a with Welch's standard error.

    Assumptions
    -----------
    Independent units; enough of them that the means are about normal.

    Guarantee
    ---------
    Unbiased; the error does not assume equal variances. Refuses when neither arm varies.

    References
    ----------
    Welch (1947), Biometrika 34.

    Examples
    --------
    >>> found = mean_effect(ArmMean(n=100, mean=1.0, variance=4.0), ArmMean(n=100, mean=1.5, variance=5.0))
    >>> (found.value, round(found.error, 3), round(found.df, 1))
    (0.5, 0.3, 195.6)
    """
    return _effect(b.mean - a.mean, a.variance / a.n + b.variance / b.n, a, b)


def relative_effect(a: ArmMean, b: ArmMean) -> Effect | NotEstimable:
    """Give (b − a) / |a| with the delta method's error: for comparison with other tools, not for decisions.

    Assumptions
    -----------
    As `mean_effect`; mean(a) is many standard errors from 0.

    Guarantee
    ---------
    Consistent. Its interval may contradict the absolute one when mean(a) is uncertain; `relative_estimate` does not.

    References
    ----------
    Casella & Berger (2002), Statistical Inference, 2nd ed., §5.5.4.

    Examples
    --------
    >>> found = relative_effect(ArmMean(n=100, mean=1.0, variance=4.0), ArmMean(n=100, mean=1.5, variance=5.0))
    >>> (found.value, round(found.error, 3))
    (0.5, 0.374)
    """
    if a.mean == 0:
        return NotEstimable(reason="the mean of the first arm is 0", needs="the absolute difference")
    spread = a.variance * b.mean**2 / (a.n * a.mean**4) + b.variance / (b.n * a.mean**2)
    return _effect((b.mean - a.mean) / abs(a.mean), spread, a, b)


def _effect(value: float, spread: float, a: ArmMean, b: ArmMean) -> Effect | NotEstimable:
    """Put an effect together, with the degrees of freedom of the difference (Welch–Satterthwaite)."""
    first, second = a.variance / a.n, b.variance / b.n
    if spread <= 0 or first + second <= 0:
        return NotEstimable(reason="no unit differs from another", needs="units that vary")
    df = (first + second) ** 2 / (first**2 / (a.n - 1) + second**2 / (b.n - 1))
    return Effect(value=value, error=math.sqrt(spread), df=df, n=a.n + b.n)


def effect_estimate(effect: Effect, *, level: float = 0.95) -> Estimate:
    """Give the effect with its t interval.

    Assumptions
    -----------
    As the effect's; looked at once.

    Guarantee
    ---------
    About `level` coverage, exact for normal units. Not valid when looked at again and again.

    References
    ----------
    Welch (1947), Biometrika 34.

    Examples
    --------
    >>> print(effect_estimate(Effect(value=0.29, error=0.1248, df=6000, n=6868)))
    0.290 (0.045 to 0.535)
    """
    check_level(level)
    half = float(special.stdtrit(effect.df, 0.5 + level / 2)) * effect.error
    return Estimate(
        value=effect.value,
        low=effect.value - half,
        high=effect.value + half,
        level=level,
        n=effect.n,
        method="Welch t",
    )


def p_value(effect: Effect, *, against: float = 0.0) -> float:
    """Give the two-sided p-value of an effect, for lists of secondary metrics; no screen opens with it.

    Assumptions
    -----------
    As `effect_estimate`.

    Guarantee
    ---------
    About uniform when the true effect is `against`.

    References
    ----------
    Welch (1947), Biometrika 34.

    Examples
    --------
    >>> round(p_value(Effect(value=0.29, error=0.1248, df=6000, n=6868)), 3)
    0.02
    """
    return float(2 * special.stdtr(effect.df, -abs(effect.value - against) / effect.error))


def relative_estimate(a: ArmMean, b: ArmMean, *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give b / a − 1 with Fieller's interval, which never contradicts that of the difference.

    Assumptions
    -----------
    As `mean_effect`; mean(a) is positive and more than its critical number of standard errors from 0, else refused.

    Guarantee
    ---------
    About `level` coverage, exact for normal means; leaves 0 out exactly when the interval of b − a does.

    References
    ----------
    Fieller (1954), "Some problems in interval estimation", JRSS-B 16; Franz (2007), arXiv:0710.2024.

    Examples
    --------
    >>> a, b = ArmMean(n=3407, mean=0.41, variance=15.21), ArmMean(n=3461, mean=0.70, variance=38.44)
    >>> print(relative_estimate(a, b))
    0.707 (0.094 to 1.709)
    """
    check_level(level)
    difference = mean_effect(a, b)
    if isinstance(difference, NotEstimable):
        return difference
    va, vb = a.variance / a.n, b.variance / b.n
    square = float(special.stdtrit(difference.df, 0.5 + level / 2)) ** 2
    # b / a is in the interval when (b - r a)² <= t² (vb + r² va): a quadratic in r.
    lead = a.mean**2 - square * va
    if a.mean <= 0 or lead <= 0:
        return NotEstimable(
            reason="the mean of the first arm cannot be told from 0", needs="more units, or the absolute difference"
        )
    middle = a.mean * b.mean
    root = math.sqrt(max(middle**2 - lead * (b.mean**2 - square * vb), 0.0))
    value = b.mean / a.mean - 1
    low, high = (middle - root) / lead - 1, (middle + root) / lead - 1
    return Estimate(value=value, low=min(low, value), high=max(high, value), level=level, n=a.n + b.n, method="Fieller")


def poststratified_effect(
    strata: Sequence[tuple[ArmMean, ArmMean]], shares: Sequence[float] | None = None
) -> Effect | NotEstimable:
    """Give b − a averaged over strata, each with its share of the population.

    Parameters
    ----------
    strata
        Both arms' means per stratum, such as country or platform.
    shares
        Share of each stratum; None: its share of the units of both arms.

    Raises
    ------
    DataError
        ``stats.shares-unclear``.

    Assumptions
    -----------
    A unit's stratum was fixed before it was assigned; at least 2 units per arm and stratum.

    Guarantee
    ---------
    Estimates the same effect; chance imbalance between strata no longer adds to its error. Given the strata's sizes.

    References
    ----------
    Miratrix, Sekhon & Yu (2013), "Adjusting treatment effect estimates by post-stratification", JRSS-B 75, eq. 3.

    Examples
    --------
    >>> low = ArmMean(n=50, mean=1.0, variance=1.0), ArmMean(n=50, mean=1.2, variance=1.0)
    >>> high = ArmMean(n=50, mean=9.0, variance=1.0), ArmMean(n=50, mean=9.4, variance=1.0)
    >>> print(effect_estimate(poststratified_effect([low, high])))
    0.300 (0.021 to 0.579)
    """
    sizes = [a.n + b.n for a, b in strata]
    weights = [size / sum(sizes) for size in sizes] if shares is None else list(shares)
    if not strata or len(weights) != len(strata) or not math.isclose(sum(weights), 1, abs_tol=1e-6):
        raise DataError(
            "stats.shares-unclear", "the strata's shares do not add up to 1", expected="a share per stratum"
        )
    parts = [mean_effect(a, b) for a, b in strata]
    known = [part for part in parts if isinstance(part, Effect)]
    if len(known) < len(parts):
        return NotEstimable(reason="a stratum does not vary", needs="coarser strata")
    spreads = [(w * part.error) ** 2 for w, part in zip(weights, known, strict=True)]
    df = sum(spreads) ** 2 / sum(spread**2 / part.df for spread, part in zip(spreads, known, strict=True))
    value = math.fsum(w * part.value for w, part in zip(weights, known, strict=True))
    return Effect(value=value, error=math.sqrt(sum(spreads)), df=df, n=sum(sizes))
