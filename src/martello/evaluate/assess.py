"""The look at gold: every metric with its interval, every slice, every class, and the requirement's verdict."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.evaluate.claims import Asked, Estimator, floors, judge_claims, overall_verdict
from martello.evaluate.slices import each_slice
from martello.evaluate.threshold import curve_of
from martello.records import CalibrationPoint, ClassResult, Evaluation, Measure, SliceResult
from martello.spec.schema import Requirement
from martello.stats.calibration import calibration_bins, calibration_error
from martello.stats.compare import paired_difference, unit_losses
from martello.stats.estimate import Verdict
from martello.stats.metrics import estimate_metric
from martello.stats.multiclass import class_estimates, macro_estimate
from martello.stats.shares import precision_estimate, recall_estimate

__all__ = ["GoldUnits", "error_of_look", "evaluate_on_gold"]

_CURVES = ("average_precision", "roc_auc", "log_loss", "brier_score")
_MACROS = ("macro_precision", "macro_recall", "macro_f1")


class GoldUnits(msgspec.Struct, frozen=True, kw_only=True):
    """Gold as arrays of one length: what is true, what was scored, and how each unit was drawn.

    Attributes
    ----------
    truth
        Class codes, shape (n,).
    scores
        Scores of the model, shape (n, K).
    constant
        Scores of the constant rule, shape (n, K).
    weight
        Design weights, 1 / inclusion probability.
    cluster
        What belongs together; None when units are independent.
    slices
        Column name to the value of each unit, None where it has none.
    """

    truth: NDArray[np.int64]
    scores: NDArray[np.float64]
    constant: NDArray[np.float64]
    weight: NDArray[np.float64]
    cluster: NDArray[np.str_] | None
    slices: dict[str, list[str | None]]

    def where(self, rows: NDArray[np.bool_]) -> dict[str, Any]:
        """Give weight and cluster of some rows, as the estimators take them."""
        return {"weight": self.weight[rows], "cluster": None if self.cluster is None else self.cluster[rows]}


def error_of_look(requirement: Requirement, look: int) -> float | None:
    """Give the error that a look at gold may spend: half of what is left at each, so that all looks together keep the
    level.

    None when the declared looks are used up: gold must then be renewed.

    Examples
    --------
    >>> [error_of_look(Requirement(level=0.95, gold_looks=2), look) for look in (1, 2, 3)]
    [0.025..., 0.0125..., None]
    """
    if look > requirement.gold_looks:
        return None
    return float((1 - requirement.level) * 0.5**look)


def evaluate_on_gold(
    gold: GoldUnits,
    *,
    classes: tuple[str, ...],
    threshold: float | None,
    requirement: Requirement,
    look: int,
    seed: int,
    parents: tuple[str, ...],
) -> Evaluation:
    """Ask gold once and write down everything it said.

    Parameters
    ----------
    gold
        The gold units.
    classes
        Names of the classes, in the order of the scores.
    threshold
        The operating point; None for the class with the highest score.
    requirement
        Floors, level, slices and declared looks.
    look
        Number of this look at this gold set, from 1.
    seed
        Seed of resampling.
    parents
        Ids of the records this stands on.
    """
    is_binary = len(classes) == 2
    output = (gold.scores[:, 1] >= threshold).astype(np.int64) if threshold is not None else gold.scores.argmax(axis=1)
    estimators = _binary(gold, output) if is_binary else _several(gold, output, classes, seed)
    everyone = np.ones(len(gold.truth), dtype=bool)
    error = error_of_look(requirement, look)
    asked = [
        Asked(metric=metric, floor=floor, population=name, rows=rows, estimator=estimators[metric])
        for metric, floor in floors(requirement, is_binary=is_binary)
        for name, rows in (("everyone", everyone), *_slices(gold))
    ]
    claims = judge_claims(asked, requirement=requirement, error_of_look=error)
    level = requirement.level
    metrics = {name: estimate(everyone, level) for name, estimate in estimators.items()}
    metrics |= _score_metrics(gold, is_binary, level, seed)
    return Evaluation(
        parents=parents,
        n_gold=len(gold.truth),
        look=look,
        looks_left=max(0, requirement.gold_looks - look),
        level=level,
        level_of_look=1 - error if error is not None else 1.0,
        metrics=metrics,
        classes=_classes(gold, output, classes, level),
        slices=_slice_results(gold, estimators, level),
        calibration=_calibration(gold, level) if is_binary else (),
        curve=curve_of(gold.truth == 1, gold.scores[:, 1], level=level, **gold.where(everyone)) if is_binary else None,
        confusion=_confusion(gold.truth, output, len(classes)),
        gain_over_constant=paired_difference(
            unit_losses(gold.truth, gold.constant),
            unit_losses(gold.truth, gold.scores),
            level=level,
            **gold.where(everyone),
        ),
        claims=claims,
        verdict=overall_verdict(claims) if error is not None else Verdict.UNDECIDED,
    )


def _binary(gold: GoldUnits, output: NDArray[np.int64]) -> dict[str, Estimator]:
    truth, flagged = gold.truth == 1, output == 1

    def precision(rows: NDArray[np.bool_], level: float) -> Measure:
        return precision_estimate(truth[rows], flagged[rows], level=level, **gold.where(rows))

    def recall(rows: NDArray[np.bool_], level: float) -> Measure:
        return recall_estimate(truth[rows], flagged[rows], level=level, **gold.where(rows))

    return {"precision": precision, "recall": recall}


def _several(gold: GoldUnits, output: NDArray[np.int64], classes: tuple[str, ...], seed: int) -> dict[str, Estimator]:
    def macro(name: str) -> Estimator:
        def estimate(rows: NDArray[np.bool_], level: float) -> Measure:
            return macro_estimate(
                name, gold.truth[rows], output[rows], len(classes), level=level, seed=seed, **gold.where(rows)
            )

        return estimate

    return {name: macro(name) for name in _MACROS}


def _score_metrics(gold: GoldUnits, is_binary: bool, level: float, seed: int) -> dict[str, Measure]:
    everyone = np.ones(len(gold.truth), dtype=bool)
    design = gold.where(everyone)
    if not is_binary:
        losses = unit_losses(gold.truth, gold.scores)
        return {"log_loss": paired_difference(losses, np.zeros_like(losses), level=level, **design)}
    truth, score = gold.truth == 1, gold.scores[:, 1]
    measured = {name: estimate_metric(name, truth, score, level=level, seed=seed, **design) for name in _CURVES}
    return measured | {"calibration_error": calibration_error(truth, score, level=level, seed=seed, **design)}


def _slices(gold: GoldUnits) -> list[tuple[str, NDArray[np.bool_]]]:
    return [(f"{column} = {value}", rows) for column, value, rows in each_slice(gold.slices)]


def _slice_results(gold: GoldUnits, estimators: dict[str, Estimator], level: float) -> tuple[SliceResult, ...]:
    return tuple(
        SliceResult(
            column=column,
            value=value,
            n=int(rows.sum()),
            metrics={name: estimate(rows, level) for name, estimate in estimators.items()},
        )
        for column, value, rows in each_slice(gold.slices)
    )


def _classes(
    gold: GoldUnits, output: NDArray[np.int64], classes: tuple[str, ...], level: float
) -> tuple[ClassResult, ...]:
    everyone = np.ones(len(gold.truth), dtype=bool)
    found = class_estimates(gold.truth, output, classes, level=level, **gold.where(everyone))
    return tuple(ClassResult(name=each.name, n=each.n, precision=each.precision, recall=each.recall) for each in found)


def _calibration(gold: GoldUnits, level: float) -> tuple[CalibrationPoint, ...]:
    everyone = np.ones(len(gold.truth), dtype=bool)
    bins = calibration_bins(gold.truth == 1, gold.scores[:, 1], n_bins=10, level=level, **gold.where(everyone))
    return tuple(CalibrationPoint(mean_score=each.mean_score, observed=each.observed, n=each.n) for each in bins)


def _confusion(truth: NDArray[np.int64], output: NDArray[np.int64], n_classes: int) -> tuple[tuple[int, ...], ...]:
    counts = np.bincount(truth * n_classes + output, minlength=n_classes * n_classes).reshape(n_classes, n_classes)
    return tuple(tuple(int(count) for count in row) for row in counts)
