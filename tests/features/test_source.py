from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import duckdb
import msgspec
import pyarrow as pa
import pytest

from martello.errors import DataError
from martello.features.source import plain_columns
from martello.features.values import Reader
from martello.spec.schema import Field


def one(column, type_, missing=()):
    return plain_columns(pa.table({"x": column}), (Field(name="x", type=type_),), missing)["x"]


def test_nan_in_a_column_is_no_value_and_infinity_is_left_to_be_refused():
    assert one([1.5, float("nan"), None], "number") == [1.5, None, None]
    values = one([1.5, float("inf")], "number")
    with pytest.raises(DataError, match="not-finite"):
        Reader((Field(name="x", type="number"),)).read_columns({"x": values}, ["a", "b"])


def test_numbers_held_as_text_are_parsed_and_what_is_none_stays_text():
    assert one([" 39 ", "?", "", "1e3", "abc", "nan", "Infinity", "1_000"], "number", ("?",)) == [
        39.0,
        None,
        None,
        1000.0,
        "abc",
        "nan",
        "Infinity",
        "1_000",
    ]
    assert one(["7", "7.0", "-3"], "integer") == [7, "7.0", -3]
    assert one(["TRUE", "0", "maybe"], "boolean") == [True, False, "maybe"]


def test_text_columns_are_left_as_they_are():
    assert one([" a ", ""], "text") == [" a ", ""]
    assert one([" a ", "7"], "category") == [" a ", "7"]


def test_whole_floats_stand_for_integers_where_integers_are_declared():
    assert one([3.0, 2.5], "integer") == [3, 2.5]
    assert one([3.0], "category") == [3]
    assert one([3.0], "number") == [3.0]


def test_moments_and_decimals_become_what_json_can_carry():
    moment = datetime(2024, 2, 29, 12, 30, 0, 250_000)
    east = timezone(timedelta(hours=5, minutes=30))
    assert one(pa.array([moment], pa.timestamp("us")), "time") == ["2024-02-29T12:30:00.250000Z"]
    assert one(pa.array([moment.replace(tzinfo=UTC)], pa.timestamp("us", "Asia/Kolkata")), "time") == [
        "2024-02-29T12:30:00.250000Z"
    ]
    assert moment.replace(tzinfo=UTC).astimezone(east).hour == 18
    assert one([date(2024, 2, 29)], "time") == ["2024-02-29"]
    assert one([Decimal("1.25")], "number") == [1.25]


def test_times_agree_with_the_engine_after_reading():
    moments = [datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(2024, 2, 29, 1, 2, 3, 4), datetime(9999, 12, 31)]
    values = one(pa.array(moments, pa.timestamp("us")), "time")
    read = Reader((Field(name="x", type="time"),)).read_columns({"x": values}, ["a", "b", "c"])["x"]
    assert read == [duckdb.execute("select epoch_us(?::timestamp)", [moment]).fetchone()[0] for moment in moments]


def test_dictionary_columns_are_read_by_their_values():
    assert one(pa.array(["a", "b", "a"]).dictionary_encode(), "category") == ["a", "b", "a"]


def test_a_table_sent_row_by_row_as_json_reads_as_the_columns_did():
    fields = (
        Field(name="n", type="number", optional=True),
        Field(name="i", type="integer", optional=True),
        Field(name="c", type="category", optional=True),
        Field(name="b", type="boolean", optional=True),
        Field(name="t", type="time", optional=True),
        Field(name="s", type="text", optional=True),
    )
    table = pa.table(
        {
            "n": [0.1, float("nan"), -1e300],
            "i": pa.array([1.0, None, 3.0]),
            "c": ["?", "ü", None],
            "b": [True, None, False],
            "t": pa.array([datetime(2020, 1, 1), None, datetime(2021, 6, 1, 3)], pa.timestamp("ns")),
            "s": ["", "?", "🙂\n"],
        }
    )
    reader = Reader(fields, ("?",))
    columns = plain_columns(table, fields, ("?",))
    typed = reader.read_columns(columns, ["a", "b", "c"])
    for i in range(3):
        sent = msgspec.json.encode({name: values[i] for name, values in columns.items()})
        assert reader.read(msgspec.json.decode(sent)) == {name: values[i] for name, values in typed.items()}


def test_an_input_that_is_no_column_is_named_with_the_nearest():
    with pytest.raises(DataError, match=r"did you mean height\?"):
        plain_columns(pa.table({"height": [1]}), (Field(name="heigth", type="number"),))
