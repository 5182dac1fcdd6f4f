"""The exact 0/1 e-value: evidence that a share is above, or below, a requirement, from yes/no labels alone.

Here live the gap-mixture e-value (independent labels, or drawn without replacement from a pool of known size), its
anytime p-value and its confidence sequence. Its exact error rates and the sharper bars of a declared budget are in
`martello.stats.label_budget`; evidence from score-weighted draws is in `martello.stats.martingale`. Labels come in as
counts, because the evidence depends on them only through how many there were and how many said yes.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, logsumexp

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.sequence_interval import sequence_interval

__all__ = ["Side", "anytime_p_value", "count_confidence_sequence", "count_evidence", "pool_counts"]

Side = Literal["ship", "refuse"]
SIDES: tuple[Side, Side] = ("ship", "refuse")
Floats = NDArray[np.float64]

# Gaps to bet on, in standard deviations of one label: .01 to .19 at a requirement of .80. A smaller gap takes more than
# 10,000 labels, so no bet is spent on it; a wider one is decided in a few dozen by the widest of these.
GAPS = np.geomspace(0.025, 0.475, 8)


def count_evidence(
    n_yes: ArrayLike,
    n_labeled: ArrayLike,
    requirement: float,
    *,
    side: Side = "ship",
    pool_size: int | None = None,
) -> Floats:
    """Give the logarithm of the e-value for "the share is at least the requirement" (ship) or below it (refuse).

    Parameters
    ----------
    n_yes, n_labeled
        Counts of labels that said yes and of all labels; arrays broadcast, so a whole path can be given at once.
    requirement
        The share m that is asked for, in (0, 1).
    side
        ``ship`` collects evidence against "the share is below m"; ``refuse`` against "the share is at least m".
    pool_size
        Units in the pool when labels are drawn from it without replacement; None for independent labels.

    Assumptions
    -----------
    Labels are independent with one share of yes, or a simple random sequence without replacement from `pool_size`
    units.

    Guarantee
    ---------
    While the hypothesis argued against is true, the e-value ever reaches 1/a with probability at most a (Ville 1939),
    whenever and for whatever reason labelling stops. When the pool is exhausted, or its rest cannot change the answer,
    the evidence is plus or minus infinity.

    References
    ----------
    Ville 1939; Robbins 1970; Waudby-Smith & Ramdas, NeurIPS 2020 (without replacement), section 2.

    Examples
    --------
    >>> round(float(np.exp(count_evidence(90, 100, 0.80))), 2)
    11.23
    >>> float(count_evidence(8, 8, 0.80, pool_size=10))
    inf
    """
    yes, labeled = _checked_counts(n_yes, n_labeled, requirement, pool_size)
    if pool_size is None:
        return _independent_evidence(yes, labeled - yes, requirement, side)
    return _pool_evidence(yes, labeled - yes, requirement, side, pool_size)


def pool_counts(requirement: float, pool_size: int) -> int:
    """Give the smallest number of yes units with which a pool meets the requirement.

    Assumptions
    -----------
    None.

    Guarantee
    ---------
    Exact for requirements given to fewer than nine decimals: rounding of m * N never moves the count.

    References
    ----------
    None; arithmetic.

    Examples
    --------
    >>> pool_counts(0.80, 10), pool_counts(0.81, 10)
    (8, 9)
    """
    return math.ceil(requirement * pool_size - 1e-9)


def anytime_p_value(log_evidence: ArrayLike) -> float:
    """Give the p-value that stays valid however often one looks: one over the largest e-value so far.

    Assumptions
    -----------
    `log_evidence` is the whole path so far of one e-process, in order.

    Guarantee
    ---------
    Under the hypothesis argued against, the chance that it is ever at most a is at most a.

    References
    ----------
    Shafer, Shen, Vereshchagin & Vovk 2011; Howard, Ramdas, McAuliffe & Sekhon 2021.

    Examples
    --------
    >>> anytime_p_value([0.0, math.log(40), math.log(8)])
    0.025
    """
    path = np.asarray(log_evidence, dtype=float)
    return float(min(1.0, math.exp(-max(0.0, float(path.max(initial=0.0))))))


def count_confidence_sequence(
    n_yes: int, n_labeled: int, *, level: float = 0.95, pool_size: int | None = None
) -> Estimate | NotEstimable:
    """Give the interval for a share that holds at every number of labels at once.

    Parameters
    ----------
    n_yes, n_labeled, pool_size
        As in `count_evidence`.
    level
        Confidence, in (0, 1).

    Assumptions
    -----------
    As in `count_evidence`.

    Guarantee
    ---------
    The chance that the true share is outside the interval at any number of labels is at most 1 - level: the interval
    holds every requirement that neither side's e-value rejects at 2/(1 - level)
    (simulated in tests/guarantees/test_certification_coverage.py).

    References
    ----------
    Howard, Ramdas, McAuliffe & Sekhon, Annals of Statistics 2021; Waudby-Smith & Ramdas, JRSS-B 2024.

    Examples
    --------
    >>> print(count_confidence_sequence(170, 200))
    0.850 (0.758 to 0.917)
    """
    if n_labeled == 0:
        return NotEstimable(reason="no unit was labeled", needs="at least 1 label")

    def evidence(requirements: Floats) -> tuple[Floats, Floats]:
        ship, refuse = (
            np.array(
                [count_evidence(n_yes, n_labeled, m, side=side, pool_size=pool_size) for m in requirements.tolist()]
            )
            for side in SIDES
        )
        return ship, refuse

    low, high = sequence_interval(evidence, (0.0, 1.0), level=level)
    share = n_yes / n_labeled
    return Estimate(
        value=share,
        low=min(low, share),
        high=max(high, share),
        level=level,
        n=n_labeled,
        method="confidence sequence",
        effective_n=float(n_labeled),
    )


def _checked_counts(
    n_yes: ArrayLike, n_labeled: ArrayLike, requirement: float, pool_size: int | None
) -> tuple[Floats, Floats]:
    if not 0 < requirement < 1:
        raise DataError(
            "stats.requirement-out-of-range",
            f"the requirement is {requirement}",
            expected="a share strictly between 0 and 1",
            fix="requirement=0.80",
        )
    yes, labeled = np.broadcast_arrays(np.asarray(n_yes, dtype=float), np.asarray(n_labeled, dtype=float))
    if np.any(yes < 0) or np.any(yes > labeled) or (pool_size is not None and np.any(labeled > pool_size)):
        raise DataError(
            "stats.counts-impossible",
            "the counts of labels contradict each other",
            expected="0 <= n_yes <= n_labeled <= pool_size",
        )
    return yes, labeled


def _alternatives(requirement: float, side: Side) -> Floats:
    """Shares to bet on, at most .95 of the way to the end of the scale."""
    room = 1 - requirement if side == "ship" else requirement
    gaps = np.minimum(GAPS * math.sqrt(requirement * (1 - requirement)), 0.95 * room)
    return requirement + gaps if side == "ship" else requirement - gaps


def _independent_evidence(yes: Floats, no: Floats, requirement: float, side: Side) -> Floats:
    shares = _alternatives(requirement, side)
    ratios = np.multiply.outer(yes, np.log(shares / requirement))
    ratios += np.multiply.outer(no, np.log((1 - shares) / (1 - requirement)))
    return np.asarray(logsumexp(ratios, axis=-1) - math.log(len(GAPS)))


def _pool_evidence(yes: Floats, no: Floats, requirement: float, side: Side, pool_size: int) -> Floats:
    """Mix likelihood ratios of pools that hold more (or fewer) yes units against the nearest pool of the hypothesis.

    Only the nearest pool of the hypothesis needs a ratio: under any farther one the next label is less often the one
    that multiplies the ratio up, so the ratio is a supermartingale there.
    """
    enough = pool_counts(requirement, pool_size)
    null = enough - 1 if side == "ship" else enough
    beyond = (enough, pool_size) if side == "ship" else (0, enough - 1)
    others = np.clip(np.rint(pool_size * _alternatives(requirement, side)), *beyond)
    with np.errstate(invalid="ignore"):
        ratios = _log_falling(others, yes) + _log_falling(pool_size - others, no)
        null_part = _log_falling(np.array([float(null)]), yes) + _log_falling(np.array([float(pool_size - null)]), no)
        evidence = logsumexp(ratios, axis=-1) - math.log(len(GAPS)) - null_part[..., 0]
    surely_met, surely_not = yes >= enough, no > pool_size - enough
    won, lost = (surely_met, surely_not) if side == "ship" else (surely_not, surely_met)
    return np.where(won, np.inf, np.where(lost, -np.inf, evidence))


def _log_falling(start: Floats, steps: Floats) -> Floats:
    """Logarithm of start * (start - 1) * ... over `steps` factors, last axis over `start`; -inf when it runs out."""
    rest = start - steps[..., None]
    value = gammaln(start + 1) - gammaln(np.maximum(rest, 0) + 1)
    return np.where(rest < 0, -np.inf, value)
