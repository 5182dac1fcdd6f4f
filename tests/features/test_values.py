from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.errors import DataError
from martello.features.convert import LONGEST_TEXT
from martello.features.values import Reader
from martello.spec.schema import FIELD_TYPES, Field

RAW = {
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "category": st.text(max_size=20) | st.integers(-(2**63), 2**63 - 1) | st.booleans(),
    "text": st.text(max_size=50),
    "boolean": st.booleans() | st.sampled_from([0, 1]),
    "time": st.integers(-(2**62), 2**62) | st.datetimes(timezones=st.just(UTC)) | st.dates(),
}
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["?", "", "2020-01-01", "2020-01-01T10:00:00Z", "2020-01-01T10:00:00"])
    | st.lists(st.integers(), max_size=2)
)


def reader_of(type_: str, *, optional: bool = True) -> Reader:
    return Reader((Field(name="x", type=type_, optional=optional),), ("?", "NA"))


def outcome(read):
    try:
        return read()
    except DataError as fault:
        return fault.code


@pytest.mark.parametrize("type_", FIELD_TYPES)
@given(data=st.data())
def test_a_record_and_a_column_read_the_same_value_alike(type_, data):
    value = data.draw(RAW[type_])
    reader = reader_of(type_)
    row = reader.read({"x": value})["x"]
    column = reader.read_columns({"x": [None, value]}, ["a", "b"])["x"]
    assert column[0] is None
    assert type(row) is type(column[1])
    assert row == column[1]


@pytest.mark.parametrize("type_", FIELD_TYPES)
@pytest.mark.parametrize("optional", [True, False])
@given(value=ANYTHING)
def test_a_record_and_a_column_refuse_the_same_values_with_the_same_code(type_, optional, value):
    reader = reader_of(type_, optional=optional)
    row = outcome(lambda: reader.read({"x": value})["x"])
    column = outcome(lambda: reader.read_columns({"x": [value]}, ["a"])["x"][0])
    assert repr(row) == repr(column)


@pytest.mark.parametrize(
    ("type_", "raw", "typed"),
    [
        ("number", 3, 3.0),
        ("number", -0.5, -0.5),
        ("number", Decimal("1.25"), 1.25),
        ("number", "?", None),
        ("number", "", None),
        ("integer", 7, 7),
        ("integer", "NA", None),
        ("category", "x", "x"),
        ("category", 12, "12"),
        ("category", True, "true"),
        ("category", "?", None),
        ("text", "?", "?"),
        ("text", "", None),
        ("boolean", 1, True),
        ("boolean", False, False),
        ("time", "1970-01-01T00:00:00.000001Z", 1),
        ("time", "1970-01-01T02:00:00+02:00", 0),
        ("time", "1970-01-02", 86_400_000_000),
        ("time", date(1970, 1, 2), 86_400_000_000),
        ("time", datetime(1970, 1, 1, 1), 3_600_000_000),
        ("time", 41188, 41188),
    ],
)
def test_each_type_takes_what_the_docs_say(type_, raw, typed):
    value = reader_of(type_).read({"x": raw})["x"]
    assert value == typed
    assert type(value) is type(typed)


@pytest.mark.parametrize(
    ("type_", "raw", "code"),
    [
        ("number", True, "wrong-type"),
        ("number", "39", "wrong-type"),
        ("number", math.inf, "not-finite"),
        ("number", math.nan, "not-finite"),
        ("number", 10**400, "not-finite"),
        ("integer", 3.0, "wrong-type"),
        ("integer", True, "wrong-type"),
        ("integer", 2**63, "wrong-type"),
        ("category", 1.5, "wrong-type"),
        ("category", ["a"], "wrong-type"),
        ("category", "x" * (LONGEST_TEXT + 1), "text-too-long"),
        ("text", 5, "wrong-type"),
        ("text", "x" * (LONGEST_TEXT + 1), "text-too-long"),
        ("boolean", 2, "wrong-type"),
        ("boolean", "true", "wrong-type"),
        ("time", "2020-01-01T10:00:00", "wrong-type"),
        ("time", "2020-02-30", "wrong-type"),
        ("time", "2020-01-01T10:00:00Z and more", "wrong-type"),
        ("time", "20200101", "wrong-type"),
        ("time", 1.5, "wrong-type"),
        ("time", True, "wrong-type"),
    ],
)
def test_each_type_refuses_what_the_docs_say(type_, raw, code):
    with pytest.raises(DataError) as caught:
        reader_of(type_).read({"x": raw})
    assert caught.value.code == f"features.{code}"
    assert len(str(caught.value)) < 400


@given(moment=st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), hours=st.integers(-23, 23))
def test_a_moment_is_the_same_in_every_zone_and_agrees_with_numpy(moment, hours):
    zoned = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
    reader = reader_of("time")
    expected = int(np.datetime64(moment, "us").astype(np.int64))
    assert reader.read({"x": zoned})["x"] == expected
    assert reader.read({"x": zoned.isoformat()})["x"] == expected


def test_all_faults_of_a_record_are_named_at_once():
    reader = Reader((Field(name="age", type="integer"), Field(name="job", type="category")))
    with pytest.raises(DataError) as caught:
        reader.read({"agee": 3, "job": []})
    codes = [caught.value.code, *(other.code for other in caught.value.others)]
    assert codes == ["features.missing-field", "features.wrong-type", "features.unknown-field"]
    assert "did you mean age?" in str(caught.value)


def test_a_required_field_is_missing_when_absent_null_empty_or_a_missing_text():
    reader = Reader((Field(name="job", type="category"),), ("?",))
    for record in ({}, {"job": None}, {"job": ""}, {"job": "?"}):
        with pytest.raises(DataError, match="job has no value"):
            reader.read(record)


def test_a_column_fault_names_the_first_unit_and_the_count():
    reader = Reader((Field(name="age", type="integer"), Field(name="pay", type="number")))
    columns = {"age": [1, "x", "y", None], "pay": [1.0, 2.0, math.inf, 3.0]}
    with pytest.raises(DataError) as caught:
        reader.read_columns(columns, ["a", "b", "c", "d"])
    fault = caught.value
    assert (fault.code, fault.where) == ("features.wrong-type", "column age, unit b")
    assert "(2 units)" in fault.what
    assert [(other.code, other.where) for other in fault.others] == [
        ("features.missing-field", "column age, unit d"),
        ("features.not-finite", "column pay, unit c"),
    ]


def test_an_absent_column_is_missing_values_when_optional_and_a_fault_when_not():
    assert reader_of("number").read_columns({}, ["a", "b"]) == {"x": [None, None]}
    with pytest.raises(DataError, match="missing-field"):
        reader_of("number", optional=False).read_columns({}, ["a"])


def test_a_flood_of_unknown_fields_is_answered_briefly():
    with pytest.raises(DataError) as caught:
        reader_of("number").read({f"field{i}": 1 for i in range(10_000)})
    assert len(caught.value.others) < 20


def test_the_definition_changes_with_what_changes_a_value_and_with_nothing_else():
    field = Field(name="x", type="number")
    same = Reader((Field(name="x", type="number", description="height"),), ("NA", "?"))
    assert Reader((field,), ("?", "NA")).definition == same.definition
    others = [
        Reader((field,), ("?",)),
        Reader((Field(name="x", type="integer"),), ("?", "NA")),
        Reader((Field(name="x", type="number", optional=True),), ("?", "NA")),
        Reader((Field(name="y", type="number"),), ("?", "NA")),
    ]
    assert len({same.definition, *(reader.definition for reader in others)}) == 5
