"""Which way of aggregating answers is better here: decided on units with a known answer, not by fashion.

The labels of both ways come from `annotators`; here they meet the truth of the check units, and nothing else does.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from martello.stats.checks import check_level, check_same_length
from martello.stats.compare import mcnemar
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import proportion_interval

__all__ = ["AggregationChoice", "choose_aggregation"]

#: With fewer check units the interval of the paired difference does not keep its level.
_FEWEST = 10


class AggregationChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What the check units say of majority vote and Dawid–Skene.

    Attributes
    ----------
    verdict
        Which is better, or that the check units do not tell.
    use
        Which to take: the better one, the majority when undecided.
    majority, dawid_skene
        Share of check units each gets right; an unknown label is not right.
    difference
        Share of Dawid–Skene minus share of the majority, on the same units.
    reason
        The verdict in a sentence.
    """

    verdict: Literal["majority", "dawid-skene", "undecided"]
    use: Literal["majority", "dawid-skene"]
    majority: Estimate | NotEstimable
    dawid_skene: Estimate | NotEstimable
    difference: Estimate | NotEstimable
    reason: str


def choose_aggregation(
    majority: npt.ArrayLike, dawid_skene: npt.ArrayLike, truth: npt.ArrayLike, *, level: float = 0.95
) -> AggregationChoice:
    """Decide between majority vote and Dawid–Skene on check units.

    Parameters
    ----------
    majority, dawid_skene
        Labels of the check units as class codes, shape (n,); -1 where unknown.
    truth
        Their known classes, shape (n,); a code that no label has is a class nobody named.
    level
        Confidence of the two-sided intervals.

    Assumptions
    -----------
    Check units are independent draws from the units that are labeled, and their truth is right.

    Guarantee
    ---------
    Where neither is better, one of them is named better in about 1 - `level` of samples at most; simulated in
    tests/guarantees/test_agreement_coverage.py. Fewer than 10 check units decide nothing.

    References
    ----------
    Bonett, D. G. and Price, R. M. (2012), Journal of Educational and Behavioral Statistics 37, 479–488.

    Examples
    --------
    >>> truth = [0, 1] * 20
    >>> found = choose_aggregation([0] * 40, truth, truth)
    >>> found.verdict, str(found.difference)
    ('dawid-skene', '0.500 (0.311 to 0.641)')
    >>> choose_aggregation([0, 1], [0, 1], [0, 1]).use
    'majority'
    """
    check_level(level)
    votes, model, known = (np.asarray(codes) for codes in (majority, dawid_skene, truth))
    n = check_same_length(majority=votes, dawid_skene=model, truth=known)
    by_vote, by_model = votes == known, model == known
    verdict: Literal["majority", "dawid-skene", "undecided"] = "undecided"
    difference: Estimate | NotEstimable
    if n < _FEWEST:
        difference = NotEstimable(reason=f"{n} check units are too few", needs=f"at least {_FEWEST} check units")
        reason = f"{n} check units decide nothing, so the simpler one is used"
    else:
        difference = mcnemar(by_model, by_vote, level=level).difference
        verdict = "dawid-skene" if difference.low > 0 else "majority" if difference.high < 0 else "undecided"
        reason = _reason(verdict, difference, n)
    return AggregationChoice(
        verdict=verdict,
        use="dawid-skene" if verdict == "dawid-skene" else "majority",
        majority=proportion_interval(int(by_vote.sum()), n, level=level),
        dawid_skene=proportion_interval(int(by_model.sum()), n, level=level),
        difference=difference,
        reason=reason,
    )


def _reason(verdict: str, difference: Estimate, n: int) -> str:
    if verdict == "undecided":
        return f"on {n} check units the difference may be 0 ({difference}), so the simpler one is used"
    better, worse = ("Dawid–Skene", "the majority") if verdict == "dawid-skene" else ("the majority", "Dawid–Skene")
    return f"on {n} check units {better} is right more often than {worse} (Dawid–Skene minus majority {difference})"
