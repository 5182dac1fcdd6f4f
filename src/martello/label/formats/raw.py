"""What a reader gives: the values of one row by the names of `AnswerRow`, and where they stand in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from martello.label.answer_row import AnswerRow, RefusedRow
from martello.label.formats.pieces import MAX_BYTES, Piece

__all__ = ["EXTRA_KEY", "FIELDS", "RawRow", "decoded", "extras_of", "form_fault", "shortened", "with_extras"]

#: The columns of a flat file of answers, in order.
FIELDS: tuple[str, ...] = AnswerRow.__struct_fields__
#: Under this key stands, beside each answer, what tools for labelling have no place for.
EXTRA_KEY = "martello"
_EXTRA_FIELDS = ("act", "at", "seconds", "purpose", "probability", "draw", "sampler", "seed")


def extras_of(row: AnswerRow) -> dict[str, Any]:
    """Give what is kept beside an answer, so that an export comes back whole."""
    found = {field: getattr(row, field) for field in _EXTRA_FIELDS}
    return {field: value for field, value in found.items() if value is not None}


def with_extras(values: dict[str, Any], kept: Any) -> dict[str, Any]:
    """Join what a tool says with what was kept beside it; an answer given since then stands against a kept "unsure"."""
    if not isinstance(kept, dict):
        return values  # another tool made the file
    joined = values | {field: kept[field] for field in _EXTRA_FIELDS if field in kept}
    return joined if joined["answer"] is None else joined | {"act": "label"}


class RawRow(NamedTuple):
    """One row as the file has it; a name that is absent or None was not said."""

    row: int
    place: str
    values: Mapping[str, Any]


def shortened(value: object, most: int = 60) -> str:
    """Give a value as it is shown in a message: quoted, and never long.

    Examples
    --------
    >>> shortened("x" * 100, 8)
    "'xxxxxxxx…'"
    """
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= most else text[:most] + "…")


def form_fault(piece: Piece, file: str, place: str) -> RefusedRow | None:
    """Say what is wrong with the form of a piece, if anything is."""
    match piece.fault:
        case "too-long":
            why = f"{place} is longer than {MAX_BYTES >> 20} MB, more than a row of answers is"
            code, fix = "label.too-long", "take the long text out of the file; answers need the unit's key only"
        case "cut":
            why = f"the file ends inside {place}: a quote or bracket opened there is never closed"
            code, fix = "label.truncated", "export the file again, or mend that row; rows before it were read"
        case "not-an-element":
            why = f"{shortened(piece.data.decode(errors='replace'))} stands where {place} should be"
            code, fix = "label.broken-json", "write one array of objects with commas between them"
        case _:
            return None
    return RefusedRow(file=file, row=piece.number, place=place, code=code, why=why, fix=fix)


def decoded(piece: Piece, file: str, place: str) -> dict[str, Any] | RefusedRow:
    """Give the JSON object that a piece holds, or why it holds none."""
    if fault := form_fault(piece, file, place):
        return fault
    why, code = f"{place} is no JSON object", "label.broken-json"
    try:
        found = msgspec.json.decode(piece.data)
        if isinstance(found, dict):
            return found
    except UnicodeDecodeError:
        why, code = f"{place} is not UTF-8", "data.not-utf8"
    except msgspec.DecodeError as err:
        why = f"{place} is not JSON: {err}"
    return RefusedRow(file=file, row=piece.number, place=place, code=code, why=why)
