"""The pool as the certification engine sees it: units of one kind and nearly one score, put together in bins.

A bin holds units with the same claim terms (`Cell`) and close scores, so that one weight serves all of them: drawing
a unit is choosing a bin, then taking the next unit of the bin in an order shuffled once. That makes a step cost as
much as there are bins, not units, and stays exact, because the draw probability that is recorded is the one that was
used. Scores only steer; nothing here is trusted by the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

__all__ = ["ScoreBins", "bin_pool"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_BINS = 512  # a certification step is linear in this; finer bins saved no label that could be measured
EDGE = 1e-6  # scores of exactly 0 or 1 are taken as this far from it


@dataclass(frozen=True)
class ScoreBins:
    """Units grouped for drawing.

    Attributes
    ----------
    bin_of
        Bin of each unit, shape (N,).
    cell_of
        Kind of unit in each bin, shape (B,).
    logit
        Mean score of each bin on the logit scale, shape (B,).
    start, size
        Where each bin begins in `order`, and how many units it holds, shape (B,).
    order
        Positions of the drawable units, bin by bin, shuffled within the bin.
    """

    bin_of: NDArray[np.int32]
    cell_of: Ints
    logit: Floats
    start: Ints
    size: Ints
    order: Ints

    def __len__(self) -> int:
        return len(self.size)


def bin_pool(scores: Floats, cells: Ints, *, by_score: bool, drawable: NDArray[np.bool_], seed: int) -> ScoreBins:
    """Group a pool into bins of one cell and close scores.

    Parameters
    ----------
    scores
        Scores in [0, 1], shape (N,).
    cells
        Kind of each unit, counted from 0, shape (N,).
    by_score
        False puts all units of a kind into one bin: a plain random draw.
    drawable
        Units that can still be drawn; the others (labeled before) are in no bin's order.
    seed
        Fixes the order within the bins.

    Assumptions
    -----------
    None about the scores.

    Guarantee
    ---------
    Each drawable unit is in the order of exactly one bin; within a bin every order is equally likely over seeds. Memory
    is linear in the pool.

    References
    ----------
    None; bookkeeping.

    Examples
    --------
    >>> pool = bin_pool(np.array([0.1, 0.9, 0.1, 0.9]), np.zeros(4, dtype=np.int64), by_score=True,
    ...                 drawable=np.ones(4, dtype=bool), seed=1)
    >>> len(pool), pool.size.tolist()
    (2, [2, 2])
    """
    value = logit(np.clip(scores, EDGE, 1 - EDGE))
    n_cells = int(cells.max(initial=0)) + 1
    code = cells.astype(np.int64)
    if by_score:
        for cell in range(n_cells):
            rows = np.flatnonzero(cells == cell)
            code[rows] += n_cells * np.searchsorted(
                _edges(value[rows], MOST_BINS // n_cells), value[rows], side="right"
            )
    kinds, found = np.unique(code, return_inverse=True)
    bin_of = found.astype(np.int32).reshape(-1)
    everyone = np.bincount(bin_of, minlength=len(kinds))
    rows = np.flatnonzero(drawable)
    shuffled = rows[np.random.default_rng([seed, 0]).permutation(len(rows))]
    size = np.bincount(bin_of[rows], minlength=len(kinds))
    return ScoreBins(
        bin_of=bin_of,
        cell_of=kinds % n_cells,
        logit=np.bincount(bin_of, value, len(kinds)) / everyone,
        start=np.cumsum(size) - size,
        size=size,
        order=shuffled[np.argsort(bin_of[shuffled], kind="stable")],
    )


def _edges(value: Floats, most: int) -> Floats:
    """Half of the edges at equal counts, half at equal steps: the first serve the bulk, the second rare high scores."""
    if not len(value):
        return value
    half = max(2, most // 2)
    by_count = np.quantile(value, np.linspace(0, 1, half)[1:-1])
    by_step = np.linspace(value.min(), value.max(), half)[1:-1]
    return np.unique(np.concatenate([by_count, by_step]))
