"""Where a campaign stands, in numbers and in one sentence: what is proved, what is left, what was saved.

Reads a certification, or counts; decides nothing. The picture is a replay of the round at some counts, so it is the
same after a restart and after a correction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from martello.label.contract import ClaimMeter, Meter
from martello.label.reading import Reading, plain_reading
from martello.records import Measure
from martello.stats.certification import Certification
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.stats.labels_left import Forecast
from martello.stats.power_floor import labels_for_floor

__all__ = ["GoldMeter", "Track", "claim_words", "plain_name", "saved", "training_meter", "waiting_words"]

MOST_POINTS = 200
_FILLED_IN = 40  # points of a replay: a second of work on a pool of a million units
_POWER = 0.9
Point = tuple[int, float, float, float]
#: Gives the certification as it was at each of some counts of labels.
Replay = Callable[[Sequence[int]], Iterator[Certification]]


class Track:
    """The intervals of every claim as they stood at some counts, remembered between two looks."""

    def __init__(self) -> None:
        self._points: dict[str, list[Point]] = {}
        self._upto = 0
        self._era: object = None

    def missing(self, n: int, era: object) -> list[int]:
        """Give the counts below n that are worth filling in; a new era forgets what was."""
        if era != self._era:
            self._points, self._upto, self._era = {}, 0, era
        return _counts(self._upto, n) if n - self._upto > max(10, n // 10) else []

    def reach(self, n: int, interval: Mapping[str, Measure]) -> None:
        """Note where things stand now."""
        if n > self._upto:
            self.note(n, interval)
            self._upto = n

    def note(self, n: int, interval: Mapping[str, Measure]) -> None:
        """Note where things stood at n labels."""
        for name, found in interval.items():
            if isinstance(found, Estimate):
                points = self._points.setdefault(name, [])
                points.append((n, found.low, found.value, found.high))
                if len(points) >= 2 * MOST_POINTS:
                    del points[1:-1:2]

    def claims(self, agreed: Mapping[str, float], interval: Mapping[str, Measure]) -> tuple[ClaimMeter, ...]:
        """Give every claim with its past."""
        return tuple(
            ClaimMeter(name=plain_name(name), floor=agreed[name], estimate=estimate, history=self._history(name))
            for name, estimate in interval.items()
        )

    def _history(self, name: str) -> tuple[Point, ...]:
        points = self._points.get(name, [])
        if len(points) <= MOST_POINTS:
            return tuple(points)
        kept = np.unique(np.linspace(0, len(points) - 1, MOST_POINTS).round().astype(int))
        return tuple(points[i] for i in kept)


class GoldMeter:
    """Read a certification for people, and remember the picture between two looks. One thread at a time."""

    def __init__(self, reading: Reading | None = None) -> None:
        self._reading, self._track = reading, Track()

    def read(
        self,
        process: Certification,
        replay: Replay,
        *,
        era: object = None,
        n_settled: int,
        n_for_owner: int,
        is_spent: bool,
    ) -> Meter:
        """Give the meter of a certification as it stands.

        Parameters
        ----------
        process
            The certification; it is not changed.
        replay
            Its past.
        era
            Anything that is another thing when a correction changed the past: the picture then begins anew.
        n_settled, n_for_owner
            Drawn units with a settled answer, and those that wait for the owner.
        is_spent
            Whether there is nothing more to hand out though the answer is open.
        """
        reading = self._reading or plain_reading(process)
        interval = reading.interval(process)
        missing = self._track.missing(process.n_labeled, era)
        for past in replay(missing) if missing else ():
            self._track.note(past.n_labeled, reading.interval(past))
        self._track.reach(process.n_labeled, interval)
        claims = self._track.claims(reading.agreed, interval)
        verdict, left = process.verdict, process.labels_left
        decided, is_over = verdict is not Verdict.UNDECIDED, is_spent or process.is_between
        needed = (
            process.n_labeled if decided else process.n_labeled + left.labels if isinstance(left, Forecast) else None
        )
        reach = (
            (process.n_labeled + left.low, process.n_labeled + left.high)
            if isinstance(left, Forecast) and not decided
            else None
        )
        return Meter(
            purpose="gold",
            sentence=_sentence(
                process, reading.level, _shown(process, claims), left, n_for_owner=n_for_owner, is_spent=is_spent
            ),
            n_labels=n_settled,
            n_needed=None if needed is None else max(n_settled, needed),
            n_needed_range=reach,
            claims=claims,
            verdict=verdict,
            is_done=decided or is_over,
            saved=saved(process, reading) if decided else "",
            next_step="martello run" if decided or is_over else "",
        )


def _counts(last: int, n: int) -> list[int]:
    """Counts between two looks, denser where the picture changes faster."""
    first = max(last + 1, 2)
    return sorted({int(c) for c in np.geomspace(first, max(n - 1, first), _FILLED_IN)} - {n}) if n > first else []


def plain_name(name: str) -> str:
    """Give a claim's name for people.

    Examples
    --------
    >>> plain_name("precision | sex=F"), plain_name("macro_recall")
    ('precision where sex = F', 'mean recall of classes')
    """
    metric, _, scope = name.partition(" | ")
    column, _, value = scope.partition("=")
    metric = f"mean {metric.removeprefix('macro_')} of classes" if metric.startswith("macro_") else metric
    return f"{metric} where {column} = {value}" if scope else metric


def waiting_words(n_for_owner: int) -> str:
    """Say what waits for the owner; nothing when nothing does."""
    if not n_for_owner:
        return ""
    return f"; {n_for_owner} {'unit waits' if n_for_owner == 1 else 'units wait'} for the owner"


def _shown(process: Certification, claims: Sequence[ClaimMeter]) -> list[tuple[str, float, Estimate | NotEstimable]]:
    """The claims over the whole pool, and of those in slices the one with the least evidence for it."""
    names = list(process.e_values)
    rows = {name: (claim.name, claim.floor, claim.estimate) for name, claim in zip(names, claims, strict=True)}
    sliced = [name for name in names if " | " in name]
    least = sorted(sliced, key=lambda name: process.e_values[name][0])[:1]
    return [rows[name] for name in names if " | " not in name or name in least]


def _sentence(
    process: Certification,
    level: float,
    shown: Sequence[tuple[str, float, Estimate | NotEstimable]],
    left: Forecast | NotEstimable,
    *,
    n_for_owner: int,
    is_spent: bool,
) -> str:
    so_far = "" if process.verdict is not Verdict.UNDECIDED else "so far "
    claims = "; ".join(claim_words(*row, so_far) for row in shown)
    waiting = waiting_words(n_for_owner)
    if process.verdict is not Verdict.UNDECIDED:
        return f"Done: {process.verdict} with {_percent(level)} certainty. {_capital(claims)}"
    if process.is_between:
        return f"Stopped: a pool of this size cannot tell, however many labels it gets. {_capital(claims)}{waiting}"
    if is_spent:
        return f"Still open, and nothing is left to label: {claims}{waiting}"
    return f"{claims}: {_left_words(left)}{waiting}"


def claim_words(name: str, floor: float, estimate: Estimate | NotEstimable, so_far: str) -> str:
    """Say where a claim stands; `so_far` stands before the number."""
    if isinstance(estimate, NotEstimable):
        return f"{name} not known yet, need {_number(floor)}"
    return f"{name} {so_far}{estimate.value:.2f} ({estimate.low:.2f}–{estimate.high:.2f}), need {_number(floor)}"


def _left_words(left: Forecast | NotEstimable) -> str:
    if isinstance(left, Forecast):
        return f"about {left.labels:,} {'label' if left.labels == 1 else 'labels'} left"
    if left.reason.endswith("too few for a forecast"):
        return "too early to say how many labels are left"
    return f"{left.reason}; {left.needs}"


def _number(floor: float) -> str:
    return f"{floor:.2f}" if round(floor, 2) == floor else f"{floor:.4g}"


def _percent(level: float) -> str:
    return f"{100 * level:.4g} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def saved(process: Certification, reading: Reading) -> str:
    """Say what a fixed-size gold set would have cost, for the distances that were seen.

    The fixed size is that of the exact test (Clopper–Pearson) at the same level, with a chance of .9 to show the
    dearest claim. It labels units drawn plainly: flagged ones for precision; for recall, as many units as it takes to
    meet that many positives, by the share of positives that the scores expect.
    """
    sizes = [
        size
        for name, found in reading.interval(process).items()
        if (size := _fixed_size(process, reading, name, found)) is not None
    ]
    used = process.n_labeled
    if not sizes:
        return ""
    fixed = max(sizes)
    basis = f"A gold set of fixed size that shows this 9 times in 10 needs {fixed:,} labels; this took {used:,}"
    return f"{basis}: {fixed - used:,} labels saved." if fixed > used else f"{basis}."


def _fixed_size(process: Certification, reading: Reading, name: str, found: Measure) -> int | None:
    floor, metric = reading.agreed[name], name.split(" | ", 1)[0]
    if isinstance(found, NotEstimable) or metric not in ("precision", "recall"):
        return None
    if (process.verdict is Verdict.MET) != (found.value >= floor):
        return None  # a refused requirement is refused by the claim that fails
    rate = min(max(found.value, 1e-3), 1 - 1e-3)
    size = labels_for_floor(rate, floor, power=_POWER, level=reading.level) if rate != floor else None
    if not isinstance(size, int):
        return None
    share = 1.0 if metric == "precision" else max(float(np.mean(process.scores)), 1e-6)
    return math.ceil(size / share)


def training_meter(n_settled: int, target: int, *, n_for_owner: int, is_spent: bool) -> Meter:
    """Give the meter of a training campaign: how far the target is.

    Examples
    --------
    >>> training_meter(120, 400, n_for_owner=0, is_spent=False).sentence
    '120 of 400 labels: 280 left'
    """
    is_done = n_settled >= target
    waiting = waiting_words(n_for_owner)
    rest = "Done" if is_done else "nothing is left to label" if is_spent else f"{target - n_settled:,} left"
    sentence = f"{rest}: {n_settled:,} labels" if is_done else f"{n_settled:,} of {target:,} labels: {rest}{waiting}"
    return Meter(
        purpose="training",
        sentence=sentence,
        n_labels=n_settled,
        n_needed=max(target, n_settled),
        n_needed_range=None,
        claims=(),
        verdict=None,
        is_done=is_done or is_spent,
        saved="",
        next_step="martello run" if is_done else "",
    )
