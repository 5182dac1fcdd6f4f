"""What can be certified: a metric of the four counts TP, FP, FN, TN that is asked to be at least some number.

A claim says which ratio of weighted counts is meant. Precision, recall, specificity, F-beta, Jaccard and any cost are
of this form, and each is the same as "a mean over the pool of (gain * label + offset) is at least 0", which is what
`martello.stats.martingale` tests. Nothing here looks at data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from martello.errors import DataError

__all__ = ["Cell", "Claim", "all_claims", "f_beta", "precision", "recall", "specificity"]

Counts = tuple[float, float, float, float]


class Cell(msgspec.Struct, frozen=True):
    """A claim's terms for one kind of unit: `gain` times the label, plus `offset`.

    Examples
    --------
    >>> Cell(gain=1.0, offset=-0.8).gain
    1.0
    """

    gain: float
    offset: float


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The statement that a linear-fractional metric is at least a number.

    Attributes
    ----------
    name
        The metric's name.
    at_least
        The number it must reach.
    top, bottom
        Weights of TP, FP, FN, TN in numerator and denominator.

    Raises
    ------
    DataError
        ``stats.claim-not-a-ratio`` when a weight below the line is negative, or a count stands only above it.

    Examples
    --------
    >>> recall(0.3).cell(flagged=True), recall(0.3).cell(flagged=False)
    (Cell(gain=0.7, offset=0.0), Cell(gain=-0.3, offset=0.0))
    """

    name: str
    at_least: float
    top: Counts
    bottom: Counts

    def __post_init__(self) -> None:
        numbers = (self.at_least, *self.top, *self.bottom)
        alone = any(above != 0 and below == 0 for above, below in zip(self.top, self.bottom, strict=True))
        if not all(map(math.isfinite, numbers)) or min(self.bottom) < 0 or max(self.bottom) <= 0 or alone:
            raise DataError(
                "stats.claim-not-a-ratio",
                f"{self.name} is not a ratio that can be bounded",
                where=f"top={self.top}, bottom={self.bottom}",
                expected="finite weights, none negative below the line, none above the line that is not below it too",
            )

    def cell(self, *, flagged: bool) -> Cell:
        """Give gain and offset of a unit: the metric is at least k exactly when the mean of gain * Y + offset is >= 0.

        Examples
        --------
        >>> precision(0.8).cell(flagged=True)
        Cell(gain=1.0, offset=-0.8)
        """
        yes, no = (0, 1) if flagged else (2, 3)
        with_yes = self.top[yes] - self.at_least * self.bottom[yes]
        with_no = self.top[no] - self.at_least * self.bottom[no]
        return Cell(gain=with_yes - with_no, offset=with_no)

    @property
    def scale(self) -> tuple[float, float]:
        """The least and the greatest value the metric can take.

        Examples
        --------
        >>> precision(0.8).scale
        (0.0, 1.0)
        """
        ratios = [above / below for above, below in zip(self.top, self.bottom, strict=True) if below > 0]
        return min(ratios), max(ratios)

    def asking(self, at_least: float) -> Claim:
        """Give the same claim with another number.

        Examples
        --------
        >>> precision(0.8).asking(0.9).at_least
        0.9
        """
        return msgspec.structs.replace(self, at_least=at_least)


def precision(at_least: float) -> Claim:
    """Claim that of the flagged units at least this share is positive.

    Assumptions
    -----------
    At least one unit is flagged.

    Guarantee
    ---------
    The claim holds exactly when TP / (TP + FP) >= `at_least` over the pool.

    References
    ----------
    Koyejo, Natarajan, Ravikumar & Dhillon, NeurIPS 2014 (linear-fractional metrics).

    Examples
    --------
    >>> precision(0.8).name
    'precision'
    """
    return Claim(
        name="precision", at_least=_share("precision", at_least), top=(1.0, 0.0, 0.0, 0.0), bottom=(1.0, 1.0, 0.0, 0.0)
    )


def recall(at_least: float) -> Claim:
    """Claim that of the positive units at least this share is flagged.

    Assumptions
    -----------
    At least one unit is positive.

    Guarantee
    ---------
    The claim holds exactly when TP / (TP + FN) >= `at_least` over the pool.

    References
    ----------
    Koyejo, Natarajan, Ravikumar & Dhillon, NeurIPS 2014.

    Examples
    --------
    >>> recall(0.3).bottom
    (1.0, 0.0, 1.0, 0.0)
    """
    return Claim(
        name="recall", at_least=_share("recall", at_least), top=(1.0, 0.0, 0.0, 0.0), bottom=(1.0, 0.0, 1.0, 0.0)
    )


def specificity(at_least: float) -> Claim:
    """Claim that of the negative units at least this share is left unflagged.

    Assumptions
    -----------
    At least one unit is negative.

    Guarantee
    ---------
    The claim holds exactly when TN / (TN + FP) >= `at_least` over the pool.

    References
    ----------
    Koyejo, Natarajan, Ravikumar & Dhillon, NeurIPS 2014.

    Examples
    --------
    >>> specificity(0.9).cell(flagged=False)
    Cell(gain=-0.09999999999999998, offset=0.09999999999999998)
    """
    return Claim(
        name="specificity",
        at_least=_share("specificity", at_least),
        top=(0.0, 0.0, 0.0, 1.0),
        bottom=(0.0, 1.0, 0.0, 1.0),
    )


def f_beta(at_least: float, *, beta: float = 1.0) -> Claim:
    """Claim that F-beta is at least a number.

    Parameters
    ----------
    at_least
        The number, in (0, 1).
    beta
        Weight of recall against precision; 1 weighs both the same.

    Assumptions
    -----------
    At least one unit is flagged or positive.

    Guarantee
    ---------
    The claim holds exactly when (1 + beta^2) TP / ((1 + beta^2) TP + FP + beta^2 FN) >= `at_least` over the pool.

    References
    ----------
    van Rijsbergen 1979; Koyejo, Natarajan, Ravikumar & Dhillon, NeurIPS 2014.

    Examples
    --------
    >>> f_beta(0.6).top, f_beta(0.6).bottom
    ((2.0, 0.0, 0.0, 0.0), (2.0, 1.0, 1.0, 0.0))
    """
    both = 1 + beta**2
    return Claim(
        name=f"F{beta:g}", at_least=_share("F", at_least), top=(both, 0.0, 0.0, 0.0), bottom=(both, 1.0, beta**2, 0.0)
    )


def all_claims(
    claims: Sequence[Claim], *, precision_at_least: float | None, recall_at_least: float | None
) -> tuple[Claim, ...]:
    """Put the two named requirements before the other claims; refuse an empty requirement.

    Assumptions
    -----------
    None: nothing is estimated.

    Guarantee
    ---------
    At least one claim.

    Examples
    --------
    >>> [claim.name for claim in all_claims([f_beta(0.6)], precision_at_least=0.8, recall_at_least=None)]
    ['precision', 'F1']
    """
    named = [make(k) for make, k in ((precision, precision_at_least), (recall, recall_at_least)) if k is not None]
    if not (named or claims):
        raise DataError("stats.no-claim", "nothing is claimed", expected="at least one claim", fix="precision=0.80")
    return (*named, *claims)


def _share(name: str, at_least: float) -> float:
    if not 0 < at_least < 1:
        raise DataError(
            "stats.requirement-out-of-range",
            f"{name} is asked to be at least {at_least}",
            expected="a share strictly between 0 and 1",
            fix=f"{name}=0.80",
        )
    return at_least
