"""Units drawn to be labeled for training, each with the chance it was drawn with, if there was one, and the reason.

Here lives what all samplers of training labels share: the draw itself, the units still open, and drawing in turn with
recorded probabilities. Which units deserve a label is `martello.stats.margin`'s and `martello.stats.diverse_start`'s;
when to use which is `martello.stats.active_sampling`'s. Draws behind a verdict are `martello.stats.label_sampler`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from martello.errors import DataError
from martello.stats.checks import Floats, Ints
from martello.stats.design import check_size

__all__ = ["TrainingDraw", "draw_in_turn", "draw_random", "no_draw", "open_positions", "random_stream"]


class TrainingDraw(NamedTuple):
    """Units to label, in the order of the draw.

    Attributes
    ----------
    position
        Of each unit in the pool, shape (k,).
    probability
        Chance of each unit to be the one drawn, given all draws before, shape (k,); None when units were picked and not
        drawn. Labels without one may train, and may never estimate.
    why
        One sentence per unit. It names no class, so that whoever reads it before answering is not led.
    """

    position: Ints
    probability: Floats | None
    why: tuple[str, ...]


def no_draw() -> TrainingDraw:
    """Give the draw of no unit, as from a pool that is at its end.

    Assumptions
    -----------
    None.

    Guarantee
    ---------
    It holds no unit.

    Examples
    --------
    >>> len(no_draw().position)
    0
    """
    return TrainingDraw(np.empty(0, dtype=np.intp), np.empty(0), ())


def open_positions(n_pool: int, drawn: Sequence[int] | Ints) -> Ints:
    """Give the positions of a pool that were not drawn yet, ascending.

    Raises
    ------
    DataError
        ``stats.no-such-unit`` when a drawn position is outside the pool or named twice.

    Assumptions
    -----------
    None: nothing is estimated.

    Guarantee
    ---------
    With `drawn` it makes up the pool, without overlap.

    Examples
    --------
    >>> open_positions(5, [3, 0]).tolist()
    [1, 2, 4]
    """
    positions = np.asarray(drawn, dtype=np.int64)
    is_open = np.ones(n_pool, dtype=bool)
    outside = positions[(positions < 0) | (positions >= n_pool)]
    if not len(outside):
        is_open[positions] = False
    if len(outside) or len(positions) != n_pool - np.count_nonzero(is_open):
        raise DataError(
            "stats.no-such-unit",
            f"position {outside[0]} was drawn" if len(outside) else "a position was drawn twice",
            where="drawn",
            expected=f"every unit drawn so far once, each at a position in 0..{n_pool - 1}",
        )
    return np.flatnonzero(is_open)


def random_stream(seed: int, n_drawn: int) -> np.random.Generator:
    """Give the random numbers of the batch after `n_drawn` draws: the same for the same state, new for every other.

    Assumptions
    -----------
    All draws so far are counted, whether or not their labels have come back.

    Guarantee
    ---------
    A batch asked for again after a crash is the same batch.

    Examples
    --------
    >>> random_stream(7, 20).random() == random_stream(7, 20).random() != random_stream(7, 40).random()
    True
    """
    return np.random.default_rng([seed, n_drawn])


def draw_in_turn(weight: npt.ArrayLike, k: int, *, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Draw k units one after the other, each with probability proportional to its weight among those left.

    All are drawn at once, by the smallest of independent exponential times with the weights as rates; that has the very
    distribution of drawing one by one, and takes a million units in a fraction of a second.

    Parameters
    ----------
    weight
        Weight of each unit, above 0, shape (n,).
    k
        How many, at most n.

    Returns
    -------
    Indices in the order of the draw, and the probability of each given those before it, shape (k,) each.

    Raises
    ------
    DataError
        ``stats.weight-not-positive``, ``stats.sample-size``.

    Assumptions
    -----------
    The weights were fixed before the labels of these draws were seen.

    Guarantee
    ---------
    The probabilities are exact, not approximated inclusion probabilities.

    References
    ----------
    Efraimidis & Spirakis (2006), Information Processing Letters 97, 181–185.

    Examples
    --------
    >>> index, probability = draw_in_turn([1.0, 1.0, 2.0], 3, rng=np.random.default_rng(0))
    >>> index.tolist(), probability.round(3).tolist()
    ([2, 0, 1], [0.5, 0.5, 1.0])
    """
    weights = np.asarray(weight, dtype=np.float64)
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise DataError(
            "stats.weight-not-positive",
            "a unit has a weight of 0, below 0 or not finite",
            expected="a weight above 0 for every unit, or the unit could never be drawn",
        )
    check_size(k, at_least=1, at_most=len(weights))
    times = rng.exponential(size=len(weights)) / weights
    first = np.argpartition(times, k - 1)[:k]
    index = first[np.argsort(times[first], kind="stable")]
    drawn = weights[index]
    left = weights.sum() - drawn.sum() if k < len(weights) else 0.0
    # Summed from the last draw backwards, so that nothing is lost by subtraction when few units remain.
    return index, np.minimum(drawn / (np.cumsum(drawn[::-1])[::-1] + max(left, 0.0)), 1.0)


def draw_random(n_pool: int, k: int, drawn: Sequence[int] | Ints, *, seed: int) -> TrainingDraw:
    """Draw up to k units at random among those not drawn yet.

    Parameters
    ----------
    n_pool
        Units of the pool.
    k
        How many; fewer come back when fewer are left.
    drawn
        Positions of all draws so far, labels back or not.
    seed
        Of the whole campaign.

    Raises
    ------
    DataError
        ``stats.no-such-unit``.

    Assumptions
    -----------
    None.

    Guarantee
    ---------
    Every unit left has the same chance at every draw, and that chance is recorded.

    Examples
    --------
    >>> draw_random(4, 2, [1], seed=0).probability.round(3).tolist()
    [0.333, 0.5]
    """
    left = open_positions(n_pool, drawn)
    k = min(k, len(left))
    if k < 1:
        return no_draw()
    index, q = draw_in_turn(np.ones(len(left)), k, rng=random_stream(seed, len(drawn)))
    why = ("drawn at random, so that numbers stay honest",) * len(index)
    return TrainingDraw(left[index], q, why)
