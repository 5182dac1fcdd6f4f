"""How a number, or the refusal to give one, looks.

Everything in `martello.stats` answers with an `Estimate` (a value with its interval) or a `NotEstimable` (why not, and
what it would take). A `Verdict` says whether a requirement is met, not met, or undecided. Nothing here computes
anything.
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

__all__ = ["Estimate", "NotEstimable", "Verdict", "judge"]


class Estimate(msgspec.Struct, frozen=True, kw_only=True, tag="estimate"):
    """A value with the interval that goes with it.

    Attributes
    ----------
    value
        The point estimate.
    low, high
        Ends of the interval at `level`; a one-sided bound has the other end at the edge of what is possible.
    level
        Confidence of the interval, in (0, 1).
    n
        Units the estimate stands on.
    method
        How the interval was made, in the field's words.
    effective_n
        Sample size after weighting and clustering; equal to `n` for a simple random sample; None when not defined.

    Examples
    --------
    >>> str(Estimate(value=0.83, low=0.81, high=0.86, level=0.95, n=900, method="Clopper-Pearson"))
    '0.830 (0.810 to 0.860)'
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    method: str
    effective_n: float | None = None

    def __post_init__(self) -> None:
        # Numpy scalars are welcome and become plain numbers, so that an estimate can always be written down.
        for name in ("value", "low", "high", "level"):
            msgspec.structs.force_setattr(self, name, float(getattr(self, name)))
        msgspec.structs.force_setattr(self, "n", int(self.n))
        if self.effective_n is not None:
            msgspec.structs.force_setattr(self, "effective_n", float(self.effective_n))
        if not (math.isfinite(self.value) and self.low <= self.high):
            raise ValueError(f"not an estimate: value={self.value}, low={self.low}, high={self.high}")

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


class NotEstimable(msgspec.Struct, frozen=True, kw_only=True, tag="not_estimable"):
    """The refusal to give a number: a value, never an exception and never 0.

    Attributes
    ----------
    reason
        Why there is no number.
    needs
        What it would take to have one.

    Examples
    --------
    >>> str(NotEstimable(reason="no unit was flagged", needs="at least 1 flagged unit"))
    'not estimable: no unit was flagged; needs at least 1 flagged unit'
    """

    reason: str
    needs: str

    def __str__(self) -> str:
        return f"not estimable: {self.reason}; needs {self.needs}"


class Verdict(StrEnum):
    """Whether a requirement holds: three values, because not knowing is one of them."""

    MET = "met"
    NOT_MET = "not met"
    UNDECIDED = "undecided"


def judge(estimate: Estimate | NotEstimable, requirement: float) -> Verdict:
    """Judge an interval against a floor: met above it, not met below it, undecided across it.

    Assumptions
    -----------
    The interval is valid at its own level for the population the requirement speaks of.

    Guarantee
    ---------
    With an interval whose two sides each err at most alpha/2, "met" and "not met" are each wrong at most alpha/2.

    Examples
    --------
    >>> judge(Estimate(value=0.83, low=0.81, high=0.86, level=0.95, n=900, method="exact"), 0.80)
    <Verdict.MET: 'met'>
    >>> judge(NotEstimable(reason="no labels", needs="labels"), 0.80)
    <Verdict.UNDECIDED: 'undecided'>
    """
    if isinstance(estimate, NotEstimable):
        return Verdict.UNDECIDED
    if estimate.low >= requirement:
        return Verdict.MET
    if estimate.high < requirement:
        return Verdict.NOT_MET
    return Verdict.UNDECIDED
