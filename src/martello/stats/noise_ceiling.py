"""How good a model can look at best when the labels it is judged by are noisy.

Even a model that is always right disagrees with a label that is wrong. Here that ceiling on accuracy is computed, from
the agreement of annotators or from the posteriors of `dawid_skene`. It is no bound on how good a model can be.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from martello.stats.annotations import Annotations
from martello.stats.annotators import FEWEST_ANNOTATORS, TOO_FEW_ANNOTATORS, DawidSkene
from martello.stats.checks import check_design, check_level
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import bounded_interval, linearized_ratio

__all__ = ["ceiling_from_agreement", "ceiling_from_confusion"]


def ceiling_from_agreement(agreement: Estimate | NotEstimable, n_classes: int) -> Estimate | NotEstimable:
    """Give the accuracy that a model which is always right would show against one annotator, from pairwise agreement.

    With error e of every annotator, spread evenly over K - 1 wrong classes, two annotators agree with chance
    `A = (1 - e)^2 + e^2 / (K - 1)`; this is solved for 1 - e.

    Parameters
    ----------
    agreement
        As `pairwise_agreement` gives it.
    n_classes
        Number of classes.

    Assumptions
    -----------
    Annotators are right more often than wrong, equally often on every class, and err independently, with wrong classes
    equally likely. Pairs are drawn from many annotators, who may differ in skill: then this is the ceiling of their
    mean. Annotators who err alike agree too much, and the true ceiling is lower.

    Guarantee
    ---------
    The ceiling rises with agreement, so the interval has the level that agreement's has. Agreement below what guessing
    gives has no solution: an upper end there is refused, a lower end becomes the ceiling of guessing, 1/K.

    Examples
    --------
    >>> found = Estimate(value=0.85, low=0.765, high=0.914, level=0.95, n=100, method="exact")
    >>> print(ceiling_from_agreement(found, 2))
    0.918 (0.864 to 0.955)
    """
    if isinstance(agreement, NotEstimable):
        return agreement
    if n_classes < 2:
        return NotEstimable(reason="there is one class", needs="2 classes")
    if agreement.value < 1 / n_classes:
        return NotEstimable(
            reason=f"annotators agree on {agreement.value:.3f} of pairs, less than guessing gives",
            needs="annotators who understand the question alike",
        )
    value, low, high = (_right(share, n_classes) for share in (agreement.value, agreement.low, agreement.high))
    method = f"pairwise agreement with even errors ({agreement.method})"
    return msgspec.structs.replace(agreement, value=value, low=low, high=high, method=method)


def _right(agreement: float, classes: int) -> float:
    inside = max((classes - 1) * (classes * agreement - 1), 0.0)
    return (1 + math.sqrt(inside)) / classes


def ceiling_from_confusion(
    annotations: Annotations, found: DawidSkene, *, level: float = 0.95
) -> Estimate | NotEstimable:
    """Give the accuracy that a model which is always right would show against one annotator, with any confusion.

    Parameters
    ----------
    annotations, found
        The answers, and what `dawid_skene` made of them; units without answers are left out.
    level
        Confidence of the two-sided interval.

    Assumptions
    -----------
    Those of `dawid_skene`, with three annotators at least; units are independent draws. Errors that annotators share
    are invisible here, and then the true ceiling is lower: compare with check units.

    Guarantee
    ---------
    Covers the mean accuracy of the annotators in at least about `level` of samples when the model holds
    (tests/guarantees/test_agreement_coverage.py). There is no such number for aggregated labels: posteriors are surer
    than they should be, by up to .04 in simulated tasks, so how often those are right is read off check units alone.

    Examples
    --------
    >>> from martello.stats.annotations import check_annotations
    >>> from martello.stats.annotators import dawid_skene
    >>> answers = [[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]]
    >>> table = check_annotations(np.repeat(range(6), 3), [0, 1, 2] * 6, np.ravel(answers))
    >>> round(ceiling_from_confusion(table, dawid_skene(table)).value, 2)
    0.82
    """
    check_level(level)
    if annotations.n_annotators < FEWEST_ANNOTATORS:
        return TOO_FEW_ANNOTATORS
    answered = annotations.per_unit()
    said = found.posterior[annotations.unit, annotations.answer]
    right = np.bincount(annotations.unit, weights=said, minlength=annotations.n_units)
    share = np.clip(right[answered > 0] / answered[answered > 0], 0.0, 1.0)
    mean = linearized_ratio(share, np.ones(len(share)), check_design(len(share)))
    estimate = mean if isinstance(mean, NotEstimable) else bounded_interval(mean, level=level)
    if isinstance(estimate, NotEstimable):
        return estimate
    return msgspec.structs.replace(estimate, method="posterior of Dawid–Skene, Korn–Graubard over units")
