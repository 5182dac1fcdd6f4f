"""Metrics of a task with several classes.

Here live per-class precision, recall and F1, their averages over classes, and the pairs of classes that are taken for
one another. A task with two classes and one score is `metrics`; losses unit by unit are `compare.unit_losses`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from martello.errors import DataError, nearest
from martello.stats.bootstrap import bootstrap_values
from martello.stats.checks import Bools, Design, Floats, Ints, check_codes, check_design, check_level, check_same_length
from martello.stats.compare import unit_losses
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import (
    Linearized,
    bounded_interval,
    linearized_ratio,
    linearized_value,
    mean_estimate,
)
from martello.stats.shares import share_estimate

__all__ = ["ClassEstimate", "ConfusedPair", "class_estimates", "confused_pairs", "macro_estimate"]


class ClassEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """How one class fares.

    Attributes
    ----------
    name
        The class.
    n
        Units that truly are of this class.
    precision, recall, f1
        Its estimates.
    """

    name: str
    n: int
    precision: Estimate | NotEstimable
    recall: Estimate | NotEstimable
    f1: Estimate | NotEstimable


class ConfusedPair(msgspec.Struct, frozen=True, kw_only=True):
    """One class taken for another.

    Attributes
    ----------
    truth, predicted
        What the units are and what they were taken for.
    n
        How many.
    share
        Share of the units of that truth.
    """

    truth: str
    predicted: str
    n: int
    share: Estimate | NotEstimable


def class_estimates(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    classes: Sequence[str],
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[ClassEstimate, ...]:
    """Estimate precision, recall and F1 of each class against all others.

    Parameters
    ----------
    truth, predicted
        Class of each unit as a code in 0..K-1, shape (n,).
    classes
        Names of the K classes, in the order of the codes.
    weight, cluster, level
        As for `mean_estimate`; the level holds for each number by itself.

    Assumptions
    -----------
    Clusters are independent draws.

    Guarantee
    ---------
    Precision and recall as `precision_estimate`; F1 inside [0, 1] with about `level` coverage (Korn–Graubard).

    References
    ----------
    Van Rijsbergen (1979), ch. 7; Korn and Graubard (1998).

    Examples
    --------
    >>> for one in class_estimates([0, 0, 1, 1, 2], [0, 1, 1, 1, 1], ["cat", "dog", "eel"]):
    ...     print(one.name, one.n, one.precision)
    cat 2 1.000 (0.025 to 1.000)
    dog 2 0.500 (0.068 to 0.932)
    eel 1 not estimable: no unit was flagged; needs at least 1 flagged unit
    """
    true, answer, design = _check(truth, predicted, len(classes), weight, cluster)
    check_level(level)
    return tuple(
        ClassEstimate(
            name=str(name),
            n=int(np.sum(true == code)),
            precision=share_estimate(true == code, answer == code, design, level=level, of="flagged"),
            recall=share_estimate(answer == code, true == code, design, level=level, of="positive"),
            f1=_f1(true == code, answer == code, design, level),
        )
        for code, name in enumerate(classes)
    )


def macro_estimate(
    name: str,
    truth: npt.ArrayLike,
    answer: npt.ArrayLike,
    n_classes: int,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
    seed: int | None = None,
    resamples: int = 400,
) -> Estimate | NotEstimable:
    """Estimate an average over classes, each class counting the same, or the log loss.

    Parameters
    ----------
    name
        ``macro_precision``, ``macro_recall``, ``macro_f1`` or ``log_loss``.
    truth
        Class of each unit as a code in 0..n_classes-1, shape (n,).
    answer
        Predicted codes, shape (n,), or for ``log_loss`` the class probabilities, shape (n, n_classes).
    n_classes
        Number of classes, those never seen included.
    weight, cluster, level
        As for `mean_estimate`.
    seed, resamples
        With a seed, the variance of a macro average is bootstrapped by cluster; without, it is linearized.

    Assumptions
    -----------
    Clusters are independent draws; each class was seen in several of them.

    Guarantee
    ---------
    Macro averages stay inside [0, 1] with about `level` coverage (Korn–Graubard); a class that was never seen makes the
    average unknown instead of counting as 0.

    References
    ----------
    Särndal, Swensson and Wretman (1992), §5.5; Korn and Graubard (1998).

    Examples
    --------
    >>> print(macro_estimate("macro_recall", [0, 0, 1, 1, 2], [0, 1, 1, 1, 1], 4))
    not estimable: class 3 is never true; needs at least 1 unit of it
    """
    if name == "log_loss":
        return mean_estimate(unit_losses(truth, answer), weight=weight, cluster=cluster, level=level)
    if name not in _MACRO:
        close = nearest(name, (*_MACRO, "log_loss"))
        raise DataError(
            "stats.unknown-metric",
            f"there is no metric of several classes called {name!r}",
            where="metric",
            expected="one of " + ", ".join((*_MACRO, "log_loss")),
            fix=f"metric = {close!r}" if close else "",
        )
    true, predicted, design = _check(truth, answer, n_classes, weight, cluster)
    check_level(level)
    confusion = _Confusion(_MACRO[name], true, predicted, n_classes)
    if (unseen := confusion.unseen(design)) is not None:
        return unseen
    found = confusion.linearize(design)
    if seed is not None:
        values = bootstrap_values(confusion.of_weights, design, resamples=resamples, seed=seed)
        found = replace(found, variance=float(np.nanvar(values, ddof=1)))
    return bounded_interval(found, level=level)


def confused_pairs(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    classes: Sequence[str],
    *,
    top: int = 10,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[ConfusedPair, ...]:
    """Give the pairs of classes most often taken for one another, most frequent first.

    Parameters
    ----------
    truth, predicted, classes, weight, cluster, level
        As for `class_estimates`.
    top
        Pairs to give at most.

    Assumptions
    -----------
    Clusters are independent draws.

    Guarantee
    ---------
    Order is by weighted count, ties by class order; shares as `precision_estimate`, each at `level` by itself.

    References
    ----------
    Clopper and Pearson (1934); Korn and Graubard (1998).

    Examples
    --------
    >>> for pair in confused_pairs([0, 0, 1, 1, 2], [0, 1, 1, 1, 1], ["cat", "dog", "eel"]):
    ...     print(pair.truth, pair.predicted, pair.n)
    cat dog 1
    eel dog 1
    """
    true, answer, design = _check(truth, predicted, len(classes), weight, cluster)
    size = len(classes)
    counts = np.bincount(true * size + answer, weights=design.weights(), minlength=size**2)
    counts[:: size + 1] = 0.0
    ranked = np.argsort(-counts, kind="stable")[:top]
    return tuple(
        ConfusedPair(
            truth=str(classes[code // size]),
            predicted=str(classes[code % size]),
            n=int(np.sum((true == code // size) & (answer == code % size))),
            share=share_estimate(answer == code % size, true == code // size, design, level=level, of="positive"),
        )
        for code in ranked[counts[ranked] > 0]
    )


@dataclass(frozen=True, slots=True)
class _Macro:
    """A per-class ratio `2 * both / (true_part * true + predicted_part * predicted)` with parts that add up to 2."""

    true_part: float
    predicted_part: float


_MACRO = {"macro_precision": _Macro(0.0, 2.0), "macro_recall": _Macro(2.0, 0.0), "macro_f1": _Macro(1.0, 1.0)}


@dataclass(frozen=True, slots=True)
class _Confusion:
    """Truth against prediction, and the macro average of one ratio over the classes."""

    ratio: _Macro
    true: Ints
    predicted: Ints
    n_classes: int

    def tables(self, weight: npt.NDArray[np.number]) -> Floats:
        """Give the weight of each (truth, prediction), shape (b, K, K) from weights of shape (b, n)."""
        cells, size = self.true * self.n_classes + self.predicted, self.n_classes**2
        rows = [np.bincount(cells, weights=one, minlength=size) for one in weight]
        return np.array(rows, dtype=np.float64).reshape(-1, self.n_classes, self.n_classes)

    def parts(self, weight: npt.NDArray[np.number]) -> tuple[Floats, Floats]:
        """Give numerator and denominator of each class's ratio, shape (b, K)."""
        tables = self.tables(weight)
        both = np.diagonal(tables, axis1=1, axis2=2)
        bottom = self.ratio.true_part * tables.sum(axis=2) + self.ratio.predicted_part * tables.sum(axis=1)
        return 2 * both, bottom

    def of_weights(self, weight: npt.NDArray[np.number]) -> Floats:
        """Give the macro average, shape (b,), NaN where a class has no weight."""
        top, bottom = self.parts(weight)
        with np.errstate(invalid="ignore"):
            return np.asarray((top / bottom).mean(axis=1), dtype=np.float64)

    def unseen(self, design: Design) -> NotEstimable | None:
        """Name the first class whose ratio is unknown: never predicted for precision, never true otherwise."""
        by, verb = (self.predicted, "predicted") if self.ratio.true_part == 0 else (self.true, "true")
        mass = np.bincount(by, weights=design.weights(), minlength=self.n_classes)
        if mass.all():
            return None
        return NotEstimable(reason=f"class {int(np.argmin(mass))} is never {verb}", needs="at least 1 unit of it")

    def linearize(self, design: Design) -> Linearized:
        """Give the average with its variance: its influence is the mean of the classes' influences."""
        weight = design.weights()
        top, bottom = (part[0] for part in self.parts(weight[None]))
        ratios, pull = top / bottom, weight.sum() / bottom / self.n_classes
        influence = np.where(self.true == self.predicted, 2 * pull[self.true], 0.0)
        influence -= self.ratio.true_part * (pull * ratios)[self.true]
        influence -= self.ratio.predicted_part * (pull * ratios)[self.predicted]
        return linearized_value(float(ratios.mean()), influence, design, weight > 0)


def _check(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    n_classes: int,
    weight: npt.ArrayLike | None,
    cluster: npt.ArrayLike | None,
) -> tuple[Ints, Ints, Design]:
    true, answer = check_codes(truth, n_classes), check_codes(predicted, n_classes, where="predicted")
    n = check_same_length(truth=true, predicted=answer)
    return true, answer, check_design(n, weight, cluster)


def _f1(true: Bools, answer: Bools, design: Design, level: float) -> Estimate | NotEstimable:
    if not (true & (design.weights() > 0)).any():
        return NotEstimable(reason="no unit is positive", needs="at least 1 positive unit")
    both, either = (true & answer).astype(np.float64), true.astype(np.float64) + answer.astype(np.float64)
    found = linearized_ratio(2 * both, either, design)
    return found if isinstance(found, NotEstimable) else bounded_interval(found, level=level)
