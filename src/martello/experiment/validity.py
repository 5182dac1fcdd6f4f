"""Whether an experiment can be read at all: assignment, exposure, order, and alarms from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from martello.experiment.history import Checkpoint, History
from martello.stats.arms import ArmMean
from martello.stats.confidence_sequence import always_valid_estimate
from martello.stats.effects import mean_effect
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.sample_ratio import SampleRatio, watch_sample_ratio

__all__ = ["check_sample_ratio", "invalid_reasons"]

#: Chance of a false alarm over a whole run, from sample ratios and from violations of the order, each.
ALARM = 0.001
LEAST_EXPOSURE = 0.8
TUNED_RENDERS = 10_000


def check_sample_ratio(history: History, *, exposed: bool = False, level: float = 1 - ALARM) -> SampleRatio | None:
    """Watch the sizes of the arms, as assigned or as exposed; None where exposure is not measured.

    Raises
    ------
    DataError
        ``stats.shares-unclear``.
    """
    contract = history.contract
    totals: list[list[int]] = []
    for point in history.checkpoints:
        counts = [point.arms[name].exposed if exposed else point.arms[name].n for name in contract.shares]
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            return None
        totals.append(known)
    start = [[0] * len(contract.shares), *totals]
    daily = [[max(new - old, 0) for new, old in zip(b, a, strict=True)] for a, b in pairwise(start)]
    return watch_sample_ratio(daily, list(contract.shares.values()), level=level, days=contract.looks[-1])


def invalid_reasons(history: History) -> tuple[str, ...]:
    """Say why nothing can be concluded, most telling first; empty when it can."""
    return tuple(_reasons(history))


def _reasons(history: History) -> Iterator[str]:
    yield from history.alarms
    last = history.checkpoints[-1]
    watched = (False, True) if all(arm.exposed is not None for arm in last.arms.values()) else (False,)
    for exposed in watched:
        # The error is shared between what is watched.
        found = check_sample_ratio(history, exposed=exposed, level=1 - ALARM / len(watched))
        if found is not None and found.broken_on is not None:
            yield _broken(history, found.broken_on, exposed)
    for name, arm in last.arms.items():
        if arm.exposed is not None and arm.n and arm.exposed < LEAST_EXPOSURE * arm.n:
            yield f"only {arm.exposed / arm.n:.0%} of the units of {name} met the change"
    violated = _violations(history, last)
    if isinstance(violated, Estimate) and not violated.low <= 0 <= violated.high:
        yield "the order of results is broken more often in one arm than in the other"


def _broken(history: History, index: int, exposed: bool) -> str:
    point = history.checkpoints[index]
    what = "exposed" if exposed else "assigned"
    counts = [
        (arm.exposed if exposed else arm.n) or 0 for arm in (point.arms[name] for name in history.contract.shares)
    ]
    got = " to ".join(f"{count:,}" for count in counts)
    planned = " to ".join(f"{share:.3g}" for share in history.contract.shares.values())
    return f"by day {point.day} units were {what} {got}, against a plan of {planned}"


def _violations(history: History, point: Checkpoint) -> Estimate | NotEstimable | None:
    arms = []
    for name in (history.contract.control, history.contract.treatment):
        totals = point.arms[name]
        if not totals.rendered or totals.violations is None or totals.rendered < 2:
            return None
        # With half a violation more, an arm without any still has an error.
        rate = (totals.violations + 0.5) / (totals.rendered + 1)
        arms.append(ArmMean(n=totals.rendered, mean=rate, variance=rate * (1 - rate)))
    effect = mean_effect(*arms)
    if isinstance(effect, NotEstimable):
        return effect
    return always_valid_estimate(effect, tuned_at=TUNED_RENDERS, level=1 - ALARM)
