"""The operating point: the threshold at which a score becomes a decision.

Here live the precision–recall curve with its uncertainty, and the choice of a threshold on dev that has the best chance
of being certified on gold. Certifying it is the certification engine's work, and never done on the units that chose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import special, stats

from martello.errors import DataError
from martello.stats.checks import (
    Bools,
    Design,
    Floats,
    check_design,
    check_flags,
    check_level,
    check_numbers,
    check_same_length,
)
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.response_curve import fit_response_curve
from martello.stats.shares import share_estimate

__all__ = ["OperatingChoice", "PRCurve", "choose_threshold", "pr_curve"]

_GOOD_CHANCE = 0.95
_MOST_THRESHOLDS = 2000  # beyond this many, flagged volumes differ by less than 1% from one to the next
_SIZE_NODES = 3  # midpoints of equally likely parts; more of them move the chance by less than 0.01


class PRCurve(msgspec.Struct, frozen=True, kw_only=True):
    """Precision and recall at a row of thresholds, from strict to loose; all tuples have the same length.

    Where an interval cannot be had (all flagged units in one cluster) it is the whole of [0, 1].

    Attributes
    ----------
    threshold
        Scores at or above it are flagged.
    precision, precision_low, precision_high
        Precision there with its interval.
    recall, recall_low, recall_high
        Recall there with its interval.
    flagged_share
        Share of the units that is flagged.
    level
        Confidence of each interval by itself, not of the curve as a whole.
    """

    threshold: tuple[float, ...]
    precision: tuple[float, ...]
    precision_low: tuple[float, ...]
    precision_high: tuple[float, ...]
    recall: tuple[float, ...]
    recall_low: tuple[float, ...]
    recall_high: tuple[float, ...]
    flagged_share: tuple[float, ...]
    level: float


class OperatingChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The threshold chosen on dev, and what may be expected of it on gold.

    Attributes
    ----------
    threshold
        Scores at or above it are flagged.
    chance
        Predicted chance that gold certifies every requirement there.
    precision, recall
        Dev estimates there.
    flagged_share
        Expected share of units that is flagged.
    why
        The rule that picked it, in words.
    """

    threshold: float
    chance: float
    precision: Estimate | NotEstimable
    recall: Estimate | NotEstimable
    flagged_share: float
    why: str


def pr_curve(
    truth: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
    points: int = 100,
) -> PRCurve:
    """Give the precision–recall curve with an interval at each point.

    Parameters
    ----------
    truth, score
        Whether each unit is positive and its score, shape (n,).
    weight, cluster, level
        As for `precision_estimate`.
    points
        Thresholds at most; they are scores of positive units, in equal steps of recall.

    Assumptions
    -----------
    Clusters are independent draws.

    Guarantee
    ---------
    Each interval by itself as `precision_estimate`; no simultaneous claim over the curve. Without a positive unit the
    curve has no points.

    References
    ----------
    Clopper and Pearson (1934); Korn and Graubard (1998).

    Examples
    --------
    >>> curve = pr_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> curve.threshold, [round(p, 3) for p in curve.precision], curve.recall
    ((0.8, 0.35), [1.0, 0.667], (0.5, 1.0))
    """
    true, scores, design = _check(truth, score, weight, cluster)
    check_level(level)
    ranked = np.sort(scores[true & (design.weights() > 0)])[::-1]
    steps = np.ceil(np.linspace(0, len(ranked), points + 1)).astype(np.intp)
    thresholds = np.unique(ranked[steps[steps > 0] - 1])[::-1]
    precision = [_at(true, scores >= t, design, level, "flagged") for t in thresholds]
    recall = [_at(scores >= t, true, design, level, "positive") for t in thresholds]
    weights = design.weights()
    return PRCurve(
        threshold=tuple(thresholds.tolist()),
        precision=tuple(one[0] for one in precision),
        precision_low=tuple(one[1] for one in precision),
        precision_high=tuple(one[2] for one in precision),
        recall=tuple(one[0] for one in recall),
        recall_low=tuple(one[1] for one in recall),
        recall_high=tuple(one[2] for one in recall),
        flagged_share=tuple(float(weights[scores >= t].sum() / weights.sum()) for t in thresholds),
        level=level,
    )


def choose_threshold(
    truth: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    precision: float | None = None,
    recall: float | None = None,
    level: float = 0.95,
    gold_n: int,
    cluster: npt.ArrayLike | None = None,
    weight: npt.ArrayLike | None = None,
    slices: Sequence[npt.ArrayLike] = (),
) -> OperatingChoice:
    """Choose on dev the threshold that gold will most likely certify.

    A smooth curve of the chance of a positive by score is fitted to dev, with what is not known about it; it gives
    precision and recall at each threshold. With them the chance is computed that, among as many flagged (or positive)
    units as gold_n units will hold, the exact one-sided lower bound at `level` reaches the floor. Among thresholds with
    a chance of at least 0.95 the one with the largest recall is taken (with the largest precision when only recall is
    required); if there is none, the one with the best chance.

    Parameters
    ----------
    truth, score
        Dev units: whether each is positive and its score, shape (n,).
    precision, recall
        Required floors; one of them at least.
    level
        Confidence that gold will be asked for.
    gold_n
        Units that gold will hold, drawn as dev was.
    cluster, weight
        As for `mean_estimate`.
    slices
        Parts of the units in which the floors must hold, too: a mask of shape (n,) each. The chance that all hold
        together is bounded from below by one minus the sum of the chances that each fails.

    Assumptions
    -----------
    Gold is drawn from the same population as dev, with the same design effect; dev units neither trained the model nor
    will be part of gold. The chance of a positive changes smoothly with the score's rank. All distinct scores are
    candidates, thinned to 2,000 of near-equal volume ratio.

    Guarantee
    ---------
    None on the requirement: that is what gold is for. The chance is a prediction; simulated, it was kept within a few
    points (tests/guarantees/test_coverage.py). The estimates are plain dev counts at the chosen threshold.

    References
    ----------
    Spiegelhalter, Abrams and Myles (2004), Bayesian Approaches to Clinical Trials, §6.5 (predictive power).

    Examples
    --------
    >>> score = np.linspace(0, 1, 2000, endpoint=False)
    >>> truth = np.random.default_rng(1).random(2000) < score
    >>> choice = choose_threshold(truth, score, precision=0.8, gold_n=2000)
    >>> 0.55 < choice.threshold < 0.8, choice.chance >= 0.9
    (True, True)
    """
    true, scores, design = _check(truth, score, weight, cluster)
    check_level(level)
    _check_floors(precision, recall, gold_n)
    thresholds = _candidates(scores[design.weights() > 0])
    floors = _Floors(precision, recall, level)
    whole = _Prospect.of(true, scores, design, thresholds)
    failure = 1 - whole.chance(floors, gold_n)
    for mask in slices:
        rows = check_flags(mask, where="slices")
        if 0 < true[rows].sum() < rows.sum():
            part = _Prospect.of(true[rows], scores[rows], design.take(rows), thresholds)
            failure += 1 - part.chance(floors, gold_n * rows.mean())
        else:  # a slice that dev says nothing about promises nothing
            failure += 1.0
    chance = np.maximum(1 - failure, 0.0)
    best = _best(chance, (whole.precisions if precision is None else whole.recalls).mean(axis=0))
    flagged = scores >= thresholds[best]
    return OperatingChoice(
        threshold=float(thresholds[best]),
        chance=float(chance[best]),
        precision=share_estimate(true, flagged, design, level=level, of="flagged"),
        recall=share_estimate(flagged, true, design, level=level, of="positive"),
        flagged_share=float(whole.volume[best]),
        why=_reason(float(chance[best]), "precision" if precision is None else "recall"),
    )


@dataclass(frozen=True, slots=True)
class _Floors:
    """What is required, and with what confidence."""

    precision: float | None
    recall: float | None
    level: float


@dataclass(frozen=True, slots=True)
class _Prospect:
    """What dev lets one expect of some units at each threshold: a row for each version of the curve."""

    volume: Floats
    precisions: Floats
    recalls: Floats
    prevalence: Floats
    design_effect: float

    @classmethod
    def of(cls, true: Bools, scores: Floats, design: Design, thresholds: Floats) -> _Prospect:
        curve = fit_response_curve(true, scores, design, thresholds)
        volume, hits = np.minimum(np.cumsum(curve.mass), 1.0), np.cumsum(curve.mass * curve.positive, axis=1)
        # a slice may hold no unit above the strictest thresholds: nothing is flagged, nothing can be certified
        precisions = hits / np.maximum(volume, np.finfo(np.float64).tiny)
        return cls(volume, precisions, hits / hits[:, -1:], hits[:, -1:], curve.design_effect)

    def chance(self, floors: _Floors, gold_n: float) -> Floats:
        """Predict for each threshold the chance that gold_n units certify every floor."""
        certified = _chance(
            self.precisions, self.volume, floors.precision, floors.level, self.design_effect, gold_n
        ) * _chance(self.recalls, self.prevalence, floors.recall, floors.level, self.design_effect, gold_n)
        return np.asarray(certified.mean(axis=0))


def _chance(
    share: Floats, domain: Floats, floor: float | None, level: float, design_effect: float, gold_n: float
) -> Floats:
    """Predict the chance that gold's exact lower bound on a share reaches the floor, for each version of the curve.

    Averages over how many units of the domain gold will hold, by the midpoints of equally likely parts.
    """
    chance = np.zeros_like(share)
    if floor is None:
        return chance + 1.0
    expected, spread = gold_n * domain, np.sqrt(gold_n * domain * (1 - domain))
    for node in special.ndtri((np.arange(_SIZE_NODES) + 0.5) / _SIZE_NODES):
        size = np.maximum(np.floor((expected + node * spread) / design_effect), 0.0)
        # fewest hits that refute "the share is below the floor" at this level; more than all when none suffice
        needed = stats.binom.isf(1 - level, size, floor) + 1
        reached = special.betainc(needed, np.maximum(size - needed + 1, 1e-9), share)
        chance += np.where(needed > size, 0.0, reached) / _SIZE_NODES
    return chance


def _best(chance: Floats, wanted: Floats) -> int:
    good = np.flatnonzero(chance >= _GOOD_CHANCE)
    if len(good) == 0:
        return int(np.argmax(chance))
    return int(good[np.argmax(wanted[good])])


def _reason(chance: float, wanted: str) -> str:
    if chance >= _GOOD_CHANCE:
        return f"largest {wanted} among thresholds with a chance of at least {_GOOD_CHANCE} to be certified"
    return f"no threshold has a chance of {_GOOD_CHANCE} to be certified; this one has the best"


def _candidates(scores: Floats) -> Floats:
    """Give distinct scores from strict to loose, thinned so that flagged volumes grow by a near-constant ratio."""
    distinct: Floats = np.unique(scores)[::-1]
    if len(distinct) <= _MOST_THRESHOLDS:
        return distinct
    kept = np.unique(np.geomspace(1, len(distinct), _MOST_THRESHOLDS).round().astype(np.intp)) - 1
    thinned: Floats = distinct[kept]
    return thinned


def _at(hit: Bools, domain: Bools, design: Design, level: float, of: str) -> tuple[float, float, float]:
    """Give a share with the ends of its interval; the whole of [0, 1] when one cluster holds all of the domain."""
    found = share_estimate(hit, domain, design, level=level, of=of)
    if isinstance(found, NotEstimable):
        weight = design.weights() * domain
        return float(np.sum(weight * hit) / weight.sum()), 0.0, 1.0
    return found.value, found.low, found.high


def _check(
    truth: npt.ArrayLike, score: npt.ArrayLike, weight: npt.ArrayLike | None, cluster: npt.ArrayLike | None
) -> tuple[Bools, Floats, Design]:
    true, scores = check_flags(truth), check_numbers(score)
    n = check_same_length(truth=true, score=scores)
    return true, scores, check_design(n, weight, cluster)


def _check_floors(precision: float | None, recall: float | None, gold_n: int) -> None:
    floors = {"precision": precision, "recall": recall}
    for name, floor in floors.items():
        if floor is not None and not 0 < floor < 1:
            raise DataError(
                "stats.floor-out-of-range",
                f"required {name} is {floor}",
                where=name,
                expected="a number strictly between 0 and 1",
            )
    if precision is None and recall is None:
        raise DataError(
            "stats.no-requirement",
            "neither precision nor recall is required, so no threshold is better than another",
            where="precision, recall",
            expected="a floor for one of them at least",
            fix="precision = 0.80",
        )
    if gold_n < 1:
        raise DataError("stats.empty", f"gold would hold {gold_n} units", where="gold_n", expected="at least 1")
