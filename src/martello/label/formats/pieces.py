"""A file of text cut into rows in bounded memory: lines, CSV records, elements of one JSON array.

Nothing is decoded here. A row longer than `MAX_BYTES` is passed over without being held, and said to be too long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

import numpy as np

__all__ = ["MAX_BYTES", "Piece", "array_elements", "csv_records", "lines"]

#: The longest row that is held: long documents fit, a runaway cell does not.
MAX_BYTES = 16 << 20
_CHUNK = 1 << 18

Fault = Literal["", "too-long", "cut", "not-an-element"]


class Piece(NamedTuple):
    """One row of a file: its number from 1, the line it begins on, its bytes, and what is wrong with its form."""

    number: int
    line: int
    data: bytes
    fault: Fault = ""


def lines(file: BinaryIO) -> Iterator[Piece]:
    """Give the lines that are not blank."""
    number = 0
    while line := file.readline(MAX_BYTES + 1):
        number += 1
        if len(line) > MAX_BYTES and not line.endswith(b"\n"):
            _pass_line(file)
            yield Piece(number, number, b"", "too-long")
        elif not line.isspace():
            yield Piece(number, number, line)


def csv_records(file: BinaryIO, delimiter: bytes = b",") -> Iterator[Piece]:
    """Give the records of a CSV file, the header first and with number 0; a quoted cell may hold line ends."""
    quotes = _Quotes(delimiter)
    number, line_number = -1, 0
    while line := file.readline(MAX_BYTES + 1):
        number, begins, is_open, held, size = number + 1, line_number + 1, False, [], 0
        while line:
            line_number += 1
            is_open = quotes.stays_open(line, is_open=is_open) if is_open or b'"' in line else False
            held.append(line)
            size += len(line)
            if size > MAX_BYTES:
                if is_open or not line.endswith(b"\n"):
                    line_number += _pass_record(file, is_open=is_open)
                break
            if not is_open:
                break
            line = file.readline(MAX_BYTES + 1)
        if size > MAX_BYTES:
            yield Piece(number, begins, b"", "too-long")
        elif held[0].isspace() and len(held) == 1:
            number -= 1  # a blank line is no record
        else:
            yield Piece(number, begins, b"".join(held), "cut" if is_open else "")


def _pass_line(file: BinaryIO) -> None:
    """Read away the rest of a line, holding nothing."""
    while (part := file.readline(_CHUNK)) and not part.endswith(b"\n"):
        pass


def _pass_record(file: BinaryIO, *, is_open: bool) -> int:
    """Read away the rest of a CSV record, holding nothing; give how many line ends were passed."""
    passed = 0
    while part := file.readline(_CHUNK):
        is_open ^= part.count(b'"') % 2 == 1  # a doubled quote turns it twice
        passed += part.endswith(b"\n")
        if part.endswith(b"\n") and not is_open:
            break
    return passed


class _Quotes:
    """Say whether a line ends inside a quoted cell; a quote counts only where a cell begins, as csv readers have it."""

    def __init__(self, delimiter: bytes) -> None:
        mark = re.escape(delimiter)
        rest = rb"[^" + mark + rb"\n]*+"
        cell = rb'(?:"(?:[^"]++|"")*+"' + rest + rb'|[^"' + mark + rb"\n]" + rest + rb")?+"
        self._row = re.compile(cell + rb"(?:" + mark + cell + rb")*+")
        self._close = re.compile(rb'(?:[^"]++|"")*+"' + rest + rb"(?:" + mark + cell + rb")*+")

    def stays_open(self, line: bytes, *, is_open: bool) -> bool:
        found = (self._close if is_open else self._row).match(line)
        return found is None or line[found.end() : found.end() + 1] == b'"'


_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_QUOTE = 2
#: What each byte does outside a string: a quote opens one, a bracket goes one deeper or comes back.
_KIND = np.zeros(256, np.int8)
_KIND[list(b"[{")], _KIND[list(b"]}")], _KIND[list(b'"')] = 1, -1, _QUOTE


def array_elements(file: BinaryIO) -> Iterator[Piece]:
    """Give the objects of one JSON array as bytes, without parsing them; `line` is their number, too."""
    splitter = _Splitter()
    for chunk in _chunks(file):
        yield from splitter.feed(chunk)
    yield from splitter.end()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Give the file in parts, none of which ends between a backslash and what it escapes."""
    while chunk := file.read(_CHUNK):
        if (len(chunk) - len(chunk.rstrip(b"\\"))) % 2:
            chunk += file.read(1)
        yield chunk


class _Splitter:
    """Count brackets outside strings; what lies at depth two is an element."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._number = 0
        self._held: list[bytes] = []
        self._size = 0
        self._gap = b""  # what stood between elements, blanks taken away

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Take the next bytes and give the elements they end."""
        start = 0
        for at, step, depth in self._marks(chunk):
            if step == 1 or depth <= 0:
                yield from self._between(chunk[start:at], is_element=depth == 2)
                start = at if depth == 2 else at + 1
            else:
                self._hold(chunk[start : at + 1])
                yield self._element()
                start = at + 1
        if self._depth >= 2:
            self._hold(chunk[start:])
        else:
            self._gap = (self._gap + chunk[start:].strip())[:64]

    def _marks(self, chunk: bytes) -> list[tuple[int, int, int]]:
        """Give the brackets that open or close the array or an element: place, step and depth after it."""
        plain = _ESCAPED.sub(b"__", chunk) if b"\\" in chunk else chunk
        kinds = _KIND[np.frombuffer(plain, np.uint8)]
        places = np.flatnonzero(kinds)
        if not len(places):
            return []
        kinds = kinds[places]
        in_string = (np.cumsum(kinds == _QUOTE) + self._in_string) % 2 == 1
        steps = np.where(in_string | (kinds == _QUOTE), 0, kinds)
        depths = self._depth + np.cumsum(steps)
        self._in_string, self._depth = bool(in_string[-1]), int(depths[-1])
        outer = ((steps == 1) & (depths <= 2)) | ((steps == -1) & (depths <= 1))
        return list(zip(places[outer].tolist(), steps[outer].tolist(), depths[outer].tolist(), strict=True))

    def end(self) -> Iterator[Piece]:
        """Say what is wrong with the end of the file, if anything is."""
        if self._depth != 0 or self._in_string:
            self._number += 1
            yield Piece(self._number, self._number, b"", "cut")
        elif self._gap.strip():
            yield Piece(self._number + 1, self._number + 1, self._gap, "not-an-element")

    def _hold(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MAX_BYTES:
            self._held.append(data)
        else:
            self._held.clear()

    def _element(self) -> Piece:
        self._number += 1
        data, is_long = b"".join(self._held), self._size > MAX_BYTES
        self._held, self._size = [], 0
        return Piece(self._number, self._number, data, "too-long" if is_long else "")

    def _between(self, data: bytes, *, is_element: bool) -> Iterator[Piece]:
        """Judge what stands before an element or one of the array's ends: a comma before all elements but the first."""
        gap, self._gap = (self._gap + data.strip())[:64].strip(), b""
        if gap != (b"," if is_element and self._number else b""):
            self._number += 1
            yield Piece(self._number, self._number, gap, "not-an-element")
