"""Intervals for proportions, means and ratios, with or without weights and clusters.

Here lives the arithmetic that every other estimator of evaluation stands on: the exact binomial interval, the
linearized (cluster-robust) variance of a ratio, and the two ways to turn a value with a variance into an interval.
Strata and finite populations are the survey module's; resampling is `bootstrap`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from martello.errors import DataError
from martello.stats.checks import Bools, Design, Floats, check_design, check_level, check_numbers, check_same_length
from martello.stats.estimate import Estimate, NotEstimable

__all__ = [
    "Linearized",
    "bounded_interval",
    "linearized_ratio",
    "linearized_value",
    "mean_estimate",
    "proportion_interval",
    "ratio_estimate",
    "symmetric_interval",
]


@dataclass(frozen=True, slots=True)
class Linearized:
    """A smooth statistic to first order: its value, its variance, and what they stand on.

    Attributes
    ----------
    value, variance
        Point value and the linearized variance of it.
    n
        Rows with positive weight that carry information on the value.
    n_clusters
        Independent draws among them; the degrees of freedom are one less.
    equivalent_n
        Kish's effective size over the draws, `(sum W)^2 / sum W^2` with W a draw's weight: what is left when rows of
        one draw are taken as copies of each other.
    simple_variance
        The variance that the same values would have had in a simple random sample of n rows.
    """

    value: float
    variance: float
    n: int
    n_clusters: int
    equivalent_n: float
    simple_variance: float

    @property
    def effective_n(self) -> float:
        """Sample size divided by the design effect; Kish's size when there is no spread to see it from."""
        if self.variance <= 0:
            return self.equivalent_n
        return self.n * self.simple_variance / self.variance


def proportion_interval(successes: int, n: int, *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give the exact two-sided interval for a proportion from a simple random sample.

    Assumptions
    -----------
    The n units are independent draws, each a success with the same unknown probability.

    Guarantee
    ---------
    Clopper–Pearson: covers the true proportion in at least `level` of samples, whatever it is and however small n, and
    errs at most (1 - level)/2 on each side.

    References
    ----------
    Clopper, C. J. and Pearson, E. S. (1934), Biometrika 26, 404–413.

    Examples
    --------
    >>> print(proportion_interval(170, 200, level=0.90))
    0.850 (0.802 to 0.890)
    >>> print(proportion_interval(0, 0))
    not estimable: there is no unit to take the share of; needs at least 1 unit
    """
    check_level(level)
    if not 0 <= successes <= n:
        raise DataError(
            "stats.count-out-of-range",
            f"{successes} successes in {n} units",
            where="successes, n",
            expected="0 <= successes <= n",
        )
    if n == 0:
        return NotEstimable(reason="there is no unit to take the share of", needs="at least 1 unit")
    low, high = _beta_limits(float(successes), float(n), level)
    return Estimate(
        value=successes / n, low=low, high=high, level=level, n=int(n), method="Clopper–Pearson", effective_n=float(n)
    )


def mean_estimate(
    values: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate | NotEstimable:
    """Give the weighted mean with a cluster-robust interval.

    Parameters
    ----------
    values
        One number per unit, shape (n,).
    weight
        Design weights, shape (n,); equal when left out.
    cluster
        Name of the independent draw each row came in, shape (n,); each row by itself when left out.
    level
        Confidence of the two-sided interval.

    Assumptions
    -----------
    Clusters are independent draws; their number is large enough for a t approximation (about 20, more when weights
    or cluster sizes are very uneven or the values are very skewed). Values that are all the same give width 0.

    Guarantee
    ---------
    Asymptotic coverage `level`; exact for normal values of equal weight without clusters (Student's t).

    References
    ----------
    Särndal, Swensson and Wretman (1992), Model Assisted Survey Sampling, §5.5; Liang and Zeger (1986).

    Examples
    --------
    >>> print(mean_estimate([1.0, 2.0, 3.0, 4.0]))
    2.500 (0.446 to 4.554)
    >>> print(mean_estimate([1.0]))
    not estimable: one independent draw shows no spread; needs at least 2 units (or clusters)
    """
    array = check_numbers(values, where="values")
    return ratio_estimate(array, np.ones(len(array)), weight=weight, cluster=cluster, level=level)


def ratio_estimate(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate | NotEstimable:
    """Give sum(weight * numerator) / sum(weight * denominator) with a cluster-robust interval.

    Parameters
    ----------
    numerator, denominator
        One number each per unit, shape (n,); rows with denominator 0 lie outside the part of the population spoken of.
    weight, cluster, level
        As for `mean_estimate`.

    Assumptions
    -----------
    Clusters are independent draws; the denominator's total is well away from 0.

    Guarantee
    ---------
    Asymptotic coverage `level`; the value is biased by order 1/n, as every ratio is.

    References
    ----------
    Särndal, Swensson and Wretman (1992), eq. 5.6.10; Cochran (1977), Sampling Techniques, §6.

    Examples
    --------
    >>> print(ratio_estimate([1, 0, 1, 1, 0, 2], [2, 1, 2, 1, 1, 3]))
    0.500 (0.218 to 0.782)
    """
    top = check_numbers(numerator, where="numerator")
    bottom = check_numbers(denominator, where="denominator")
    n = check_same_length(numerator=top, denominator=bottom)
    check_level(level)
    found = linearized_ratio(top, bottom, check_design(n, weight, cluster))
    return found if isinstance(found, NotEstimable) else symmetric_interval(found, level=level)


def linearized_ratio(numerator: Floats, denominator: Floats, design: Design) -> Linearized | NotEstimable:
    """Linearize sum(w * numerator) / sum(w * denominator).

    Assumptions
    -----------
    Arrays are checked already; clusters are independent draws.

    Guarantee
    ---------
    The variance equals the cluster-robust one of a weighted least-squares mean with its G/(G-1) factor, G being the
    draws that carry information; consistent as G grows.

    Examples
    --------
    >>> found = linearized_ratio(np.array([1.0, 2.0, 3.0]), np.ones(3), check_design(3))
    >>> found.value, round(found.variance, 6)
    (2.0, 0.333333)
    """
    weight = design.weights()
    domain = (weight > 0) & ((numerator != 0) | (denominator != 0))
    total = float(np.sum(weight * denominator))
    if total == 0:
        return NotEstimable(reason="the denominator adds up to 0", needs="at least 1 unit it counts")
    value = float(np.sum(weight * numerator)) / total
    influence = (numerator - value * denominator) * (np.sum(weight[domain]) / total)
    return linearized_value(value, influence, design, domain)


def linearized_value(value: float, influence: Floats, design: Design, domain: Bools) -> Linearized:
    """Turn the influence of each row on a weighted statistic into its variance.

    Parameters
    ----------
    value
        The statistic.
    influence
        Its derivative by the row's share of the domain's weight, shape (n,); weighted mean 0 over the domain.
    design
        Weights and clusters of the rows.
    domain
        Rows the statistic speaks of; the others count neither as units nor as draws.

    Assumptions
    -----------
    The statistic is smooth in the weights; clusters are independent draws.

    Guarantee
    ---------
    Consistent for the variance of the statistic as the number of draws in the domain grows.

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 3.0])
    >>> linearized_value(2.0, values - 2.0, check_design(3), np.ones(3, bool)).n_clusters
    3
    """
    share = np.where(domain, design.weights(), 0.0)
    share = share / share.sum()
    draws = design.totals(share)
    n, n_clusters = int(np.count_nonzero(share)), int(np.count_nonzero(draws))
    return Linearized(
        value=value,
        variance=_corrected(float(np.sum(design.totals(share * influence) ** 2)), n_clusters),
        n=n,
        n_clusters=n_clusters,
        equivalent_n=float(1 / np.sum(draws**2)),
        simple_variance=_corrected(float(np.sum(share * influence**2)) / n, n),
    )


def symmetric_interval(
    found: Linearized, *, level: float, edges: tuple[float, float] = (-np.inf, np.inf)
) -> Estimate | NotEstimable:
    """Give value ± t * standard error, cut at the edges of what is possible.

    Assumptions
    -----------
    The statistic is near normal and its variance estimate near chi-square with draws - 1 degrees of freedom.

    Guarantee
    ---------
    Asymptotic coverage `level`.

    Examples
    --------
    >>> print(symmetric_interval(Linearized(0.5, 0.01, 100, 100, 100.0, 0.01), level=0.95))
    0.500 (0.302 to 0.698)
    """
    if found.n_clusters < 2:
        return NotEstimable(reason="one independent draw shows no spread", needs="at least 2 units (or clusters)")
    half = float(stats.t.ppf(0.5 + level / 2, found.n_clusters - 1) * np.sqrt(found.variance))
    return Estimate(
        value=found.value,
        low=max(found.value - half, edges[0]),
        high=min(found.value + half, edges[1]),
        level=level,
        n=found.n,
        method="linearized, t" if found.n == found.n_clusters else "linearized by cluster, t",
        effective_n=found.effective_n,
    )


def bounded_interval(found: Linearized, *, level: float) -> Estimate | NotEstimable:
    """Give an interval inside [0, 1] for a share or another mean of values in [0, 1].

    The value and its variance are translated into the binomial sample of equal variance, reduced for the few draws the
    variance was seen from, and Clopper–Pearson is taken there. A value of 0 or 1 shows no variance; then rows of one
    cluster count as copies of one another.

    Assumptions
    -----------
    Clusters are independent draws, two at least when there are clusters.

    Guarantee
    ---------
    Never leaves [0, 1], never has width 0; coverage at least about `level`
    (simulated in tests/guarantees/test_coverage.py).

    References
    ----------
    Korn, E. L. and Graubard, B. I. (1998), Survey Methodology 24, 193–201.

    Examples
    --------
    >>> print(bounded_interval(Linearized(1.0, 0.0, 30, 10, 10.0, 0.0), level=0.95))
    1.000 (0.692 to 1.000)
    """
    if found.n_clusters < 2 <= found.n:
        return NotEstimable(reason="all rows come from one cluster", needs="at least 2 clusters")
    size = _binomial_size(found, level)
    low, high = _beta_limits(size * found.value, size, level)
    return Estimate(
        value=found.value,
        low=min(low, found.value),
        high=max(high, found.value),
        level=level,
        n=found.n,
        method="Korn–Graubard",
        effective_n=size,
    )


def _binomial_size(found: Linearized, level: float) -> float:
    """Give the size of the binomial sample that knows as much as the linearized value does."""
    seen = found.variance > 0 and 0 < found.value < 1
    if not seen:
        return found.equivalent_n
    size = found.value * (1 - found.value) / found.variance
    tail = 0.5 + level / 2
    few_draws = float(stats.t.ppf(tail, max(found.n - 1, 1)) / stats.t.ppf(tail, found.n_clusters - 1)) ** 2
    return min(size * few_draws, float(found.n))


def _beta_limits(successes: float, n: float, level: float) -> tuple[float, float]:
    """Give the Clopper–Pearson limits, also for counts that are not whole."""
    tail = (1 - level) / 2
    low = 0.0 if successes <= 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes >= n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def _corrected(sum_of_squares: float, draws: int) -> float:
    """Multiply by G/(G-1), the correction for having centered on the sample's own mean."""
    return sum_of_squares * draws / (draws - 1) if draws > 1 else 0.0
