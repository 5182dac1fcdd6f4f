"""What the rest of the loop takes from the labelling room, read from the book without opening it.

A running room may go on writing; what is read is the book as of one moment.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from martello.label.book import FILE_NAME, entries_on_disk
from martello.label.campaign import written
from martello.label.choose_fixed import fixed_fingerprint
from martello.label.choose_gold import GoldChooser, GoldPlan, round_for
from martello.label.contract import Purpose
from martello.label.entries import Act, How, Withdrawal
from martello.label.tally import Tally
from martello.stats.certification import Certification

__all__ = ["FixedAnswers", "Settled", "answers_digest", "fixed_answers", "gold_certification", "settled_answers"]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a unit and how it came to stand.

    Attributes
    ----------
    answer
        A class; None for unsure.
    how
        ``one vote``, ``agreed``, ``majority``, ``owner`` or ``check``.
    draw, probability, sampler
        Of the draw that brought the unit up; None when it was never drawn, or not with a probability.
    """

    answer: str | None
    how: How
    draw: int | None
    probability: float | None
    sampler: str | None


def settled_answers(directory: Path, purpose: Purpose) -> dict[str, Settled]:
    """Give the settled answer of every unit that has one; empty when nothing was labeled yet.

    Raises
    ------
    IntegrityError
        ``label.book-damaged`` or ``label.book-version``.
    """
    tally = _tally(directory, purpose)
    found = {}
    for unit, settlement in tally.settled.items():
        draw = tally.drawn.get(unit)
        found[unit] = Settled(
            answer=settlement.answer,
            how=settlement.how,
            draw=draw.draw if draw else None,
            probability=draw.probability if draw else None,
            sampler=draw.sampler if draw else None,
        )
    return found


def answers_digest(directory: Path, purpose: Purpose) -> str:
    """Give a hash that changes exactly when a settled answer comes, goes or changes.

    Raises
    ------
    IntegrityError
        As `settled_answers`.
    """
    return _tally(directory, purpose).digest


def gold_certification(directory: Path, plan: GoldPlan, units: Sequence[str], positive: str) -> Certification:
    """Replay the evidence of a gold campaign for the gate; nothing is written.

    When pool, scores or claims are not those of the newest round, the evidence is what a new round would begin with:
    known labels, no draws.

    Parameters
    ----------
    directory
        The folder of the labelling room.
    plan, units, positive
        As the room was opened with.

    Raises
    ------
    DataError
        ``label.pool-mismatch``.
    IntegrityError
        As `settled_answers`, and ``label.draws-do-not-replay``.
    """
    tally, at = _tally(directory, "gold"), written(time.time())
    seed = tally.rounds[-1].seed if tally.rounds else 0
    chooser = GoldChooser(plan, units, positive=positive, seed=seed, now=lambda: at)
    position_of = {unit: position for position, unit in enumerate(units)}
    round_, is_new = round_for(tally, chooser, at)
    chooser.begin(round_, position_of)
    if not is_new:
        settled = [(position_of[unit], found) for unit, found in tally.settled.items() if unit in position_of]
        chooser.replay(tally.draws, {position: chooser.code(found.answer) for position, found in settled})
    return chooser.certification


class FixedAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Gold of a fixed size, as far as it is answered.

    Attributes
    ----------
    size
        Answers that were declared before the first one.
    answers
        Settled answers of the drawn units, in the order of the draw; None for unsure.
    """

    size: int
    answers: dict[str, str | None]

    @property
    def is_complete(self) -> bool:
        """Whether every declared answer is there, so that they may be judged."""
        return len(self.answers) == self.size


def fixed_answers(directory: Path, units: Sequence[str], seed: int) -> FixedAnswers | None:
    """Give the answers of gold of a fixed size over a pool; None where none was asked of this pool.

    Raises
    ------
    IntegrityError
        As `settled_answers`.
    """
    tally = _tally(directory, "gold")
    last = tally.rounds[-1] if tally.rounds else None
    if last is None or last.size is None or last.fingerprint != fixed_fingerprint(units, last.size, seed):
        return None
    drawn = [draw.unit for draw in tally.draws if draw.unit in tally.settled]
    return FixedAnswers(size=last.size, answers={unit: tally.settled[unit].answer for unit in drawn})


def _tally(directory: Path, purpose: Purpose) -> Tally:
    """Fold what was drawn and settled; who said what is the open room's to know."""
    entries = entries_on_disk(directory / FILE_NAME, purpose)
    return Tally.of(entry for entry in entries if not isinstance(entry, Act | Withdrawal))
