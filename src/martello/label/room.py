"""The labelling room: one campaign, opened, as the page sees it (`martello.label.contract.LabelingRoom`).

Here acts are checked, the lock is held, and nothing is acknowledged before the book has it. What acts mean is
`martello.label.campaign`'s. What the corridor reads without opening a room is `martello.label.settled`'s.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from martello.errors import DataError
from martello.label.admission import Admission
from martello.label.answer_row import AnswerRow
from martello.label.book import AnswerBook, Ticket
from martello.label.campaign import Campaign, begin_campaign, written
from martello.label.campaign_meter import CampaignMeter
from martello.label.choose_fixed import FixedPlan
from martello.label.choose_gold import GoldPlan
from martello.label.choose_training import TrainingPlan
from martello.label.contract import (
    AnnotatorProgress,
    Answered,
    Assignment,
    Disagreement,
    Meter,
    Purpose,
    Receipt,
    Submission,
    UnitView,
    Vote,
)
from martello.label.crossing import TakenRows, act_of, progress_of, row_of
from martello.label.entries import Act, Draw
from martello.label.guidelines import read_guidelines, replace_guidelines
from martello.label.plan import RoomPlan, check_plan
from martello.label.queue import Held
from martello.label.settled import (
    FixedAnswers,
    Settled,
    answers_digest,
    fixed_answers,
    gold_certification,
    settled_answers,
)

__all__ = [
    "FixedAnswers",
    "Room",
    "RoomPlan",
    "Settled",
    "TakenRows",
    "answers_digest",
    "fixed_answers",
    "gold_certification",
    "open_room",
    "settled_answers",
]

_BATCH = 1000  # rows of an import that share a commit
_MOST_FAULTS = 1000
_MOST_AT_ONCE = 20  # units that one request may lease
_MANY = 1000  # what is remembered on its way to the disk before it is looked through


def open_room(
    directory: Path,
    plan: RoomPlan,
    units: Sequence[str],
    view: Callable[[int], UnitView],
    *,
    gold: GoldPlan | FixedPlan | None = None,
    training: TrainingPlan | None = None,
    clock: Callable[[], float] = time.time,
) -> Room:
    """Open a campaign, new or as it was left.

    Parameters
    ----------
    directory
        The folder of the labelling room, ``<project>/.martello/label``; made when absent.
    plan
        What is asked, of whom, how often.
    units
        The pool, in its fixed order.
    view
        Gives what people see of the unit at a position; called from several threads.
    gold, training
        What to prove, or what to learn from: the one that `plan.purpose` names.
    clock
        Gives seconds since the epoch.

    Raises
    ------
    DataError
        ``label.bad-plan``, ``label.engine-binary-only``, ``label.pool-mismatch``, ``label.unknown-unit`` or
        ``label.unknown-class`` for a check unit.
    IntegrityError
        ``label.book-damaged``, ``label.book-version``, ``label.draws-do-not-replay``.
    EnvironmentFault
        ``label.room-open-elsewhere``, ``label.book-not-writable``.
    """
    return Room(directory, plan, units, view, gold=gold, training=training, clock=clock)


class Room:
    """One campaign, opened; see `martello.label.contract.LabelingRoom` for what its methods promise.

    Close it at the end, or use it in a ``with`` statement. Parameters as of `open_room`.
    """

    def __init__(
        self,
        directory: Path,
        plan: RoomPlan,
        units: Sequence[str],
        view: Callable[[int], UnitView],
        *,
        gold: GoldPlan | FixedPlan | None,
        training: TrainingPlan | None,
        clock: Callable[[], float],
    ) -> None:
        self._directory, self._plan, self._units, self._view, self._clock = directory, plan, units, view, clock
        self._gold, self._training = gold, training
        self._position_of = {unit: position for position, unit in enumerate(units)}
        check_plan(plan, self._position_of, gold=gold, training=training)
        self._admission = Admission(plan, self._position_of)
        self._lock = threading.Condition()
        self._looking = threading.Lock()  # one meter at a time
        self._meter = CampaignMeter(gold=gold, training=training)
        self._refilling: threading.Thread | None = None
        self._refill_trouble: BaseException | None = None
        self._recent: dict[str, tuple[Act, Ticket]] = {}
        self._drawing: dict[int, Ticket] = {}
        self._book = AnswerBook(directory, plan.purpose)
        try:
            self._load()
        except BaseException:
            self._book.close()
            raise

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is queued and let others open the campaign."""
        refilling = self._refilling
        if refilling is not None:
            refilling.join()
        self._book.close()

    @property
    def purpose(self) -> Purpose:
        """What the labels are for."""
        return self._plan.purpose

    @property
    def name(self) -> str:
        """Short name of the task."""
        return self._plan.name

    @property
    def question(self) -> str:
        """The question an annotator answers."""
        return self._plan.question

    @property
    def classes(self) -> tuple[str, ...]:
        """The possible answers, in the order of their keys."""
        return self._plan.classes

    def is_unit(self, name: str) -> bool:
        """Say whether a name is that of a unit of this campaign."""
        return name in self._position_of

    def inputs(self, unit: str) -> dict[str, Any]:
        """Give what is shown of a unit, by name of the input."""
        return {field.name: field.value for field in self._view_of(unit).fields}

    def next(self, annotator: str, k: int, *, holding: Sequence[str] = ()) -> list[Assignment]:
        """Give up to k units to one annotator, twenty at most."""
        k = min(k, _MOST_AT_ONCE)
        with self._lock:
            self._ready()
            self._campaign.arrive(annotator)
            self._top_up(k)
            taken = self._campaign.take(annotator, k, holding)
            while not taken and self._is_refilling(k):
                self._lock.wait()
                taken = self._campaign.take(annotator, k, holding)
            self._flush()
            waits = [ticket for held in taken if (ticket := self._drawing.get(held.position)) is not None]
        for ticket in waits:
            ticket.wait()
        return [self._assignment(held) for held in taken]

    def submit(self, annotator: str, submission: Submission) -> Receipt:
        """Keep one act; on disk before it returns.

        Raises
        ------
        DataError
            ``label.unknown-unit``, ``label.unknown-class``, ``label.not-assigned``, ``label.answered-already`` or
            ``label.submit-conflict``.
        EnvironmentFault
            ``label.book-not-writable``: the act is not kept; send it again.
        """
        with self._lock:
            self._ready()
            tally = self._campaign.tally
            was_known = self._admission.is_known(annotator, submission, self._sent(submission.submit_id), tally)
            if was_known:
                ticket = self._book.add()
            else:
                act = self._admission.act(annotator, submission, tally, at=written(self._clock()))
                self._campaign.act(act)
                ticket = self._flush()
                self._remember(act, ticket)
        ticket.wait()
        return Receipt(submit_id=submission.submit_id, was_known=was_known)

    def undo(self, annotator: str, *, submit_id: str | None = None) -> Assignment | None:
        """Withdraw an act and hand the unit out to the same annotator again."""
        with self._lock:
            self._ready()
            self._flush().wait()
            act = self._latest(annotator) if submit_id is None else self._sent(submit_id)
            if act is None or act.annotator != annotator or act.unit not in self._position_of:
                return None
            if act.submit_id not in self._campaign.tally.withdrawn:
                held = self._campaign.withdraw(act)
            elif self._campaign.tally.said(annotator, act.unit) is None:
                held = self._campaign.hand_again(annotator, act.unit)
            else:
                return None  # undone before, and answered again since
            ticket = self._flush()
        ticket.wait()
        return self._assignment(held)

    def answered(self, annotator: str, *, offset: int = 0, limit: int = 50) -> list[Answered]:
        """Give what an annotator has answered, latest first."""
        self._wait()
        acts = self._book.acts_of(annotator, offset=offset, limit=limit)
        return [
            Answered(submit_id=act.submit_id, view=self._view_of(act.unit), act=act.act, answer=act.answer)
            for act in acts
            if act.unit in self._position_of
        ]

    def meter(self) -> Meter:
        """Say where the campaign stands."""
        with self._looking:
            with self._lock:
                self._ready()
                self._top_up()
                ticket, look = self._flush(), self._meter.look(self._campaign)
            ticket.wait()
            return look()

    def progress(self) -> tuple[AnnotatorProgress, ...]:
        """Say how far everyone has come."""
        self._wait()
        with self._lock:
            return tuple(progress_of(name, person) for name, person in sorted(self._campaign.tally.people.items()))

    def disagreements(self, *, offset: int = 0, limit: int = 50) -> tuple[int, list[Disagreement]]:
        """Give the number of units the votes do not settle, and one page of them."""
        self._wait()
        with self._lock:
            units = list(self._campaign.for_owner)
            page = [
                (
                    unit,
                    tuple(
                        Vote(annotator=who, answer=said) for who, said, _ in self._campaign.tally.votes.get(unit, [])
                    ),
                )
                for unit in units[offset : offset + limit]
            ]
        return len(units), [Disagreement(view=self._view_of(unit), votes=votes) for unit, votes in page]

    def adjudicate(self, unit: str, answer: str, *, owner: str) -> None:
        """Settle a unit by the owner's word, also one that was settled otherwise.

        Raises
        ------
        DataError
            ``label.unknown-unit`` or ``label.unknown-class``.
        """
        self._admission.check(unit, "label", answer)
        with self._lock:
            self._ready()
            self._campaign.adjudicate(unit, answer, owner)
            ticket = self._flush()
        ticket.wait()

    def guidelines(self) -> str:
        """Give the guidelines as Markdown; empty when there are none."""
        return read_guidelines(self._guidelines_path)

    def write_guidelines(self, text: str) -> None:
        """Replace the guidelines; the text before is kept beside it."""
        with self._lock:
            replace_guidelines(self._guidelines_path, text, at=self._clock())

    @property
    def _guidelines_path(self) -> Path:
        return self._plan.guidelines_path or self._directory / "guidelines.md"

    def summary(self) -> Mapping[str, Any]:
        """Give the campaign as JSON values: who, how many, agreement, verdict."""
        meter, people = self.meter(), self.progress()
        with self._lock:
            tally = self._campaign.tally
            by_how: dict[str, int] = {}
            for settled in tally.settled.values():
                by_how[settled.how] = by_how.get(settled.how, 0) + 1
            counts = {
                "name": self.name,
                "n_units": len(self._units),
                "n_settled": len(tally.settled),
                "settled_by": by_how,
                "n_disagreements": len(self._campaign.for_owner),
                "n_rounds": len(tally.rounds),
                "digest": tally.digest,
            }
        found: dict[str, Any] = msgspec.to_builtins({**counts, "meter": meter, "annotators": people})
        return found

    def take_rows(self, rows: Iterable[AnswerRow], *, all_or_nothing: bool = False) -> TakenRows:
        """Take answers from elsewhere as votes of their annotators; a faulty row does not hold back the others.

        For gold a unit still counts only when the certification draws it. A skip is taken, too, and teaches nothing.

        Parameters
        ----------
        rows
            Streamed, and on disk when this returns.
        all_or_nothing
            Take none when any is refused; holds all in memory.
        """
        if all_or_nothing:
            rows = list(rows)
            if (refused := self._refusals(rows)).n_refused:
                return refused
        faults: list[DataError] = []
        n_taken = n_known = n_refused = 0
        touched: dict[str, None] = {}
        numbered = enumerate(rows, 1)
        while batch := list(itertools.islice(numbered, _BATCH)):
            with self._lock:
                self._ready()
                for number, row in batch:
                    fault = self._admission.row_fault(row, number, self._campaign.tally)
                    if fault is not None:
                        n_refused += 1
                        faults += [fault] if n_refused <= _MOST_FAULTS else []
                    elif self._campaign.tally.said(row.annotator, row.unit) is not None:
                        n_known += 1
                    else:
                        n_taken += 1
                        touched[row.unit] = None
                        self._campaign.act(act_of(row, self._campaign.is_check(row.unit)), weigh=False)
                ticket = self._flush()
            ticket.wait()
        self._settle_all(touched)
        return TakenRows(n_taken=n_taken, n_known=n_known, n_refused=n_refused, faults=tuple(faults))

    def _refusals(self, rows: Iterable[AnswerRow]) -> TakenRows:
        with self._lock:
            tally = self._campaign.tally
            found = [self._admission.row_fault(row, number, tally) for number, row in enumerate(rows, 1)]
        faults = [fault for fault in found if fault is not None]
        return TakenRows(n_taken=0, n_known=0, n_refused=len(faults), faults=tuple(faults[:_MOST_FAULTS]))

    def _settle_all(self, units: Iterable[str]) -> None:
        """Settle what imported votes settle, once all of them are there."""
        with self._lock:
            self._ready()
            for unit in units:
                self._campaign.weigh(unit)
            self._top_up()
            ticket = self._flush()
        ticket.wait()

    def rows(self) -> Iterator[AnswerRow]:
        """Give every answer that stands, streamed, those of one unit together."""
        self._wait()
        for act in self._book.standing_acts():
            yield row_of(act, self.purpose)

    def _load(self) -> None:
        self._campaign = begin_campaign(
            self._units,
            self._position_of,
            self._plan,
            gold=self._gold,
            training=self._training,
            clock=self._clock,
        )
        self._recent.clear()
        self._drawing.clear()
        self._campaign.load(self._book.entries(), self._book.leases())
        self._flush().wait()

    def _ready(self) -> None:
        """After a failed write, go back to what is on disk."""
        if self._book.has_failed:
            self._book.recover()
            self._load()

    def _flush(self) -> Ticket:
        """Queue what changed; draws are remembered until they are on disk, for nobody may see them before."""
        entries, leases, ended = self._campaign.drain()
        ticket = self._book.add(entries, leases=leases, ended=ended)
        self._drawing |= {entry.position: ticket for entry in entries if isinstance(entry, Draw)}
        if len(self._drawing) > _MANY:
            self._drawing = {at: waiting for at, waiting in self._drawing.items() if not waiting.is_done}
        return ticket

    def _wait(self) -> None:
        with self._lock:
            self._ready()
            ticket = self._flush()
        ticket.wait()

    def _remember(self, act: Act, ticket: Ticket) -> None:
        """Know an act again while it is on its way to the disk."""
        self._recent[act.submit_id] = (act, ticket)
        if len(self._recent) > _MANY:
            self._recent = {sent: found for sent, found in self._recent.items() if not found[1].is_done}

    def _sent(self, submit_id: str) -> Act | None:
        if submit_id not in self._campaign.tally.sent:
            return None
        found = self._recent.get(submit_id)
        return found[0] if found else self._book.act(submit_id)

    def _latest(self, annotator: str) -> Act | None:
        acts = self._book.acts_of(annotator, offset=0, limit=1)
        return acts[0] if acts else None

    def _top_up(self, at_least: int = 1) -> None:
        """See that there are units to hand out: gold draws are quick, a training sampler works beside the requests."""
        campaign = self._campaign
        if campaign.chooser.draws_at_once:
            campaign.top_up(at_least)
        elif self._refilling is None and (k := campaign.wanted_draws()) > 0:
            work = campaign.chooser.prepare(k)
            self._refilling = threading.Thread(target=self._refill, args=(campaign, work), daemon=True)
            self._refilling.start()

    def _is_refilling(self, k: int) -> bool:
        """Whether draws are being made that are worth waiting for; raises what the sampler raised."""
        if self._refill_trouble is not None:
            trouble, self._refill_trouble = self._refill_trouble, None
            raise trouble
        self._top_up(k)
        return self._refilling is not None

    def _refill(self, campaign: Campaign, work: Callable[[], list[Draw]]) -> None:
        draws: list[Draw] = []
        trouble: BaseException | None = None
        try:
            draws = work()
        except Exception as error:  # raised again to whoever waits for units
            trouble = error
        with self._lock:
            self._refilling, self._refill_trouble = None, trouble
            if campaign is self._campaign and trouble is None:
                campaign.add_draws(draws)
                self._flush()
            self._lock.notify_all()

    def _assignment(self, held: Held) -> Assignment:
        return Assignment(assignment=held.assignment, view=self._view(held.position), why=held.why)

    def _view_of(self, unit: str) -> UnitView:
        return self._view(self._position_of[unit])
