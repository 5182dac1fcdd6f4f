"""Two rankings shown as one: merge them, give clicks to the ranking that earned them, and say which is preferred.

Team draft gives a click to the team that picked the item. Balanced merging shows one of two lists by a coin; each click
then counts for both rankings as much as they would have shown it, over how much it was shown (counterfactual credit).
It gives no magnitude in the metric's own units.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.errors import DataError
from martello.stats.checks import check_level, check_numbers
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import mean_estimate

__all__ = ["Draft", "Preference", "balanced_credit", "balanced_lists", "preference", "team_draft"]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One merged list, with the team (0: first ranking, 1: second) that picked each item."""

    items: tuple[Hashable, ...]
    teams: tuple[int, ...]


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """Which ranking users prefer.

    Attributes
    ----------
    lead
        Mean over users of (credit of b − credit of a) / (sum of both), in [−1, 1]; 0 is no preference.
    share
        Share of users that prefer b, ties counting half.
    n_users, n_ties
        Users, and those without a preference.
    """

    lead: Estimate | NotEstimable
    share: Estimate | NotEstimable
    n_users: int
    n_ties: int


def team_draft(a: Sequence[Hashable], b: Sequence[Hashable], *, size: int, seed: int) -> Draft:
    """Merge two rankings by team draft: each round a coin says who picks first, and each picks its best unused item.

    Parameters
    ----------
    a, b
        Items from best to worst.
    size
        Items wanted.
    seed
        Of the coins.

    Assumptions
    -----------
    The coins are not known to the reader of the list.

    Guarantee
    ---------
    Before the coins are cast, both teams have the same chance of every position; what both agree on is shown as it is.

    References
    ----------
    Radlinski, Kurup & Joachims (2008), "How does clickthrough data reflect retrieval quality?", CIKM.

    Examples
    --------
    >>> team_draft(["x", "y", "z"], ["x", "z", "y"], size=3, seed=1).items[0]
    'x'
    """
    coins = np.random.default_rng(seed)
    queues = list(a)[::-1], list(b)[::-1]
    used: dict[Hashable, int] = {}
    while len(used) < size and (queues[0] or queues[1]):
        first = int(coins.integers(2))
        for team in (first, 1 - first):
            queue = queues[team]
            while queue and queue[-1] in used:
                queue.pop()
            if queue and len(used) < size:
                used[queue.pop()] = team
    return Draft(items=tuple(used), teams=tuple(used.values()))


def balanced_lists(
    a: Sequence[Hashable], b: Sequence[Hashable], *, size: int
) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
    """Give the two lists of balanced interleaving: a's turn first, and b's turn first; a fair coin shows one.

    Parameters
    ----------
    a, b, size
        As `team_draft`.

    Assumptions
    -----------
    Neither ranking holds an item twice.

    Guarantee
    ---------
    The top of each list holds the tops of both rankings, of lengths that differ by at most one.

    References
    ----------
    Joachims (2002), "Optimizing search engines using clickthrough data", KDD; (2003) algorithm 1.

    Examples
    --------
    >>> balanced_lists("abcd", "bcad", size=3)
    (('a', 'b', 'c'), ('b', 'a', 'c'))
    """
    lists = []
    for is_a_first in (True, False):
        merged: dict[Hashable, None] = {}
        i = j = 0
        while len(merged) < size and (i < len(a) or j < len(b)):
            if j >= len(b) or (i < len(a) and (i < j or (i == j and is_a_first))):
                merged.setdefault(a[i])
                i += 1
            else:
                merged.setdefault(b[j])
                j += 1
        lists.append(tuple(merged))
    return lists[0], lists[1]


def balanced_credit(
    a: Sequence[Hashable], b: Sequence[Hashable], clicked: Sequence[Hashable], examination: ArrayLike
) -> tuple[float, float]:
    """Give each ranking its credit for the clicks on a balanced list: the clicks it would itself have had.

    Parameters
    ----------
    a, b
        The two rankings, best first.
    clicked
        Items clicked on the shown list.
    examination
        Chance that a position is looked at, up to a factor, above 0, shape (size,): the length of the shown list.

    Raises
    ------
    DataError
        ``stats.examination-out-of-range``.

    Assumptions
    -----------
    A click depends on the item and on whether its position is looked at; a fair coin showed one of `balanced_lists`.

    Guarantee
    ---------
    Over the coin, each ranking's expected credit is the clicks it would have had alone, up to a common factor, for
    items that either list shows: a random clicker prefers neither. Items no list shows give no credit.

    References
    ----------
    The idea of Bi et al. (2022), "Debiased balanced interleaving at Amazon Search", CIKM, in the position-based model.

    Examples
    --------
    >>> balanced_credit("abc", "bca", ["a"], [1.0, 0.5, 0.25])
    (1.3333333333333333, 0.3333333333333333)
    """
    seen = check_numbers(examination, where="examination")
    if (seen <= 0).any():
        raise DataError("stats.examination-out-of-range", "a position is never looked at", expected="numbers above 0")
    size = len(seen)
    shown = balanced_lists(a, b, size=size)
    credit = [0.0, 0.0]
    for item in clicked:
        exposed = sum(seen[one.index(item)] for one in shown if item in one) / 2
        if exposed == 0:
            continue
        for which, ranking in enumerate((a, b)):
            if item in ranking[:size]:
                credit[which] += float(seen[list(ranking).index(item)] / exposed)
    return credit[0], credit[1]


def preference(credit_a: ArrayLike, credit_b: ArrayLike, user: ArrayLike, *, level: float = 0.95) -> Preference:
    """Say which ranking users prefer, from the credit of each list they saw.

    Parameters
    ----------
    credit_a, credit_b
        Credit of either ranking per list shown, at least 0, shape (n,).
    user
        Who saw it, shape (n,): the independent unit.

    Raises
    ------
    DataError
        ``stats.length-mismatch``, ``stats.level-out-of-range`` and faults of columns.

    Assumptions
    -----------
    Users are independent; credit is unbiased between the rankings.

    Guarantee
    ---------
    Every user counts the same, however many lists they saw. t intervals over users, about `level`. Looked at once.

    References
    ----------
    Chapelle, Joachims, Radlinski & Yue (2012), "Large-scale validation and analysis of interleaved search evaluation",
    ACM TOIS 30.

    Examples
    --------
    >>> found = preference([0, 1, 0, 0], [1, 0, 2, 0], ["u", "v", "w", "x"])
    >>> (found.n_users, found.n_ties, found.share.value)
    (4, 1, 0.625)
    """
    check_level(level)
    a, b = check_numbers(credit_a, where="credit_a"), check_numbers(credit_b, where="credit_b")
    names: NDArray[np.generic] = np.asarray(user)
    if not len(a) == len(b) == len(names):
        raise DataError(
            "stats.length-mismatch", "credits and users differ in number", expected="one row per list shown"
        )
    codes = np.unique(names, return_inverse=True)[1]
    of_a, of_b = np.bincount(codes, weights=a), np.bincount(codes, weights=b)
    total = of_a + of_b
    lead = (of_b - of_a) / np.where(total > 0, total, 1.0)
    return Preference(
        lead=_mean(lead, level),
        share=_mean((np.sign(lead) + 1) / 2, level),
        n_users=len(lead),
        n_ties=int(np.sum(lead == 0)),
    )


def _mean(values: NDArray[np.float64], level: float) -> Estimate | NotEstimable:
    if len(values) < 2 or not np.ptp(values):
        return NotEstimable(reason=f"{len(values)} users do not differ", needs="more users")
    return mean_estimate(values, level=level)
