"""Rows of a log as JSON objects, one at a time, and the small readers that every shape needs.

A row that cannot be read is named and passed over. Lines of JSON stream; a file that is one JSON array is read whole.
`.gz` is opened. What the keys mean is the shapes' business.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from martello.errors import DataError
from martello.order.facts import Click, RankedDecision, Render

__all__ = [
    "Fields",
    "Refused",
    "Row",
    "RowFault",
    "Shape",
    "ids_of",
    "moment",
    "name_of",
    "objects_of",
    "read_rows",
    "text_of",
    "word_of",
]

Row = Mapping[str, Any]
_EXAMPLES = 5
_FRAMED = re.compile(rb"[0-9a-f]{8} [0-9a-f]{8} (?=\{)")  # how the log of `serve` begins its lines
_LONGEST = 1 << 24


class RowFault(ValueError):
    """A row that says nothing usable, and why; caught where rows are read, never seen by people as an error."""


class Refused(msgspec.Struct, kw_only=True):
    """The rows of a file that could not be read: how many, and the first few by line and reason."""

    n: int = 0
    examples: list[str] = []

    def add(self, line: int, reason: str) -> None:
        """Count one more."""
        self.n += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"row {line}: {reason}")


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """Where a log keeps what is compared by, when the shape does not say: paths such as `event_attributes.build`."""

    surface: str | None = None
    build: str | None = None
    client: str | None = None
    arm: str | None = None
    subject: str | None = None

    def of(self, row: Row, *names: str) -> dict[str, str]:
        """Give those of the named fields that the row holds."""
        found = {name: _at(row, path) for name in names if (path := getattr(self, name)) is not None}
        return {name: name_of(value) for name, value in found.items() if value is not None}


def _at(row: Any, path: str) -> Any:
    for part in path.split("."):
        row = row.get(part) if isinstance(row, Mapping) else None
    return row


class Shape(NamedTuple):
    """How the two files of a log are read, and what has to be known about it."""

    decisions: Callable[[Row], Iterable[RankedDecision]]
    renders: Callable[[Row], Iterable[Render | Click]]
    caution: str = ""


def read_rows(path: Path, refused: Refused) -> Iterator[tuple[int, Row]]:
    """Give the rows of a file with their numbers; rows that are no JSON object are counted as refused.

    Raises
    ------
    DataError
        ``order.no-file`` and ``order.no-log``.
    """
    if not path.is_file():
        raise DataError("order.no-file", f"there is no file {path}", where=str(path), expected="a log: log.jsonl")
    with cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            yield from _whole(file.read(), path) if _first_sign(file) == b"[" else _lines(file, refused)
        except (OSError, EOFError) as error:
            raise _no_log(path, f"it cannot be read: {error}") from None


def _first_sign(file: BinaryIO) -> bytes:
    start = file.read(64).lstrip()[:1]
    file.seek(0)
    return start


def _whole(data: bytes, path: Path) -> Iterator[tuple[int, Row]]:
    try:
        rows = msgspec.json.decode(data, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _no_log(path, f"it begins as a JSON array and is none: {error}") from None
    yield from enumerate(map(_inner, rows), start=1)


def _lines(file: BinaryIO, refused: Refused) -> Iterator[tuple[int, Row]]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    number = 0
    while line := file.readline(_LONGEST):
        number += 1
        if line.isspace():
            continue
        try:
            yield number, _inner(decode(_FRAMED.sub(b"", line, count=1)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            refused.add(number, f"no JSON object: {error}")


def _inner(row: dict[str, Any]) -> Row:
    """Take a document out of what a search engine's export wraps around it."""
    source = row.get("_source")
    return source if isinstance(source, dict) else row


def _no_log(path: Path, why: str) -> DataError:
    return DataError(
        "order.no-log", f"{path.name} is no log: {why}", where=str(path), expected="JSON, one object a line"
    )


def name_of(value: Any) -> str:
    """Give an id as text; whole numbers are written out, anything else is no id."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RowFault(f"{value!r} is no id")


def text_of(row: Row, key: str) -> str:
    """Give an id that has to be there."""
    if row.get(key) is None:
        raise RowFault(f"there is no {key}")
    return name_of(row[key])


def word_of(row: Row, key: str) -> str | None:
    """Give an id that may be missing."""
    value = row.get(key)
    return None if value is None or value == "" else name_of(value)


def objects_of(row: Row, key: str) -> Iterator[Row]:
    """Give the objects that a row bundles under a key, or the row itself."""
    bundle = row.get(key, [row])
    if not isinstance(bundle, list):
        raise RowFault(f"{key} is no list")
    for each in bundle:
        if not isinstance(each, Mapping):
            raise RowFault(f"{key} holds {each!r}, no object")
        yield each


def ids_of(values: Any, *, inside: str | None = None) -> tuple[str, ...]:
    """Give a list of ids, each once; `inside` is the key of the id when they are objects."""
    if not isinstance(values, list):
        raise RowFault("there is no list of items")
    if inside is not None:
        values = [each.get(inside) if isinstance(each, Mapping) else each for each in values]
    found = tuple(map(name_of, values))
    if len(set(found)) < len(found):
        raise RowFault(f"{next(each for each in found if found.count(each) > 1)!r} is in the list twice")
    return found


def moment(value: Any) -> int | None:
    """Give a time as microseconds since 1970, from ISO 8601 or from seconds, milliseconds or microseconds.

    Examples
    --------
    >>> moment("2026-11-24T00:00:00Z") == moment(1795478400) == moment("1795478400000")
    True
    """
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        size = abs(value)
        return int(value * (1_000_000 if size < 1e11 else 1000 if size < 1e14 else 1))
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            raise RowFault(f"{value!r} is no time") from None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return int(at.timestamp() * 1_000_000)
    return None
