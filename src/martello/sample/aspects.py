"""What of a column can be compared: its values, whether it is missing, the length of a text, the hour of a moment.

An aspect is one measure of a column on two sides, as numbers. How far the sides differ is `traffic`'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from martello.spec.look import MISSING_MARKERS

__all__ = ["Aspect", "Floats", "Kind", "aspects_of"]

Floats = NDArray[np.float64]
_Values = Any  # an Arrow array of any type: the stubs want to know which
Kind = Literal["number", "category", "time", "text"]

_MOST_CATEGORIES = 200  # the classifier takes at most 255
_LEAST_EXPECTED = 5  # rows of a category on the smaller side; rarer ones are taken together
_TEXT_WORDS = 4  # a mean of so many words makes a text
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Aspect:
    """One measure of a column on both sides, NaN where missing; with `labels` it holds their codes."""

    column: str
    name: str
    sample: Floats
    traffic: Floats
    labels: tuple[str, ...] | None = None
    has_rare: bool = False  # the last label takes the rare ones together


def aspects_of(
    name: str, sample: pa.ChunkedArray[Any], traffic: pa.ChunkedArray[Any], kind: Kind | None
) -> list[Aspect] | str:
    """Give what can be compared of a column, or why nothing can; a kind of None is guessed from both sides."""
    return _aspects(name, _whole(sample), _whole(traffic), kind)


def _whole(column: pa.ChunkedArray[Any]) -> _Values:
    array: _Values = pa.concat_arrays(column.chunks) if column.num_chunks else column.combine_chunks()
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _aspects(name: str, sample: _Values, traffic: _Values, kind: Kind | None) -> list[Aspect] | str:
    """Turn a column into what is compared of it, or say why nothing is."""
    if len(sample) == sample.null_count and len(traffic) == traffic.null_count:
        return "no value on either side"
    types = [sample.type, traffic.type]
    if kind == "number" or (kind is None and not all(pa.types.is_boolean(one) for one in types)):
        numbers = _both(_as_numbers, sample, traffic)
        if numbers:
            return _with_missing([Aspect(name, "values", *numbers)])
    if kind == "time" or (kind is None and (any(map(pa.types.is_temporal, types)) or all(map(_is_text, types)))):
        moments = _both(_as_moments, sample, traffic)
        if moments:
            return _with_missing(_moment_aspects(name, *moments))
    if any(pa.types.is_nested(one) or pa.types.is_binary(one) or pa.types.is_temporal(one) for one in types):
        return f"of type {types[0]} and {types[1]}"
    is_folded = any(map(pa.types.is_boolean, types))
    texts = _as_texts(sample, is_folded), _as_texts(traffic, is_folded)
    if kind == "text" or (kind is None and max(pc.mean(_words(text)).as_py() or 0 for text in texts) >= _TEXT_WORDS):
        return _with_missing(_text_aspects(name, *texts))
    if kind is None and all(len(text.drop_null().unique()) == len(text) for text in texts):
        return "every row has a value of its own: a name"
    return _with_missing([_category_aspect(name, *texts)])


def _both(read: Callable[[_Values], Floats | None], sample: _Values, traffic: _Values) -> tuple[Floats, Floats] | None:
    """Read both sides in one way, or neither."""
    here = read(sample)
    there = None if here is None else read(traffic)
    return None if here is None or there is None else (here, there)


def _is_text(type_: pa.DataType) -> bool:
    return pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_null(type_)


def _as_numbers(values: _Values) -> Floats | None:
    """Give numbers, NaN where missing; None when the values are none."""
    if pa.types.is_temporal(values.type):
        return None
    if _is_text(values.type):
        values = pc.utf8_trim_whitespace(values.cast(pa.string()))
        values = pc.if_else(pc.is_in(values, pa.array(MISSING_MARKERS)), None, values)
    numbers = _cast(values, pa.float64())
    return None if numbers is None else np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)


def _as_moments(values: _Values) -> Floats | None:
    """Give microseconds since 1970 in UTC, NaN where missing; integers are taken as such."""
    if pa.types.is_integer(values.type) or pa.types.is_null(values.type):
        return _as_numbers(values)
    values = pc.if_else(pc.equal(values, pa.scalar("")), None, values) if _is_text(values.type) else values
    moments = _cast(values, pa.timestamp("us"))
    moments = _cast(values, pa.timestamp("us", "UTC")) if moments is None else moments
    return None if moments is None else _as_numbers(moments.cast(pa.int64()))


def _cast(values: _Values, target: pa.DataType) -> _Values | None:
    """Cast, or give None where a value does not read so; a few are tried first, since failing on all is slow."""
    try:
        values.drop_null()[:50].cast(target, safe=False)
        return values.cast(target, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _as_texts(values: _Values, is_folded: bool) -> _Values:
    """Give texts, null where empty; in lower case where one side says true and false."""
    texts = values.cast(pa.string())
    texts = pc.utf8_lower(texts) if is_folded else texts
    return pc.if_else(pc.equal(texts, pa.scalar("")), None, texts)


def _words(texts: _Values) -> _Values:
    return pc.count_substring_regex(texts, r"\S+")


def _with_missing(aspects: list[Aspect]) -> list[Aspect]:
    first = aspects[0]
    here, there = np.isnan(first.sample).astype(np.float64), np.isnan(first.traffic).astype(np.float64)
    if not (here.any() or there.any()):
        return aspects
    return [*aspects, Aspect(first.column, "missing", here, there, labels=("present", "missing"))]


def _text_aspects(name: str, sample: _Values, traffic: _Values) -> list[Aspect]:
    measures: dict[str, Callable[[_Values], _Values]] = {
        "characters": pc.utf8_length,
        "words": _words,
        "digits": lambda texts: pc.count_substring_regex(texts, r"[0-9]"),
    }
    sides = {what: _both(_as_numbers, count(sample), count(traffic)) for what, count in measures.items()}
    return [Aspect(name, what, *both) for what, both in sides.items() if both]


def _moment_aspects(name: str, sample: Floats, traffic: Floats) -> list[Aspect]:
    """Compare what recurs: that traffic is later than the sample is no news."""
    days = [(moments // 86_400e6 + 3) % 7 for moments in (sample, traffic)]
    hours = [moments % 86_400e6 // 3_600e6 for moments in (sample, traffic)]
    aspects = [Aspect(name, "weekday", days[0], days[1], labels=_WEEKDAYS)]
    if any(np.nansum(side) > 0 for side in hours):  # else it is a date
        aspects.append(Aspect(name, "hour", hours[0], hours[1]))
    return aspects


def _category_aspect(name: str, sample: _Values, traffic: _Values) -> Aspect:
    """Code the categories, most frequent first; rare ones, counted on both sides together, share the last code."""
    encoded = pa.concat_arrays([sample, traffic]).dictionary_encode()
    known = ~np.asarray(encoded.is_null())
    indices = np.asarray(encoded.indices.drop_null(), dtype=np.intp)
    counts = np.bincount(indices, minlength=len(encoded.dictionary))
    on_smaller_side = counts * (min(len(sample), len(traffic)) / known.size)
    kept = np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]
    kept = kept[on_smaller_side[kept] >= _LEAST_EXPECTED]
    code_of = np.full(counts.size, kept.size)
    code_of[kept] = np.arange(kept.size)
    codes = np.full(known.size, np.nan)
    codes[known] = code_of[indices]
    labels = [str(encoded.dictionary[int(index)].as_py()) for index in kept]
    rare = ["rare ones"] if kept.size < counts.size else []
    here, there = np.split(codes, [len(sample)])
    return Aspect(name, "values", here, there, labels=(*labels, *rare), has_rare=bool(rare))
