"""Gold of a fixed size, asked of people: how many units to ask about, how it stands so far, and what unsure counts.

For requirements that the certification does not judge label by label. The verdict itself is `assess`'s, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.evaluate.assess import estimators_of, output_of
from martello.evaluate.claims import floors
from martello.evaluate.slices import each_slice
from martello.evaluate.units import ScoredUnits
from martello.records import Measure
from martello.spec.schema import Requirement
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.power_floor import labels_for_floor

__all__ = ["against_the_claim", "agreed_floors", "labels_to_ask", "read_floors"]

# Asked where dev cannot say what would be enough: a share of about a half is then known to within 5 points.
_USUAL = 400
# Dev promises too much, since it chose the model; a plan on it should not be a coin.
_POWER = 0.9


def labels_to_ask(dev: ScoredUnits, *, requirement: Requirement, error: float, n_pool: int, seed: int) -> int:
    """Say how many gold labels to ask for: what was agreed, else enough to show every floor if gold is as good as dev.

    Parameters
    ----------
    dev
        Units with known answers, and their scores; more than two classes.
    requirement
        The floors and the budget.
    error
        Error that this look at gold may spend.
    n_pool
        Units that gold has.
    seed
        Seed of resampling.
    """
    if requirement.label_budget is not None:
        return min(requirement.label_budget, n_pool)
    everyone = msgspec.structs.replace(dev, slices={})
    found = read_floors(everyone, requirement=requirement, level=1 - 2 * error, seed=seed)
    agreed = agreed_floors(requirement, {})
    sizes = [_enough(found[name], floor, 1 - error) for name, floor in agreed.items()]
    return min(max((size or _USUAL for size in sizes), default=_USUAL), n_pool)


def _enough(found: Measure, floor: float, level: float) -> int | None:
    """Give the labels that show a floor; None where it is not above it, or cannot be known."""
    if not isinstance(found, Estimate) or found.value <= floor:
        return None
    labels = labels_for_floor(min(found.value, 0.999), floor, power=_POWER, level=level)
    effect = found.n / found.effective_n if found.effective_n else 1.0
    return math.ceil(labels * max(effect, 1.0)) if isinstance(labels, int) else None


def agreed_floors(requirement: Requirement, slices: Mapping[str, Sequence[str | None]]) -> dict[str, float]:
    """Give the agreed floor of each claim by its name: its metric, and in a slice "macro_recall | sex=F"."""
    scopes = ["", *(f" | {column}={value}" for column, value, _ in each_slice(slices))]
    return {f"{metric}{scope}": floor for metric, floor in floors(requirement, is_binary=False) for scope in scopes}


def read_floors(units: ScoredUnits, *, requirement: Requirement, level: float, seed: int) -> dict[str, Measure]:
    """Give the interval of every floor, named as in `agreed_floors` and made as `evaluate_on_gold` makes it."""
    if not len(units.truth):
        nothing = NotEstimable(reason="no answer is there yet", needs="answers")
        return dict.fromkeys(agreed_floors(requirement, {}), nothing)
    estimators = estimators_of(units, output_of(units.scores, None), seed)
    scopes = [("", units.everyone), *((f" | {c}={v}", rows) for c, v, rows in each_slice(units.slices))]
    return {
        f"{metric}{suffix}": estimators[metric](rows, level)
        for metric, _ in floors(requirement, is_binary=False)
        for suffix, rows in scopes
    }


def against_the_claim(codes: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the truth by which units are judged: one that people are unsure of (-1) counts as an error.

    It is taken for the runner-up of the model's scores: what it says is then wrong, and a class lacks one of its units.

    Examples
    --------
    >>> against_the_claim(np.array([2, -1]), np.array([[0.1, 0.2, 0.7], [0.5, 0.2, 0.3]])).tolist()
    [2, 2]
    """
    return np.where(codes < 0, np.argsort(scores, axis=1, kind="stable")[:, -2], codes)
