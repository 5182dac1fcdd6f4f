"""What the verdict would have cost in labels, had none been there: the certification engine run on gold.

The column already holds every answer, so they are handed out one by one as an annotator would give them, and counted
until the engine decides about these very units. What the next gold set needs is read off here; what the units say of
the population is `claims`'s to judge.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from martello.evaluate.units import GoldUnits
from martello.records import LabelCost
from martello.spec.schema import Requirement
from martello.stats.certification import Certification
from martello.stats.estimate import Verdict

__all__ = ["label_cost"]

# The count depends on which units happen to be drawn; so many draws show by how much, in under a second at 8,000 units.
_DRAWS = 20
# Answers asked for at once: fewer would only cost time, more would overshoot the decision.
_BATCH = 10


def label_cost(
    gold: GoldUnits, *, threshold: float | None, requirement: Requirement, error: float | None, seed: int
) -> LabelCost | None:
    """Count the labels after which the engine decides every floor and slice together; None where there is no floor.

    Parameters
    ----------
    gold
        The gold units; two classes.
    threshold, requirement
        The operating point and the floors.
    error
        Error that this look at gold may spend; None when gold is used up.
    seed
        Seed of the first draw.
    """
    if threshold is None or error is None or (requirement.precision is None and requirement.recall is None):
        return None
    runs: list[tuple[Verdict, int]] = []
    for draw in range(_DRAWS):
        process = Certification(
            gold.scores[:, 1],
            precision=requirement.precision,
            recall=requirement.recall,
            threshold=threshold,
            slices={
                name: ["(none)" if value is None else value for value in values] for name, values in gold.slices.items()
            },
            level=1 - error,
            seed=seed + draw,
        )
        runs.append((_run(process, gold), process.decided_at or process.n_labeled))
    (verdict, n_agree), *_ = Counter(verdict for verdict, _ in runs).most_common()
    # The engine may err in this share of draws, so that many may say otherwise.
    if verdict is Verdict.UNDECIDED or n_agree < (1 - error) * _DRAWS:
        return LabelCost(verdict=Verdict.UNDECIDED, n_gold=len(gold.truth), n_draws=_DRAWS, labels=())
    labels = tuple(sorted(n_labels for came_to, n_labels in runs if came_to is verdict))
    return LabelCost(verdict=verdict, n_gold=len(gold.truth), n_draws=_DRAWS, labels=labels)


def _run(process: Certification, gold: GoldUnits) -> Verdict:
    """Answer until the engine decides or gold is at its end."""
    while process.verdict is Verdict.UNDECIDED:
        asked = np.asarray(process.next(_BATCH).position)
        if len(asked) == 0:
            break
        process.observe(asked, gold.truth[asked])
    return process.verdict
