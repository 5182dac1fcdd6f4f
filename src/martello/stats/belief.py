"""What an effect says when nothing was believed before: the chance of being better, and what choosing wrongly costs.

A reading aid beside an interval. Verdicts do not stand on it: it keeps no error rate when looked at repeatedly.
"""

from __future__ import annotations

import math

import msgspec
from scipy import special

from martello.stats.effects import Effect

__all__ = ["Belief", "flat_belief"]


class Belief(msgspec.Struct, frozen=True, kw_only=True):
    """Chance that b is better than a, and the expected loss of choosing either, in the effect's own unit."""

    better: float
    loss_of_a: float
    loss_of_b: float


def flat_belief(effect: Effect) -> Belief:
    """Give the posterior of an effect under a flat prior, as its chance to be above 0 and two expected losses.

    Assumptions
    -----------
    The estimate is about normal; before the data every effect was equally likely, which favors large effects.

    Guarantee
    ---------
    Exact for that normal posterior. `better` is one minus the one-sided p-value and errs as often when data are looked
    at repeatedly.

    References
    ----------
    Stucchio (2015), "Bayesian A/B testing at VWO", §6 (expected loss).

    Examples
    --------
    >>> found = flat_belief(Effect(value=0.29, error=0.12478, df=6000, n=6868))
    >>> (round(found.better, 3), round(found.loss_of_a, 4), round(found.loss_of_b, 6))
    (0.99, 0.2904, 0.000426)
    """
    z = effect.value / effect.error
    density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    better = float(special.ndtr(z))
    gain = effect.error * (density + z * better)
    return Belief(better=better, loss_of_a=gain, loss_of_b=effect.error * (density - z * float(special.ndtr(-z))))
