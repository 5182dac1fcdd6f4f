"""The model beside the one it would replace, on the same gold units."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.evaluate.units import GoldUnits
from martello.records import Measure, ShippedComparison
from martello.stats.compare import paired_difference
from martello.stats.estimate import Estimate
from martello.stats.gold_ledger import decide_paired

__all__ = ["Shipped", "compare_with_shipped"]


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """What was shipped before: the id of its release, and the class it puts out for each gold unit, shape (n,)."""

    release: str
    output: NDArray[np.int64]


def compare_with_shipped(
    gold: GoldUnits, output: NDArray[np.int64], shipped: Shipped, *, error: float | None, level: float
) -> ShippedComparison:
    """Count the units that exactly one of the two got right, and decide at the error of this look.

    Parameters
    ----------
    gold
        The gold units.
    output
        Classes the new model puts out, shape (n,).
    shipped
        What was shipped before.
    error
        Error that this look may spend; None when gold is used up, and then nothing is decided.
    level
        Level of the interval that is shown.
    """
    new, old = output == gold.truth, shipped.output == gold.truth
    only_new, only_old = int(np.sum(new & ~old)), int(np.sum(old & ~new))
    return ShippedComparison(
        release=shipped.release,
        only_new_right=only_new,
        only_shipped_right=only_old,
        difference=_difference(gold, new, old, level),
        is_better=error is not None and _is_better(gold, new, old, error),
    )


def _difference(gold: GoldUnits, new: NDArray[np.bool_], old: NDArray[np.bool_], level: float) -> Measure:
    design = gold.where(gold.everyone)
    return paired_difference(new.astype(np.float64), old.astype(np.float64), level=level, **design)


def _is_better(gold: GoldUnits, new: NDArray[np.bool_], old: NDArray[np.bool_], error: float) -> bool:
    """Decide exactly where units are independent and equal in weight, else by the one-sided cluster-robust bound."""
    if gold.cluster is None and np.ptp(gold.weight) == 0:
        return decide_paired(int(np.sum(new & ~old)), int(np.sum(old & ~new)), alpha=error).accepted
    difference = _difference(gold, new, old, 1 - 2 * error)
    return isinstance(difference, Estimate) and difference.low > 0
