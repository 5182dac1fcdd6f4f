"""What may be declared as history, and how a fault in it is named."""

from __future__ import annotations

import subprocess
import sys

import pytest

from martello.errors import IntegrityError, SpecError
from martello.features.history import History, HistoryFeature, Source, declare_history, load_history

COLUMNS = {
    "open_id": "integer", "user": "category", "file": "category", "at": "time", "seen": "time", "length": "number",
    "starred": "boolean",
}  # fmt: skip
OPENS = Source(table="opens", id="open_id", key=("user",), time="at", known_at="seen", columns=COLUMNS)


def declare(of: Source = OPENS, **feature) -> History:
    return declare_history({"opens": of}, {"f": HistoryFeature(**{"source": "opens", "window": "7d", **feature})})


@pytest.mark.parametrize(
    ("feature", "code", "fix"),
    [
        ({"source": "open", "agg": "count"}, "features.unknown-source", "opens"),
        ({"agg": "cuont"}, "features.unknown-aggregate", "count"),
        ({"agg": "count", "window": None}, "features.window-unbounded", "365d"),
        ({"agg": "last", "value": "file", "window": None}, "features.window-unbounded", "365d"),
        ({"agg": "count", "window": "7 days"}, "features.window-unbounded", ""),
        ({"agg": "count", "window": "0d"}, "features.window-unbounded", ""),
        ({"agg": "sum"}, "features.aggregate-arguments", ""),
        ({"agg": "count", "value": "length"}, "features.aggregate-arguments", ""),
        ({"agg": "sum", "value": "file"}, "features.aggregate-arguments", ""),
        ({"agg": "mean", "value": "seen"}, "features.aggregate-arguments", ""),
        ({"agg": "last", "value": "files"}, "features.unknown-name", "file"),
        ({"agg": "last_k", "value": "file"}, "features.aggregate-arguments", ""),
        ({"agg": "last_k", "value": "file", "k": 0}, "features.aggregate-arguments", ""),
        ({"agg": "last_k", "value": "file", "k": 101}, "features.aggregate-arguments", ""),
        ({"agg": "last_k", "value": "starred", "k": 2}, "features.aggregate-arguments", ""),
        ({"agg": "count", "k": 2}, "features.aggregate-arguments", ""),
        ({"agg": "count", "where": "files = :file"}, "features.unknown-name", "file"),
        ({"agg": "count", "where": "lengthy > 1"}, "features.unknown-name", "length"),
        ({"agg": "count", "where": "length + 1"}, "features.aggregate-arguments", ""),
        ({"agg": "count", "where": "file = "}, "features.expression-syntax", ""),
        ({"agg": "count", "where": "file = :file or length > 1"}, "features.expression-not-offered", ""),
    ],
)
def test_a_fault_of_a_feature_is_named(feature, code, fix):
    with pytest.raises(SpecError) as caught:
        declare(**feature)
    assert caught.value.code == code
    assert "feature f" in caught.value.where
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": ("usr",)}, "features.unknown-name"),
        ({"key": ()}, "features.aggregate-arguments"),
        ({"key": ("length",)}, "features.aggregate-arguments"),
        ({"id": "nope"}, "features.unknown-name"),
        ({"time": "length"}, "features.aggregate-arguments"),
        ({"known_at": "file"}, "features.aggregate-arguments"),
    ],
)
def test_a_fault_of_a_source_is_named(change, code):
    fields = {"table": "opens", "id": "open_id", "key": ("user",), "time": "at", "known_at": "seen", "columns": COLUMNS}
    with pytest.raises(SpecError) as caught:
        declare(Source(**{**fields, **change}), agg="count")
    assert caught.value.code == code


def test_all_faults_come_at_once():
    features = {
        "a": HistoryFeature(source="opens", agg="cuont", window="7d"),
        "b": HistoryFeature(source="opens", agg="sum"),
    }
    with pytest.raises(SpecError) as caught:
        declare_history({"opens": OPENS}, features)
    assert [each.code for each in (caught.value, *caught.value.others)] == [
        "features.unknown-aggregate",
        "features.window-unbounded",
        "features.aggregate-arguments",
    ]


def test_a_source_without_arrival_clock_is_a_warning_that_says_what_it_costs():
    fields = {"table": "opens", "id": "open_id", "key": ("user",), "time": "at", "columns": COLUMNS}
    (finding,) = declare(Source(**fields), agg="count").findings
    assert (finding.code, finding.severity) == ("features.no-arrival-clock", "warning")
    assert "one count in ten" in finding.what.replace("\n", " ")
    assert declare(agg="count").findings == ()


def test_types_are_those_that_expressions_take():
    kinds = {
        "count": ("integer", {}),
        "distinct_count": ("integer", {"value": "file"}),
        "rate": ("number", {}),
        "sum": ("number", {"value": "length"}),
        "last": ("time", {"value": "at"}),
        "first": ("category", {"value": "file"}),
        "last_k": ("list[text]", {"value": "file", "k": 3}),
    }
    for agg, (kind, more) in kinds.items():
        assert declare(agg=agg, **more).types == {"f": (kind, True)}


def test_features_over_the_same_events_and_keys_share_a_group():
    features = {
        "a": HistoryFeature(source="opens", agg="count", window="7d"),
        "b": HistoryFeature(source="opens", agg="count", window="1h"),
        "c": HistoryFeature(source="opens", agg="count", window="7d", where="file = :path"),
        "d": HistoryFeature(source="opens", agg="last", value="at", window="7d", where="file=:path"),
        "e": HistoryFeature(source="opens", agg="count", window="7d", where="length > 3"),
    }
    history = declare_history({"opens": OPENS}, features)
    assert [tuple(group.features) for group in history.groups] == [("a", "b"), ("c", "d"), ("e",)]
    assert history.groups[1].key == (("user", "user"), ("file", "path"))
    assert history.parameters == ("user", "path")


def test_what_is_stored_comes_back_without_the_parser():
    history = declare(agg="count", where="file = :path and length > 3")
    code = (
        "import sys\n"
        "from martello.features.history import State, load_history\n"
        f"history = load_history({history.dump()!r})\n"
        "State(':memory:', history)\n"
        "print(history.definition, history.parameters)\n"
        "assert not {'sqlglot', 'pyarrow', 'duckdb', 'pandas'} & set(sys.modules), 'too much is imported'\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == (f"{history.definition} ('user', 'path')\n", "")


@pytest.mark.parametrize("change", [lambda stored: b"{}", lambda stored: stored[:-2], lambda stored: b'{"sources":5}'])
def test_what_is_not_a_stored_history_is_refused(change):
    with pytest.raises(IntegrityError) as caught:
        load_history(change(declare(agg="count").dump()))
    assert caught.value.code == "features.not-a-tree"


def test_the_definition_changes_with_what_is_computed():
    assert declare(agg="count").definition == declare(agg="count").definition
    assert declare(agg="count").definition != declare(agg="count", window="8d").definition
    assert declare(agg="count", where="length > 1").definition != declare(agg="count", where="length > 2").definition
