"""One answer as it crosses the room's border: what files carry, what the book of answers takes and gives.

How a file is read is `martello.label.exchange`'s; how answers are kept is the book's.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from martello.errors import DataError
from martello.label.contract import Purpose

__all__ = ["AnswerRow", "RefusedRow"]


class AnswerRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one annotator said of one unit; a unit has at most one such row of each annotator.

    Parameters
    ----------
    unit
        Key of the unit, as the population spells it.
    annotator
        Name of the person, or of the model when `author` is "model". It never begins with ``model:``; in a file that
        prefix says who the author is.
    answer
        A class name for act "label"; None for "unsure" and "skip".
    act
        What the annotator did.
    author
        Whether a person or a model answered.
    at
        When, ISO 8601 in UTC; None when the file did not say.
    seconds
        How long the unit was looked at; None when the file did not say.
    purpose
        What the answer is for; None when the file did not say.
    probability, draw, sampler, seed
        How the unit was chosen: its probability, its place in the draw, the sampler's name and its seed. None when
        nothing was recorded, and then the answer can never become gold.
    """

    unit: str
    annotator: str
    answer: str | None = None
    act: Literal["label", "unsure", "skip"] = "label"
    author: Literal["person", "model"] = "person"
    at: str | None = None
    seconds: float | None = None
    purpose: Purpose | None = None
    probability: float | None = None
    draw: int | None = None
    sampler: str | None = None
    seed: int | None = None


class RefusedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a file that cannot be taken, and why.

    Attributes
    ----------
    file
        The file's name.
    row
        Which row of data, task or record it is, from 1.
    place
        The same for people: "row 13 (line 14)", "task 3, annotation 2".
    code
        Name of the fault; listed in ``docs/errors.md``.
    why
        One sentence.
    fix
        What to do; may be empty.
    """

    file: str
    row: int
    place: str
    code: str
    why: str
    fix: str = ""

    def error(self) -> DataError:
        """Give the refusal as an error, for who wants all rows or none."""
        return DataError(self.code, self.why, where=f"{self.file}, {self.place}", fix=self.fix)
