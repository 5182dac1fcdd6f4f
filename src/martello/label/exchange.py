"""Answers in and out: CSV, JSON Lines, Parquet, Label Studio and Argilla, read and written as a stream.

The formats are `martello.label.formats`'; what is kept of the answers is the book's. A row that cannot be taken is
given beside the good ones, with its place and why, and holds none of them back unless that is asked for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast, get_args

import msgspec

from martello.errors import DataError, nearest
from martello.label.answer_row import AnswerRow, RefusedRow
from martello.label.formats.argilla import read_argilla, write_argilla
from martello.label.formats.csv_file import read_csv, write_csv
from martello.label.formats.jsonl import read_jsonl, skip_blank, write_jsonl
from martello.label.formats.label_studio import read_label_studio, write_label_studio
from martello.label.formats.parquet import read_parquet, write_parquet
from martello.label.formats.pieces import array_elements
from martello.label.formats.raw import RawRow
from martello.label.formats.row_check import RowCheck
from martello.store.blobs import disk_faults

__all__ = ["FORMATS", "AnswerFormat", "AnswerRow", "RefusedRow", "format_of", "read_answers", "write_answers"]

AnswerFormat = Literal["csv", "jsonl", "parquet", "label-studio", "argilla"]
#: The formats answers come and go in.
FORMATS: tuple[str, ...] = get_args(AnswerFormat)
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def read_answers(
    path: Path | str,
    *,
    format: AnswerFormat | None = None,
    columns: Mapping[str, str] | None = None,
    classes: Iterable[str] | None = None,
    units: Callable[[str], bool] | None = None,
    author: str | None = None,
    strict: bool = False,
    advanced: Callable[[int, int], None] | None = None,
) -> Iterator[AnswerRow | RefusedRow]:
    """Give the answers of a file one by one, and a refusal for each row that is none.

    Memory does not grow with the file, but for 24 to 72 bytes a row that find rows which come twice. A unit's second
    answer by the same annotator is refused; the first has been given by then.

    Parameters
    ----------
    path
        The file.
    format
        Its format; found from its name and its first bytes when None.
    columns
        Where `unit`, `annotator` and `answer` stand, if not in columns of these names. In Label Studio and Argilla
        files `unit` names a key of the task's data, and `answer` the question.
    classes
        The possible answers; any when None.
    units
        Whether a key is a unit of the pool; any key when None.
    author
        Who answered every row, whatever the file says: "model:NAME", or a person's name.
    strict
        Raise the first refusal in place of giving it.
    advanced
        Told how many bytes of how many are read.

    Raises
    ------
    DataError
        ``data.not-found``, ``data.unknown-format``, ``data.no-such-column``, ``data.unreadable`` or ``data.not-utf8``
        when nothing can be read; with `strict`, the first refusal.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            "data.not-found",
            f"there is no file {path}",
            where=str(path.absolute()),
            expected="a file of answers",
            fix="check the path",
        )
    known = format or format_of(path)
    check = RowCheck(path.name, classes=classes, units=units, author=author)
    size = path.stat().st_size
    with path.open("rb") as file:
        for count, raw in enumerate(_raw_rows(file, path, known, columns or {}, is_authored=author is not None)):
            found = check(raw) if isinstance(raw, RawRow) else raw
            if advanced is not None and not count % 1000:
                advanced(min(file.tell(), size), size)
            if strict and isinstance(found, RefusedRow):
                raise found.error()
            if found is not None:
                yield found


def _raw_rows(
    file: BinaryIO, path: Path, format: str, columns: Mapping[str, str], *, is_authored: bool
) -> Iterator[RawRow | RefusedRow]:
    match format:
        case "csv":
            return read_csv(file, path.name, columns, is_authored=is_authored)
        case "jsonl":
            return read_jsonl(file, path.name, columns)
        case "parquet":
            return read_parquet(file, path.name, columns, is_authored=is_authored)
        case "label-studio":
            return read_label_studio(file, path.name, columns)
        case _:
            return read_argilla(file, path.name, columns)


def format_of(path: Path, *, is_new: bool = False) -> AnswerFormat:
    """Find a file's format from its name, and where that leaves it open from its first element.

    Parameters
    ----------
    path
        The file.
    is_new
        Whether it is to be written, so that only the name can tell.

    Raises
    ------
    DataError
        ``data.unknown-format``.
    """
    found = _SUFFIXES.get(path.suffix.lower()) or (None if is_new else _format_inside(path))
    if found is None:
        near = nearest(path.suffix.lower(), _SUFFIXES)
        raise DataError(
            "data.unknown-format",
            f"nothing says in which format the answers {'go into' if is_new else 'stand in'} {path.name}",
            where=str(path),
            expected="one of " + ", ".join(FORMATS),
            fix=f"name the file {path.stem}{near}" if near and is_new else "name it with --format",
        )
    return cast(AnswerFormat, found)


def _format_inside(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start == b"PAR1":
            return "parquet"
        sign = skip_blank(file)
        if sign == b"{":
            return "jsonl"
        return _format_of_array(file) if sign == b"[" else None


def _format_of_array(file: BinaryIO) -> str:
    for piece in array_elements(file):
        try:
            found = msgspec.json.decode(piece.data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        keys = set(found) if isinstance(found, dict) else set()
        if "data" in keys and keys & {"annotations", "predictions"}:
            return "label-studio"
        if "fields" in keys and keys & {"responses", "suggestions"}:
            return "argilla"
        break
    return "jsonl"


def write_answers(
    rows: Iterable[AnswerRow],
    path: Path | str,
    format: AnswerFormat | None = None,
    *,
    inputs: Callable[[str], Mapping[str, Any]] | None = None,
    force: bool = False,
) -> int:
    """Write answers to a file, whole or not at all, and give how many.

    Parameters
    ----------
    rows
        The answers, in any order.
    path
        The file to make.
    format
        Its format; found from its name when None.
    inputs
        What a unit looks like, for the data of Label Studio's tasks and the fields of Argilla's records.
    force
        Replace a file that is there.

    Raises
    ------
    DataError
        ``data.unknown-format``, ``label.file-exists`` or ``label.no-directory``.
    """
    path = Path(path)
    known = format or format_of(path, is_new=True)
    _check_target(path, force=force)
    counted = _Counted(rows)
    with disk_faults(path), _replacing(path) as file:
        _write(counted, file, known, inputs)
    return counted.count


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of another when it is whole."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _write(
    rows: Iterable[AnswerRow], file: BinaryIO, format: str, inputs: Callable[[str], Mapping[str, Any]] | None
) -> None:
    match format:
        case "csv":
            write_csv(rows, file)
        case "jsonl":
            write_jsonl(rows, file)
        case "parquet":
            write_parquet(rows, file)
        case "label-studio":
            write_label_studio(rows, file, inputs)
        case _:
            write_argilla(rows, file, inputs)


class _Counted:
    """Count what passes."""

    def __init__(self, rows: Iterable[AnswerRow]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[AnswerRow]:
        for row in self._rows:
            self.count += 1
            yield row


def _check_target(path: Path, *, force: bool) -> None:
    if not path.parent.is_dir():
        raise DataError("label.no-directory", f"there is no directory {path.parent}", expected="one that exists")
    if path.exists() and not force:
        raise DataError(
            "label.file-exists",
            f"{path} is there already",
            where=str(path.absolute()),
            expected="a file that is not there",
            fix="name another file, or replace it with --force",
        )
