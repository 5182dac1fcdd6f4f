"""Agreement of annotators: raw, and corrected for what chance would give.

Here live pairwise agreement, Krippendorff's alpha, Cohen's kappa and Fleiss' kappa, each with an interval over units.
All three coefficients are `1 - disagreement seen / disagreement by chance`; they differ in what chance means and in who
may be missing. Agreement is not truth: annotators who err alike agree.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from martello.stats.annotations import Annotations
from martello.stats.checks import Floats, check_codes, check_level, check_same_length
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import Linearized, bounded_interval

__all__ = ["annotator_agreements", "cohen_kappa", "fleiss_kappa", "krippendorff_alpha", "pairwise_agreement"]

_ONE_UNIT = NotEstimable(reason="one unit has two answers", needs="at least 2 such units")
_NO_PAIR = NotEstimable(reason="no unit has two answers", needs="units answered by at least 2 annotators")


def pairwise_agreement(annotations: Annotations, *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give the chance that two annotators of one unit give the same answer.

    Parameters
    ----------
    annotations
        Who said what; units with fewer than two answers say nothing of agreement.
    level
        Confidence of the two-sided interval.

    Assumptions
    -----------
    Units are independent draws from one population; which annotators met a unit does not depend on the unit. Each unit
    counts the same, however many answers it has.

    Guarantee
    ---------
    Covers the population's agreement in at least about `level` of samples
    (tests/guarantees/test_agreement_coverage.py).

    References
    ----------
    Fleiss, J. L. (1971), Psychological Bulletin 76, 378–382, eq. 2.

    Examples
    --------
    >>> from martello.stats.annotations import check_annotations
    >>> found = check_annotations([0, 0, 1, 1, 2, 2, 3, 3], [0, 1] * 4, [1, 1, 0, 0, 1, 0, 1, 1])
    >>> print(pairwise_agreement(found))
    0.750 (0.132 to 0.998)
    """
    check_level(level)
    votes = _shared(annotations)
    if len(votes) < 2:
        return _ONE_UNIT if len(votes) else _NO_PAIR
    m = votes.sum(axis=1)
    same = np.sum(votes * (votes - 1), axis=1) / (m * (m - 1))
    units = len(same)
    return _in_units(float(same.mean()), float(same.var(ddof=1)) / units, units, int((m - 1).sum()), level)


def krippendorff_alpha(annotations: Annotations, *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give Krippendorff's alpha for names without order, with any number of annotators and any answers missing.

    Parameters
    ----------
    annotations
        Who said what; units with fewer than two answers are left out, as the definition wants.
    level
        Confidence of the two-sided interval.

    Assumptions
    -----------
    Units are independent draws; annotators are exchangeable; answers are missing without regard to what they would be.

    Guarantee
    ---------
    The value is the definition's. The interval (jackknife over units, read as an exact binomial one of the agreement
    seen) covers the population's alpha in at least about `level` of samples, and has a width also when every answer
    agrees (tests/guarantees/test_agreement_coverage.py).

    References
    ----------
    Krippendorff, K. (2011), Computing Krippendorff's Alpha-Reliability, §C; Korn, E. L. and Graubard, B. I. (1998),
    Survey Methodology 24, 193–201.

    Examples
    --------
    >>> from martello.stats.annotations import check_annotations
    >>> first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    >>> found = check_annotations([*range(10), *range(10)], [0] * 10 + [1] * 10, first + second)
    >>> round(krippendorff_alpha(found).value, 3)
    0.095
    """
    check_level(level)
    votes = _shared(annotations)
    if len(votes) < 2:
        return _ONE_UNIT if len(votes) else _NO_PAIR
    m, total = votes.sum(axis=1), votes.sum(axis=0)
    apart = (m**2 - np.sum(votes**2, axis=1)) / (m - 1)  # expected disagreements of each unit's answers
    n = total.sum()
    seen = np.concatenate([[apart.sum()], apart.sum() - apart]) / np.concatenate([[n], n - m])
    left = np.concatenate([[n], n - m])
    squares = np.concatenate([[total @ total], total @ total - 2 * (votes @ total) + np.sum(votes**2, axis=1)])
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = (left**2 - squares) / (left * (left - 1))
    return _corrected_for_chance(seen, by_chance, int((m - 1).sum()), level)


def fleiss_kappa(annotations: Annotations, *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give Fleiss' kappa: every unit has the same number of answers, from whomever.

    Parameters
    ----------
    annotations
        Who said what; units without any answer are left out.
    level
        Confidence of the two-sided interval.

    Assumptions
    -----------
    Units are independent draws; annotators are exchangeable.

    Guarantee
    ---------
    The value is the definition's; the interval as for `krippendorff_alpha`. Unequal numbers of answers are refused.

    References
    ----------
    Fleiss (1971), eq. 7.

    Examples
    --------
    >>> from martello.stats.annotations import check_annotations
    >>> found = check_annotations([0, 0, 1, 1, 2, 2, 3, 3], [0, 1] * 4, [1, 1, 0, 0, 1, 0, 1, 1])
    >>> round(fleiss_kappa(found).value, 3)
    0.467
    """
    check_level(level)
    per_unit = annotations.per_unit()
    sizes = np.unique(per_unit[per_unit > 0])
    if len(sizes) > 1:
        return NotEstimable(
            reason=f"units have between {sizes[0]} and {sizes[-1]} answers",
            needs="the same number of answers on every unit; Krippendorff's alpha takes any",
        )
    votes = _shared(annotations)
    if len(votes) < 2:
        return _ONE_UNIT if len(votes) else _NO_PAIR
    m, total = float(sizes[0]), votes.sum(axis=0)
    apart = (m**2 - np.sum(votes**2, axis=1)) / (m * (m - 1))
    units = len(votes)
    seen = np.concatenate([[apart.mean()], (apart.sum() - apart) / max(units - 1, 1)])
    squares = np.concatenate([[total @ total], total @ total - 2 * (votes @ total) + np.sum(votes**2, axis=1)])
    left = m * np.concatenate([[units], np.full(units, units - 1)])
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = 1 - squares / left**2
    return _corrected_for_chance(seen, by_chance, int(total.sum()) - units, level)


def cohen_kappa(
    first: npt.ArrayLike, second: npt.ArrayLike, *, n_classes: int, level: float = 0.95
) -> Estimate | NotEstimable:
    """Give Cohen's kappa of two annotators on the units that both answered.

    Parameters
    ----------
    first, second
        Answers as class codes, shape (n,).
    n_classes
        Number of classes.
    level
        Confidence of the two-sided interval.

    Assumptions
    -----------
    Units are independent draws; the two annotators are these two, each with habits of their own.

    Guarantee
    ---------
    The value is the definition's; the interval as for `krippendorff_alpha`.

    References
    ----------
    Cohen, J. (1960), Educational and Psychological Measurement 20, 37–46.

    Examples
    --------
    >>> round(cohen_kappa([0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 0, 0], n_classes=2).value, 3)
    0.667
    """
    check_level(level)
    a, b = check_codes(first, n_classes, where="first"), check_codes(second, n_classes, where="second")
    n = check_same_length(first=a, second=b)
    of_a, of_b = np.bincount(a, minlength=n_classes), np.bincount(b, minlength=n_classes)
    apart = (a != b).astype(np.float64)
    seen = np.concatenate([[apart.mean()], (apart.sum() - apart) / max(n - 1, 1)])
    together = np.concatenate([[of_a @ of_b], of_a @ of_b - of_b[a] - of_a[b] + (a == b)])
    left = np.concatenate([[n], np.full(n, n - 1)]).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = 1 - together / left**2
    return _corrected_for_chance(seen, by_chance, n, level)


def annotator_agreements(annotations: Annotations, *, level: float = 0.95) -> tuple[Estimate | NotEstimable, ...]:
    """Give, for each annotator, the chance to agree with another annotator of the same unit.

    Parameters
    ----------
    annotations
        Who said what.
    level
        Confidence of each two-sided interval.

    Assumptions
    -----------
    Units are independent draws. A good annotator among poor ones agrees little: agreement is no accuracy.

    Guarantee
    ---------
    Each covers what the annotator's agreement with these others would be over the population in at least about `level`
    of samples; the share over a unit's other answers counts once a unit.

    Examples
    --------
    >>> from martello.stats.annotations import check_annotations
    >>> found = check_annotations([0, 0, 0, 1, 1, 1], [0, 1, 2] * 2, [1, 1, 0, 0, 0, 0])
    >>> [one.value for one in annotator_agreements(found)]
    [0.75, 0.75, 0.5]
    """
    check_level(level)
    others = annotations.per_unit()[annotations.unit] - 1
    same = annotations.votes()[annotations.unit, annotations.answer] - 1
    shared = others > 0
    who, share = annotations.annotator[shared], same[shared] / others[shared]
    size = annotations.n_annotators
    n = np.bincount(who, minlength=size)
    mean = np.bincount(who, weights=share, minlength=size) / np.maximum(n, 1)
    variance = np.bincount(who, weights=(share - mean[who]) ** 2, minlength=size) / np.maximum(n - 1, 1)
    comparisons = np.bincount(who, weights=others[shared], minlength=size)
    return tuple(
        _in_units(float(mean[i]), float(variance[i] / n[i]), int(n[i]), int(comparisons[i]), level)
        if n[i] > 1
        else NotEstimable(reason="fewer than two units were shared with others", needs="at least 2 shared units")
        for i in range(size)
    )


def _shared(annotations: Annotations) -> Floats:
    """Give the votes of the units with at least two answers, without classes that nobody gave there."""
    several = annotations.per_unit() >= 2
    rows = several[annotations.unit]
    unit = (np.cumsum(several) - 1)[annotations.unit[rows]]
    kept, answer = np.unique(annotations.answer[rows], return_inverse=True)
    size = int(several.sum())
    cells = np.bincount(unit * len(kept) + answer, minlength=size * len(kept))
    return cells.reshape(size, len(kept)).astype(np.float64)


def _corrected_for_chance(seen: Floats, by_chance: Floats, comparisons: int, level: float) -> Estimate | NotEstimable:
    """Turn disagreement seen and by chance into `1 - seen / by chance` with its interval.

    Each array holds the value over all units first, then the values with each unit left out in turn.
    """
    units = len(seen) - 1
    if units < 2:
        return _ONE_UNIT
    if not by_chance[0] > 0:
        return NotEstimable(reason="every answer is the same, so chance explains all agreement", needs="a second class")
    if not np.all(by_chance[1:] > 0):
        return NotEstimable(reason="a single unit holds the only other answer", needs="a second class on 2 units")
    left_out = 1 - seen[1:] / by_chance[1:]
    variance = (units - 1) / units * float(np.sum((left_out - left_out.mean()) ** 2))
    # On the scale of the agreement seen, in [0, 1], the coefficient is a straight line: there its interval can be an
    # exact one that neither leaves what is possible nor shrinks to nothing when all agree.
    scale = float(by_chance[0])
    found = _in_units(float(1 - seen[0]), variance * scale**2, units, comparisons, level)
    if isinstance(found, NotEstimable):
        return found
    ends = {name: 1 - (1 - getattr(found, name)) / scale for name in ("value", "low", "high")}
    return msgspec.structs.replace(found, method="jackknife over units, Korn–Graubard", **ends)


def _in_units(value: float, variance: float, units: int, comparisons: int, level: float) -> Estimate | NotEstimable:
    """Give the interval of a share of agreement.

    A unit's first answer compares with nothing, so m answers make m - 1 rows; units are the independent draws of them.
    """
    found = bounded_interval(
        Linearized(
            value=value,
            variance=variance,
            n=comparisons,
            n_clusters=units,
            equivalent_n=float(units),
            simple_variance=value * (1 - value) / comparisons,
        ),
        level=level,
    )
    return found if isinstance(found, NotEstimable) else msgspec.structs.replace(found, n=units)
