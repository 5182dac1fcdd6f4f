"""What each declared type takes, and the typed value it makes: one small function per type.

The rules are stated in `docs/features.md`. A value that a type does not take raises `Refused`, which only the reader
sees: it knows the field and the place, and makes the fault a person reads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

__all__ = ["EXPECTED", "LONGEST_TEXT", "Convert", "Refused", "TypedValue", "converter"]

#: A value after reading: number → float, integer → int, category and text → str, boolean → bool, time → int µs UTC.
TypedValue = float | int | str | bool | None

Convert = Callable[[object], TypedValue]

#: Longest text in characters; longer values are a client's mistake and would stall the tokenizer.
LONGEST_TEXT = 1_000_000

EXPECTED = {
    "number": "a finite number",
    "integer": "a whole number without a decimal point, within 64 bits",
    "category": "text (or a whole number, or true/false)",
    "text": "text",
    "boolean": "true or false (or 1 or 0)",
    "time": "RFC 3339 text with a time zone (2026-03-01T12:00:00Z), a date, or whole microseconds since 1970 in UTC",
}

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2}))?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONGS = range(-(2**63), 2**63)


class Refused(Exception):
    """A value that a type does not take; `code` names the fault."""

    def __init__(self, code: str) -> None:
        self.code = code


def converter(type_: str, absent: frozenset[str]) -> Convert:
    """Make the function that reads one type; None stands for a text that means "no value"."""
    convert = _CONVERTERS[type_]
    if type_ == "text":
        return convert

    def or_absent(raw: object) -> TypedValue:
        return None if type(raw) is str and raw in absent else convert(raw)

    return or_absent


def _number(raw: object) -> float:
    if type(raw) is not float:
        if type(raw) is not int and not isinstance(raw, Decimal):
            raise Refused("features.wrong-type")
        try:
            raw = float(raw)
        except OverflowError:
            raise Refused("features.not-finite") from None
    if not math.isfinite(raw):
        raise Refused("features.not-finite")
    return raw


def _integer(raw: object) -> int:
    if type(raw) is not int or raw not in _LONGS:
        raise Refused("features.wrong-type")
    return raw


def _text(raw: object) -> str | None:
    if type(raw) is not str:
        raise Refused("features.wrong-type")
    if len(raw) > LONGEST_TEXT:
        raise Refused("features.text-too-long")
    return raw or None


def _category(raw: object) -> str | None:
    if type(raw) is int:
        return str(_integer(raw))
    if type(raw) is bool:
        return "true" if raw else "false"
    return _text(raw)


def _boolean(raw: object) -> bool:
    if raw is True or raw is False:
        return bool(raw)
    if type(raw) is int and raw in (0, 1):
        return raw == 1
    raise Refused("features.wrong-type")


def _time(raw: object) -> int:
    if type(raw) is int:
        return _integer(raw)
    try:
        moment = _moment(raw)
        return (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise Refused("features.wrong-type") from None


def _moment(raw: object) -> datetime:
    """Bring a text, a datetime or a date to a moment; a date is its midnight, a datetime without zone is in UTC."""
    if type(raw) is str:
        if not _RFC3339.fullmatch(raw):
            raise ValueError(raw)
        raw = datetime.fromisoformat(raw.upper())
    if isinstance(raw, datetime):
        return raw if raw.tzinfo else raw.replace(tzinfo=UTC)
    if isinstance(raw, date):
        return datetime(raw.year, raw.month, raw.day, tzinfo=UTC)
    raise ValueError(raw)


_CONVERTERS: dict[str, Convert] = {
    "number": _number,
    "integer": _integer,
    "category": _category,
    "text": _text,
    "boolean": _boolean,
    "time": _time,
}
