"""What it would take: a slice that holds too few units to prove anything says how many it needs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from martello.records import Claim
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.stats.power_floor import labels_for_floor

__all__ = ["DOMAINS", "with_shortfalls"]

#: Metric -> what a unit is called that counts for it.
DOMAINS = {"precision": "flagged", "recall": "positive"}


def with_shortfalls(
    claims: tuple[Claim, ...], counts: Mapping[tuple[str, str], int], *, error: float
) -> tuple[Claim, ...]:
    """Make open claims of slices that could not be certified even if every unit were right `NotEstimable`, with a need.

    Parameters
    ----------
    claims
        Judged claims, those of everyone among them.
    counts
        Flagged (or positive) units by metric and population.
    error
        One-sided error at which claims are certified.
    """
    everyone = {claim.metric: claim.estimate for claim in claims if claim.population == "everyone"}
    told = []
    for claim in claims:
        n = counts.get((claim.metric, claim.population))
        fewest = math.ceil(math.log(error) / math.log(claim.floor))
        if claim.population == "everyone" or n is None or n >= fewest or claim.verdict is not Verdict.UNDECIDED:
            told.append(claim)
            continue
        of = DOMAINS[claim.metric]
        reason = (
            f"{n} {of} unit{'' if n == 1 else 's'}: even all right would not prove {claim.floor:g}"
            if n
            else f"no unit {'was' if of == 'flagged' else 'is'} {of}"
        )
        needs = _needs(everyone.get(claim.metric), claim.floor, fewest, error, of)
        told.append(
            msgspec.structs.replace(claim, estimate=NotEstimable(reason=reason, needs=needs), low=None, high=None)
        )
    return tuple(told)


def _needs(everyone: object, floor: float, fewest: int, error: float, of: str) -> str:
    """Say how many units would do if the slice were as good as everyone; else the fewest that ever could."""
    if isinstance(everyone, Estimate) and floor < everyone.value < 1:
        labels = labels_for_floor(everyone.value, floor, level=1 - error)
        if not isinstance(labels, NotEstimable):
            effect = everyone.n / everyone.effective_n if everyone.effective_n else 1.0
            return f"about {math.ceil(labels * max(effect, 1.0)):,} {of} units"
    return f"at least {fewest:,} {of} units"
