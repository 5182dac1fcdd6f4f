"""Rows brought together by unit, for files in which a unit stands once; on disk, however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby

import msgspec

from martello.label.answer_row import AnswerRow

__all__ = ["by_unit"]


def by_unit(rows: Iterable[AnswerRow]) -> Iterator[tuple[str, Iterator[AnswerRow]]]:
    """Give each unit once, in the order of their keys, with its rows in the order in which they came."""
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(AnswerRow).decode
    with closing(sqlite3.connect("")) as connection:  # a database of its own, on disk when it outgrows its cache
        connection.execute("CREATE TABLE answer (unit TEXT, body BLOB)")
        connection.executemany("INSERT INTO answer VALUES (?, ?)", ((row.unit, encode(row)) for row in rows))
        sorted_rows = (decode(body) for (body,) in connection.execute("SELECT body FROM answer ORDER BY unit, rowid"))
        yield from groupby(sorted_rows, lambda row: row.unit)
