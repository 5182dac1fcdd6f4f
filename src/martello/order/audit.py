"""An audit of two files: decisions and renders, of any shape, to a report. No project is needed.

Decisions are read first and held; renders stream past them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from martello.errors import DataError, MartelloError, nearest
from martello.order.book import Book
from martello.order.edits import Edits
from martello.order.facts import Click, RankedDecision, Render
from martello.order.keys import Keyring
from martello.order.report import OrderReport, report_of
from martello.order.shapes import SHAPES, Fields, Refused, Row, RowFault, Shape, read_rows

__all__ = ["audit_files"]

_Fact = TypeVar("_Fact", RankedDecision, Render)


def audit_files(
    decisions: Path,
    renders: Path,
    *,
    shape: str = "martello",
    edits: Edits | None = None,
    keys: Keyring | None = None,
    fields: Fields | None = None,
    tolerance: float = 0.0,
    window: int | None = None,
    examination: Sequence[float] | None = None,
    level: float = 0.95,
) -> OrderReport:
    """Hold what was shown against what was decided.

    Parameters
    ----------
    decisions, renders
        Lines of JSON (`.gz` too), or one array.
    shape
        Whose logs they are: a name in `SHAPES`.
    edits
        What is legal after the seal.
    keys
        When given, seals that renders carry are opened.
    fields
        Where the log keeps surface, build, client, arm or subject, if its shape does not say.
    tolerance, window, examination, level
        As for `report_of`.

    Raises
    ------
    DataError
        ``order.unknown-shape``, ``order.no-file``, ``order.no-log`` and ``order.no-decisions``.
    """
    reader = _shape(shape)
    where = fields or Fields()
    book = Book(edits=edits or Edits(), keys=keys)
    refused = Refused(), Refused()
    for number, row in read_rows(decisions, refused[0]):
        try:
            for decision in reader.decisions(row):
                book.decide(_placed(decision, where.of(row, "surface", "arm", "subject")))
        except (RowFault, MartelloError) as error:
            refused[0].add(number, error.what if isinstance(error, MartelloError) else str(error))
    if not book.decisions:
        raise _no_decisions(decisions, shape, refused[0])
    for number, row in read_rows(renders, refused[1]):
        try:
            for event in _events(reader, row, where):
                book.take(event)
        except RowFault as error:
            refused[1].add(number, str(error))
    book.close()
    return report_of(
        book,
        refused=refused,
        tolerance=tolerance,
        window=window,
        caution=reader.caution,
        examination=examination,
        level=level,
    )


def _events(reader: Shape, row: Row, where: Fields) -> Iterator[Render | Click]:
    words = where.of(row, "surface", "build", "client", "arm", "subject")
    for event in reader.renders(row):
        yield event if isinstance(event, Click) else _placed(event, words)


def _placed(fact: _Fact, words: dict[str, str]) -> _Fact:
    return msgspec.structs.replace(fact, **words) if words else fact


def _shape(name: str) -> Shape:
    if name not in SHAPES:
        near = nearest(name, SHAPES)
        raise DataError(
            "order.unknown-shape",
            f"{name!r} is no shape of a log",
            where="shape",
            expected=f"one of {', '.join(SHAPES)}",
            fix=f"did you mean {near!r}?" if near else "",
        )
    return SHAPES[name]


def _no_decisions(path: Path, shape: str, refused: Refused) -> DataError:
    why = f": {refused.examples[0]}" if refused.examples else ""
    return DataError(
        "order.no-decisions",
        f"{path.name} holds no ranked decision of the shape {shape!r}{why}",
        where=str(path),
        expected="at least one",
        fix=f"--shape {' or '.join(name for name in SHAPES if name != shape)}",
    )
