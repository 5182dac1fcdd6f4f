"""Whether a metric got worse by less than was agreed: guardrails, and changes that only have to do no harm."""

from __future__ import annotations

import msgspec

from martello.errors import DataError
from martello.stats.arms import ArmMean
from martello.stats.effects import Effect, mean_effect
from martello.stats.estimate import NotEstimable

__all__ = ["Margin", "margin_effect"]


class Margin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much worse is still fine.

    Attributes
    ----------
    size
        In the metric's own unit, or as a share of the old mean; at least 0.
    is_relative
        Whether it is a share.
    is_up_better
        Whether larger values of the metric are better.
    """

    size: float
    is_relative: bool = False
    is_up_better: bool = True

    def __post_init__(self) -> None:
        if not self.size >= 0:
            raise DataError("stats.margin-negative", f"a margin is {self.size:g}", expected="a number of at least 0")


def margin_effect(a: ArmMean, b: ArmMean, margin: Margin) -> Effect | NotEstimable:
    """Give by how much b stays clear of its margin: above 0 is non-inferior, below 0 is worse than agreed.

    Parameters
    ----------
    a, b
        Old and new.

    Assumptions
    -----------
    As `mean_effect`; for a relative margin, a positive mean of the old arm.

    Guarantee
    ---------
    Unbiased for (b − a) + margin in the direction that is better. A relative margin moves with the estimated mean of a,
    and its error is in: b − (1 − margin) · a is a plain difference, so no ratio is approximated.

    References
    ----------
    Laster & Johnson (2003), "Non-inferiority trials: the 'at least as good as' criterion", Statistics in Medicine 22.

    Examples
    --------
    >>> old, new = ArmMean(n=5000, mean=2.00, variance=4.0), ArmMean(n=5000, mean=1.99, variance=4.0)
    >>> found = margin_effect(old, new, Margin(size=0.05, is_relative=True))
    >>> (round(found.value, 3), round(found.error, 4))
    (0.09, 0.039)
    """
    sign = 1.0 if margin.is_up_better else -1.0
    if margin.is_relative and a.mean <= 0:
        return NotEstimable(reason="a share of a mean that is not positive is no margin", needs="an absolute margin")
    factor = 1 - sign * margin.size if margin.is_relative else 1.0
    moved = ArmMean(n=a.n, mean=a.mean * factor, variance=a.variance * factor**2)
    found = mean_effect(moved, b)
    if isinstance(found, NotEstimable):
        return found
    clear = sign * found.value + (0.0 if margin.is_relative else margin.size)
    return msgspec.structs.replace(found, value=clear)
