"""What another policy would have earned, from a log of one that drew its actions at random and wrote down how.

Inputs are rewards, the logged propensities and the other policy's probability of the logged action; a model of the
reward may help (doubly robust, switch). Where the log holds too little of what that policy does, there is no number.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from martello.errors import DataError
from martello.stats.checks import check_level, check_numbers
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.weighting import kish_effective_n

__all__ = [
    "doubly_robust_value",
    "importance_weights",
    "ips_value",
    "snips_value",
    "switch_value",
    "weights_refusal",
]

_Floats = NDArray[np.float64]

#: Below so many effective rows, or this share of them, or with one row heavier than this, a value is refused.
LEAST_EFFECTIVE, LEAST_SHARE, HEAVIEST = 100.0, 0.01, 0.05


def importance_weights(propensity: ArrayLike, target: ArrayLike) -> _Floats:
    """Give how much more often the target policy would have taken each logged action.

    Parameters
    ----------
    propensity
        Probability with which the logging policy took the logged action, in (0, 1], shape (n,).
    target
        Probability with which the target policy takes that action there, in [0, 1], shape (n,).

    Raises
    ------
    DataError
        ``stats.propensity-out-of-range``, ``stats.length-mismatch`` and faults of columns.

    Assumptions
    -----------
    Propensities are those that were drawn with, not fitted afterwards.

    Guarantee
    ---------
    target / propensity; their mean is 1 in expectation when the log can take every action the target takes.

    References
    ----------
    Horvitz & Thompson (1952); Bottou et al. (2013), JMLR 14, §4.

    Examples
    --------
    >>> importance_weights([0.5, 0.25], [1.0, 0.0]).tolist()
    [2.0, 0.0]
    """
    p, q = check_numbers(propensity, where="propensity"), check_numbers(target, where="target")
    _check_equal(p, q)
    for column, wrong, name in ((p, ~((p > 0) & (p <= 1)), "propensity"), (q, ~((q >= 0) & (q <= 1)), "target")):
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                "stats.propensity-out-of-range",
                f"{name} of row {row} is {column[row]:g}",
                where=f"{name}, row {row}",
                expected="a probability; above 0 for the action that was taken",
            )
    return np.asarray(q / p, dtype=np.float64)


def weights_refusal(weight: ArrayLike) -> NotEstimable | None:
    """Say why a log cannot speak for the target policy, if it cannot.

    Parameters
    ----------
    weight
        From `importance_weights`, shape (n,).

    Assumptions
    -----------
    As `importance_weights`.

    Guarantee
    ---------
    Refuses under max(100, 1 %) effective rows, where one row has more than 5 % of all weight, and where the mean weight
    is not 1 by 3 standard errors: then propensities are wrong, or the log never takes what the target would.

    References
    ----------
    Owen (2013), Monte Carlo Theory, Methods and Examples, §9.3.

    Examples
    --------
    >>> print(weights_refusal([1.0] * 50))
    not estimable: for this policy 50 rows are worth 50; needs 100 effective rows: about 100 rows of such a log,
    or a log that explores more
    """
    w = np.asarray(weight, dtype=np.float64)
    n = len(w)
    needed = max(LEAST_EFFECTIVE, LEAST_SHARE * n)
    effective = kish_effective_n(w) if w.any() else 0.0
    if effective < needed:
        rows = f"about {math.ceil(n * needed / effective):,} rows of such a log, or " if effective else ""
        return NotEstimable(
            reason=f"for this policy {n:,} rows are worth {effective:,.0f}",
            needs=f"{needed:,.0f} effective rows: {rows}a log that explores more",
        )
    if w.max() > HEAVIEST * w.sum():
        return NotEstimable(
            reason=f"one row of {n:,} carries {w.max() / w.sum():.0%} of the weight", needs="a log that explores more"
        )
    if abs(w.mean() - 1) > 3 * w.std(ddof=1) / math.sqrt(n) + 1e-9:
        return NotEstimable(
            reason=f"weights average {w.mean():.3f}, not 1",
            needs="propensities as they were drawn with, and a log that can take every action of the policy",
        )
    return None


def ips_value(reward: ArrayLike, weight: ArrayLike, *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give the target policy's mean reward by inverse propensity scores.

    Parameters
    ----------
    reward
        Of each logged row, shape (n,).
    weight
        From `importance_weights`, shape (n,).

    Raises
    ------
    DataError
        ``stats.length-mismatch``, ``stats.level-out-of-range`` and faults of columns.

    Assumptions
    -----------
    Rows are independent; rewards depend on the row's action, not on other rows; as `importance_weights`.

    Guarantee
    ---------
    Unbiased. Rewards of at least 0 get an interval of a gamma distribution moved up by the heaviest row, which holds
    for rare rewards, too; others a normal one. Refuses as `weights_refusal`, and without any reward.

    References
    ----------
    Horvitz & Thompson (1952), JASA 47; interval: Fay & Feuer (1997), Statistics in Medicine 16.

    Examples
    --------
    >>> reward = np.tile([1.0, 0.0, 0.0, 0.0], 500)
    >>> print(ips_value(reward, np.tile([1.5, 0.5, 1.0, 1.0], 500)))
    0.375 (0.347 to 0.405)
    """
    r, w = _columns(reward, weight)
    refusal = weights_refusal(w)
    return refusal or _mean_of(w * r, level, "IPS", kish_effective_n(w))


def snips_value(reward: ArrayLike, weight: ArrayLike, *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give the target policy's mean reward by self-normalized inverse propensity scores.

    Parameters
    ----------
    reward, weight
        As `ips_value`.

    Raises
    ------
    DataError
        As `ips_value`.

    Assumptions
    -----------
    As `ips_value`.

    Guarantee
    ---------
    Consistent, a mean of the rewards seen, and less variable where weights vary; otherwise as `ips_value`.

    References
    ----------
    Swaminathan & Joachims (2015), "The self-normalized estimator for counterfactual learning", NeurIPS.

    Examples
    --------
    >>> reward = np.tile([1.0, 0.0, 0.0, 0.0], 500)
    >>> print(snips_value(reward, np.tile([1.5, 0.5, 1.0, 1.0], 500)))
    0.375 (0.351 to 0.400)
    """
    r, w = _columns(reward, weight)
    refusal = weights_refusal(w)
    if refusal:
        return refusal
    value = float(w @ r / w.sum())
    error = math.sqrt(float(np.sum((w * (r - value)) ** 2))) / float(w.sum())
    heaviest = float(np.max(w * np.abs(r)) / w.sum())
    return _interval(value, error, heaviest, r, level, "SNIPS", kish_effective_n(w))


def doubly_robust_value(
    reward: ArrayLike, weight: ArrayLike, fitted: ArrayLike, fitted_target: ArrayLike, *, level: float = 0.95
) -> Estimate | NotEstimable:
    """Give the target policy's mean reward from a model of the reward, corrected by what the log says of its errors.

    Parameters
    ----------
    reward, weight
        As `ips_value`.
    fitted
        The model's reward of the logged action, shape (n,).
    fitted_target
        The model's reward averaged over the target policy's actions, shape (n,).

    Raises
    ------
    DataError
        As `ips_value`.

    Assumptions
    -----------
    As `ips_value`; the model was not fitted on the row it speaks of (cross-fitting).

    Guarantee
    ---------
    Unbiased for right propensities however bad the model, and less variable the better it is; normal interval. Refuses
    as `weights_refusal`.

    References
    ----------
    Dudík, Langford & Li (2011), "Doubly robust policy evaluation and learning", ICML.

    Examples
    --------
    >>> reward, weight = np.tile([1.0, 0.0, 0.0, 0.0], 500), np.tile([1.5, 0.5, 1.0, 1.0], 500)
    >>> print(doubly_robust_value(reward, weight, reward * 0.9, np.full(2000, 0.34)))
    0.378 (0.375 to 0.380)
    """
    r, w = _columns(reward, weight)
    fit, ahead = _columns(fitted, fitted_target)
    _check_equal(r, fit)
    refusal = weights_refusal(w)
    return refusal or _mean_of(ahead + w * (r - fit), level, "doubly robust", kish_effective_n(w), is_signed=True)


def switch_value(
    reward: ArrayLike,
    weight: ArrayLike,
    fitted: ArrayLike,
    fitted_target: ArrayLike,
    fitted_rare: ArrayLike,
    *,
    most: float,
    level: float = 0.95,
) -> Estimate | NotEstimable:
    """Give the target's mean reward, trusting the model alone for actions whose weight would exceed a limit.

    Parameters
    ----------
    reward, weight, fitted, fitted_target
        As `doubly_robust_value`.
    fitted_rare
        The part of `fitted_target` that comes from actions with a weight above the limit, shape (n,).
    most
        The limit.

    Raises
    ------
    DataError
        As `ips_value`.

    Assumptions
    -----------
    As `doubly_robust_value`; the model is right about the actions above the limit: their error is a bias that the
    interval does not hold.

    Guarantee
    ---------
    As `doubly_robust_value` where no weight exceeds the limit. Refuses when the actions above the limit make up more
    than half of the fitted reward: then it is the model's number, not the log's.

    References
    ----------
    Wang, Agarwal & Dudík (2017), "Optimal and adaptive off-policy evaluation in contextual bandits", ICML.

    Examples
    --------
    >>> reward, weight = np.tile([1.0, 0.0, 0.0, 0.0], 500), np.tile([1.5, 0.5, 1.0, 1.0], 500)
    >>> print(switch_value(reward, weight, reward * 0.9, np.full(2000, 0.34), np.zeros(2000), most=10))
    0.378 (0.375 to 0.380)
    """
    r, w = _columns(reward, weight)
    fit, ahead = _columns(fitted, fitted_target)
    rare, _ = _columns(fitted_rare, fit)
    _check_equal(r, fit)
    kept = np.where(w <= most, w, 0.0)
    if abs(float(rare.sum())) > 0.5 * abs(float(ahead.sum())):
        return NotEstimable(
            reason=f"most of the value comes from actions with a weight above {most:g}", needs="a log that takes them"
        )
    effective = kish_effective_n(kept) if kept.any() else 0.0
    needed = max(LEAST_EFFECTIVE, LEAST_SHARE * len(w))
    if effective < needed:
        return NotEstimable(reason=f"{len(w):,} rows are worth {effective:,.0f}", needs=f"{needed:,.0f} effective rows")
    return _mean_of(ahead + kept * (r - fit), level, "switch", effective, is_signed=True)


def _mean_of(
    parts: _Floats, level: float, method: str, effective: float, *, is_signed: bool = False
) -> Estimate | NotEstimable:
    n = len(parts)
    error = float(parts.std(ddof=1)) / math.sqrt(n)
    signed = parts if not is_signed else np.array([-1.0])
    return _interval(float(parts.mean()), error, float(np.abs(parts).max()) / n, signed, level, method, effective, n=n)


def _interval(
    value: float,
    error: float,
    heaviest: float,
    rewards: _Floats,
    level: float,
    method: str,
    effective: float,
    *,
    n: int | None = None,
) -> Estimate | NotEstimable:
    check_level(level)
    tail = (1 - level) / 2
    if error == 0:
        return NotEstimable(reason="no reward differs from another", needs="rows with a reward")
    if (rewards < 0).any():
        half = float(special.ndtri(1 - tail)) * error
        low, high = value - half, value + half
    else:
        low, high = _gamma_end(value, error**2, tail), _gamma_end(value + heaviest, error**2 + heaviest**2, 1 - tail)
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=len(rewards) if n is None else n,
        method=method,
        effective_n=effective,
    )


def _gamma_end(mean: float, variance: float, chance: float) -> float:
    return float(special.gammaincinv(mean**2 / variance, chance)) * variance / mean


def _columns(first: ArrayLike, second: ArrayLike) -> tuple[_Floats, _Floats]:
    a, b = check_numbers(first, where="reward"), check_numbers(second, where="weight")
    _check_equal(a, b)
    return a, b


def _check_equal(a: _Floats, b: _Floats) -> None:
    if len(a) != len(b):
        raise DataError("stats.length-mismatch", f"columns of {len(a)} and {len(b)} rows", expected="equal lengths")
