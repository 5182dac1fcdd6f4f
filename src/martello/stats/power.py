"""How many labels a question costs, before anyone labels: sample size, power, the smallest difference a plan can see.

Input are guesses and requirements; output are whole numbers of units, a power, or a `NotEstimable` when no number of
units will do. Levels are confidences: `level=0.95` allows an error of 0.05. What a running certification still needs is
its own matter, and so are intervals after labeling.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import optimize, special, stats

from martello.errors import DataError
from martello.stats.estimate import NotEstimable

__all__ = [
    "MAX_LABELS",
    "detectable_second_rate",
    "labels_for_auc",
    "labels_for_paired",
    "labels_for_reuse",
    "labels_for_two_rates",
    "labels_for_width",
    "power_for_auc",
    "power_for_paired",
    "power_for_two_rates",
]

MAX_LABELS = 1_000_000
"""Exact searches stop here: nobody labels more by hand, and the exact sums grow with n."""


def power_for_two_rates(first: float, second: float, n: int, *, level: float = 0.95) -> float:
    """Give the chance to see the difference of two rates with n units in each group, two-sided.

    Assumptions
    -----------
    Independent groups of n; np large enough for the normal approximation (about 10 of each outcome per group).

    Guarantee
    ---------
    Power of the unpooled z test, the far tail left out (conservative).

    References
    ----------
    Fleiss, Levin & Paik (2003). Statistical Methods for Rates and Proportions, ch. 4.

    Examples
    --------
    >>> round(power_for_two_rates(0.10, 0.11, 14_000), 2)
    0.78
    """
    check_probabilities(first=first, second=second, level=level)
    check_n(n)
    error = math.sqrt(_two_variance(first, second) / n)
    return float(special.ndtr(abs(second - first) / error - special.ndtri(0.5 + level / 2)))


def labels_for_two_rates(first: float, second: float, *, power: float = 0.8, level: float = 0.95) -> int | NotEstimable:
    """Give the units per group needed to see the difference of two rates, two-sided.

    Assumptions
    -----------
    As `power_for_two_rates`.

    Guarantee
    ---------
    (z_level + z_power)² (p1 q1 + p2 q2) / (p1 - p2)², rounded up. Clustered units: multiply by the design effect.
    Refuses at equal rates.

    References
    ----------
    As `power_for_two_rates`.

    Examples
    --------
    >>> labels_for_two_rates(0.10, 0.11)
    14749
    """
    check_probabilities(first=first, second=second, power=power, level=level)
    if first == second:
        return NotEstimable(reason="the two rates are equal", needs="the smallest difference worth seeing")
    z = special.ndtri(0.5 + level / 2) + special.ndtri(power)
    return math.ceil(z**2 * _two_variance(first, second) / (first - second) ** 2)


def detectable_second_rate(first: float, n: int, *, power: float = 0.8, level: float = 0.95) -> float | NotEstimable:
    """Give the lowest rate above `first` that n units per group tell apart from it: the minimum detectable effect.

    Assumptions
    -----------
    As `power_for_two_rates`.

    Guarantee
    ---------
    Inverse of `labels_for_two_rates`, not rounded; refuses when not even a rate near 1 would be seen.

    Examples
    --------
    >>> round(detectable_second_rate(0.10, 14_749), 4)
    0.11
    """
    check_probabilities(first=first, power=power, level=level)
    check_n(n)
    z = special.ndtri(0.5 + level / 2) + special.ndtri(power)

    def excess(second: float) -> float:
        return float((second - first) ** 2 - z**2 * _two_variance(first, second) / n)

    if excess(1.0) < 0:
        return NotEstimable(reason=f"{n} units per group see no difference from {first:g}", needs="more units")
    return float(optimize.brentq(excess, first, 1.0, xtol=1e-12))


def power_for_paired(n: int, gains: float, losses: float, *, level: float = 0.95) -> float:
    """Give the chance that McNemar's exact test tells two models apart on n units judged by both.

    Parameters
    ----------
    gains, losses
        Share of units that only the new model gets right, and only the old one; their sum is the churn.

    Assumptions
    -----------
    n independent units; two-sided.

    Guarantee
    ---------
    Exact: binomial power given the units that differ, averaged over how many do.

    References
    ----------
    McNemar (1947). Psychometrika 12. Duffy (1984). Biometrics 40 (exact power).

    Examples
    --------
    >>> round(power_for_paired(1000, 0.06, 0.03), 3)
    0.873
    """
    _check_shares(gains, losses)
    check_probabilities(level=level)
    check_n(n)
    churn = gains + losses
    reach = 10 * math.sqrt(n * churn * (1 - churn)) + 10
    differing = np.arange(max(0, int(n * churn - reach)), min(n, int(n * churn + reach)) + 1)
    # Largest count whose two-sided p-value is within the error; binom.ppf gives the first above it.
    low = stats.binom.ppf((1 - level) / 2, differing, 0.5)
    low = np.where(2 * stats.binom.cdf(low, differing, 0.5) <= 1 - level, low, low - 1)
    share = gains / churn
    reject = stats.binom.cdf(low, differing, share) + stats.binom.cdf(low, differing, 1 - share)
    return float(np.minimum(reject, 1.0) @ stats.binom.pmf(differing, n, churn))


def labels_for_paired(gains: float, losses: float, *, power: float = 0.8, level: float = 0.95) -> int | NotEstimable:
    """Give the units, judged by both models, that McNemar's exact test needs.

    Parameters
    ----------
    gains, losses
        As `power_for_paired`.

    Assumptions
    -----------
    As `power_for_paired`.

    Guarantee
    ---------
    Reaches the power by the exact calculation, one unit fewer does not; refuses at gains = losses and above
    `MAX_LABELS`.

    References
    ----------
    Connor (1987). Biometrics 43 (starting value).

    Examples
    --------
    >>> labels_for_paired(0.06, 0.03)
    830
    """
    _check_shares(gains, losses)
    check_probabilities(power=power, level=level)
    if gains == losses:
        return NotEstimable(reason="the two models gain and lose the same", needs="the smallest gain worth seeing")
    churn, gap = gains + losses, abs(gains - losses)
    two_sided = 0.5 + level / 2
    guess = normal_size(gap, math.sqrt(churn), math.sqrt(churn - gap**2), power, two_sided)
    if guess > MAX_LABELS:
        return too_many(guess)
    return _smallest(lambda n: power_for_paired(n, gains, losses, level=level) >= power, guess)


def power_for_auc(n: int, auc: float, *, prevalence: float = 0.5, level: float = 0.95) -> float:
    """Give the chance that n labels show that scores of this AUC carry any signal, one-sided against 0.5.

    Assumptions
    -----------
    Random labels with this share of positives; Hanley and McNeil's variance (exponential scores).

    Guarantee
    ---------
    Normal approximation; variance under 0.5 for the test, under `auc` for the power.

    References
    ----------
    Hanley & McNeil (1982). Radiology 143.

    Examples
    --------
    >>> round(power_for_auc(81, 0.70, level=0.99), 2)
    0.8
    """
    _check_auc(auc)
    check_probabilities(prevalence=prevalence, level=level)
    check_n(n)
    positives = prevalence * n
    if not 1 <= positives <= n - 1:
        return 0.0
    null, true = _auc_error(0.5, positives, n - positives), _auc_error(auc, positives, n - positives)
    return float(special.ndtr((auc - 0.5 - special.ndtri(level) * null) / true))


def labels_for_auc(
    auc: float, *, prevalence: float = 0.5, power: float = 0.8, level: float = 0.99
) -> int | NotEstimable:
    """Give the labels needed to show that there is a signal of this AUC at all.

    Assumptions
    -----------
    As `power_for_auc`.

    Guarantee
    ---------
    As `power_for_auc`; refuses at AUC 0.5.

    References
    ----------
    As `power_for_auc`.

    Examples
    --------
    >>> [labels_for_auc(auc) for auc in (0.60, 0.65, 0.70, 0.80)]
    [332, 146, 81, 34]
    """
    _check_auc(auc)
    check_probabilities(prevalence=prevalence, power=power, level=level)
    if auc == 0.5:
        return NotEstimable(reason="an AUC of 0.5 is no signal", needs="the smallest AUC worth finding")
    spread = math.sqrt(1 / (12 * prevalence * (1 - prevalence)))
    guess = normal_size(auc - 0.5, spread, spread, power, level)
    if guess > MAX_LABELS:
        return too_many(guess)
    return _smallest(lambda n: power_for_auc(n, auc, prevalence=prevalence, level=level) >= power, guess)


def labels_for_width(rate: float, width: float, *, level: float = 0.95) -> int | NotEstimable:
    """Give the labels after which the exact interval of a rate is at most this wide, end to end.

    Assumptions
    -----------
    Independent labels; the sample shows the guessed rate (the width is taken at the expected count).

    Guarantee
    ---------
    Smallest n whose Clopper–Pearson interval at n · rate is within the width.

    References
    ----------
    Clopper & Pearson (1934). Biometrika 26.

    Examples
    --------
    >>> labels_for_width(0.8, 0.10)
    264
    """
    check_probabilities(rate=rate, width=width, level=level)
    tail = (1 - level) / 2

    def narrow(n: int) -> bool:
        low = special.betaincinv(n * rate, n - n * rate + 1, tail)
        return bool(special.betaincinv(n * rate + 1, n - n * rate, 1 - tail) - low <= width)

    guess = 4 * special.ndtri(1 - tail) ** 2 * rate * (1 - rate) / width**2 + 2 / width
    return too_many(guess) if guess > MAX_LABELS else _smallest(narrow, guess)


def labels_for_reuse(
    tolerance: float,
    *,
    level: float = 0.95,
    queries: int = 1,
    churn: float | None = None,
    adaptive: bool = False,
) -> int:
    """Give the gold labels that let a mean, or a difference of two models, be asked again and again.

    Parameters
    ----------
    tolerance
        Largest error allowed in any answer.
    queries
        Times the gold set is asked.
    churn
        Largest share of units on which two models differ: their difference then needs far fewer labels. None: a single
        model's mean, or no knowledge of the churn.
    adaptive
        Whether each model may depend on all answers so far: queries then cost bits, not logarithms of bits.

    Assumptions
    -----------
    Independent labels; answers are pass or fail.

    Guarantee
    ---------
    With probability `level`, no answer is off by more than the tolerance (Hoeffding; with churn, Bennett, two-sided for
    two models).

    References
    ----------
    Renggli et al. (2019). Continuous integration of machine learning models with ease.ml/ci. MLSys.

    Examples
    --------
    >>> labels_for_reuse(0.01), labels_for_reuse(0.01, level=0.9999, queries=32, churn=0.1)
    (14979, 29048)
    """
    check_probabilities(tolerance=tolerance, level=level)
    check_n(queries)
    looks = queries * math.log(2) if adaptive else math.log(queries)
    error = 1 - level
    if churn is None:
        return math.ceil((looks - math.log(error)) / (2 * tolerance**2))
    check_probabilities(churn=churn)
    u = tolerance / churn
    return math.ceil((looks + math.log(4 / error)) / (churn * ((1 + u) * math.log1p(u) - u)))


def normal_size(gap: float, null_spread: float, true_spread: float, power: float, level: float) -> float:
    """Give the units at which a normal test of this one-sided level has this power."""
    return float(((special.ndtri(level) * null_spread + special.ndtri(power) * true_spread) / gap) ** 2)


def _two_variance(first: float, second: float) -> float:
    return first * (1 - first) + second * (1 - second)


def _auc_error(auc: float, positives: float, negatives: float) -> float:
    square = auc * auc
    above, below = auc / (2 - auc) - square, 2 * square / (1 + auc) - square
    spread = auc * (1 - auc) + (positives - 1) * above + (negatives - 1) * below
    return math.sqrt(spread / (positives * negatives))


def _smallest(enough: Callable[[int], bool], guess: float) -> int:
    """Give the n where `enough` turns true, searching outward from a guess."""
    high = max(1, math.ceil(guess))
    while not enough(high):
        high *= 2
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def too_many(guess: float) -> NotEstimable:
    """Say that nobody labels that many."""
    return NotEstimable(reason=f"about {guess:.2g} labels would be needed", needs="a larger difference to look for")


def check_probabilities(**given: float) -> None:
    """Refuse a rate, power or level that is not strictly between 0 and 1."""
    for name, value in given.items():
        if not 0 < value < 1:
            raise DataError(
                "stats.not-a-probability", f"{name} is {value}", expected="a number between 0 and 1, exclusive"
            )


def _check_shares(gains: float, losses: float) -> None:
    if not (gains >= 0 and losses >= 0 and 0 < gains + losses <= 1):
        raise DataError(
            "stats.not-a-probability",
            f"gains {gains} and losses {losses} are not shares of the units",
            expected="two numbers of at least 0 that add up to at most 1",
        )


def _check_auc(auc: float) -> None:
    if not 0.5 <= auc < 1:
        raise DataError("stats.auc-out-of-range", f"auc is {auc}", expected="a number from 0.5 to below 1")


def check_n(n: int) -> None:
    """Refuse a plan without units."""
    if n < 1:
        raise DataError("stats.sample-size", f"{n} units say nothing", expected="at least 1")
