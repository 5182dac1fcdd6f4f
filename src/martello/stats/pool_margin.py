"""What a declared pool says of the population it was drawn from: how much further a share of the pool must go.

Certification proves a share of the pool. A pool drawn at random may be better than its population by chance; a floor
raised by what chance can do, and an error split between the two steps, make the claim one of the population.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv
from scipy.stats import binom

from martello.errors import DataError
from martello.stats.checks import check_level
from martello.stats.estimate import NotEstimable

__all__ = ["PoolFloor", "independent_units", "pool_floor", "population_ends"]


class PoolFloor(msgspec.Struct, frozen=True, kw_only=True):
    """The shares of a pool that settle a floor of the population.

    Attributes
    ----------
    raised
        From this share of the pool on, the population reaches the floor.
    lowered
        Up to this share, it does not; below 0 where no share of so small a pool could show it.
    """

    raised: float
    lowered: float


def pool_floor(floor: float, n: int, *, level: float) -> PoolFloor | NotEstimable:
    """Give the shares of a pool that settle a floor of the population.

    Parameters
    ----------
    floor
        What the population's share must reach, in (0, 1).
    n
        Units of the pool the share is about: the flagged ones for precision, the positive ones for recall. A lower
        bound is safe.
    level
        One minus the error allowed on each side.

    Returns
    -------
    PoolFloor, or NotEstimable when not even a pool in which all are right would do.

    Raises
    ------
    DataError
        ``stats.floor-outside-unit-interval``, ``stats.level-out-of-range``.

    Assumptions
    -----------
    Given their number, the pool's units the share is about are independent draws of the population.

    Guarantee
    ---------
    If the population's share is below the floor, the pool's reaches `raised` with probability at most 1 - level; if it
    is not, the pool's is at most `lowered` with probability at most 1 - level. Exact binomial tails.

    References
    ----------
    Clopper & Pearson, Biometrika 1934.

    Examples
    --------
    >>> pool_floor(0.8, 10_000, level=0.99)
    PoolFloor(raised=0.8094, lowered=0.7906)
    >>> str(pool_floor(0.8, 10, level=0.99))
    'not estimable: a pool of 10 such units cannot show 0.8 of its population; needs at least 21 such units'
    """
    check_level(level)
    if not 0 < floor < 1:
        raise DataError("stats.floor-outside-unit-interval", f"the floor is {floor}", expected="a number in (0, 1)")
    error = 1 - level
    fewest = math.ceil(math.log(error) / math.log(floor))
    if n < fewest:
        return NotEstimable(
            reason=f"a pool of {n} such units cannot show {floor:g} of its population",
            needs=f"at least {fewest} such units",
        )
    return PoolFloor(
        raised=(int(binom.isf(error, n, floor)) + 1) / n, lowered=(int(binom.ppf(error, n, floor)) - 1) / n
    )


def population_ends(low: float, high: float, n: int, *, level: float) -> tuple[float, float]:
    """Widen an interval for a pool's share to one for its population's.

    Parameters
    ----------
    low, high
        Ends for the pool's share.
    n
        As for `pool_floor`.
    level
        One minus the error added, both sides together.

    Assumptions
    -----------
    As for `pool_floor`.

    Guarantee
    ---------
    If the pool's share is inside `low` to `high`, the population's is outside the result with probability at most
    1 - level.

    References
    ----------
    Clopper & Pearson, Biometrika 1934.

    Examples
    --------
    >>> [round(end, 3) for end in population_ends(0.8, 0.9, 1000, level=0.95)]
    [0.774, 0.918]
    """
    check_level(level)
    error, some, most = (1 - level) / 2, low * n, high * n
    bottom = float(betaincinv(some, n - some + 1, error)) if some > 0 else 0.0
    top = float(betaincinv(most + 1, n - most, 1 - error)) if most < n else 1.0
    return bottom, top


def independent_units(cluster: ArrayLike | None, n: int) -> int:
    """Give how many independent units a clustered pool is worth at the least: when all of a cluster are alike.

    Assumptions
    -----------
    Clusters are independent draws.

    Guarantee
    ---------
    The variance of a share over the pool is at most that of a share over so many independent units.

    References
    ----------
    Kish, Survey Sampling 1965, §5.4.

    Examples
    --------
    >>> independent_units(["a", "a", "b", "c"], 4), independent_units(None, 4)
    (2, 4)
    """
    if cluster is None or n == 0:
        return n
    sizes = np.unique(np.asarray(cluster), return_counts=True)[1].astype(float)
    return int(sizes.sum() ** 2 / np.sum(sizes**2))
