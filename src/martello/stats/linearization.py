"""How a sample was drawn, and the design variance of any linearized statistic under that design.

Input are the sampled rows' weights, strata, clusters and stage probabilities, from a `Selection` of the module `design`
or from columns of a file; `survey`, `replication` and `weighting` take the `SurveyDesign` made here. Nothing here
draws, and nothing here knows what is being estimated.

One formula serves every stage and every design (Hájek 1964): a stage that drew n units with probabilities π_i, whose
weighted contributions are z_i, has variance n / (n - 1) · Σ (1 - π_i) (z_i - z̄)², z̄ the mean of z with weights 1 - π_i.
It is the textbook formula, with its finite population correction, when the π are equal, and that for draws with
replacement when no π is given; units taken with certainty add nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.errors import DataError
from martello.stats.estimate import NotEstimable

__all__ = ["LonelyRule", "SurveyDesign", "survey_design", "survey_variance"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.intp]

LonelyRule = Literal["refuse", "center", "certainty"]
"""What a stratum with one sampled cluster adds: no answer; its squared distance from the mean of all; nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class SurveyDesign:
    """The sampled rows' design, checked and coded; made by `survey_design`.

    Attributes
    ----------
    weight
        Weight of every row, shape (n,): 1/π, or calibrated to known margins.
    base_weight
        Weight before calibration; the same array when there was none.
    cluster, stratum
        First-stage unit (0..m-1) of every row, shape (n,), and stratum (0..h-1) of every first-stage unit, shape (m,).
    stage_pi
        Inclusion probabilities at each stage: of every first-stage unit, shape (m,), then of every row within its
        unit, shape (n,). Empty: drawn with replacement, or from a population without end.
    margins
        Codes of the known margins that the weights were calibrated to, each of shape (n,).
    """

    weight: _Floats
    base_weight: _Floats
    cluster: _Ints
    stratum: _Ints
    stage_pi: tuple[_Floats, ...] = ()
    margins: tuple[_Ints, ...] = ()


def survey_design(
    *,
    weight: ArrayLike | None = None,
    pi: ArrayLike | None = None,
    stratum: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    stage_pi: tuple[ArrayLike, ...] = (),
) -> SurveyDesign:
    """Describe how the rows of a sample were drawn.

    Parameters
    ----------
    weight, pi
        Exactly one of them: design weights above 0, or inclusion probabilities in (0, 1]; shape (n,).
    stratum
        Stratum of every row; None: one stratum.
    cluster
        First-stage unit of every row, nested in its stratum; None: every row was drawn by itself.
    stage_pi
        `Selection.stage_pi`: one array for one-stage designs, two for two stages. Without it no finite population
        correction is made, which is conservative.

    Raises
    ------
    DataError
        ``stats.weight-or-pi``, ``stats.pi-out-of-range``, ``stats.weight-not-positive``, ``stats.cluster-pi-varies``,
        ``stats.length-mismatch``, ``stats.empty``.

    Assumptions
    -----------
    The recorded probabilities are those of the draw.

    Guarantee
    ---------
    A design that is returned has a positive finite weight on every row.

    Examples
    --------
    >>> survey_design(pi=[0.1, 0.1, 0.5], stratum=["a", "a", "b"]).weight.tolist()
    [10.0, 10.0, 2.0]
    """
    if (weight is None) == (pi is None):
        raise DataError(
            "stats.weight-or-pi", "a design needs weights or inclusion probabilities", expected="one of both"
        )
    weights = _positive(weight) if weight is not None else 1.0 / _probability(pi)
    n = weights.size
    of_row = codes_of(stratum, n, "stratum") if stratum is not None else np.zeros(n, dtype=np.intp)
    label = codes_of(cluster, n, "cluster") if cluster is not None else np.arange(n)
    # The same cluster name in two strata means two clusters.
    _, first, psu = np.unique(of_row * n + label, return_index=True, return_inverse=True)
    stages = tuple(sized(_probability(stage), n, "stage_pi") for stage in stage_pi)
    if stages:
        if (stages[0] != stages[0][first][psu]).any():
            raise DataError(
                "stats.cluster-pi-varies",
                "rows of one cluster have different first-stage probabilities",
                expected="the probability with which the cluster was drawn, on each of its rows",
            )
        stages = (stages[0][first], *stages[1:])
    return SurveyDesign(weights, weights, psu, of_row[first], stages)


def survey_variance(
    design: SurveyDesign, influence: ArrayLike, *, lonely: LonelyRule = "refuse"
) -> tuple[float, int] | NotEstimable:
    """Give the design variance of Σ weight · influence, and its degrees of freedom.

    This is what any linearized statistic needs: pass its influence values.

    Parameters
    ----------
    influence
        Derivative of the statistic with respect to each row's weight, shape (n,); 0 outside the domain.
    lonely
        Rule for strata with a single sampled cluster.

    Assumptions
    -----------
    As `survey_total`; high-entropy draws where π are unequal.

    Guarantee
    ---------
    Unbiased for the variance of a total under simple random sampling at each stage, with or without strata; nearly so
    for unequal π. Degrees of freedom: clusters minus strata, not counting clusters taken with certainty, each of
    which is a stratum of its own second stage. All taken with certainty: variance 0.

    References
    ----------
    Hájek (1964). Annals of Mathematical Statistics 35. Särndal, Swensson & Wretman (1992), result 4.3.1.

    Examples
    --------
    >>> survey_variance(survey_design(pi=[0.5] * 4), [1.0, 1.0, 4.0, 4.0])
    (48.0, 3)
    """
    u = _residual(design, finite_column(influence, design.weight.size))
    z = design.weight * u
    totals = np.bincount(design.cluster, weights=z).astype(np.float64, copy=False)
    pi_first = design.stage_pi[0] if design.stage_pi else np.zeros(totals.size)
    stages = [_stage(totals, 1.0 - pi_first, design.stratum, 1.0, lonely)]
    if len(design.stage_pi) == 2:
        inside = _stage(z, 1.0 - design.stage_pi[1], design.cluster, pi_first, lonely)
        certain = pi_first[design.cluster] >= 1
        sampled_inside = certain & (design.stage_pi[1] < 1)
        df = int(sampled_inside.sum()) - np.unique(design.cluster[sampled_inside]).size
        stages.append(_Stage(inside.variance, df, inside.lonely))
    alone = sum(stage.lonely for stage in stages)
    if alone and lonely == "refuse":
        return lonely_refusal(alone)
    return sum(stage.variance for stage in stages), sum(stage.df for stage in stages)


def finite_column(values: ArrayLike, n: int) -> _Floats:
    """Give numbers, one per row, or refuse missing and infinite ones by name."""
    array = sized(np.asarray(values, dtype=np.float64), n, "values")
    if not np.isfinite(array).all():
        raise DataError(
            "stats.value-not-finite",
            f"{int((~np.isfinite(array)).sum())} values are missing or not finite",
            expected="a finite number for every row of the domain",
            fix="domain=np.isfinite(values)",
        )
    return array


def codes_of(labels: ArrayLike, n: int, what: str) -> _Ints:
    """Give labels, one per row, as codes 0, 1, 2, …"""
    return np.unique(sized(np.asarray(labels), n, what), return_inverse=True)[1]


def sized(array: NDArray[Any], n: int, what: str) -> NDArray[Any]:
    """Refuse an array that has not one entry per row."""
    if array.shape != (n,):
        raise DataError("stats.length-mismatch", f"{what} has {array.size} entries", expected=f"{n}, one per row")
    return array


def lonely_refusal(count: int) -> NotEstimable:
    """Say that single sampled units show no spread."""
    return NotEstimable(
        reason=f"{count} strata or clusters have a single sampled unit",
        needs="two units in each, merged strata, or a rule for lonely units ('center' or 'certainty')",
    )


@dataclass(frozen=True, slots=True)
class _Stage:
    """What one stage of the draw adds to the variance."""

    variance: float
    df: int
    lonely: int
    """Groups in which a single unit was drawn, not with certainty."""


def _stage(z: _Floats, open_: _Floats, group: _Ints, factor: _Floats | float, lonely: LonelyRule) -> _Stage:
    """Add up the Hájek variance over groups; `open_` is 1 - π, `factor` multiplies each group's share."""
    n = np.bincount(group, weights=(open_ > 0).astype(np.float64))
    mass = np.bincount(group, weights=open_)
    center = np.bincount(group, weights=open_ * z) / np.where(mass > 0, mass, 1.0)
    alone = n == 1
    if lonely == "center":
        center = np.where(alone, z.mean(), center)
    squares = np.bincount(group, weights=open_ * (z - center[group]) ** 2)
    scale = np.where(alone, 1.0, n / np.maximum(n - 1, 1))  # alone and not centered elsewhere, its square is 0
    variance = float(np.sum(factor * scale * squares))
    return _Stage(variance, int(n.sum()) - int((n > 0).sum()), int(alone.sum()))


def _residual(design: SurveyDesign, u: _Floats) -> _Floats:
    """Take out what the known margins explain: residuals of the regression on them, with the base weights.

    Deville, J.-C. & Särndal, C.-E. (1992), JASA 87: calibrated totals behave like residuals from this regression.
    """
    if not design.margins:
        return u
    base = design.base_weight
    sizes = [int(codes.max()) + 1 for codes in design.margins]
    offsets = np.cumsum([0, *sizes[:-1]])
    gram = np.block(
        [
            [
                np.bincount(a * size_b + b, weights=base, minlength=size_a * size_b).reshape(size_a, size_b)
                for b, size_b in zip(design.margins, sizes, strict=True)
            ]
            for a, size_a in zip(design.margins, sizes, strict=True)
        ]
    )
    moments = np.concatenate(
        [np.bincount(a, weights=base * u, minlength=k) for a, k in zip(design.margins, sizes, strict=True)]
    )
    beta = np.linalg.lstsq(gram, moments, rcond=None)[0]
    fitted = sum(
        (beta[offset + codes] for offset, codes in zip(offsets, design.margins, strict=True)), np.zeros(u.size)
    )
    return u - fitted


def _positive(weight: ArrayLike) -> _Floats:
    array = np.asarray(weight, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise DataError("stats.empty", "the sample has no rows", expected="at least 1 weight")
    if not (np.isfinite(array) & (array > 0)).all():
        raise DataError(
            "stats.weight-not-positive",
            "a weight is 0, negative or missing",
            expected="a finite weight above 0 per row",
        )
    return array


def _probability(pi: ArrayLike | None) -> _Floats:
    array = np.asarray(pi, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise DataError("stats.empty", "the sample has no rows", expected="at least 1 inclusion probability")
    if not ((array > 0) & (array <= 1)).all():
        raise DataError(
            "stats.pi-out-of-range",
            "an inclusion probability is 0, missing or above 1",
            expected="a number in (0, 1] on every row",
            fix="take π from the draw; a row that could not be drawn cannot speak for the population",
        )
    return array
