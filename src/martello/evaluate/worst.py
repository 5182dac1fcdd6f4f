"""Where the model errs most on dev: its inputs cut into slices, by one or by two, searched for higher log loss.

Gold is never searched: a slice found here is a suggestion, to be declared under `requirement.slices` and then judged on
gold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martello.records import Measure, WorstSlice
from martello.spec.schema import Field
from martello.stats.error_slices import ErrorSlice, error_slices
from martello.stats.estimate import Estimate
from martello.stats.intervals import mean_estimate

__all__ = ["cut_inputs", "worst_slices"]

_MOST = 12
#: Ranges that a number is cut into; more make each too small to be seen in.
_RANGES = 4
#: Values of a category beyond this make no slices that anyone would act on.
_MOST_VALUES = 50
#: With more slices by one input than this, their pairs are too many to be searched in seconds.
_MOST_FOR_PAIRS = 150
_SMALLEST = 30


def worst_slices(
    loss: NDArray[np.float64],
    columns: Mapping[str, Sequence[Any]],
    fields: Sequence[Field],
    *,
    weight: NDArray[np.float64],
    cluster: NDArray[np.str_] | None,
    level: float,
) -> tuple[WorstSlice, ...]:
    """Give the slices of dev with significantly higher log loss than the rest, at most 12, surest first.

    Parameters
    ----------
    loss
        Log loss of each unit of dev, shape (n,).
    columns
        Typed inputs of the same units, by name.
    fields
        The declared inputs; text is not cut.
    weight, cluster
        As for `mean_estimate`.
    level
        One minus the false discovery rate among all slices looked at (Benjamini–Hochberg).
    """
    named = cut_inputs(columns, fields)
    if not named:
        return ()
    n_single = sum(int(np.sum(np.unique(values, return_counts=True)[1] >= _SMALLEST)) for values in named.values())
    found = error_slices(
        loss,
        named,
        weight=weight,
        cluster=cluster,
        level=level,
        smallest=_SMALLEST,
        pairs=n_single <= _MOST_FOR_PAIRS,
    )
    excess = {each.columns: each.excess for each in found}
    worst = []
    for each in [one for one in found if _adds(one, excess)][:_MOST]:
        rows = np.all([named[column] == value for column, value in each.columns], axis=0)
        mean = mean_estimate(
            loss[rows], weight=weight[rows], cluster=None if cluster is None else cluster[rows], level=level
        )
        worst.append(
            WorstSlice(columns=each.columns, n=each.n, loss=mean, excess=each.excess, share_of_loss=each.share_of_loss)
        )
    return tuple(worst)


def _adds(one: ErrorSlice, excess: Mapping[tuple[tuple[str, str], ...], Measure]) -> bool:
    """Tell whether a slice by two inputs is clearly worse than each of its halves that are given, too."""
    halves = [excess.get((part,)) for part in one.columns] if len(one.columns) > 1 else []
    known = [half for half in halves if isinstance(half, Estimate)]
    return isinstance(one.excess, Estimate) and all(one.excess.low > half.value for half in known)


def cut_inputs(columns: Mapping[str, Sequence[Any]], fields: Sequence[Field]) -> dict[str, NDArray[np.str_]]:
    """Give the value or range of each unit by input, as text; inputs that make no slices are left out.

    Examples
    --------
    >>> age = Field(name="age", type="integer")
    >>> cut_inputs({"age": [20, 30, 40, 50, 60, None]}, [age])["age"].tolist()
    ['20 to 30', '30 to 40', '40 to 50', '50 to 60', '50 to 60', '(none)']
    """
    cut = {}
    for field in fields:
        values = columns[field.name]
        if field.type in ("number", "integer"):
            cut[field.name] = _ranges(values)
        elif field.type in ("category", "boolean"):
            cut[field.name] = np.array(["(none)" if value is None else str(value) for value in values], dtype=str)
    return {name: values for name, values in cut.items() if 1 < len(np.unique(values)) <= _MOST_VALUES}


def _ranges(values: Sequence[Any]) -> NDArray[np.str_]:
    """Cut numbers at their quartiles; few distinct ones stay as they are."""
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    known = numbers[~np.isnan(numbers)]
    distinct = np.unique(known)
    if len(distinct) <= _RANGES:
        return np.array(["(none)" if np.isnan(number) else f"{number:g}" for number in numbers], dtype=str)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _RANGES + 1)))
    names = np.array([f"{low:g} to {high:g}" for low, high in pairwise(edges)] + ["(none)"], dtype=str)
    at = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    return names[np.where(np.isnan(numbers), len(edges) - 1, at)]
