"""What the labelling page needs of a labelling room, and the values that pass between the two.

A room is opened by the corridor for one campaign: labels to learn from (`training`) or labels that prove (`gold`). The
page knows only this; how units are chosen and answers kept is `room`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from martello.records import Measure
from martello.stats.estimate import Verdict

__all__ = [
    "Annotator",
    "AnnotatorProgress",
    "AnnotatorRegister",
    "Answered",
    "Assignment",
    "ClaimMeter",
    "Disagreement",
    "LabelingRoom",
    "Meter",
    "Purpose",
    "Receipt",
    "ShownField",
    "Submission",
    "UnitView",
    "Vote",
]

Purpose = Literal["training", "gold"]
#: How a value is shown: a line, a block of long text, an image, a pair of texts side by side, a list of candidates.
Show = Literal["line", "text", "image", "pair", "candidates"]


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen value."""


class ShownField(_Value, frozen=True, kw_only=True):
    """One input of a unit, as an annotator sees it; `value` is a JSON scalar, or a list for pairs and candidates."""

    name: str
    show: Show
    value: Any


class UnitView(_Value, frozen=True, kw_only=True):
    """A unit as shown to people; never with its answer, its score or its side."""

    unit: str
    fields: tuple[ShownField, ...]


class Assignment(_Value, frozen=True, kw_only=True):
    """A unit handed to one annotator: theirs until answered, skipped, or the lease ends and it goes to another."""

    assignment: str  # opaque id; an answer names it
    view: UnitView
    why: str  # one sentence: why this unit was chosen; the same for a hidden check unit


class Submission(_Value, frozen=True, kw_only=True):
    """One act of an annotator on one unit; sent as often as the network needs, counted once by `submit_id`."""

    submit_id: str  # made by the browser, unique for each act
    assignment: str
    unit: str
    act: Literal["label", "unsure", "skip"]
    answer: str | None = None  # a class, for act "label"
    seconds: float | None = None  # how long the unit was looked at


class Receipt(_Value, frozen=True, kw_only=True):
    """Given only when the act is on disk."""

    submit_id: str
    was_known: bool  # the same act had arrived before


class ClaimMeter(_Value, frozen=True, kw_only=True):
    """One floor of the requirement, as it stands."""

    name: str  # "precision", "recall where sex = F"
    floor: float
    estimate: Measure  # the confidence sequence now
    history: tuple[tuple[int, float, float, float], ...]  # (labels, low, value, high), at most 200 points


class Meter(_Value, frozen=True, kw_only=True):
    """Where a campaign stands, in numbers and in one sentence."""

    purpose: Purpose
    sentence: str  # "precision so far 0.84 (0.79–0.89), need 0.80: about 60 labels left"
    n_labels: int  # units settled so far
    n_needed: int | None  # in all, as far as known: labels so far plus the forecast, or the training target
    n_needed_range: tuple[int, int] | None
    claims: tuple[ClaimMeter, ...]  # empty for training
    verdict: Verdict | None  # None for training
    is_done: bool  # no more units are handed out
    saved: str  # once done: what was saved against a fixed-size gold set; else ""
    next_step: str  # once done: what to do now, e.g. "martello run"; else ""


class AnnotatorProgress(_Value, frozen=True, kw_only=True):
    """How far one annotator has come; `agreement` is with the others on shared units, `checks` with known answers."""

    annotator: str
    n_answers: int
    n_unsure: int
    n_skipped: int
    agreement: Measure
    checks: Measure
    seconds: float | None  # median per answer
    last_at: str | None


class Vote(_Value, frozen=True, kw_only=True):
    """What one annotator said of a unit; `answer` is None for unsure."""

    annotator: str
    answer: str | None


class Disagreement(_Value, frozen=True, kw_only=True):
    """A unit on which the votes do not settle the answer; the owner decides."""

    view: UnitView
    votes: tuple[Vote, ...]


class Answered(_Value, frozen=True, kw_only=True):
    """A unit an annotator has answered, for undo and for looking back."""

    submit_id: str
    view: UnitView
    act: Literal["label", "unsure", "skip"]
    answer: str | None


class LabelingRoom(Protocol):
    """One campaign, opened. Every method may be called from several threads; what it returns is on disk already."""

    @property
    def purpose(self) -> Purpose:
        """What the labels are for."""

    @property
    def name(self) -> str:
        """Short name of the task."""

    @property
    def question(self) -> str:
        """The question an annotator answers."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The possible answers, in the order of their keys."""

    def next(self, annotator: str, k: int, *, holding: Sequence[str] = ()) -> list[Assignment]:
        """Give up to k units to one annotator, besides the assignments the asking tab holds already.

        Fewer come back, or none, when the campaign is done or all there is lies with others.
        """

    def submit(self, annotator: str, submission: Submission) -> Receipt:
        """Keep one act; on disk before it returns. Raises DataError ``label.*`` when it cannot be taken."""

    def undo(self, annotator: str, *, submit_id: str | None = None) -> Assignment | None:
        """Withdraw an act of the annotator, the latest when none is named, and hand the unit out to them again.

        Naming it makes undo safe to send twice and right with two tabs: an act withdrawn before gives its unit again.
        None when there is nothing to withdraw.
        """

    def answered(self, annotator: str, *, offset: int = 0, limit: int = 50) -> list[Answered]:
        """Give what an annotator has answered, latest first."""

    def meter(self) -> Meter:
        """Say where the campaign stands."""

    def progress(self) -> tuple[AnnotatorProgress, ...]:
        """Say how far everyone has come."""

    def disagreements(self, *, offset: int = 0, limit: int = 50) -> tuple[int, list[Disagreement]]:
        """Give the number of units the votes do not settle, and one page of them."""

    def adjudicate(self, unit: str, answer: str, *, owner: str) -> None:
        """Settle a unit by the owner's word."""

    def guidelines(self) -> str:
        """Give the guidelines as Markdown; empty when there are none."""

    def write_guidelines(self, text: str) -> None:
        """Replace the guidelines; the text before is kept beside it."""

    def summary(self) -> Mapping[str, Any]:
        """Give the campaign as JSON values: who, how many, agreement, verdict."""


class Annotator(_Value, frozen=True, kw_only=True):
    """Someone who may open the page: annotators see labelling only, the owner sees everything."""

    name: str
    role: Literal["annotator", "owner"]
    expires_at: str | None
    is_revoked: bool


class AnnotatorRegister(Protocol):
    """Who may enter, by tokens of which only a hash is kept."""

    def invite(self, name: str, *, role: Literal["annotator", "owner"] = "annotator", days: float | None = 30) -> str:
        """Give a new token for a name; the old one of that name ends."""

    def who(self, token: str) -> Annotator:
        """Give whose token it is; DataError ``label.unknown-token`` or ``label.expired-token``."""

    def all(self) -> tuple[Annotator, ...]:
        """Give everyone who was ever invited."""

    def revoke(self, name: str) -> None:
        """End somebody's access; their answers stay."""
