"""Where a model errs: its worst units, and the slices of the data in which its loss is higher than elsewhere.

Here lives the search over single columns and pairs of columns, corrected for how many slices were looked at, and the
levels for declared slices. What the columns mean and how a number column is cut into ranges is the caller's business.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import stats

from martello.errors import DataError
from martello.stats.checks import Bools, Design, Floats, check_design, check_level, check_numbers, check_same_length
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import Linearized, bounded_interval, linearized_value, symmetric_interval

__all__ = ["ErrorSlice", "error_slices", "holm_adjusted", "slice_level", "worst_errors"]


class ErrorSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A slice with higher loss than the rest.

    Attributes
    ----------
    columns
        Column and value that name the slice; one or two pairs.
    n
        Units in it.
    excess
        Mean loss in the slice minus mean loss outside.
    p_value
        One-sided, by itself.
    adjusted
        The smallest false discovery rate at which the slice is reported.
    share_of_loss
        Part of the whole loss that falls in the slice; not estimable where losses cancel, as below 0, or are all 0.
    """

    columns: tuple[tuple[str, str], ...]
    n: int
    excess: Estimate | NotEstimable
    p_value: float
    adjusted: float
    share_of_loss: Estimate | NotEstimable


def worst_errors(loss: npt.ArrayLike, *, top: int = 50) -> tuple[int, ...]:
    """Give the rows of highest loss, worst first, ties in row order.

    Assumptions
    -----------
    Loss is finite.

    Guarantee
    ---------
    The order does not depend on anything but loss and row number.

    Examples
    --------
    >>> worst_errors([0.1, 2.0, 0.3, 2.0], top=3)
    (1, 3, 2)
    """
    losses = check_numbers(loss, where="loss")
    return tuple(np.argsort(-losses, kind="stable")[:top].tolist())


def error_slices(
    loss: npt.ArrayLike,
    columns: Mapping[str, npt.ArrayLike],
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
    smallest: int = 30,
    pairs: bool = True,
) -> tuple[ErrorSlice, ...]:
    """Find the slices, by one column or two, whose loss is higher than the loss of all other units.

    Parameters
    ----------
    loss
        Loss of each unit, shape (n,).
    columns
        Value of each unit in each column, as text or codes, shape (n,) each.
    weight, cluster
        As for `mean_estimate`.
    level
        One minus the false discovery rate; also the confidence of each excess and share of loss by itself.
    smallest
        Fewest independent draws a slice, and what is outside of it, must hold to be looked at.
    pairs
        Whether pairs of columns are searched, too.

    Assumptions
    -----------
    Clusters are independent draws; tests of overlapping slices depend on one another positively.

    Guarantee
    ---------
    The expected share of false slices among those given is at most about 1 - level (Benjamini–Hochberg over all slices
    looked at). It is a search: a slice found here is a suggestion to test on new data.

    References
    ----------
    Benjamini, Y. and Hochberg, Y. (1995), JRSS-B 57, 289–300; Chung et al. (2019), "Slice Finder", ICDE.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> region = np.array(["north", "south"])[rng.integers(2, size=400)]
    >>> found = error_slices(rng.random(400) + 0.5 * (region == "south"), {"region": region})
    >>> [one.columns for one in found]
    [(('region', 'south'),)]
    """
    losses = check_numbers(loss, where="loss")
    values = {name: np.asarray(column) for name, column in columns.items()}
    check_same_length(loss=losses, **values)
    check_level(level)
    design = check_design(len(losses), weight, cluster)
    looked_at = []
    for names, rows in _slices(values, smallest, pairs=pairs):
        found = _excess(losses, rows, design)
        if found.n_clusters >= smallest:
            looked_at.append((names, rows, found))
    if not looked_at:
        return ()
    p_values = np.array([_p_value(found) for _, _, found in looked_at])
    adjusted = stats.false_discovery_control(p_values)
    slices = [
        ErrorSlice(
            columns=names,
            n=int(rows.sum()),
            excess=symmetric_interval(found, level=level),
            p_value=float(p_values[at]),
            adjusted=float(adjusted[at]),
            share_of_loss=_share_of_loss(losses, rows, design, found.n_clusters, level),
        )
        for at, (names, rows, found) in enumerate(looked_at)
        if adjusted[at] <= 1 - level
    ]
    return tuple(sorted(slices, key=lambda one: (one.adjusted, -_value(one.share_of_loss), one.columns)))


def slice_level(level: float, n_slices: int) -> float:
    """Give the level at which each of several slices must hold so that all hold together at `level`.

    Assumptions
    -----------
    The slices were declared before the labels were seen. They may overlap.

    Guarantee
    ---------
    The chance that any of n_slices intervals at this level misses is at most 1 - level (Bonferroni). Where a release
    needs every slice to pass, each slice at the plain level is enough (intersection–union); this is for statements such
    as "it fails in slice x".

    References
    ----------
    Berger, R. L. (1982), Technometrics 24, 295–300 for the intersection–union case.

    Examples
    --------
    >>> round(slice_level(0.95, 5), 4)
    0.99
    """
    check_level(level)
    if n_slices < 1:
        raise DataError("stats.count-out-of-range", f"{n_slices} slices", where="n_slices", expected="at least 1 slice")
    return 1 - (1 - level) / n_slices


def holm_adjusted(p_values: npt.ArrayLike) -> Floats:
    """Adjust p-values for their number so that the chance of any false rejection is held, shape (k,).

    Assumptions
    -----------
    Each p-value is valid by itself; they may depend on each other in any way.

    Guarantee
    ---------
    Rejecting where the adjusted value is at most alpha errs anywhere with a chance of at most alpha (Holm).

    References
    ----------
    Holm, S. (1979), Scandinavian Journal of Statistics 6, 65–70.

    Examples
    --------
    >>> holm_adjusted([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    p = check_numbers(p_values, where="p_values")
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


_Names = tuple[tuple[str, str], ...]


def _slices(
    values: Mapping[str, npt.NDArray[np.generic]], smallest: int, *, pairs: bool
) -> Iterator[tuple[_Names, Bools]]:
    """Give each slice by one column and, where both parts are large enough, by two."""
    single = [
        (name, str(value), rows)
        for name, column in values.items()
        for value in np.unique(column)
        if smallest <= np.count_nonzero(rows := np.equal(column, value)) <= len(column) - smallest
    ]
    for name, value, rows in single:
        yield ((name, value),), rows
    for (name, value, rows), (other, other_value, other_rows) in itertools.combinations(single if pairs else [], 2):
        both = rows & other_rows
        if name != other and smallest <= np.count_nonzero(both) < min(rows.sum(), other_rows.sum()):
            yield ((name, value), (other, other_value)), both


def _excess(losses: Floats, rows: Bools, design: Design) -> Linearized:
    """Linearize mean loss inside minus mean loss outside; known by the fewer draws of the two sides."""
    weight = design.weights() / design.weights().sum()
    influence, value = np.zeros(design.n), 0.0
    for side, sign in ((rows, 1.0), (~rows, -1.0)):
        mass = float(np.sum(weight * side))
        if mass == 0:
            return Linearized(0.0, 0.0, 0, 0, 0.0, 0.0)
        mean = float(np.sum(weight * side * losses)) / mass
        value += sign * mean
        influence += sign * side * (losses - mean) / mass
    found = linearized_value(value, influence, design, weight > 0)
    draws = min(int(np.count_nonzero(design.totals(weight * side))) for side in (rows, ~rows))
    return replace(found, n_clusters=draws)


def _share_of_loss(losses: Floats, rows: Bools, design: Design, draws: int, level: float) -> Estimate | NotEstimable:
    """Linearize loss inside over all loss, a ratio of two totals; known by the fewer draws of the two sides.

    With exponential and log-normal losses and slices of 30 units this held in 94 to 96% at 95%, a symmetric interval
    in 91 to 93%; with a very heavy tail (log-normal, sigma 1.5) in 89 to 90%.
    """
    weight = design.weights() / design.weights().sum()
    mean = float(np.sum(weight * losses))
    if mean <= 0 or losses.min() < 0:
        return NotEstimable(reason="losses below 0, or all 0, have no shares", needs="losses of at least 0")
    value = float(np.sum(weight * rows * losses)) / mean
    found = linearized_value(value, losses * (rows - value) / mean, design, weight > 0)
    return bounded_interval(replace(found, n_clusters=draws), level=level)


def _value(share: Estimate | NotEstimable) -> float:
    return share.value if isinstance(share, Estimate) else 0.0


def _p_value(found: Linearized) -> float:
    """Give the one-sided chance of an excess this large if there were none."""
    if found.variance <= 0:
        return 0.0 if found.value > 0 else 1.0
    return float(stats.t.sf(found.value / np.sqrt(found.variance), found.n_clusters - 1))
