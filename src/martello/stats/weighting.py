"""Weights that agree with what is known of the population: post-stratification, raking, and what weighting costs.

Input is a `SurveyDesign` and counts known for the whole population; output is the same design with calibrated weights,
which carries its margins along, so that every later error is that of the residuals. How a sample was drawn is
`martello.stats.linearization`'s subject; nothing here estimates an outcome.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.linearization import SurveyDesign, sized

__all__ = ["Margin", "check_weights", "kish_effective_n", "post_stratify", "rake"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Margin:
    """A classification of the sampled rows and the population's count in every class.

    Attributes
    ----------
    of_row
        Class of every sampled row, shape (n,).
    counts
        Units of the population in every class, above 0.

    Examples
    --------
    >>> Margin(["E", "H", "E"], {"E": 4421, "H": 755}).counts["H"]
    755
    """

    of_row: ArrayLike
    counts: Mapping[Any, float]


def post_stratify(design: SurveyDesign, margin: Margin) -> SurveyDesign | NotEstimable:
    """Scale the weights in every class so that they add up to the population's count.

    Several classifications known jointly are one margin, with the combined classes.

    Raises
    ------
    DataError
        ``stats.margin-class-unknown``, ``stats.margin-count``, ``stats.length-mismatch``.

    Assumptions
    -----------
    Population counts are exact and classify units as the sample does.

    Guarantee
    ---------
    Weights meet every count; variances from the returned design are those of the residuals within classes. Refuses when
    a class has no sampled row: it cannot be represented.

    References
    ----------
    Holt & Smith (1979). Journal of the Royal Statistical Society A 142. Deville & Särndal (1992). JASA 87.

    Examples
    --------
    >>> from martello.stats.linearization import survey_design
    >>> design = survey_design(pi=[0.5] * 4)
    >>> post_stratify(design, Margin(["a", "a", "a", "b"], {"a": 6, "b": 4})).weight.tolist()
    [2.0, 2.0, 2.0, 4.0]
    """
    return rake(design, [margin])


def rake(
    design: SurveyDesign, margins: Sequence[Margin], *, tolerance: float = 1e-9, max_rounds: int = 1000
) -> SurveyDesign | NotEstimable:
    """Scale the weights to one margin after the other until all are met.

    Parameters
    ----------
    margins
        Classifications whose joint counts are not known.
    tolerance
        Largest relative distance from any count at which the weights have converged.
    max_rounds
        Rounds over all margins before giving up.

    Raises
    ------
    DataError
        ``stats.margin-class-unknown``, ``stats.margin-count``, ``stats.margins-disagree``,
        ``stats.already-calibrated``, ``stats.length-mismatch``.

    Assumptions
    -----------
    As `post_stratify`.

    Guarantee
    ---------
    Weights within `tolerance` of every count, as close to the design weights as raking allows (least relative entropy);
    variances are those of the residuals from the regression on all margins. Refuses when a class has no sampled row, or
    when the rounds do not converge (no positive weights may meet all the counts).

    References
    ----------
    Deming & Stephan (1940). Annals of Mathematical Statistics 11. Deville, Särndal & Sautory (1993). JASA 88.

    Examples
    --------
    >>> from martello.stats.linearization import survey_design
    >>> rows = [Margin(["a", "a", "b", "b"], {"a": 6, "b": 4}), Margin(["x", "y", "x", "y"], {"x": 5, "y": 5})]
    >>> rake(survey_design(pi=[0.5] * 4), rows).weight.tolist()
    [3.0, 3.0, 2.0, 2.0]
    """
    if design.margins:
        raise DataError(
            "stats.already-calibrated",
            "the weights already meet known margins",
            expected="a design with the weights of the draw",
            fix="rake to all margins in one call",
        )
    coded = [_coded(margin, design.weight.size) for margin in margins]
    _check_totals([counts for _, counts in coded])
    for (codes, counts), margin in zip(coded, margins, strict=True):
        empty = np.bincount(codes, minlength=counts.size) == 0
        if empty.any():
            name = list(margin.counts)[int(np.flatnonzero(empty)[0])]
            return NotEstimable(reason=f"no sampled unit is in class {name!r}", needs="a unit of it, or a merged class")
    weight = design.weight
    for _ in range(max_rounds):
        for codes, counts in coded:
            weight = weight * (counts / np.bincount(codes, weights=weight))[codes]
        # The last margin is met exactly; the others tell whether the rounds have settled.
        if max(_distance(weight, codes, counts) for codes, counts in coded) <= tolerance:
            return replace(design, weight=weight, margins=tuple(codes for codes, _ in coded))
    return NotEstimable(
        reason=f"raking did not settle in {max_rounds} rounds",
        needs="fewer or merged classes: no positive weights may meet all these counts",
    )


def check_weights(weight: ArrayLike, margin: Margin, *, tolerance: float = 1e-6) -> None:
    """Refuse weights that do not add up to the population's counts.

    Raises
    ------
    DataError
        ``stats.weights-off-margin`` and those of `post_stratify`.

    Assumptions
    -----------
    The weights claim to be calibrated to this margin.

    Guarantee
    ---------
    Returns only when every class is within `tolerance` (relative) of its count.

    Examples
    --------
    >>> check_weights([3.0, 3.0, 4.0], Margin(["a", "a", "b"], {"a": 6, "b": 4}))
    """
    weights = np.asarray(weight, dtype=np.float64)
    codes, counts = _coded(margin, weights.size)
    sums = np.bincount(codes, weights=weights, minlength=counts.size)
    off = ~(np.abs(sums / counts - 1.0) <= tolerance)
    if off.any():
        worst = int(np.flatnonzero(off)[0])
        raise DataError(
            "stats.weights-off-margin",
            f"the weights of class {list(margin.counts)[worst]!r} add up to {sums[worst]:g}",
            expected=f"{counts[worst]:g}, the population's count",
            fix="post_stratify or rake",
        )


def kish_effective_n(weight: ArrayLike) -> float:
    """Give how many equally weighted rows would be as precise, for a value unrelated to the weights.

    Assumptions
    -----------
    Rows are independent; the value is unrelated to the weights.

    Guarantee
    ---------
    (Σw)² / Σw², between 1 and the number of rows.

    References
    ----------
    Kish, L. (1965). Survey Sampling, §11.7.

    Examples
    --------
    >>> kish_effective_n([1.0, 1.0, 2.0])
    2.6666666666666665
    """
    w = np.asarray(weight, dtype=np.float64)
    return float(w.sum() ** 2 / np.square(w).sum())


def _coded(margin: Margin, n: int) -> tuple[NDArray[np.intp], _Floats]:
    counts = np.array(list(margin.counts.values()), dtype=np.float64)
    if not counts.size or not (np.isfinite(counts) & (counts > 0)).all():
        raise DataError(
            "stats.margin-count",
            "a population count is 0, negative or missing",
            expected="a finite count above 0 for every class",
            fix="leave out classes that the population does not have",
        )
    index = {name: code for code, name in enumerate(margin.counts)}
    labels = sized(np.asarray(margin.of_row), n, "margin").tolist()
    unknown = next((label for label in labels if label not in index), None)
    if unknown is not None or None in labels:
        raise DataError(
            "stats.margin-class-unknown",
            f"sampled rows are in class {unknown!r}, for which no population count is given",
            expected=f"one of {list(index)}",
        )
    return np.array([index[label] for label in labels], dtype=np.intp), counts


def _check_totals(counts: list[_Floats]) -> None:
    totals = [float(count.sum()) for count in counts]
    if not totals or not all(math.isclose(total, totals[0], rel_tol=1e-9) for total in totals):
        raise DataError(
            "stats.margins-disagree",
            f"the margins add up to {', '.join(f'{total:g}' for total in totals) or 'nothing'}",
            expected="the same population size in every margin",
        )


def _distance(weight: _Floats, codes: NDArray[np.intp], counts: _Floats) -> float:
    return float(np.max(np.abs(np.bincount(codes, weights=weight) / counts - 1.0)))
