"""From a table of the source to plain values, as a client would send them in JSON.

Files hold what JSON cannot (NaN for "no value", datetimes, decimals), numbers as text (a CSV column with "?" or
blanks in it) and whole numbers as floats. That is settled here, once, so that the rules of `convert` are the same for
a table and for a request.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from martello.errors import DataError, nearest
from martello.spec.schema import Field

__all__ = ["plain_columns"]


def plain_columns(table: pa.Table, fields: tuple[Field, ...], missing: tuple[str, ...] = ()) -> dict[str, list[object]]:
    """Give the declared inputs of a table as values that JSON can carry.

    NaN becomes None; a whole float declared integer or category becomes an int; text declared number, integer or
    boolean is parsed (a text that cannot be parsed stays as it is, so that the reader names it); datetimes become RFC
    3339 text, those without zone being in UTC.

    Raises
    ------
    DataError
        ``features.unknown-column`` when a declared input is not a column of the table.

    Examples
    --------
    >>> table = pa.table({"total": ["29.85", " ", None], "when": pa.array([0, None, 1], pa.timestamp("s"))})
    >>> plain_columns(table, (Field(name="total", type="number"), Field(name="when", type="time")))
    {'total': [29.85, None, None], 'when': ['1970-01-01T00:00:00Z', None, '1970-01-01T00:00:01Z']}
    """
    absent = frozenset(missing) | {""}
    return {field.name: _plain(_column(table, field), field.type, absent) for field in fields}


def _column(table: pa.Table, field: Field) -> pa.ChunkedArray[Any]:
    """Find an input in a table of the store, or in one that came as it is."""
    name = field.name
    for column in (field.column, name):
        if column in table.column_names:
            return table.column(column)
    near = nearest(name, table.column_names)
    raise DataError(
        "features.unknown-column",
        f"the source has no column {name}",
        where=f"input {name}",
        expected="a column of: " + ", ".join(table.column_names),
        fix=f"did you mean {near}?" if near else "take it out of [input]",
    )


def _plain(column: pa.ChunkedArray[Any], type_: str, absent: frozenset[str]) -> list[object]:
    """Bring one column to plain values; a column that is plain already is passed on as it is."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    values: list[object] = column.to_pylist()
    if pa.types.is_floating(kind):
        whole = type_ in ("integer", "category")
        return [_from_float(value, whole) for value in values]
    parse = _PARSERS.get(type_)
    if parse and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return [None if value is None else _parsed(str(value).strip(), parse, absent) for value in values]
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return [_spelled(value) for value in values]
    return values


def _from_float(value: Any, whole: bool) -> object:
    """Read NaN as no value and, where wanted, a whole float as the integer it stands for."""
    if value is None or math.isnan(value):
        return None
    return int(value) if whole and value.is_integer() else value


def _parsed(text: str, parse: Callable[[str], object], absent: frozenset[str]) -> object:
    """Parse a text; what cannot be parsed is left for the reader to refuse."""
    if text in absent:
        return None
    with suppress(ValueError, KeyError):
        return parse(text)
    return text


def _number(text: str) -> float:
    """Parse a decimal number; the words for infinity and NaN are no numbers, nor are digits grouped by underscores."""
    if not text.lstrip("+-")[:1].isdigit() and not text.lstrip("+-").startswith("."):
        raise ValueError(text)
    return float(text.replace("_", "?"))


def _integer(text: str) -> int:
    return int(text.replace("_", "?"))


def _boolean(text: str) -> bool:
    return {"true": True, "false": False, "1": True, "0": False}[text.lower()]


_PARSERS: dict[str, Callable[[str], object]] = {"number": _number, "integer": _integer, "boolean": _boolean}


def _spelled(value: object) -> object:
    """Write a datetime or a date as RFC 3339 and a decimal as a float."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
