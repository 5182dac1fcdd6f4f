"""What happened, beside what gold promised: the same metric from two independent samples."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from martello.records import Evaluation, Experiment, Measure, Rehearsal
from martello.stats.difference import independent_difference
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import mean_estimate
from martello.stats.multiclass import macro_estimate
from martello.stats.shares import precision_estimate, recall_estimate

__all__ = ["compare_with_promise"]


def compare_with_promise(
    outcome: NDArray[np.int64],
    output: NDArray[np.int64],
    *,
    n_classes: int,
    metric: str,
    evaluation: Evaluation,
    rehearsal: Rehearsal,
    seed: int,
    parents: tuple[str, ...],
) -> Experiment:
    """Estimate the online metric over decisions that have an outcome, and compare it with gold.

    Parameters
    ----------
    outcome, output
        Class codes of what followed and of what was decided, for decisions with an outcome; shape (n,).
    n_classes
        Number of classes; with more than two the metric is the mean over classes.
    metric
        "precision", "recall" or "positive_rate".
    evaluation
        What gold promised.
    rehearsal
        How the decisions came about.
    seed
        Seed of resampling.
    parents
        Ids of the records this stands on.
    """
    name = metric if n_classes == 2 else f"macro_{metric}"
    online = _measure(name, outcome, output, n_classes, evaluation.level, seed)
    promised = _promised(name, evaluation)
    if rehearsal.rows_from == "gold":
        difference: Measure = NotEstimable(
            reason="the rehearsal sent gold's own rows, so this number is gold's number again",
            needs="rows outside the sample (sample.n below the population's size), or live traffic",
        )
    else:
        difference = independent_difference(online, promised)
    return Experiment(
        parents=parents,
        metric=name,
        online=online,
        promised=promised,
        difference=difference,
        verdict=_verdict(difference),
        n_decisions=rehearsal.n_decisions,
        n_outcomes=rehearsal.n_outcomes,
        is_rehearsal=True,
    )


def _measure(
    name: str, outcome: NDArray[np.int64], output: NDArray[np.int64], n_classes: int, level: float, seed: int
) -> Measure:
    match name:
        case "precision":
            return precision_estimate(outcome == 1, output == 1, level=level)
        case "recall":
            return recall_estimate(outcome == 1, output == 1, level=level)
        case "positive_rate":
            return mean_estimate((output == 1).astype(float), level=level)
        case "macro_precision" | "macro_recall":
            return macro_estimate(name, outcome, output, n_classes, level=level, seed=seed)
        case _:
            return NotEstimable(reason=f"{name} is not defined for {n_classes} classes", needs="precision or recall")


def _promised(name: str, evaluation: Evaluation) -> Measure:
    if name in evaluation.metrics:
        return evaluation.metrics[name]
    return NotEstimable(reason=f"gold does not estimate {name}", needs="precision or recall as the online metric")


def _verdict(
    difference: Measure,
) -> Literal["as promised", "better than promised", "worse than promised", "undecided"]:
    if not isinstance(difference, Estimate):
        return "undecided"
    if difference.high < 0:
        return "worse than promised"
    if difference.low > 0:
        return "better than promised"
    return "as promised"
