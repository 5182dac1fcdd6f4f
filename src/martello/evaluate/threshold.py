"""The operating point: the threshold that dev chooses before gold is asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from martello.evaluate.slices import each_slice
from martello.records import Curve, CurvePoint, OperatingPoint
from martello.spec.schema import Requirement
from martello.stats.estimate import NotEstimable
from martello.stats.operating_point import choose_threshold, pr_curve

__all__ = ["choose_operating_point", "curve_of"]


def choose_operating_point(
    truth: NDArray[np.int64],
    scores: NDArray[np.float64],
    *,
    requirement: Requirement,
    level: float,
    weight: NDArray[np.float64],
    cluster: NDArray[np.str_] | None,
    slices: dict[str, list[str | None]],
    gold_n: int,
    parents: tuple[str, ...],
) -> OperatingPoint:
    """Choose the threshold with the best chance that gold will certify the requirement.

    Parameters
    ----------
    truth
        Class codes of dev units, shape (n,).
    scores
        Winner's scores of dev units, shape (n, K).
    requirement
        Floors of precision and recall; without any, precision 0.5 stands in: flag what is more likely yes than no.
    level
        Level that the first look at gold will have, after its share of the looks.
    weight, cluster
        Design weights, and clusters where units are not independent; shape (n,).
    slices
        Column name to the value of each unit; the floors must hold in each value, too.
    gold_n
        Units that gold holds.
    parents
        Ids of the records this stands on.
    """
    if scores.shape[1] > 2:
        nothing = NotEstimable(
            reason="with several classes there is no threshold", needs="the per-class numbers on gold"
        )
        return OperatingPoint(
            parents=parents,
            threshold=None,
            chance=None,
            precision=nothing,
            recall=nothing,
            because="the class with the highest score is the output",
            curve=None,
        )
    precision = requirement.precision
    if precision is None and requirement.recall is None:
        precision = 0.5
    choice = choose_threshold(
        truth == 1,
        scores[:, 1],
        precision=precision,
        recall=requirement.recall,
        level=level,
        gold_n=gold_n,
        weight=weight,
        cluster=cluster,
        slices=[rows for _, _, rows in each_slice(slices)],
    )
    return OperatingPoint(
        parents=parents,
        threshold=choice.threshold,
        chance=choice.chance,
        precision=choice.precision,
        recall=choice.recall,
        because=choice.why,
        curve=curve_of(truth == 1, scores[:, 1], weight=weight, cluster=cluster, level=requirement.level),
    )


def curve_of(
    truth: NDArray[np.bool_],
    score: NDArray[np.float64],
    *,
    weight: NDArray[np.float64],
    cluster: NDArray[np.str_] | None,
    level: float,
) -> Curve:
    """Give the precision–recall curve of a binary score, with its bands, as a record's part."""
    curve = pr_curve(truth, score, weight=weight, cluster=cluster, level=level, points=80)
    return Curve(
        points=tuple(
            CurvePoint(
                threshold=curve.threshold[i],
                flagged_share=curve.flagged_share[i],
                precision=curve.precision[i],
                precision_low=curve.precision_low[i],
                precision_high=curve.precision_high[i],
                recall=curve.recall[i],
                recall_low=curve.recall_low[i],
                recall_high=curve.recall_high[i],
            )
            for i in range(len(curve.threshold))
        ),
        level=level,
    )
