"""Which acts and rows may enter the book: known unit, known class, handed out, not contradicting an earlier answer.

Everything is refused by name. What an accepted act changes is `martello.label.campaign`'s.
"""

from __future__ import annotations

from collections.abc import Container

from martello.errors import DataError, nearest
from martello.label.answer_row import AnswerRow
from martello.label.contract import Submission
from martello.label.entries import Act
from martello.label.plan import RoomPlan
from martello.label.tally import Tally

__all__ = ["Admission"]

_SHOWN = 100  # characters of what somebody sent that a message repeats


class Admission:
    """Check what is sent to one campaign.

    Parameters
    ----------
    plan
        Classes and purpose.
    units
        Units of the pool.
    """

    def __init__(self, plan: RoomPlan, units: Container[str]) -> None:
        self._plan, self._units = plan, units

    def check(self, unit: str, act: str, answer: str | None, *, where: str = "") -> None:
        """Refuse what is no answer to this task.

        Raises
        ------
        DataError
            ``label.unknown-unit`` or ``label.unknown-class``.
        """
        where = where or f"unit {unit[:_SHOWN]!r}"
        if unit not in self._units:
            raise DataError(
                "label.unknown-unit", f"there is no unit {unit[:_SHOWN]!r}", where=where, expected="a unit of the pool"
            )
        if act == "label" and answer not in self._plan.classes:
            given = (answer or "")[:_SHOWN]
            raise DataError(
                "label.unknown-class",
                f"{given!r} is not a class of this task",
                where=where,
                expected="one of " + ", ".join(map(repr, self._plan.classes[:8])),
                fix=nearest(given, self._plan.classes) or "",
            )
        if act != "label" and answer is not None:
            raise DataError("label.unknown-class", f"an act {act!r} has no answer", where=where)

    def is_known(self, annotator: str, sent: Submission, before: Act | None, tally: Tally) -> bool:
        """Whether the act was taken before, under its id or from another tab.

        Raises
        ------
        DataError
            ``label.submit-conflict`` or ``label.answered-already`` when it contradicts what was taken.
        """
        if before is not None:
            if (before.annotator, before.unit, before.act, before.answer) != (
                annotator, sent.unit, sent.act, sent.answer
            ):  # fmt: skip
                raise DataError(
                    "label.submit-conflict",
                    f"act {sent.submit_id[:_SHOWN]!r} came before with other content",
                    where=f"unit {sent.unit[:_SHOWN]!r}",
                    expected="a new id for each act",
                )
            return True
        said = tally.said(annotator, sent.unit)
        if said is not None and said != (sent.act, sent.answer):
            raise _answered_already(annotator, sent.unit, said)
        return said is not None

    def act(self, annotator: str, sent: Submission, tally: Tally, *, at: str) -> Act:
        """Make the act of what was sent.

        Raises
        ------
        DataError
            ``label.unknown-unit``, ``label.unknown-class`` or ``label.not-assigned``.
        """
        self.check(sent.unit, sent.act, sent.answer)
        draw, is_check = tally.drawn.get(sent.unit), sent.unit in self._plan.checks
        if draw is None and not is_check:
            raise DataError(
                "label.not-assigned",
                f"unit {sent.unit[:_SHOWN]!r} was not handed out",
                where=f"assignment {sent.assignment[:_SHOWN]!r}",
                expected="a unit that next() gave",
                fix="load the page again",
            )
        return Act(
            submit_id=sent.submit_id,
            unit=sent.unit,
            annotator=annotator,
            act=sent.act,
            answer=sent.answer,
            author="person",
            seconds=sent.seconds,
            at=at,
            is_check=is_check,
            probability=draw.probability if draw else None,
            draw=draw.draw if draw else None,
            sampler=draw.sampler if draw else None,
            seed=draw.seed if draw else None,
        )

    def row_fault(self, row: AnswerRow, number: int, tally: Tally) -> DataError | None:
        """Say why a row cannot be taken, or None."""
        where = f"row {number}, unit {row.unit[:_SHOWN]!r}, annotator {row.annotator[:_SHOWN]!r}"
        try:
            self.check(row.unit, row.act, row.answer, where=where)
        except DataError as fault:
            return fault
        if row.purpose not in (None, self._plan.purpose):
            what = f"the row is for {row.purpose}, the campaign for {self._plan.purpose}"
            return DataError("label.other-purpose", what, where=where, fix="import it into the campaign it is for")
        if row.author == "model" and self._plan.purpose == "gold":
            return DataError(
                "label.gold-by-model",
                f"a model ({row.annotator[:_SHOWN]}) answered, and gold is what models are judged by",
                where=where,
                expected="an answer of a person",
                fix="import it for training, or leave it out",
            )
        said = tally.said(row.annotator, row.unit)
        return (
            None if said in (None, (row.act, row.answer)) else _answered_already(row.annotator, row.unit, said, where)
        )


def _answered_already(annotator: str, unit: str, said: tuple[str, str | None] | None, where: str = "") -> DataError:
    before = "" if said is None else repr(said[1]) if said[0] == "label" else said[0]
    return DataError(
        "label.answered-already",
        f"{annotator[:_SHOWN]} answered unit {unit[:_SHOWN]!r} before, with {before}",
        where=where,
        expected="one answer of each annotator on a unit; the first one stands",
        fix="undo the first answer, or let the owner settle the unit",
    )
