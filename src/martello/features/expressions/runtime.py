"""The Python functions behind the names of the expression language, where a Python operator does not say it.

All take values that are not null and of the declared types, and give a value or None; none raises. These, with the
operators in `functions`, are the definition of what a feature means; SQL follows them, not the other way round.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["RUNTIME", "date_of", "edit_distance", "local", "lower", "trigram_sim", "word_sim"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY = 86_400_000_000
_FIRST_DAY, _LAST_DAY = 1, date(9999, 12, 31).toordinal()
_WORD = re.compile(r"\w+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

#: Characters of each text that similarity looks at: edit distance takes the product of both lengths.
_COMPARED = 200


def lower(text: str) -> str:
    """Give a text in lower case, character by character: İ becomes i, and Σ becomes σ at the end of a word too.

    Python's own rule for those two depends on what stands beside them, which no engine follows.
    """
    if text.isascii():
        return text.lower()
    return text.replace("İ", "i").replace("Σ", "σ").lower()


def _sqrt(x: float) -> float | None:
    return math.sqrt(x) if x >= 0 else None


def _ln(x: float) -> float | None:
    return math.log(x) if x > 0 else None


def _exp(x: float) -> float | None:
    try:
        return math.exp(x)
    except OverflowError:
        return None


def _power(x: float, y: float) -> float | None:
    try:
        return math.pow(x, y)
    except (ValueError, OverflowError):
        return None


def _whole(x: float) -> int | None:
    """Cut towards zero, null beyond 64 bits."""
    return int(x) if -9.223372036854776e18 <= x < 9.223372036854776e18 else None


def _parsed(text: str) -> float | None:
    """Read a decimal number; words for infinity and NaN are no numbers, nor are digits grouped by underscores."""
    bare = text.strip(" ")
    value = float(bare) if _DECIMAL.fullmatch(bare) else math.inf
    return value if math.isfinite(value) else None


def date_of(t: int) -> date | None:
    """Give the day in UTC of a time in microseconds, None outside the years 1 to 9999."""
    day = t // _DAY + _EPOCH_DAY
    return date.fromordinal(day) if _FIRST_DAY <= day <= _LAST_DAY else None


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local(t: int, zone: str) -> datetime | None:
    """Give the wall-clock time of a zone, None outside the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(microseconds=t)).astimezone(_zone(zone))
    except OverflowError:
        return None


def _part(name: str) -> Any:
    """Make the pair of functions that read one part of a date, in UTC and in a zone."""
    special: dict[str, Callable[[date], int]] = {
        "weekday": lambda day: day.isoweekday(),
        "day_of_year": lambda day: day.timetuple().tm_yday,
    }
    read = special.get(name) or attrgetter(name)

    def in_utc(t: int) -> int | None:
        day = date_of(t)
        return None if day is None else read(day)

    def in_zone(t: int, zone: str) -> int | None:
        moment = local(t, zone)
        return None if moment is None else read(moment)

    return in_utc, in_zone


def _day_start(t: int, zone: str) -> int | None:
    """Give the first moment of the local day: midnight, or the hour after it where a change of clocks skips it."""
    moment = local(t, zone)
    if moment is None:
        return None
    try:
        return (
            moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC) - _EPOCH
        ) // timedelta(microseconds=1)
    except OverflowError:
        return None


def _trigrams(text: str) -> frozenset[str]:
    padded = f"  {lower(text[:_COMPARED])} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


def trigram_sim(a: str, b: str) -> float:
    """Give the Dice similarity of the sets of character trigrams, in [0, 1]; the first 200 characters count.

    Examples
    --------
    >>> trigram_sim("settings", "Setting")
    0.8235294117647058
    """
    left, right = _trigrams(a), _trigrams(b)
    return 2 * len(left & right) / (len(left) + len(right))


def word_sim(a: str, b: str) -> float:
    """Give the share of words that two texts have in common (Jaccard), 0 when neither has a word.

    Examples
    --------
    >>> word_sim("read the settings", "The settings page")
    0.5
    """
    left, right = set(_words(lower(a))), set(_words(lower(b)))
    return len(left & right) / len(left | right) if left or right else 0.0


def edit_distance(a: str, b: str) -> int:
    """Give the fewest insertions, deletions and substitutions between the first 200 characters of two texts.

    Examples
    --------
    >>> edit_distance("straße", "strasse")
    2
    """
    a, b = a[:_COMPARED], b[:_COMPARED]
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        corner, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (left != right))
    return row[-1]


def _best(texts: Sequence[str], text: str, similarity: Any) -> float | None:
    return max((similarity(text, other) for other in texts), default=None)


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _split(text: str, separator: str) -> list[str]:
    return [part for part in text.split(separator) if part]


def _item(values: Sequence[Any], place: int) -> Any:
    return values[place - 1] if 1 <= place <= len(values) else None


def _overlap(a: Sequence[Any], b: Sequence[Any]) -> float:
    both = set(a) | set(b)
    return len(set(a) & set(b)) / len(both) if both else 0.0


def _sum(values: Sequence[float]) -> float | None:
    """Give the exact sum, rounded once; null where it is not finite."""
    try:
        return math.fsum(values)
    except OverflowError:
        return None


def _mean(values: Sequence[float]) -> float | None:
    total = _sum(values)
    return None if total is None or not values else total / len(values)


_YEAR, _YEAR_AT = _part("year")
_MONTH, _MONTH_AT = _part("month")
_DAY_OF, _DAY_AT = _part("day")
_YDAY, _YDAY_AT = _part("day_of_year")
_WEEKDAY_AT = _part("weekday")[1]
_HOUR_AT, _MINUTE_AT = _part("hour")[1], _part("minute")[1]

#: The names that generated code may use, and nothing else.
RUNTIME: dict[str, Any] = {
    "abs": abs,
    "float": float,
    "int": int,
    "len": len,
    "max": max,
    "min": min,
    "range": range,
    "round": round,
    "zip": zip,
    "floor": math.floor,
    "ceil": math.ceil,
    "fmod": math.fmod,
    "lower": lower,
    "sqrt": _sqrt,
    "ln": _ln,
    "exp": _exp,
    "power": _power,
    "whole": _whole,
    "parsed": _parsed,
    "year": _YEAR,
    "year_at": _YEAR_AT,
    "month": _MONTH,
    "month_at": _MONTH_AT,
    "day": _DAY_OF,
    "day_at": _DAY_AT,
    "day_of_year": _YDAY,
    "day_of_year_at": _YDAY_AT,
    "weekday_at": _WEEKDAY_AT,
    "hour_at": _HOUR_AT,
    "minute_at": _MINUTE_AT,
    "day_start": _day_start,
    "trigram_sim": trigram_sim,
    "word_sim": word_sim,
    "edit_distance": edit_distance,
    "best": _best,
    "words": _words,
    "split": _split,
    "item": _item,
    "overlap": _overlap,
    "total": _sum,
    "mean": _mean,
}
