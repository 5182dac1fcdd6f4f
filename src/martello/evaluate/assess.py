"""The look at gold: every metric with its interval, every slice, every class, and the requirement's verdict."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.evaluate.claims import Asked, Estimator, floors, judge_claims, overall_verdict
from martello.evaluate.estimates import f1_of, macro_of, mean_of, metric_of, share_of
from martello.evaluate.label_cost import label_cost
from martello.evaluate.shipped import Shipped, compare_with_shipped
from martello.evaluate.shortfall import DOMAINS, with_shortfalls
from martello.evaluate.slices import each_slice
from martello.evaluate.threshold import curve_of
from martello.evaluate.units import GoldUnits, ScoredUnits
from martello.records import (
    BoughtGold,
    CalibrationPoint,
    Claim,
    ClassResult,
    Evaluation,
    Measure,
    SliceResult,
    WorstSlice,
)
from martello.spec.schema import Requirement
from martello.stats.calibration import calibration_bins, calibration_error
from martello.stats.compare import paired_difference, unit_losses
from martello.stats.estimate import NotEstimable, Verdict
from martello.stats.gold_ledger import TRIES, alpha_for_question

__all__ = [
    "GoldUnits",
    "Measured",
    "error_of_look",
    "estimators_of",
    "evaluate_on_gold",
    "measure",
    "output_of",
]

_CURVES = ("average_precision", "roc_auc", "log_loss", "brier_score")
_MACROS = ("macro_precision", "macro_recall", "macro_f1")
_Rows = NDArray[np.bool_]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that labeled and scored units say: the parts that a record and a file's evaluation share."""

    metrics: dict[str, Measure]
    classes: tuple[ClassResult, ...]
    slices: tuple[SliceResult, ...]
    calibration: tuple[CalibrationPoint, ...]
    confusion: tuple[tuple[int, ...], ...]
    claims: tuple[Claim, ...]


def error_of_look(requirement: Requirement, look: int) -> float | None:
    """Give the error that a look at gold may spend, so that all looks together keep the level.

    Half of what is left at each; when more than five looks were declared, equal parts. None when the declared looks are
    used up: gold must then be renewed.

    Examples
    --------
    >>> [error_of_look(Requirement(level=0.95, gold_looks=2), look) for look in (1, 2, 3)]
    [0.025..., 0.0125..., None]
    """
    if look > requirement.gold_looks:
        return None
    planned = requirement.gold_looks if requirement.gold_looks > TRIES else None
    error = alpha_for_question(look, level=requirement.level, planned=planned)
    return None if isinstance(error, NotEstimable) else error


def evaluate_on_gold(
    gold: GoldUnits,
    *,
    classes: tuple[str, ...],
    threshold: float | None,
    requirement: Requirement,
    look: int,
    seed: int,
    parents: tuple[str, ...],
    worst_slices: tuple[WorstSlice, ...] = (),
    shipped: Shipped | None = None,
    bought: BoughtGold | None = None,
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
    worst_slices
        Where the model errs most on dev; gold is not searched.
    shipped
        What was shipped before on this gold, with its outputs.
    bought
        How gold was asked where its labels cost something; None where they were all there.
    """
    is_binary = len(classes) == 2
    error, level = error_of_look(requirement, look), requirement.level
    asked = floors(requirement, is_binary=is_binary)
    found = measure(gold, classes=classes, threshold=threshold, floors=asked, level=level, error=error, seed=seed)
    design = gold.where(gold.everyone)
    return Evaluation(
        parents=parents,
        n_gold=len(gold.truth),
        look=look,
        looks_left=max(0, requirement.gold_looks - look),
        level=level,
        level_of_look=1 - error if error is not None else 1.0,
        metrics=found.metrics,
        classes=found.classes,
        slices=found.slices,
        calibration=found.calibration,
        curve=curve_of(gold.truth == 1, gold.scores[:, 1], level=level, **design) if is_binary else None,
        confusion=found.confusion,
        gain_over_constant=paired_difference(
            unit_losses(gold.truth, gold.constant), unit_losses(gold.truth, gold.scores), level=level, **design
        ),
        claims=found.claims,
        verdict=overall_verdict(found.claims) if error is not None else Verdict.UNDECIDED,
        label_cost=label_cost(gold, threshold=threshold, requirement=requirement, error=error, seed=seed)
        if is_binary
        else None,
        against_shipped=compare_with_shipped(gold, output_of(gold.scores, threshold), shipped, error=error, level=level)
        if shipped is not None
        else None,
        worst_slices=worst_slices,
        bought=bought,
    )


def output_of(scores: NDArray[np.float64], threshold: float | None) -> NDArray[np.int64]:
    """Give the class that is put out: yes from the threshold on, or the class with the highest score."""
    return (scores[:, 1] >= threshold).astype(np.int64) if threshold is not None else scores.argmax(axis=1)


def measure(
    units: ScoredUnits,
    *,
    classes: tuple[str, ...],
    threshold: float | None,
    floors: Iterable[tuple[str, float]],
    level: float,
    error: float | None,
    seed: int,
) -> Measured:
    """Compute every metric, slice, class and claim of some units.

    Parameters
    ----------
    units
        Labeled and scored units.
    classes, threshold, seed
        As for `evaluate_on_gold`.
    floors
        Required metrics with their floors, of everyone and of each slice.
    level
        Confidence of the intervals shown.
    error
        One-sided error of the verdicts; None when nothing may be judged any more.
    """
    is_binary = len(classes) == 2
    output = output_of(units.scores, threshold)
    shares = estimators_of(units, output, seed)
    metrics = {name: estimate(units.everyone, level) for name, estimate in shares.items()}
    metrics |= _score_metrics(units, is_binary, level, seed)
    populations = [(f"{column} = {value}", rows) for column, value, rows in each_slice(units.slices)]
    asked = [
        Asked(metric=metric, floor=floor, population=name, rows=rows, estimator=shares[metric])
        for metric, floor in floors
        for name, rows in (("everyone", units.everyone), *populations)
    ]
    claims = judge_claims(asked, level=level, error=error)
    if is_binary and error is not None:
        claims = with_shortfalls(claims, _counts(units, output, asked), error=error)
    return Measured(
        metrics=metrics,
        classes=_classes(units, output, classes, level),
        slices=_slices(units, shares, claims, level),
        calibration=_calibration(units, level) if is_binary else (),
        confusion=_confusion(units.truth, output, len(classes)),
        claims=claims,
    )


def estimators_of(units: ScoredUnits, output: NDArray[np.int64], seed: int) -> dict[str, Estimator]:
    """Give what estimates each metric of an output over some rows at some level."""
    return _binary(units, output) if units.scores.shape[1] == 2 else _several(units, output, seed)


def _binary(units: ScoredUnits, output: NDArray[np.int64]) -> dict[str, Estimator]:
    truth, flagged = units.truth == 1, output == 1

    def precision(rows: _Rows, level: float) -> Measure:
        return share_of(units, truth, flagged, rows=rows, level=level, of="flagged")

    def recall(rows: _Rows, level: float) -> Measure:
        return share_of(units, flagged, truth, rows=rows, level=level, of="positive")

    def f1(rows: _Rows, level: float) -> Measure:
        return f1_of(units, truth, flagged, rows=rows, level=level)

    return {"precision": precision, "recall": recall, "f1": f1}


def _several(units: ScoredUnits, output: NDArray[np.int64], seed: int) -> dict[str, Estimator]:
    def macro(name: str) -> Estimator:
        def estimate(rows: _Rows, level: float) -> Measure:
            return macro_of(name, units, output, rows=rows, level=level, seed=seed)

        return estimate

    return {name: macro(name) for name in _MACROS}


def _score_metrics(units: ScoredUnits, is_binary: bool, level: float, seed: int) -> dict[str, Measure]:
    if not is_binary:
        losses = unit_losses(units.truth, units.scores)
        return {"log_loss": mean_of(units, losses, rows=units.everyone, level=level)}
    measured = {name: metric_of(name, units, level=level, seed=seed) for name in _CURVES}
    design = units.where(units.everyone)
    # without strata: their gain is left out here, which widens the interval
    error = calibration_error(units.truth == 1, units.scores[:, 1], level=level, seed=seed, **design)
    return measured | {"calibration_error": error}


def _counts(units: ScoredUnits, output: NDArray[np.int64], asked: list[Asked]) -> dict[tuple[str, str], int]:
    """Count the flagged units of each claim on precision, the positive ones of each on recall."""
    domains = {"precision": output == 1, "recall": units.truth == 1}
    return {
        (each.metric, each.population): int(np.sum(each.rows & domains[each.metric]))
        for each in asked
        if each.metric in DOMAINS
    }


def _slices(
    units: ScoredUnits, estimators: dict[str, Estimator], claims: tuple[Claim, ...], level: float
) -> tuple[SliceResult, ...]:
    """Give the numbers of each slice; what the requirement could not be proved from is not estimable here, either."""
    unknown = {(c.metric, c.population): c.estimate for c in claims if isinstance(c.estimate, NotEstimable)}
    return tuple(
        SliceResult(
            column=column,
            value=value,
            n=int(rows.sum()),
            metrics={
                name: unknown.get((name, f"{column} = {value}")) or estimate(rows, level)
                for name, estimate in estimators.items()
                if name != "f1"
            },
        )
        for column, value, rows in each_slice(units.slices)
    )


def _classes(
    units: ScoredUnits, output: NDArray[np.int64], classes: tuple[str, ...], level: float
) -> tuple[ClassResult, ...]:
    everyone = units.everyone
    return tuple(
        ClassResult(
            name=name,
            n=int(np.sum(units.truth == code)),
            precision=share_of(units, units.truth == code, output == code, rows=everyone, level=level, of="flagged"),
            recall=share_of(units, output == code, units.truth == code, rows=everyone, level=level, of="positive"),
        )
        for code, name in enumerate(classes)
    )


def _calibration(units: ScoredUnits, level: float) -> tuple[CalibrationPoint, ...]:
    truth, score = units.truth == 1, units.scores[:, 1]
    bins = calibration_bins(truth, score, n_bins=10, level=level, **units.where(units.everyone))
    points = []
    for each in bins:
        inside = (score >= each.low) & (score <= each.high)
        observed = share_of(units, truth, inside, rows=units.everyone, level=level, of="in the bin")
        points.append(CalibrationPoint(mean_score=each.mean_score, observed=observed, n=each.n))
    return tuple(points)


def _confusion(truth: NDArray[np.int64], output: NDArray[np.int64], n_classes: int) -> tuple[tuple[int, ...], ...]:
    counts = np.bincount(truth * n_classes + output, minlength=n_classes * n_classes).reshape(n_classes, n_classes)
    return tuple(tuple(int(count) for count in row) for row in counts)
