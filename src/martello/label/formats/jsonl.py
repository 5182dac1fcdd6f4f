"""Answers as JSON objects: one a line (JSON Lines), or the elements of one array, as other tools export them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from martello.label.answer_row import AnswerRow, RefusedRow
from martello.label.formats.flat import OWN_NAMES
from martello.label.formats.pieces import array_elements, lines
from martello.label.formats.raw import FIELDS, RawRow, decoded

__all__ = ["read_jsonl", "skip_blank", "write_jsonl"]


def read_jsonl(file: BinaryIO, name: str, columns: Mapping[str, str]) -> Iterator[RawRow | RefusedRow]:
    """Give the rows of a file of JSON objects; a row that lacks a key did not say that value."""
    is_array = skip_blank(file) == b"["
    names = [(field, (columns[field],) if field in columns else OWN_NAMES.get(field, (field,))) for field in FIELDS]
    for piece in array_elements(file) if is_array else lines(file):
        place = f"element {piece.number}" if is_array else f"line {piece.line}"
        found = decoded(piece, name, place)
        yield found if isinstance(found, RefusedRow) else RawRow(piece.number, place, _values(found, names))


def skip_blank(file: BinaryIO) -> bytes:
    """Give the first character that is not blank, or nothing; the file is left before it, or before its line."""
    start = file.read(4096)
    begins = 3 if start.startswith(b"\xef\xbb\xbf") else 0
    file.seek(begins)
    return start[begins:].lstrip()[:1]


def _values(row: dict[str, Any], names: Sequence[tuple[str, tuple[str, ...]]]) -> dict[str, Any]:
    values = {}
    for field, keys in names:
        for key in keys:
            if key in row:
                values[field] = row[key]
                break
    if values.get("answer") == "":
        values["answer"] = None
    return values


def write_jsonl(rows: Iterable[AnswerRow], file: BinaryIO) -> None:
    """Write rows as JSON Lines, every value under its own name."""
    encode, buffer = msgspec.json.Encoder().encode_into, bytearray()
    for row in rows:
        encode(row, buffer)
        buffer += b"\n"
        file.write(buffer)
