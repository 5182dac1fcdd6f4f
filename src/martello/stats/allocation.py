"""How many units each stratum gives: whole numbers that add up exactly.

The allocation is decided before the draw; `martello.stats.design` draws by it. Nothing here looks at a unit.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from typing import Any

from martello.errors import DataError
from martello.stats.design import check_size

__all__ = ["allocate_equal", "allocate_neyman", "allocate_proportional"]


def allocate_proportional(counts: Mapping[Any, int], n: int, *, minimum: int = 2) -> dict[Any, int]:
    """Share n units among strata in proportion to their counts, whole numbers that add up to n exactly.

    Assumptions
    -----------
    Counts are the strata's true sizes in the frame.

    Guarantee
    ---------
    Sums to n, never more than the stratum holds, never less than min(minimum, count): with one unit the spread inside a
    stratum cannot be estimated, with none its probability is 0. Among all such allocations it has the smallest
    variance of the total when the strata are equally spread.

    References
    ----------
    Wright, T. (2012). The equivalence of Neyman optimum allocation for sampling and equal proportions for apportioning
    the U.S. House of Representatives. The American Statistician 66(4).

    Examples
    --------
    >>> allocate_proportional({"E": 4421, "H": 755, "M": 1018}, 200)
    {'E': 143, 'H': 24, 'M': 33}
    """
    return allocate_neyman(counts, dict.fromkeys(counts, 1.0), n, minimum=minimum)


def allocate_neyman(
    counts: Mapping[Any, int], spreads: Mapping[Any, float], n: int, *, minimum: int = 2
) -> dict[Any, int]:
    """Share n units among strata so that the variance of the estimated total is the smallest possible.

    Units are handed out one by one to the stratum whose variance falls most: the next unit after k is worth
    N S / sqrt(k (k + 1)).

    Parameters
    ----------
    counts
        Units per stratum in the frame.
    spreads
        Standard deviation of the outcome in each stratum (a guess from a pilot or from scores); only ratios matter.
    n
        Units to draw in all.
    minimum
        Least number per stratum, at least 1; a smaller stratum is taken whole.

    Raises
    ------
    DataError
        ``stats.stratum-size``, ``stats.spread-not-positive``, ``stats.sample-size``.

    Assumptions
    -----------
    The spreads are about right; a wrong guess costs precision, never validity.

    Guarantee
    ---------
    The exact integer optimum of sum(N² S² / n_h) with sum n and the bounds min(minimum, N_h) <= n_h <= N_h (the
    problem is separable and convex, so the greedy rule is optimal).

    References
    ----------
    Neyman, J. (1934). Journal of the Royal Statistical Society 97. Wright, T. (2012), as above.

    Examples
    --------
    >>> allocate_neyman({"rare": 500, "usual": 9500}, {"rare": 0.5, "usual": 0.1}, 100)
    {'rare': 21, 'usual': 79}
    """
    _check_counts(counts)
    bad = [name for name in counts if not (math.isfinite(spreads.get(name, math.nan)) and spreads[name] > 0)]
    if bad:
        raise DataError(
            "stats.spread-not-positive",
            f"stratum {bad[0]!r} has no positive spread",
            expected="a standard deviation above 0 for every stratum",
            fix="give a small positive guess where nothing is known",
        )
    sizes = {name: min(max(minimum, 1), count) for name, count in counts.items()}
    check_size(n, at_least=sum(sizes.values()), at_most=sum(counts.values()))
    # Two strata of equal worth: the earlier one first, so that the result does not depend on the labels' types.
    queue = [(-_worth(counts[s], spreads[s], k), rank, s) for rank, (s, k) in enumerate(sizes.items()) if k < counts[s]]
    heapq.heapify(queue)
    for _ in range(n - sum(sizes.values())):
        _, rank, name = heapq.heappop(queue)
        sizes[name] += 1
        if sizes[name] < counts[name]:
            heapq.heappush(queue, (-_worth(counts[name], spreads[name], sizes[name]), rank, name))
    return sizes


def allocate_equal(counts: Mapping[Any, int], per_stratum: int) -> dict[Any, int]:
    """Give every stratum the same number of units; a smaller stratum is taken whole.

    Assumptions
    -----------
    Each stratum is to be reported by itself.

    Guarantee
    ---------
    Exactly min(per_stratum, N_h) in stratum h.

    Examples
    --------
    >>> allocate_equal({"a": 1000, "b": 30}, 50)
    {'a': 50, 'b': 30}
    """
    _check_counts(counts)
    check_size(per_stratum, at_least=1, at_most=max(counts.values()))
    return {name: min(per_stratum, count) for name, count in counts.items()}


def _worth(count: int, spread: float, k: int) -> float:
    return count * spread / math.sqrt(k * (k + 1))


def _check_counts(counts: Mapping[Any, int]) -> None:
    if not counts or min(counts.values()) <= 0:
        raise DataError(
            "stats.stratum-size", "a stratum holds no unit", expected="at least one stratum, each with 1 unit or more"
        )
