"""What a 0/1 rule does, exactly: error rates, expected labels, and the sharper bars of a declared budget.

The evidence of `martello.stats.evalues` depends on labels only through their counts, so the chance of every path is a
recursion over (labels, yes) with absorption where a bar is reached. No simulation: these numbers are exact up to
rounding. Forecasts while labelling goes on live in `martello.stats.labels_left`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.errors import DataError
from martello.stats.evalues import Side, count_evidence, pool_counts

__all__ = ["Bars", "RuleCost", "calibrate_bars", "rule_cost"]

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-15  # path probability that is dropped from the recursion; summed over a run it stays below 1e-10


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """The e-values at which a 0/1 rule ships and refuses.

    Attributes
    ----------
    ship, refuse
        Bars on the e-value; ``1 / (1 - level)`` when no budget is declared.

    Examples
    --------
    >>> Bars(ship=20.0, refuse=20.0).ship
    20.0
    """

    ship: float
    refuse: float


class RuleCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a 0/1 rule costs and how often it errs at one true share.

    Attributes
    ----------
    expected
        Expected labels, counting an undecided run as the whole budget.
    q95
        95th percentile of labels.
    ship, refuse, undecided
        Probability of each end within the budget.

    Examples
    --------
    >>> rule_cost(0.80, 0.90, level=0.95, budget=5000).q95
    236
    """

    expected: float
    q95: int
    ship: float
    refuse: float
    undecided: float


class _Limits(NamedTuple):
    """For n = 0..budget: ship at or above `ship` yes labels, refuse at or below `refuse`."""

    ship: NDArray[np.int64]
    refuse: NDArray[np.int64]


def rule_cost(
    requirement: float,
    share: float,
    *,
    level: float,
    budget: int,
    pool_size: int | None = None,
    bars: Bars | None = None,
) -> RuleCost:
    """Give the exact cost and error rates of the 0/1 rule when the true share is `share`.

    Parameters
    ----------
    requirement
        The share asked for, in (0, 1).
    share
        The true share; with `pool_size`, the nearest whole number of yes units.
    level
        One minus the error allowed on each side.
    budget
        Labels at which an undecided run ends.
    pool_size
        Units in the pool when labels are drawn without replacement.
    bars
        Bars on the e-values; by default 1/(1 - level) on both sides.

    Assumptions
    -----------
    As in `martello.stats.evalues.count_evidence`.

    Guarantee
    ---------
    Exact; probability below 1e-15 on a lattice point is dropped.

    References
    ----------
    Wald 1945 (the rule); Armitage, McPherson & Rowe 1969 (the recursion).

    Examples
    --------
    >>> cost = rule_cost(0.80, 0.86, level=0.95, budget=20_000)
    >>> round(cost.expected), cost.q95
    (308, 718)
    """
    bars = bars or Bars(ship=1 / (1 - level), refuse=1 / (1 - level))
    limits = _limits(requirement, bars.ship, bars.refuse, budget, pool_size)
    return _absorb(limits, share, pool_size)


@lru_cache(maxsize=64)
def calibrate_bars(requirement: float, *, level: float, budget: int, pool_size: int | None = None) -> Bars:
    """Give the lowest bars whose exact error is 1 - level on each side within a declared budget.

    Parameters
    ----------
    requirement, level, pool_size
        As in `rule_cost`.
    budget
        Labels after which the process ends for certain. Declare it before the first label.

    Assumptions
    -----------
    As in `martello.stats.evalues.count_evidence`; at most `budget` labels are ever looked at.

    Guarantee
    ---------
    At the edge of the hypothesis argued against, the chance to reach each bar within the budget is at most 1 - level;
    farther inside it is smaller, because the evidence grows with every yes (ship) or no (refuse).

    References
    ----------
    Armitage, McPherson & Rowe 1969; Garivier & Kaufmann 2021 for the bound the rule is compared with.

    Examples
    --------
    >>> bars = calibrate_bars(0.80, level=0.95, budget=500)
    >>> 10 < bars.ship < 20 and 10 < bars.refuse < 20
    True
    """
    if budget < 1:
        raise DataError("stats.budget-empty", f"the label budget is {budget}", expected="at least 1 label")
    return Bars(
        ship=_calibrate("ship", requirement, level, budget, pool_size),
        refuse=_calibrate("refuse", requirement, level, budget, pool_size),
    )


def _calibrate(side: Side, requirement: float, level: float, budget: int, pool_size: int | None) -> float:
    """Bisect the bar of one side in its logarithm; the other side never stops the run, which can only add error."""
    edge = requirement
    if pool_size is not None:
        enough = pool_counts(requirement, pool_size)
        edge = (enough - 1 if side == "ship" else enough) / pool_size
    alpha = 1 - level
    low, high = math.log(0.5 / alpha), math.log(1 / alpha)  # small budgets may allow less than half; they keep half
    for _ in range(9):
        middle = (low + high) / 2
        bars = (math.exp(middle), math.inf) if side == "ship" else (math.inf, math.exp(middle))
        cost = _absorb(_limits(requirement, *bars, budget, pool_size), edge, pool_size)
        wrong = cost.ship if side == "ship" else cost.refuse
        low, high = (low, middle) if wrong <= alpha else (middle, high)
    return math.exp(high)


@lru_cache(maxsize=256)
def _limits(requirement: float, ship: float, refuse: float, budget: int, pool_size: int | None) -> _Limits:
    """Find, for every number of labels at once, the counts at which each bar is reached (bisection on the count)."""
    n = np.arange(min(budget, pool_size or budget) + 1)
    ends = []
    sides: tuple[tuple[Side, float], ...] = (("ship", ship), ("refuse", refuse))
    for side, bar in sides:
        below, reached = np.full(len(n), -1), n + 1  # counted in the direction that adds evidence
        while np.any(reached - below > 1):
            middle = np.clip((below + reached) // 2, 0, n)
            yes = middle if side == "ship" else n - middle
            evidence = count_evidence(yes, n, requirement, side=side, pool_size=pool_size)
            unsure, hit = reached - below > 1, evidence >= math.log(bar)
            reached = np.where(unsure & hit, middle, reached)
            below = np.where(unsure & ~hit, middle, below)
        ends.append(reached)
    return _Limits(ship=ends[0], refuse=n - ends[1])


def _absorb(limits: _Limits, share: float, pool_size: int | None) -> RuleCost:
    """Carry the probability of every (labels, yes) forward, taking out what reaches a bar."""
    first, alive = 0, np.array([1.0])  # alive[i]: probability of `first + i` yes labels, no bar reached
    budget = len(limits.ship) - 1
    shipped = refused = expected = 0.0
    q95 = budget
    for n in range(1, budget + 1):
        expected += float(alive.sum())
        yes = np.arange(first, first + len(alive))
        chance = share if pool_size is None else np.clip((round(share * pool_size) - yes) / (pool_size - n + 1), 0, 1)
        up = alive * chance
        alive = np.append(alive - up, 0.0)
        alive[1:] += up
        shipped += float(alive[max(0, int(limits.ship[n]) - first) :].sum())
        refused += float(alive[: max(0, int(limits.refuse[n]) - first + 1)].sum())
        first, alive = _trim(first, alive, int(limits.refuse[n]) + 1, int(limits.ship[n]) - 1)
        if q95 == budget and shipped + refused >= 0.95:
            q95 = n
        if not len(alive):
            break
    return RuleCost(expected=expected, q95=q95, ship=shipped, refuse=refused, undecided=max(0.0, 1 - shipped - refused))


def _trim(first: int, alive: Floats, lowest: int, highest: int) -> tuple[int, Floats]:
    """Keep the counts strictly between the bars that still carry probability."""
    start, stop = max(0, lowest - first), min(len(alive), highest - first + 1)
    alive = alive[start : max(start, stop)]
    kept = np.flatnonzero(alive > NEGLIGIBLE)
    if not len(kept):
        return first, alive[:0]
    return first + start + int(kept[0]), alive[kept[0] : kept[-1] + 1]
