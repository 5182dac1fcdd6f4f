"""The interval of a certification: every value of a metric that the draws so far have never spoken against strongly.

It inverts the same martingale that decides: all draws are replayed with the claim's number moved over a grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["sequence_interval"]

Floats = NDArray[np.float64]
Peaks = Callable[[Floats], tuple[Floats, Floats]]

COARSE, FINE, ROUNDS = 33, 13, 2  # three replays of at most 33 claims place each end to within .0002 of the scale


def sequence_interval(peaks: Peaks, scale: tuple[float, float], *, level: float) -> tuple[float, float]:
    """Give the ends of the set of values that neither side's e-value ever rejected at 2/(1 - level).

    Parameters
    ----------
    peaks
        For values of the metric, shape (G,): the largest log e-values so far for "at least this" and "below this".
    scale
        Least and greatest value the metric can take.
    level
        Confidence, in (0, 1).

    Assumptions
    -----------
    `peaks` are those of valid e-processes at every value.

    Guarantee
    ---------
    The chance that the true value is ever outside is at most 1 - level; ends are rounded outward.

    References
    ----------
    Howard, Ramdas, McAuliffe & Sekhon, Annals of Statistics 2021; Waudby-Smith & Ramdas, JRSS-B 2024.

    Examples
    --------
    >>> low, high = sequence_interval(lambda k: (40 * (0.5 - k), 40 * (k - 0.7)), (0.0, 1.0), level=0.95)
    >>> round(low, 2), round(high, 2)
    (0.41, 0.79)
    """
    bar = math.log(2 / (1 - level))
    grid = np.linspace(*scale, COARSE)
    inner = grid[1:-1]
    ship, refuse = peaks(inner)
    low = _bracket(grid, np.concatenate([[True], ship >= bar, [False]]))
    high = _bracket(-grid[::-1], np.concatenate([[True], (refuse >= bar)[::-1], [False]]))
    for _ in range(ROUNDS):
        lows, highs = np.linspace(*low, FINE + 2)[1:-1], np.linspace(*high, FINE + 2)[1:-1]
        ship, refuse = peaks(np.concatenate([lows, -highs]))
        low = _bracket(np.concatenate([[low[0]], lows, [low[1]]]), np.r_[True, ship[:FINE] >= bar, False])
        high = _bracket(np.concatenate([[high[0]], highs, [high[1]]]), np.r_[True, refuse[FINE:] >= bar, False])
    return low[0], -high[0]


def _bracket(values: Floats, rejected: NDArray[np.bool_]) -> tuple[float, float]:
    """The last value of the rejected front and the first kept one."""
    first_kept = int(np.argmin(rejected))
    return float(values[first_kept - 1]), float(values[first_kept])
