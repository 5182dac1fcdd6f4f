"""How an answer crosses the room's border: a row of a file becomes an act of the book and back, a count a progress.

The rows' form is `martello.label.answer_row`'s; what an act settles is `martello.label.campaign`'s.
"""

from __future__ import annotations

import itertools
import secrets
import statistics

import msgspec

from martello.errors import DataError
from martello.label.answer_row import AnswerRow
from martello.label.contract import AnnotatorProgress, Purpose
from martello.label.entries import Act
from martello.label.tally import Person
from martello.stats.intervals import proportion_interval

__all__ = ["TakenRows", "act_of", "progress_of", "row_of"]


# Ids that grow keep the index of a million rows in order; the first part tells one process from another.
_RUN, _NUMBER = secrets.token_hex(6), itertools.count()


class TakenRows(msgspec.Struct, frozen=True, kw_only=True):
    """What became of imported rows; the first thousand refusals by name.

    Attributes
    ----------
    n_taken, n_known, n_refused
        Rows taken, rows that were there already, rows refused.
    faults
        Why, naming row, unit and annotator.
    """

    n_taken: int
    n_known: int
    n_refused: int
    faults: tuple[DataError, ...]


def act_of(row: AnswerRow, is_check: bool) -> Act:
    """Make an act of an imported row."""
    return Act(
        submit_id=f"import-{_RUN}-{next(_NUMBER):09d}",
        unit=row.unit,
        annotator=row.annotator,
        act=row.act,
        answer=row.answer,
        author=row.author,
        seconds=row.seconds,
        at=row.at,
        is_check=is_check,
        is_imported=True,
        probability=row.probability,
        draw=row.draw,
        sampler=row.sampler,
        seed=row.seed,
    )


def row_of(act: Act, purpose: Purpose) -> AnswerRow:
    """Make a row of an act, to be exported."""
    return AnswerRow(
        unit=act.unit,
        annotator=act.annotator,
        answer=act.answer,
        act=act.act,
        author=act.author,
        at=act.at,
        seconds=act.seconds,
        purpose=purpose,
        probability=act.probability,
        draw=act.draw,
        sampler=act.sampler,
        seed=act.seed,
    )


def progress_of(name: str, person: Person) -> AnnotatorProgress:
    """Say how far somebody has come."""
    return AnnotatorProgress(
        annotator=name,
        n_answers=person.n_answers,
        n_unsure=person.n_unsure,
        n_skipped=person.n_skipped,
        agreement=proportion_interval(person.agreed, person.compared),
        checks=proportion_interval(person.right, person.checked),
        seconds=statistics.median(person.seconds) if person.seconds else None,
        last_at=person.last_at,
    )
