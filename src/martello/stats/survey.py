"""Population totals, means and ratios from a sample whose design is known, with their design-based intervals.

Input are values per sampled row and a `SurveyDesign` of `martello.stats.linearization`; output is an `Estimate` with
linearized (Taylor) error and Student's t. Errors by leaving clusters out are `replication`'s; weights that agree with
known population margins are `weighting`'s. Nothing here draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.linearization import LonelyRule, SurveyDesign, finite_column, sized, survey_variance

__all__ = ["design_effect", "survey_mean", "survey_ratio", "survey_total"]

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]


def survey_total(
    design: SurveyDesign,
    values: ArrayLike,
    *,
    domain: ArrayLike | None = None,
    level: float = 0.95,
    lonely: LonelyRule = "refuse",
) -> Estimate | NotEstimable:
    """Estimate the population total of a value (Horvitz–Thompson).

    Parameters
    ----------
    values
        One number per row, shape (n,); finite inside the domain.
    domain
        Rows the question is about, booleans of shape (n,); None: all. Rows outside stay in the design, as they must.
    level
        Confidence, in (0, 1).
    lonely
        Rule for strata with a single sampled cluster.

    Raises
    ------
    DataError
        ``stats.value-not-finite``, ``stats.length-mismatch``, ``stats.level-out-of-range``.

    Assumptions
    -----------
    A probability sample with the recorded π; enough clusters for Student's t, with clusters minus strata degrees of
    freedom.

    Guarantee
    ---------
    Unbiased; the interval holds the population value in about `level` of draws
    (tests/guarantees/test_survey_guarantees.py).

    References
    ----------
    Horvitz & Thompson (1952). Hájek (1964). Särndal, Swensson & Wretman (1992), §2.8, §4.3.

    Examples
    --------
    >>> from martello.stats.linearization import survey_design
    >>> str(survey_total(survey_design(pi=[0.5] * 4), [1.0, 2.0, 3.0, 4.0]))
    '20.000 (3.566 to 36.434)'
    """
    rows, y, _ = _columns(design, domain, values)
    total = float(design.weight @ y)
    spread = _spread(design, y, np.abs(y), int(rows.sum()), lonely)
    return (
        spread
        if isinstance(spread, NotEstimable)
        else t_interval(total, spread, int(rows.sum()), level, "linearized total")
    )


def survey_mean(
    design: SurveyDesign,
    values: ArrayLike,
    *,
    domain: ArrayLike | None = None,
    level: float = 0.95,
    lonely: LonelyRule = "refuse",
) -> Estimate | NotEstimable:
    """Estimate the population mean of a value, over all units or a domain (Hájek).

    Parameters and errors are those of `survey_total`.

    Assumptions
    -----------
    As `survey_total`; the estimated count in the denominator is not close to 0.

    Guarantee
    ---------
    Nearly unbiased (bias of order 1/n); interval as `survey_total`. `effective_n` is the size of a simple random sample
    with replacement that would be as precise. Refuses when all values are equal: they show no spread.

    References
    ----------
    Hájek, J. (1971). Binder, D. A. (1983). International Statistical Review 51 (linearization).

    Examples
    --------
    >>> from martello.stats.linearization import survey_design
    >>> design = survey_design(pi=[0.1, 0.1, 0.5, 0.5], stratum=["a", "a", "b", "b"])
    >>> str(survey_mean(design, [3.0, 5.0, 1.0, 2.0]))
    '3.583 (-0.020 to 7.187)'
    """
    return _ratio(design, values, np.ones(design.weight.size), domain, level, lonely, "linearized mean")


def survey_ratio(
    design: SurveyDesign,
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    domain: ArrayLike | None = None,
    level: float = 0.95,
    lonely: LonelyRule = "refuse",
) -> Estimate | NotEstimable:
    """Estimate the ratio of two population totals, such as clicks per impression shown.

    Parameters and errors are those of `survey_total`.

    Assumptions
    -----------
    As `survey_mean`.

    Guarantee
    ---------
    As `survey_mean`; refuses when the estimated denominator is 0.

    References
    ----------
    Särndal, Swensson & Wretman (1992), §5.6.

    Examples
    --------
    >>> from martello.stats.linearization import survey_design
    >>> str(survey_ratio(survey_design(pi=[0.5] * 4), [1.0, 2.0, 2.0, 4.0], [2.0, 4.0, 5.0, 8.0]))
    '0.474 (0.389 to 0.559)'
    """
    return _ratio(design, numerator, denominator, domain, level, lonely, "linearized ratio")


def design_effect(estimate: Estimate | NotEstimable) -> float | NotEstimable:
    """Give how many times larger the variance is than that of as many rows drawn simply, with replacement.

    Assumptions
    -----------
    The estimate comes from `survey_mean` or `survey_ratio`.

    Guarantee
    ---------
    n / effective_n; for clusters of size b with intraclass correlation rho about 1 + (b - 1) rho.

    References
    ----------
    Kish, L. (1965). Survey Sampling, §8.2 (deft²).

    Examples
    --------
    >>> from martello.stats.linearization import survey_design
    >>> round(design_effect(survey_mean(survey_design(weight=[1.0, 1.0, 4.0]), [0.0, 1.0, 2.0])), 3)
    0.929
    """
    if isinstance(estimate, NotEstimable):
        return estimate
    if estimate.effective_n is None:
        return NotEstimable(reason="the estimate has no effective sample size", needs="a mean or ratio from a sample")
    return estimate.n / estimate.effective_n


def t_interval(
    value: float, spread: tuple[float, int], n: int, level: float, method: str, effective_n: float | None = None
) -> Estimate:
    """Give the Student interval for a value with this variance and these degrees of freedom."""
    if not 0 < level < 1:
        raise DataError(
            "stats.level-out-of-range", f"level is {level}, not a confidence", expected="a number in (0, 1)"
        )
    variance, df = spread
    half = float(special.stdtrit(df, 0.5 + level / 2)) * variance**0.5 if variance > 0 else 0.0
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        level=level,
        n=n,
        method=f"{method}, t with {df} df",
        effective_n=effective_n,
    )


def _ratio(
    design: SurveyDesign,
    numerator: ArrayLike,
    denominator: ArrayLike,
    domain: ArrayLike | None,
    level: float,
    lonely: LonelyRule,
    method: str,
) -> Estimate | NotEstimable:
    rows, y, x = _columns(design, domain, numerator, denominator)
    w = design.weight
    total_x = float(w @ x)
    if total_x == 0:
        return NotEstimable(reason="the estimated denominator is 0", needs="sampled units with a denominator above 0")
    ratio = float(w @ y) / total_x
    influence = (y - ratio * x) / total_x
    n = int(rows.sum())
    spread = _spread(design, influence, (np.abs(y) + abs(ratio) * np.abs(x)) / abs(total_x), n, lonely)
    if isinstance(spread, NotEstimable):
        return spread
    # The variance that n rows drawn simply would have: that of the influence, scaled to a mean.
    simple = float(w @ influence**2) * float(w[rows].sum()) * n / max(n - 1, 1)
    return t_interval(ratio, spread, n, level, method, simple / spread[0] if spread[0] > 0 else None)


def _spread(
    design: SurveyDesign, influence: _Floats, magnitude: _Floats, n: int, lonely: LonelyRule
) -> tuple[float, int] | NotEstimable:
    """Give variance and degrees of freedom, or refuse where the sample cannot show any."""
    if n == 0:
        return NotEstimable(reason="no sampled unit is in the domain", needs="at least 2 sampled units in it")
    found = survey_variance(design, influence, lonely=lonely)
    if isinstance(found, NotEstimable):
        return found
    variance, df = found
    if design.stage_pi and all((pi >= 1).all() for pi in design.stage_pi):
        return found  # a census has no sampling error
    if df < 1:
        return NotEstimable(reason="one sampled cluster per stratum", needs="at least 2 clusters in some stratum")
    # Equal values leave rounding noise only. So does a total that the margins fix, which needs no sample.
    if variance <= 1e-20 * float(np.sum((design.weight * magnitude) ** 2)):
        return NotEstimable(
            reason="all sampled units agree, so the sample shows no spread",
            needs="an exact interval (binomial), or more units",
        )
    return found


def _columns(design: SurveyDesign, domain: ArrayLike | None, *columns: ArrayLike) -> tuple[_Bools, _Floats, _Floats]:
    n = design.weight.size
    rows = np.ones(n, dtype=bool) if domain is None else np.asarray(domain, dtype=bool)
    sized(rows, n, "domain")
    whole = [sized(np.asarray(column, dtype=np.float64), n, "values") for column in columns]
    clean = [finite_column(np.where(rows, column, 0.0), n) for column in whole]
    return rows, clean[0], clean[-1]
