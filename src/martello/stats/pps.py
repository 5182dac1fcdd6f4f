"""Draws with probability proportional to size, such as more of the large accounts, with exact inclusion probabilities.

The other designs, and the permanent random numbers that all of them take, are `martello.stats.design`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.errors import DataError
from martello.stats.design import Selection, check_size, check_uniforms, length_error, selection

__all__ = ["draw_pps", "inclusion_pps"]

_Floats = NDArray[np.float64]


def inclusion_pps(size: ArrayLike, n: int) -> _Floats:
    """Give inclusion probabilities proportional to size for a draw of n units, none above 1.

    A unit whose share would be 1 or more is taken with certainty and the rest is shared anew, until none is left.

    Parameters
    ----------
    size
        Measure of size per unit, above 0, shape (N,).

    Raises
    ------
    DataError
        ``stats.size-not-positive`` (a unit of size 0 would have π = 0), ``stats.sample-size``.

    Assumptions
    -----------
    Size is known for the whole frame before the draw.

    Guarantee
    ---------
    Sums to n; proportional to size below 1.

    References
    ----------
    Särndal, Swensson & Wretman (1992). Model Assisted Survey Sampling, §3.6.

    Examples
    --------
    >>> inclusion_pps([1, 1, 2, 8], 2).tolist()
    [0.25, 0.25, 0.5, 1.0]
    """
    sizes = np.asarray(size, dtype=np.float64)
    if sizes.ndim != 1 or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise DataError(
            "stats.size-not-positive",
            "a measure of size is 0, negative, missing or not finite",
            expected="one finite number above 0 per unit",
            fix="give such units a small positive size, or remove them from the frame by name",
        )
    check_size(n, at_least=1, at_most=sizes.size)
    pi = np.ones(sizes.size)
    open_ = np.ones(sizes.size, dtype=bool)
    while True:
        share = (n - (~open_).sum()) * sizes / sizes[open_].sum() if open_.any() else pi
        certain = open_ & (share >= 1)
        if not certain.any():
            return np.where(open_, share, 1.0)
        open_ &= ~certain


def draw_pps(uniforms: ArrayLike, size: ArrayLike, n: int) -> Selection:
    """Draw n units with probability proportional to size: systematically, from the frame in random order.

    The uniforms order the frame; the probabilities are laid end to end on a line, and the unit under every point
    start, start + 1, start + 2, … is drawn. The start is the sum of the uniforms modulo 1: it is uniform, and as a
    symmetric function of them independent of the order they give.

    Raises
    ------
    DataError
        ``stats.size-not-positive``, ``stats.sample-size``, ``stats.uniform-out-of-range``, ``stats.length-mismatch``.

    Assumptions
    -----------
    As `draw_simple`.

    Guarantee
    ---------
    π of every unit is exactly that of `inclusion_pps`, and exactly n units are drawn. Unlike `draw_simple`, a larger n
    is a new draw. Pairs have no closed-form probability; use the Hájek variance of `martello.stats.survey`.

    References
    ----------
    Goodman & Kish (1950). JASA 45. Hartley & Rao (1962). Annals of Mathematical Statistics 33.

    Examples
    --------
    >>> drawn = draw_pps([0.9, 0.1, 0.5, 0.3], [1, 1, 2, 8], 2)
    >>> drawn.positions.tolist(), drawn.pi.tolist()
    ([3, 0], [1.0, 0.25])
    """
    u = check_uniforms(uniforms)
    pi = inclusion_pps(size, n)
    if pi.size != u.size:
        raise length_error("size", pi.size, u.size)
    order = np.argsort(u, kind="stable")
    certain = order[pi[order] >= 1]
    risky = order[pi[order] < 1]
    points = math.fsum(u) % 1.0 + np.arange(n - certain.size)
    ends = np.cumsum(pi[risky])
    # Rounding may leave the last end a hair below n: the last unit owns what is left.
    drawn = np.concatenate([certain, risky[np.minimum(np.searchsorted(ends, points, side="right"), risky.size - 1)]])
    return selection(drawn, pi[drawn])
