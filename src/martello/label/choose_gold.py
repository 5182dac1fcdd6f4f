"""Which units prove the requirement: the certification's draws in order, each written down before it is shown.

The evidence is `martello.stats.certification`'s and a function of the seed and the answers alone. So it is replayed
when the room opens, and an answer that is corrected replays it, too: draws that would have come out otherwise are
dropped and made again, and what was answered meanwhile counts as soon as its unit is drawn.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.errors import DataError, IntegrityError
from martello.label.entries import Draw, Round
from martello.label.reading import Reading
from martello.label.tally import Tally
from martello.stats.certification import Certification
from martello.stats.estimate import Verdict
from martello.stats.label_sampler import Draws, Sampler
from martello.stats.pool_margin import PoolFloor

__all__ = ["Correction", "GoldChooser", "GoldPlan", "round_for"]

# Draws that may wait for an earlier one's answer. Evidence is taken in the order of the draw, so a unit that waits for
# the owner holds it up; what is labeled behind it may turn out not to have been needed.
MOST_WAITING = 200
_WHY: dict[Sampler, str] = {
    "weighted": "Drawn at random, more often where one answer tells more about the requirement.",
    "random": "Drawn at random, each unit the requirement is about with the same chance.",
}


class GoldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a gold campaign has to prove, over which pool.

    Attributes
    ----------
    scores
        Scores of the positive class, shape (N,), in the order of the pool.
    threshold
        A unit is flagged at or above it.
    precision, recall
        Requirements, in (0, 1).
    level
        One minus the error allowed.
    slices
        Columns by name, one value per unit; the requirement must hold in each.
    floors
        As in `martello.stats.certification.Certification`.
    sampler
        ``weighted`` or ``random``.
    budget
        Most labels that will ever be asked.
    model
        Name of the model whose scores these are, for people.
    reading
        How the meter reads the certification; by its own floors when None.
    """

    scores: NDArray[np.float64]
    threshold: float
    precision: float | None = None
    recall: float | None = None
    level: float = 0.95
    slices: Mapping[str, Any] = {}
    floors: Mapping[str, PoolFloor] = {}
    sampler: Sampler = "weighted"
    budget: int | None = None
    model: str = ""
    reading: Reading | None = None


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that was evidence changed: draws from `first` on are void, and these stand in their place."""

    first: int
    draws: tuple[Draw, ...]
    n_labeled: int  # labels that are still evidence


class GoldChooser:
    """Draw the units of one round and take their answers. This is a process; the room calls it from under its lock.

    Parameters
    ----------
    plan, units, seed
        The plan, the pool, and the seed of the campaign.
    positive
        The answer that counts as yes.
    now
        Gives the time for what is written down.

    Raises
    ------
    DataError
        ``label.pool-mismatch`` when the scores are not of this pool, or what the certification raises.
    """

    draws_at_once = True
    size = None

    def __init__(
        self, plan: GoldPlan, units: Sequence[str], *, positive: str, seed: int, now: Callable[[], str]
    ) -> None:
        if len(plan.scores) != len(units):
            raise DataError(
                "label.pool-mismatch",
                f"{len(plan.scores)} scores for {len(units)} units",
                expected="one score per unit, in the order of the pool",
            )
        self.plan, self._units, self._positive, self.seed, self._now = plan, units, positive, seed, now
        self.round = -1
        self.draws: list[Draw] = []
        self.fingerprint = self._fingerprint()

    def begin(self, round_: Round, position_of: Mapping[str, int]) -> None:
        """Start a round's evidence with what it takes as known."""
        known = {position_of[unit]: code for unit, code in round_.known.items() if unit in position_of}
        self.round, self.draws, self._told = round_.number, [], dict[int, int | None]()
        self._start = self._certification(round_.number, known)
        self.certification = copy.deepcopy(self._start)

    def code(self, answer: str | None) -> int | None:
        """Give an answer as the claims read it: 1 for the positive class, 0 for another, None for unsure."""
        return None if answer is None else int(answer == self._positive)

    @property
    def is_decided(self) -> bool:
        """Whether the answer is known."""
        return self.certification.verdict is not Verdict.UNDECIDED or self.certification.is_between

    @property
    def is_held_up(self) -> bool:
        """Whether so many draws wait for an earlier answer that no more are made."""
        return len(self.draws) - self.certification.n_labeled >= MOST_WAITING

    def prepare(self, k: int) -> Callable[[], list[Draw]]:
        """Give the work of drawing up to k units."""
        return lambda: self._draw(k)

    def _draw(self, k: int) -> list[Draw]:
        waiting = len(self.draws) - self.certification.n_labeled
        return self._noted(self.certification.next(max(0, min(k, MOST_WAITING - waiting))), self.certification)

    def accept(self, draws: Sequence[Draw]) -> None:
        """Take draws that are written down."""
        self.draws += draws

    def settle(self, position: int, code: int | None) -> Correction | None:
        """Take the answer of a drawn unit; a Correction when it was another before."""
        if position in self._told and self._told[position] != code:
            self._told[position] = code
            return self._replayed()
        self._told[position] = code
        self.certification.observe([position], [code])
        return None

    def reopen(self, position: int) -> Correction | None:
        """Take an answer back."""
        if position not in self._told:
            return None
        del self._told[position]
        return self._replayed()

    def replay(self, draws: Sequence[Draw], answers: Mapping[int, int | None]) -> None:
        """Make the draws of the book again and take their answers.

        Raises
        ------
        IntegrityError
            ``label.draws-do-not-replay`` when the book's draws are not those of this pool, seed and answers.
        """
        self._told = {draw.position: answers[draw.position] for draw in draws if draw.position in answers}
        made = self._run(self.certification, draws)
        for old, new in zip(draws, made, strict=False):
            if not _same(old, new):
                raise _does_not_replay(old)
        if len(made) != len(draws):
            raise _does_not_replay(draws[len(made)])
        self.draws = list(draws)

    def _replayed(self) -> Correction:
        """Run the whole round again with the answers as they are now."""
        self.certification = copy.deepcopy(self._start)
        made = self._run(self.certification, self.draws)
        pairs = zip(self.draws, made, strict=False)
        first = next((i for i, (old, new) in enumerate(pairs) if not _same(old, new)), min(len(made), len(self.draws)))
        self.draws = self.draws[:first] + made[first:]
        drawn = {draw.position for draw in self.draws}
        self._told = {position: code for position, code in self._told.items() if position in drawn}
        return Correction(first=first, draws=tuple(made[first:]), n_labeled=self.certification.n_labeled)

    def _run(self, process: Certification, draws: Sequence[Draw]) -> list[Draw]:
        """Draw as often as the given draws say, each group after as many answers, as far as they are there."""
        made: list[Draw] = []
        start = fed = 0
        while start < len(draws):
            after = draws[start].after
            stop = next((i for i in range(start, len(draws)) if draws[i].after != after), len(draws))
            fed = _feed(process, made, self._told, fed, after)
            got = self._noted(process.next(stop - start), process, first=len(made), after=process.n_labeled)
            made, start = made + got, stop
        _feed(process, made, self._told, fed, len(made))
        return made

    def frozen(self) -> tuple[Certification, Callable[[Sequence[int]], Iterator[Certification]]]:
        """Give the certification as it stands, and the replay of its past, both to be read in another thread."""
        return copy.deepcopy(self.certification), self._past()

    def _past(self) -> Callable[[Sequence[int]], Iterator[Certification]]:
        start, draws, told = self._start, list(self.draws), dict(self._told)

        def replay(counts: Sequence[int]) -> Iterator[Certification]:
            process, drawn, fed = copy.deepcopy(start), 0, 0
            for n in counts:
                while drawn < len(draws) and draws[drawn].after <= n:
                    after = draws[drawn].after
                    stop = next((i for i in range(drawn, len(draws)) if draws[i].after != after), len(draws))
                    fed = _feed(process, draws, told, fed, after)
                    process.next(stop - drawn)
                    drawn = stop
                fed = _feed(process, draws, told, fed, min(n, drawn))
                yield process

        return replay

    def _noted(
        self, draws: Draws, process: Certification, first: int | None = None, after: int | None = None
    ) -> list[Draw]:
        first, at = len(self.draws) if first is None else first, self._now()
        pairs = zip(draws.position.tolist(), draws.probability.tolist(), strict=True)
        return [
            Draw(
                unit=self._units[position],
                position=position,
                draw=first + i,
                round=self.round,
                probability=probability,
                sampler=process.sampler,
                seed=process.seed,
                after=process.n_labeled if after is None else after,
                why=_WHY[process.sampler],
                at=at,
            )
            for i, (position, probability) in enumerate(pairs)
        ]

    def _certification(self, number: int, known: Mapping[int, int | None]) -> Certification:
        plan = self.plan
        # A new round must not replay the chances of an earlier one.
        seed = (
            self.seed
            if number == 0
            else int(np.random.SeedSequence([self.seed, number]).generate_state(1, np.uint64)[0] >> 1)
        )
        return Certification(
            plan.scores,
            precision=plan.precision,
            recall=plan.recall,
            threshold=plan.threshold,
            slices=plan.slices,
            floors=plan.floors,
            sampler=plan.sampler,
            level=plan.level,
            budget=plan.budget,
            seed=seed,
            known=known,
        )

    def _fingerprint(self) -> str:
        plan = self.plan
        floors = sorted((name, floor.raised, floor.lowered) for name, floor in plan.floors.items())
        claims = (plan.threshold, plan.precision, plan.recall, plan.level, plan.sampler, plan.budget, floors)
        content = hashlib.sha256(msgspec.json.encode((*claims, self.seed, self._positive)))
        content.update(np.ascontiguousarray(plan.scores, dtype="<f8").tobytes())
        for name in sorted(plan.slices):
            content.update(f"\n{name}\n".encode() + "\n".join(map(str, plan.slices[name])).encode())
        content.update("\n".join(self._units).encode())
        return content.hexdigest()


class _Begins(Protocol):
    """What begins rounds: the certification's draws, or gold of a fixed size."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def size(self) -> int | None: ...

    def code(self, answer: str | None) -> int | None: ...


def round_for(tally: Tally, chooser: _Begins, at: str) -> tuple[Round, bool]:
    """Give the round that fits the chooser's pool and claims, and whether it is new.

    A new round begins when the fingerprint changed. It takes the settled answers of units that were drawn before as
    known facts about their units, which is valid however they were chosen; only their evidence is gone.
    """
    last = tally.rounds[-1] if tally.rounds else None
    if last is not None and last.fingerprint == chooser.fingerprint:
        return last, False
    known = {unit: chooser.code(tally.settled[unit].answer) for unit in tally.drawn if unit in tally.settled}
    number, seed, fingerprint = len(tally.rounds), chooser.seed, chooser.fingerprint
    return Round(number=number, seed=seed, fingerprint=fingerprint, known=known, at=at, size=chooser.size), True


def _feed(process: Certification, draws: Sequence[Draw], told: Mapping[int, int | None], fed: int, upto: int) -> int:
    """Hand in the answers of draws fed..upto, as far as they are there."""
    positions = [draw.position for draw in draws[fed:upto] if draw.position in told]
    if positions:
        process.observe(positions, [told[position] for position in positions])
    return max(fed, min(upto, len(draws)))


def _same(old: Draw, new: Draw) -> bool:
    close = (
        old.probability is not None
        and new.probability is not None
        and abs(old.probability / new.probability - 1) < 1e-6
    )
    return (old.position, old.unit, old.after) == (new.position, new.unit, new.after) and close


def _does_not_replay(draw: Draw) -> IntegrityError:
    return IntegrityError(
        "label.draws-do-not-replay",
        f"draw {draw.draw}, unit {draw.unit!r}, is not the one that this pool, seed and answers give",
        where=f"round {draw.round}, draw {draw.draw}",
        expected="the draws as they were written",
        fix="put back a copy of the .martello/label folder that belongs to this project",
    )
