"""The units a model is least sure of: picked outright, or drawn with recorded probabilities that favor them.

The margin of a unit is the distance between its two highest scores. Picking the smallest margins learns fastest, but
such labels can never estimate anything; drawing with probabilities keeps them usable (`martello.stats.lure`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from martello.errors import DataError
from martello.stats.checks import Floats, Ints, check_scores_by_class
from martello.stats.diverse_start import check_features, group_similar
from martello.stats.training_draw import TrainingDraw, draw_in_turn, no_draw, open_positions, random_stream

__all__ = ["draw_by_margin", "margin", "pick_by_margin"]


def margin(scores: npt.ArrayLike) -> Floats:
    """Give the highest score of each unit minus the second highest, shape (n,); 0 is as unsure as can be.

    Parameters
    ----------
    scores
        Class probabilities, shape (n, K).

    Raises
    ------
    DataError
        ``stats.wrong-shape``, ``stats.score-not-finite``, ``stats.score-not-a-probability``.

    Assumptions
    -----------
    None: it describes the scores.

    Guarantee
    ---------
    In [0, 1].

    References
    ----------
    Scheffer, Decomain & Wrobel (2001), "Active hidden Markov models for information extraction".

    Examples
    --------
    >>> margin([[0.5, 0.5], [0.1, 0.9]]).round(6).tolist()
    [0.0, 0.8]
    """
    first, second = _two_highest(check_scores_by_class(scores))
    return first - second


def pick_by_margin(
    scores: npt.ArrayLike,
    k: int,
    drawn: Sequence[int] | Ints,
    *,
    seed: int,
    features: Any | None = None,
    reach: int = 5,
) -> TrainingDraw:
    """Pick up to k units with the smallest margin among those not drawn yet; ties are broken by the seed.

    With features, no batch is spent on k copies of one doubt: the least sure `reach` times k units are put into k
    groups of similar units, and the least sure of each group is picked.

    Parameters
    ----------
    scores
        Class probabilities of the whole pool, shape (n, K).
    k
        How many; fewer come back when fewer are left.
    drawn
        Positions of all draws so far, labels back or not.
    seed
        Of the whole campaign.
    features
        Matrix of the whole pool as for `martello.stats.diverse_start.pick_diverse`; None picks by margin alone.
    reach
        How many times k units are looked at to spread the batch.

    Raises
    ------
    DataError
        As `margin`; ``stats.no-such-unit``, and faults of the features.

    Assumptions
    -----------
    The scores come from the learner that is to be trained; those of another learner can mislead it.

    Guarantee
    ---------
    None about the pool: no unit has a probability, so these labels may train and may never estimate.

    References
    ----------
    Bahri et al. (2022), arXiv 2210.03822: nothing beats it reliably on 69 tables. Zhdanov (2019), arXiv 1901.05954, for
    the spread; with a diverse start it took 16 to 31% fewer labels on four pools of five, and as many on one with 5%
    positives (to 90% of the score of the whole pool, bench/active.py).

    Examples
    --------
    >>> print(pick_by_margin([[0.9, 0.1], [0.48, 0.52], [0.3, 0.7]], 1, [], seed=0).why[0])
    the model is least sure here: 0.48 against 0.52
    """
    first, second = _two_highest(check_scores_by_class(scores))
    left = open_positions(len(first), drawn)
    gap = (first - second)[left]
    k = min(k, len(left))
    if k < 1:
        return no_draw()
    rng = random_stream(seed, len(drawn))
    near = left[_smallest(gap, k if features is None else min(reach * k, len(left)), rng)]
    index, alike = (np.arange(k), np.ones(k)) if features is None else _spread(features, near, k, rng)
    picked = near[index]
    among = [f", of {n:.0f} similar units" if n > 1 else "" for n in alike]
    why = tuple(
        f"the model is least sure here{of}: {second[i]:.2f} against {first[i]:.2f}"
        for i, of in zip(picked, among, strict=True)
    )
    return TrainingDraw(picked, None, why)


def draw_by_margin(
    scores: npt.ArrayLike, k: int, drawn: Sequence[int] | Ints, *, seed: int, power: float = 3.0, floor: float = 0.2
) -> TrainingDraw:
    """Draw up to k units one after the other, with chances that favor small margins and leave no unit out.

    The weights are (1 - floor) times (1 - margin) ** power, and floor times a uniform one, each made to sum to 1 over
    the units not drawn yet.

    Parameters
    ----------
    scores, k, drawn, seed
        As in `pick_by_margin`.
    power
        How sharply small margins are favored, at least 0; 0 is a random draw.
    floor
        Part of the chance that ignores the scores, in (0, 1]. No unit is less likely than `floor` times a random draw.

    Raises
    ------
    DataError
        As `margin`; ``stats.no-such-unit``, ``stats.not-a-probability`` (floor), ``stats.value-not-finite`` (power).

    Assumptions
    -----------
    None for the probabilities; for the speed of learning as `pick_by_margin`.

    Guarantee
    ---------
    The probability of each draw given those before is exactly the one recorded, whatever the scores are worth.

    References
    ----------
    Beygelzimer, Dasgupta & Langford (2009), ICML (a floor on the probability); drawn as `draw_in_turn`.

    Examples
    --------
    >>> sure = [[0.9, 0.1]] * 9
    >>> drawn = draw_by_margin([*sure, [0.5, 0.5]], 1, [], seed=3)
    >>> drawn.position.tolist(), drawn.probability.round(3).tolist()
    ([9], [0.766])
    """
    if not 0 < floor <= 1:
        raise DataError("stats.not-a-probability", f"floor is {floor}", where="floor", expected="a number in (0, 1]")
    if not 0 <= power < np.inf:
        raise DataError("stats.value-not-finite", f"power is {power}", where="power", expected="a number of at least 0")
    first, second = _two_highest(check_scores_by_class(scores))
    left = open_positions(len(first), drawn)
    k = min(k, len(left))
    if k < 1:
        return no_draw()
    unsure = (1 - (first - second)[left]) ** power
    total = unsure.sum()
    aimed = unsure / total if total > 0 else np.full(len(left), 1 / len(left))
    weight = (1 - floor) * aimed + floor / len(left)
    index, q = draw_in_turn(weight, k, rng=random_stream(seed, len(drawn)))
    picked = left[index]
    times = weight[index] * len(left)
    why = tuple(_why(times[j], first[i], second[i]) for j, i in enumerate(picked))
    return TrainingDraw(picked, q, why)


def _smallest(gap: Floats, m: int, rng: np.random.Generator) -> Ints:
    """Give the indices of the m smallest values, ascending; equal ones come in random order."""
    # Sorting a pool of a million for each batch would be felt: only the candidates up to the m-th value are sorted.
    near = rng.permutation(np.flatnonzero(gap <= np.partition(gap, m - 1)[m - 1]))
    return near[np.argsort(gap[near], kind="stable")[:m]]


def _spread(features: Any, near: Ints, k: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Give the first of each of k groups of the rows, and how many are in its group; then the first of the rest."""
    group, _ = group_similar(check_features(features), near, k, rng=rng)
    _, first, size = np.unique(group, return_index=True, return_counts=True)
    order = np.argsort(first)
    rest = np.delete(np.arange(len(near)), first)[: k - len(first)]
    return np.concatenate([first[order], rest]), np.concatenate([size[order], np.ones_like(rest)])


def _two_highest(scores: Floats) -> tuple[Floats, Floats]:
    two = np.partition(scores, scores.shape[1] - 2, axis=1)[:, -2:]
    return two[:, 1], two[:, 0]


def _why(times: float, first: float, second: float) -> str:
    if times <= 1:
        return "drawn by chance, so that numbers stay honest"
    return (
        f"drawn by chance, {times:.1f} times as likely as a random unit, since the model is unsure here: "
        f"{second:.2f} against {first:.2f}"
    )
