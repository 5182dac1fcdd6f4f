"""The requirement, claim by claim: what it says of everyone and of each declared slice, and where each claim stands.

Shipping needs every claim, so each may be certified at the full level of this look (intersection–union); refuting needs
only one, so the refuting side shares its error among the claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.records import Claim, Measure
from martello.spec.schema import Requirement
from martello.stats.estimate import Estimate, Verdict

__all__ = ["Asked", "judge_claims", "overall_verdict"]

#: An estimator of one metric over some rows (a mask) at some level.
Estimator = Callable[[NDArray[np.bool_], float], Measure]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One floor on one part of the population, before it is judged."""

    metric: str
    floor: float
    population: str
    rows: NDArray[np.bool_]
    estimator: Estimator


def judge_claims(asked: list[Asked], *, level: float, error: float | None) -> tuple[Claim, ...]:
    """Judge every claim at the one-sided error that may be spent; without any (gold is used up) nothing is judged.

    `level` is that of the two-sided intervals shown for reading.
    """
    return tuple(_judge(claim, level, error, len(asked)) for claim in asked)


def _judge(claim: Asked, level: float, error: float | None, n_claims: int) -> Claim:
    shown = claim.estimator(claim.rows, level)
    low = high = None
    verdict = Verdict.UNDECIDED
    if error is not None and isinstance(shown, Estimate):
        certifying = claim.estimator(claim.rows, 1 - 2 * error)
        refuting = claim.estimator(claim.rows, 1 - 2 * error / n_claims)
        if isinstance(certifying, Estimate) and isinstance(refuting, Estimate):
            low, high = certifying.low, refuting.high
            verdict = (
                Verdict.MET if low >= claim.floor else Verdict.NOT_MET if high < claim.floor else Verdict.UNDECIDED
            )
    return Claim(
        metric=claim.metric,
        floor=claim.floor,
        population=claim.population,
        estimate=shown,
        low=low,
        high=high,
        verdict=verdict,
    )


def overall_verdict(claims: tuple[Claim, ...]) -> Verdict:
    """Judge the whole requirement: met when every claim is, not met when any is refuted, else undecided."""
    verdicts = {claim.verdict for claim in claims} or {Verdict.UNDECIDED}
    if Verdict.NOT_MET in verdicts:
        return Verdict.NOT_MET
    return Verdict.UNDECIDED if Verdict.UNDECIDED in verdicts else Verdict.MET


def floors(requirement: Requirement, *, is_binary: bool) -> Iterator[tuple[str, float]]:
    """Give the required metrics with their floors; with several classes they speak of the mean over classes."""
    for name in ("precision", "recall"):
        floor = getattr(requirement, name)
        if floor is not None:
            yield (name if is_binary else f"macro_{name}", floor)
