"""How many more labels until the answer is known: forecasts with an honest range, before and during labelling.

A forecast never enters a decision. It comes from the standardized distance between the current estimate and the
requirement: evidence grows like a random walk whose drift is half that distance squared. Exact costs of the plain 0/1
rule at a known share are in `martello.stats.label_budget`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import invgauss

from martello.errors import DataError
from martello.stats.checks import check_level
from martello.stats.estimate import NotEstimable, Verdict

__all__ = ["Forecast", "PlannedCost", "costs_at_distance", "forecast_labels", "planned_costs", "values_around"]

Floats = NDArray[np.float64]

LEARNING_COST = 0.8  # evidence, in nats, that is paid for not knowing the size of the gap (exact 0/1 rule: 0.6 to 0.9)
PRIOR_LABELS = 6.0  # what the scores alone say about the distance is worth about as many labels
CLOSE = 0.01  # a difference that takes some 10,000 labels
LONG = 5_000
EARLY = 30  # with fewer labels the range held in as few as a third of simulated runs
GAPS = (0.01, 0.02, 0.04, 0.08)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)


class Forecast(msgspec.Struct, frozen=True, kw_only=True, tag="forecast"):
    """Labels still needed, with the range that holds in about `level` of runs.

    Attributes
    ----------
    labels
        The middle of the range: as likely more as fewer.
    low, high
        Ends of the range; a full count of the pool is the most it can take.
    level
        Chance that the range holds.
    toward
        The verdict that looks more likely now.

    Examples
    --------
    >>> print(Forecast(labels=240, low=90, high=700, level=0.8, toward=Verdict.MET))
    about 240 more labels (90 to 700), likely met
    """

    labels: int
    low: int
    high: int
    level: float
    toward: Verdict

    def __str__(self) -> str:
        return f"about {self.labels} more labels ({self.low} to {self.high}), likely {self.toward}"


class PlannedCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a requirement costs if the truth is a certain distance from it.

    Attributes
    ----------
    true_value
        The assumed true value of the metric.
    labels
        Expected labels to the decision.

    Examples
    --------
    >>> planned_costs(0.80)[-1].labels
    169
    """

    true_value: float
    labels: int


def planned_costs(
    requirement: float, *, level: float = 0.95, gaps: tuple[float, ...] = GAPS
) -> tuple[PlannedCost, ...]:
    """Give what a requirement on a share costs, by how far the truth is below or above it.

    Parameters
    ----------
    requirement
        The share asked for, in (0, 1).
    level
        One minus the error allowed on each side.
    gaps
        Distances to plan for; those that leave (0, 1) are skipped.

    Assumptions
    -----------
    Random labels of the units the claim is about, from a large pool. With scores at hand,
    `martello.stats.certification.Certification.expected_costs` plans for their sampler and pool.

    Guarantee
    ---------
    An approximation, within 8% of the exact expectation for gaps of .02 to .10 around .80
    (tests/stats/test_labels_left.py).

    References
    ----------
    Wald 1945.

    Examples
    --------
    >>> [(round(cost.true_value, 2), cost.labels) for cost in planned_costs(0.80)]
    [(0.72, 207), (0.76, 796), (0.78, 3111), (0.79, 12296), (0.81, 11993), (0.82, 2959), (0.84, 719), (0.88, 169)]
    """
    check_level(level)
    if not 0 < requirement < 1:
        raise DataError(
            "stats.requirement-out-of-range", f"the requirement is {requirement}", expected="a share in (0, 1)"
        )
    evidence = -math.log(1 - level) + LEARNING_COST
    return tuple(
        PlannedCost(true_value=value, labels=math.ceil(evidence / _divergence(value, requirement)))
        for value in values_around(requirement, gaps, (0.0, 1.0))
    )


def costs_at_distance(
    distances: Sequence[tuple[float, float]], *, bar: float, remaining: int
) -> tuple[PlannedCost, ...]:
    """Give expected labels for true values whose standardized distance from the requirement is known.

    Parameters
    ----------
    distances
        Pairs of a true value and the mean of a draw over its standard deviation there.
    bar
        Logarithm of the e-value that decides.
    remaining
        Units that can still be labeled; labelling them all decides for certain.

    Assumptions
    -----------
    The standard deviation is that of the whole process.

    Guarantee
    ---------
    An approximation for planning; never more than `remaining`.

    References
    ----------
    Wald 1945.

    Examples
    --------
    >>> costs_at_distance([(0.82, 0.05)], bar=3.0, remaining=10_000)
    (PlannedCost(true_value=0.82, labels=3040),)
    """
    return tuple(
        PlannedCost(true_value=value, labels=min(remaining, math.ceil(2 * (bar + LEARNING_COST) / distance**2)))
        for value, distance in distances
    )


def values_around(requirement: float, gaps: Sequence[float], scale: tuple[float, float]) -> list[float]:
    """Give the true values to plan for, below and above a requirement, strictly inside the scale.

    Assumptions
    -----------
    None: nothing is estimated.

    Guarantee
    ---------
    Ascending, never at an end of the scale.

    Examples
    --------
    >>> values_around(0.95, (0.02, 0.08), (0.0, 1.0))
    [0.87, 0.9299999999999999, 0.97]
    """
    values = sorted(requirement + sign * gap for sign in (-1, 1) for gap in gaps)
    return [value for value in values if scale[0] < value < scale[1]]


def forecast_labels(
    distance: float,
    n_labeled: int,
    evidence: tuple[float, float],
    *,
    bar: float,
    remaining: int,
    gap: float,
    name: str,
    level: float = 0.8,
) -> Forecast | NotEstimable:
    """Give the labels still needed for one claim.

    Parameters
    ----------
    distance
        Estimate of the claim's mean over the standard deviation of one draw; below 0 the claim looks false.
    n_labeled
        Labels so far.
    evidence
        Logarithms of the e-values now, to ship and to refuse.
    bar
        Logarithm of the e-value that decides.
    remaining
        Units that can still be labeled; labelling them all decides for certain.
    gap
        Estimate of the metric minus its requirement, for the plain statement that it is too close.
    name
        What to call the claim.
    level
        Chance that the range should hold.

    Assumptions
    -----------
    The next draws are as informative as the current plan expects; the distance is uncertain by 1/sqrt(labels).

    Guarantee
    ---------
    A forecast, not a bound: in simulation the range held in at least its level of runs
    (tests/guarantees/test_certification_forecast.py).

    References
    ----------
    Chhikara & Folks 1989 (first passage of a random walk with drift).

    Examples
    --------
    >>> print(forecast_labels(0.15, 50, (0.3, -0.8), bar=3.0, remaining=9000, gap=0.06, name="precision"))
    about 219 more labels (35 to 7004), likely met
    """
    if n_labeled < EARLY < remaining:
        return NotEstimable(
            reason=f"{n_labeled} labels are too few for a forecast", needs=f"{EARLY} labels; see the expected costs"
        )
    toward = Verdict.MET if distance >= 0 else Verdict.NOT_MET
    low, middle, high = (
        min(remaining, math.ceil(_passage_quantile(q, distance, n_labeled, evidence, bar, remaining)))
        for q in ((1 - level) / 2, 0.5, (1 + level) / 2)
    )
    if abs(gap) <= CLOSE and middle >= LONG:
        return NotEstimable(
            reason=f"{name} is estimated within {CLOSE} of the requirement, and so small a difference "
            "cannot be decided for under about 10,000 labels",
            needs=f"about {middle:,} more labels ({low:,} to {high:,}), or another requirement or model",
        )
    return Forecast(labels=middle, low=low, high=high, level=level, toward=toward)


def _divergence(p: float, m: float) -> float:
    """Kullback-Leibler divergence of a yes/no share p from m, in nats per label."""
    return p * math.log(p / m) + (1 - p) * math.log((1 - p) / (1 - m))


def _passage_quantile(
    q: float, distance: float, n_labeled: int, evidence: tuple[float, float], bar: float, remaining: int
) -> float:
    """Bisect the quantile of the time at which evidence reaches its bar, over what the distance may be."""
    truth = distance + NODES / math.sqrt(n_labeled + PRIOR_LABELS)
    truth = np.where(np.abs(truth) < 1e-4, 1e-4, truth)
    weights = WEIGHTS / WEIGHTS.sum()
    now = np.where(truth > 0, evidence[0], evidence[1])
    missing = np.maximum(bar + LEARNING_COST * math.exp(-n_labeled / 50) - now, 0.05)
    mean, shape = missing / (truth**2 / 2), missing**2 / truth**2
    low, high = 0.0, float(remaining)
    for _ in range(40):
        middle = (low + high) / 2
        reached = float(weights @ invgauss.cdf(middle, mean / shape, scale=shape))
        low, high = (middle, high) if reached < q else (low, middle)
    return high
