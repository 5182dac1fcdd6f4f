"""Answers as CSV: a header, one row per answer; an empty cell is a value that was not said."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from martello.errors import DataError
from martello.label.answer_row import AnswerRow, RefusedRow
from martello.label.formats.flat import chosen_columns
from martello.label.formats.pieces import Piece, csv_records
from martello.label.formats.raw import FIELDS, RawRow, form_fault

__all__ = ["read_csv", "write_csv"]

_BOM = b"\xef\xbb\xbf"


def read_csv(
    file: BinaryIO, name: str, columns: Mapping[str, str], *, is_authored: bool
) -> Iterator[RawRow | RefusedRow]:
    """Give the rows of a CSV file; commas, or semicolons or tabs where the header has no comma.

    Raises
    ------
    DataError
        ``data.no-such-column`` or ``data.not-utf8`` for the header; faults of rows are given, not raised.
    """
    delimiter = _delimiter(file)
    records = csv_records(file, delimiter)
    split = _Cells(delimiter.decode())
    header = split(_header(next(records, Piece(0, 1, b"")), name))
    chosen = chosen_columns(header, columns, file=name, is_authored=is_authored)
    places = [(field, header.index(column)) for field, column in chosen.items()]
    for record in records:
        yield _row(record, name, len(header), places, split)


def _delimiter(file: BinaryIO) -> bytes:
    """Look at the header; the file is left at its first character."""
    start = file.read(1 << 16)
    file.seek(len(_BOM) if start.startswith(_BOM) else 0)
    header = start.split(b"\n", 1)[0]
    return next((mark for mark in (b",", b";", b"\t") if mark in header), b",")


def _header(piece: Piece, name: str) -> str:
    try:
        return piece.data.decode()
    except UnicodeDecodeError as err:
        raise DataError(
            "data.not-utf8",
            f"the header of {name} is not UTF-8",
            where=f"{name}, line 1, byte {err.start + 1}",
            expected="text in UTF-8",
            fix="convert it, for example: iconv -f utf-16 -t utf-8",
        ) from err


def _row(record: Piece, name: str, width: int, places: list[tuple[str, int]], split: _Cells) -> RawRow | RefusedRow:
    place = f"row {record.number} (line {record.line})"
    if fault := form_fault(record, name, place):
        return fault
    try:
        cells = split(record.data.decode())
    except UnicodeDecodeError:
        return RefusedRow(
            file=name,
            row=record.number,
            place=place,
            code="data.not-utf8",
            why=f"{place} holds bytes that are not UTF-8",
            fix="convert the file, for example: iconv -f latin1 -t utf-8",
        )
    if len(cells) != width:
        return RefusedRow(
            file=name,
            row=record.number,
            place=place,
            code="label.broken-csv",
            why=f"{place} has {len(cells)} cells, and the header has {width}",
            fix="put quotes around cells that hold a comma or a line end",
        )
    return RawRow(record.number, place, {field: cells[at] or None for field, at in places})


class _Cells:
    """Split one record into cells; the csv module would do, but for its process-wide limit of 128 KB a cell."""

    def __init__(self, delimiter: str) -> None:
        mark = re.escape(delimiter)
        self._delimiter = delimiter
        self._cell = re.compile(rf'(?:"((?:[^"]|"")*)"([^{mark}]*)|([^{mark}]*))({mark}|\Z)')

    def __call__(self, record: str) -> list[str]:
        record = record.removesuffix("\n").removesuffix("\r")
        if '"' not in record:
            return record.split(self._delimiter)
        cells, position = [], 0
        while found := self._cell.match(record, position):
            quoted, after, plain, end = found.groups()
            cells.append(plain if quoted is None else quoted.replace('""', '"') + after)
            position = found.end()
            if not end:
                break
        return cells


def write_csv(rows: Iterable[AnswerRow], file: BinaryIO) -> None:
    """Write rows as CSV in UTF-8, every value of an answer in a column of its own name."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([getattr(row, field) for field in FIELDS] for row in rows)
    text.flush()
    text.detach()
