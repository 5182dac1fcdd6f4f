"""The features of a task as one value: what is seen, what is refused, and what survives a release."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from martello.errors import IntegrityError, SpecError
from martello.features.declared import DeclaredFeatures, declare_features
from martello.spec.schema import Feature, Field, Source

INPUTS = (
    Field(name="user", type="category", feature_only=True),
    Field(name="title", type="text"),
    Field(name="path", type="category", optional=True),
)
OPENS = Source(
    name="opens",
    table="opens.parquet",
    id="open_id",
    key=("user",),
    time="at",
    columns={"open_id": "integer", "user": "category", "path": "category", "at": "time", "name": "text"},
)
COUNT = Feature(name="opens_7d", source="opens", agg="count", window="7d")
LAST = Feature(name="last", source="opens", agg="last", value="at", window="7d", feature_only=True)
RECENT = Feature(name="recent", source="opens", agg="last_k", value="name", window="7d", k=3)
AGE = Feature(name="age_h", expression="hours(now, last)")
LIKENESS = Feature(name="likeness", expression="trigram_sim(title, recent)")
FEATURES = (LIKENESS, COUNT, LAST, RECENT, AGE)


def faults_of(inputs=INPUTS, sources=(OPENS,), features=FEATURES) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as caught:
        declare_features(inputs, sources, features)
    return [(each.code, each.fix) for each in (caught.value, *caught.value.others)]


def test_the_model_sees_inputs_and_features_but_no_lists_and_nothing_that_is_for_features_alone():
    declared = declare_features(INPUTS, (OPENS,), FEATURES)
    seen = [(field.name, field.type, field.optional) for field in declared.model_fields(INPUTS)]
    assert seen == [
        ("title", "text", False),
        ("path", "category", True),
        ("likeness", "number", True),
        ("opens_7d", "integer", True),
        ("age_h", "number", True),
    ]
    assert list(declared.types) == ["likeness", "opens_7d", "last", "recent", "age_h"]


def test_a_key_must_be_an_input_of_the_type_that_the_events_have():
    assert faults_of(inputs=INPUTS[1:]) == [
        ("features.key-not-input", 'user = { type = "category", feature_only = true }, under [input]')
    ]
    near = (Field(name="users", type="category"), *INPUTS[1:])
    assert faults_of(inputs=near) == [("features.key-not-input", "did you mean users?")]
    assert [code for code, _ in faults_of(inputs=(Field(name="user", type="integer"), *INPUTS[1:]))] == [
        "features.key-not-input"
    ]


def test_a_column_bound_to_the_request_is_a_key_too():
    pair = Feature(name="pair", source="opens", agg="count", window="7d", where="path = :file")
    assert faults_of(features=(pair,))[0][0] == "features.key-not-input"
    bound = Feature(name="pair", source="opens", agg="count", window="7d", where="path = :path")
    assert declare_features(INPUTS, (OPENS,), (bound,)).history.parameters == ("user", "path")


def test_a_circle_is_refused():
    circle = (Feature(name="a", expression="b + 1"), Feature(name="b", expression="a + 1"))
    assert [code for code, _ in faults_of(features=circle)] == ["features.cycle"]


@pytest.mark.parametrize(
    "other",
    [
        (COUNT, LAST, RECENT, LIKENESS),
        (LIKENESS, Feature(name="opens_7d", source="opens", agg="count", window="8d"), LAST, RECENT, AGE),
        (LIKENESS, COUNT, LAST, RECENT, Feature(name="age_h", expression="hours(now, last) + 1")),
        (LIKENESS, COUNT, LAST, RECENT, Feature(name="age_h", expression="hours(now, last)", feature_only=True)),
    ],
)
def test_whatever_changes_a_value_or_what_is_seen_changes_the_definition(other):
    same, changed = (declare_features(INPUTS, (OPENS,), features) for features in (FEATURES, other))
    assert same.definition("inputs") == declare_features(INPUTS, (OPENS,), FEATURES).definition("inputs")
    assert len({same.definition("inputs"), same.definition("others"), changed.definition("inputs")}) == 3


def test_what_is_stored_is_read_back_without_a_parser():
    declared = declare_features(INPUTS, (OPENS,), FEATURES)
    assert DeclaredFeatures.load(declared.dump()) == declared
    code = (
        "import sys; from martello.features.declared import DeclaredFeatures; "
        "from martello.features.online import OnlineFeatures; "
        "found = DeclaredFeatures.load(sys.stdin.buffer.read()); "
        "row = OnlineFeatures(found).compute({'title': 'abc', 'user': 'u'}, 7_200_000_000, "
        "{'opens_7d': 1, 'last': 0, 'recent': ['abc']}); "
        "print(row['age_h'], row['likeness'], 'sqlglot' in sys.modules, 'pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=declared.dump(), capture_output=True, check=True)
    assert done.stdout.decode().split() == ["2.0", "1.0", "False", "False"]


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored.update(seen=["nobody"]),
        lambda stored: stored.update(names=stored["names"][1:]),
        lambda stored: stored.update(more=1),
        lambda stored: stored["row"].update(features="x"),
    ],
)
def test_what_was_stored_otherwise_is_refused(change):
    stored = json.loads(declare_features(INPUTS, (OPENS,), FEATURES).dump())
    change(stored)
    with pytest.raises(IntegrityError) as caught:
        DeclaredFeatures.load(json.dumps(stored).encode())
    assert caught.value.code == "features.not-a-tree"
