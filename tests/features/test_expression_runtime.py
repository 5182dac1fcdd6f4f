"""Dates, zones, similarity and lists, against calendars and definitions that are not ours."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from martello.features.expressions import RowFeatures, declare
from martello.features.expressions.runtime import edit_distance, lower, trigram_sim, word_sim

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES = {
    "t": ("time", False), "s": ("text", False), "u": ("text", False),
    "xs": ("list[number]", False), "ss": ("list[text]", False), "ts": ("list[text]", False),
}  # fmt: skip


def micro(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def value(text: str, **row):
    return RowFeatures(declare({"f": text}, {name: TYPES[name] for name in row})).row({**row, "now": 0})["f"]


PARTS = RowFeatures(
    declare(
        {name: f"{name}(t)" for name in ("year", "month", "day", "day_of_year", "weekday", "hour", "minute")}
        | {f"{name}_in_new_york": f"{name}(t, 'America/New_York')" for name in ("year", "day", "weekday", "hour")},
        {"t": ("time", False)},
    )
)


@settings(deadline=None)
@example(moment=datetime(2000, 2, 29, 23, 59, 59, 999999))
@example(moment=datetime(1900, 2, 28, 23, 59, 59))
@example(moment=datetime(2024, 3, 10, 7, 0))
@example(moment=datetime(2024, 11, 3, 5, 59, 59, 999999))
@given(moment=st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))
def test_parts_of_a_time_are_those_of_the_calendar(moment):
    found = PARTS.row({"t": micro(moment.replace(tzinfo=UTC))})
    there = moment.replace(tzinfo=UTC).astimezone(ZoneInfo("America/New_York"))
    assert found == {
        "year": moment.year,
        "month": moment.month,
        "day": moment.day,
        "day_of_year": int(f"{moment:%j}"),
        "weekday": moment.isoweekday(),
        "hour": moment.hour,
        "minute": moment.minute,
        "year_in_new_york": there.year,
        "day_in_new_york": there.day,
        "weekday_in_new_york": there.isoweekday(),
        "hour_in_new_york": there.hour,
    }


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
def test_zones_follow_daylight_saving_as_another_database_knows_it(zone):
    step, first = 1_799_000_000, micro(datetime(2021, 12, 31, tzinfo=UTC))
    times = [first + step * place for place in range(60_000)]  # every half hour of three and a half years
    found = RowFeatures(declare({"h": f"hour(t, '{zone}')", "m": f"minute(t, '{zone}')"}, {"t": ("time", False)}))
    columns = found.columns({"t": times}, len(times))
    expected = duckdb.sql(
        f"""select hour(l), minute(l) from (select i, timezone('{zone}', make_timestamptz({first} + i * {step})) as l
            from range(60000) as r(i)) order by i"""
    ).fetchall()
    assert list(zip(columns["h"], columns["m"], strict=True)) == expected


@pytest.mark.parametrize(
    ("zone", "moment", "start"),
    [
        ("UTC", "2024-02-29T23:59:59Z", "2024-02-29T00:00:00Z"),
        ("Europe/Berlin", "2024-03-31T22:30:00Z", "2024-03-31T22:00:00Z"),
        ("Europe/Berlin", "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z"),
        ("Europe/Berlin", "2024-10-27T22:59:00Z", "2024-10-26T22:00:00Z"),
        # Santiago's clocks go from 23:59:59 to 01:00:00: that day has no midnight.
        ("America/Santiago", "2024-09-08T15:00:00Z", "2024-09-08T04:00:00Z"),
    ],
)
def test_a_day_begins_at_its_first_moment(zone, moment, start):
    assert value(f"day_start(t, '{zone}') = at('{start}')", t=micro(datetime.fromisoformat(moment))) is True


@pytest.mark.parametrize("t", [-(2**63), 2**63 - 1, micro(EPOCH) - 62135596800_000001])
def test_beyond_the_calendar_there_is_no_date(t):
    assert [value(f"{part}(t)", t=t) for part in ("year", "month", "day", "day_of_year")] == [None] * 4
    assert value("day_start(t, 'Asia/Tokyo')", t=t) is None
    assert value("weekday(t)", t=t) in range(1, 8)


def test_lower_case_goes_character_by_character():
    assert [lower(each) for each in ("İSTANBUL", "ΟΔΟΣ", "STRASSE ẞ", "ǅ")] == ["istanbul", "οδοσ", "strasse ß", "ǆ"]
    every = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF]
    assert [lower(f"a{each}b") for each in every[::7]] == [f"a{lower(each)}b" for each in every[::7]]


@settings(max_examples=60, deadline=None)
@given(a=st.text("abß日👩", max_size=7), b=st.text("abß日👩", max_size=7))
def test_edit_distance_is_the_recursive_definition(a, b):
    @lru_cache
    def distance(i, j):
        if not i or not j:
            return i + j
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    assert edit_distance(a, b) == distance(len(a), len(b))


def test_similarity_is_as_defined_by_hand():
    # "  ab " has the trigrams "  a", " ab", "ab "; "  abc " has "  a", " ab", "abc", "bc ": two in common.
    assert trigram_sim("ab", "ABC") == pytest.approx(2 * 2 / (3 + 4))
    assert trigram_sim("", "") == 1
    assert word_sim("the cat, the dog", "A Dog") == pytest.approx(1 / 4)
    assert word_sim("…", "") == 0
    assert value("trigram_sim(s, ss)", s="abc", ss=["xyz", "abc"]) == 1
    assert value("trigram_sim(s, ss)", s="abc", ss=[]) is None


def test_similarity_looks_at_the_beginning_of_long_texts():
    assert edit_distance("a" * 1_000_000, "b" * 1_000_000) == 200
    assert trigram_sim("a" * 300, "a" * 200 + "b" * 100) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("list_length(xs)", 3), ("list_sum(xs)", 1.0), ("list_mean(xs)", 1 / 3), ("list_max(xs)", 1e16),
        ("list_min(xs)", -1e16), ("list_item(xs, 2)", 1.0), ("list_item(xs, 4)", None), ("list_contains(xs, 1)", True),
        ("list_overlap(ss, ts)", 1 / 3), ("list_contains(ss, 'b')", True), ("list_length(words(s))", 3),
        ("list_item(split(s, '/'), 2)", "é b"),
    ],
)  # fmt: skip
def test_lists_are_read_exactly(text, expected):
    row = {"xs": [1e16, 1.0, -1e16], "ss": ["a", "b"], "ts": ["b", "c", "b"], "s": "a//é b"}
    assert value(text, **row) == expected


def test_nothing_in_a_list_has_no_mean():
    assert [value(f"list_{name}(xs)", xs=[]) for name in ("mean", "max", "min", "sum")] == [None, None, None, 0.0]
    assert value("list_sum(xs)", xs=[1.7e308, 1.7e308]) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12", 12.0), (" -1.5e3 ", -1500.0), (".5", 0.5), ("5.", 5.0), ("1_000", None), ("inf", None), ("nan", None),
     ("", None), ("1e999", None), ("١٢", None), ("0x10", None), ("+", None), ("1 2", None)],
)  # fmt: skip
def test_a_text_is_a_number_when_it_is_a_decimal_one(text, expected):
    assert value("number(s)", s=text) == expected


def test_numbers_are_finite_or_null():
    columns = {"x": ("number", False)}
    for text, x, expected in [
        ("exp(x)", 710.0, None), ("exp(x)", 1.0, math.e), ("power(x, 0.5)", -1.0, None), ("power(x, -1)", 0.0, None),
        ("power(x, 1000)", 10.0, None), ("sqrt(x)", -1e-300, None), ("ln(x)", 0.0, None), ("x % 3", -7.5, -1.5),
        ("x % 0", 1.0, None), ("x / 0", 1.0, None), ("round(x)", 2.5, 2.0), ("round(x, 2)", 2.675, 2.67),
        ("integer(x)", -2.9, -2), ("integer(x)", 1e19, None), ("floor(x)", -1e300, -1e300),
    ]:  # fmt: skip
        assert RowFeatures(declare({"f": text}, columns)).row({"x": x}) == {"f": expected}, text
