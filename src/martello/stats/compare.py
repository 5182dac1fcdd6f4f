"""Comparison of two models on the same units.

Here lives what is paired: differences of unit losses, of metrics and of right-or-wrong answers, each with an interval
that respects weights and clusters. Comparing two groups of different units is `experiment`'s work and not done here.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import stats

from martello.errors import DataError
from martello.stats.areas import draw_masses
from martello.stats.bootstrap import bootstrap_values
from martello.stats.checks import (
    Floats,
    check_codes,
    check_design,
    check_flags,
    check_level,
    check_numbers,
    check_probabilities,
    check_same_length,
    check_scores_by_class,
)
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import Linearized, mean_estimate, symmetric_interval
from martello.stats.metrics import lacking_class, metric_named

__all__ = ["McNemar", "mcnemar", "paired_difference", "paired_metric_difference", "unit_losses"]


def paired_difference(
    loss_a: npt.ArrayLike,
    loss_b: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate | NotEstimable:
    """Estimate the mean of loss_a - loss_b; below 0 means that a is better.

    Parameters
    ----------
    loss_a, loss_b
        Loss of each model on each unit, shape (n,), rows in the same order.
    weight, cluster, level
        As for `mean_estimate`.

    Assumptions
    -----------
    Both models answered the same units; clusters are independent draws.

    Guarantee
    ---------
    Asymptotic coverage `level` (Student's t on the differences, by cluster).

    References
    ----------
    Diebold, F. X. and Mariano, R. S. (1995), Journal of Business & Economic Statistics 13, 253–263, without their lags.

    Examples
    --------
    >>> print(paired_difference([0.1, 0.4, 0.2, 0.3], [0.2, 0.6, 0.3, 0.3]))
    -0.100 (-0.230 to 0.030)
    """
    a, b = check_numbers(loss_a, where="loss_a"), check_numbers(loss_b, where="loss_b")
    check_same_length(loss_a=a, loss_b=b)
    return mean_estimate(a - b, weight=weight, cluster=cluster, level=level)


def paired_metric_difference(
    name: str,
    truth: npt.ArrayLike,
    score_a: npt.ArrayLike,
    score_b: npt.ArrayLike,
    *,
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
    seed: int,
    resamples: int = 400,
) -> Estimate | NotEstimable:
    """Estimate metric(a) - metric(b) of two models' scores on the same units.

    Parameters
    ----------
    name
        A key of `METRICS`.
    truth
        Whether each unit is positive, shape (n,).
    score_a, score_b
        Scores of the two models, shape (n,).
    weight, cluster, level
        As for `mean_estimate`.
    seed, resamples
        Of the bootstrap, which redraws clusters and takes both models' metrics from the same redrawn units.

    Assumptions
    -----------
    Clusters are independent draws; each class was seen in at least 2 of them.

    Guarantee
    ---------
    Asymptotic coverage `level` (bootstrap standard error, Student's t by the draws of the rarer class).

    References
    ----------
    Davison and Hinkley (1997), §5.2.

    Examples
    --------
    >>> truth, a, b = [0, 0, 1, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.2, 0.9], [0.3, 0.2, 0.4, 0.7, 0.6, 0.8]
    >>> found = paired_metric_difference("roc_auc", truth, a, b, seed=1)
    >>> found.low < found.value == 0.0 < found.high
    True
    """
    metric = metric_named(name)
    check_level(level)
    check = check_probabilities if metric.needs_probability else check_numbers
    true, a, b = check_flags(truth), check(score_a, where="score_a"), check(score_b, where="score_b")
    n = check_same_length(truth=true, score_a=a, score_b=b)
    design = check_design(n, weight, cluster)
    if metric.needs_both_classes and (lacking := lacking_class(true, design)):
        return lacking
    of_a, of_b = metric.prepare(true, a), metric.prepare(true, b)

    def difference(weights: npt.NDArray[np.number]) -> Floats:
        return of_a(weights) - of_b(weights)

    classes = (true, ~true) if metric.needs_both_classes else (np.ones(n, dtype=np.bool_),)
    redrawn = bootstrap_values(difference, design, resamples=resamples, seed=seed)
    found = Linearized(
        value=float(difference(design.weights()[None])[0]),
        variance=float(np.nanvar(redrawn, ddof=1)),
        n=n,
        n_clusters=min(int(np.count_nonzero(draw_masses(rows, design))) for rows in classes),
        equivalent_n=float(n),
        simple_variance=0.0,
    )
    return symmetric_interval(found, level=level)


class McNemar(msgspec.Struct, frozen=True, kw_only=True):
    """Two models' right and wrong answers on the same units.

    Attributes
    ----------
    only_a_right, only_b_right
        Units that exactly one of the two got right.
    p_value
        Exact two-sided chance of a split at least this uneven if both were equally often right.
    difference
        Share right of a minus share right of b.
    """

    only_a_right: int
    only_b_right: int
    p_value: float
    difference: Estimate


def mcnemar(right_a: npt.ArrayLike, right_b: npt.ArrayLike, *, level: float = 0.95) -> McNemar:
    """Test whether two models are right equally often on the same units.

    Parameters
    ----------
    right_a, right_b
        Whether each model was right on each unit, shape (n,).
    level
        Confidence of the interval of the difference.

    Assumptions
    -----------
    Units are independent draws of equal weight.

    Guarantee
    ---------
    The test is exact: it errs at most at its level for every n. The interval (Bonett–Price) covers about `level` from
    n = 10.

    References
    ----------
    McNemar, Q. (1947), Psychometrika 12, 153–157; Bonett, D. G. and Price, R. M. (2012), Journal of Educational and
    Behavioral Statistics 37, 479–488.

    Examples
    --------
    >>> found = mcnemar([1, 1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 1, 0, 0, 0, 0])
    >>> found.only_a_right, found.only_b_right, found.p_value
    (6, 0, 0.03125)
    """
    a, b = check_flags(right_a, where="right_a"), check_flags(right_b, where="right_b")
    n = check_same_length(right_a=a, right_b=b)
    check_level(level)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    discordant = only_a + only_b
    p_value = float(stats.binomtest(only_a, discordant).pvalue) if discordant else 1.0
    # one pseudo-unit on each discordant side keeps the width above 0 when the models never differ
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    center = share_a - share_b
    half = float(stats.norm.ppf(0.5 + level / 2)) * np.sqrt((share_a + share_b - center**2) / (n + 2))
    difference = Estimate(
        value=(only_a - only_b) / n,
        low=max(center - half, -1.0),
        high=min(center + half, 1.0),
        level=level,
        n=n,
        method="Bonett–Price",
        effective_n=float(n),
    )
    return McNemar(only_a_right=only_a, only_b_right=only_b, p_value=p_value, difference=difference)


def unit_losses(truth_codes: npt.ArrayLike, scores: npt.ArrayLike, *, metric: str = "log_loss") -> Floats:
    """Give each unit's loss from its class probabilities, shape (n,).

    Parameters
    ----------
    truth_codes
        Class of each unit as a code in 0..K-1, shape (n,).
    scores
        Probability of each class, shape (n, K), K at least 2.
    metric
        ``log_loss`` or ``brier``.

    Assumptions
    -----------
    Columns of the scores are in the order of the codes.

    Guarantee
    ---------
    The weighted mean of the losses equals scikit-learn's `log_loss`, and `brier_score_loss` (halved for two classes).

    References
    ----------
    Good (1952); Brier (1950).

    Examples
    --------
    >>> unit_losses([1, 0], [[0.2, 0.8], [0.7, 0.3]], metric="brier_score").round(4).tolist()
    [0.04, 0.09]
    """
    table = check_scores_by_class(scores)
    codes = check_codes(truth_codes, table.shape[1], where="truth_codes")
    check_same_length(truth_codes=codes, scores=table)
    rows = np.arange(len(codes))
    if metric == "log_loss":
        edge = np.finfo(np.float64).eps
        return np.asarray(-np.log(np.clip(table[rows, codes], edge, 1 - edge)), dtype=np.float64)
    if metric != "brier_score":
        raise DataError(
            "stats.unknown-metric",
            f"there is no unit loss called {metric!r}",
            where="metric",
            expected="log_loss or brier",
        )
    squares: Floats = np.sum(table**2, axis=1) - 2 * table[rows, codes] + 1
    return squares / 2 if table.shape[1] == 2 else squares
