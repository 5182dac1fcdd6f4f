"""The walk over a document: it agrees with msgspec on what a spec is, and it reports every fault, not the first."""

from __future__ import annotations

import copy
import datetime
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.spec.schema import Field, Spec
from martello.spec.shape import as_spec, check_shape

WHOLE = {
    "task": {"name": "income", "question": "Rich?", "kind": "binary"},
    "population": {"source": "x.csv", "unit": ["id"], "group": [], "time": "t", "where": "a > 1", "missing": ["?"]},
    "input": {"age": "integer", "job": {"type": "category", "optional": True, "description": "d"}},
    "output": {"from": "column", "column": "y", "positive": "1"},
    "requirement": {"precision": 0.8, "recall": 0.3, "level": 0.9, "slices": ["s"], "label_budget": 5, "gold_looks": 3},
    "metric": {
        "offline": {"name": "roc_auc"},
        "online": {"name": "recall", "window": "36h", "direction": "down", "minimum_effect": 0.1},
    },
    "sample": {"n": 5, "dev": 0.1, "gold": 0.3, "seed": 7},
    "train": {"learners": ["logistic"]},
    "serve": {"rehearsal": 0},
    "owners": {"ml": "a", "product_engineering": "b", "product_management": "c", "second": "d"},
}


def paths_of(tree, path=()):
    yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from paths_of(value, (*path, key))


PATHS = [path for path in paths_of(WHOLE) if path]
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-3, 200),
    st.floats(-2, 200, allow_nan=False),
    st.sampled_from(["", "binary", "number", "column", "7d", "x", "log_loss", "up", "a" * 201, "1bad"]),
    st.just(datetime.date(2026, 1, 1)),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "type", "x", "optional", ""]), inner, max_size=2)
    ),
    max_leaves=4,
)


def changed(path, value, *, remove=False):
    tree = copy.deepcopy(WHOLE)
    table = tree
    for key in path[:-1]:
        table = table[key]
    if remove:
        del table[path[-1]]
    else:
        table[path[-1]] = value
    return tree


def is_spec_by_msgspec(document):
    """The oracle: msgspec's own conversion, given `[input]` in the form of the records."""
    entries = document.get("input")
    if isinstance(entries, dict):
        fields = []
        for name, entry in entries.items():
            if isinstance(entry, dict) and "name" in entry:
                return False  # in the file the name is the key
            fields.append({"name": name, **entry} if isinstance(entry, dict) else {"name": name, "type": entry})
        document = {**document, "input": fields}
    elif entries is not None:
        return False
    try:
        msgspec.convert(document, Spec)
    except msgspec.ValidationError:
        return False
    return True


def test_a_whole_document_becomes_the_spec_it_says():
    assert check_shape(WHOLE) == []
    spec = as_spec(WHOLE)
    assert spec.input == (
        Field(name="age", type="integer"),
        Field(name="job", type="category", optional=True, description="d"),
    )
    assert (spec.output.source, spec.requirement.precision, spec.metric.online.window) == ("column", 0.8, "36h")


@given(st.sampled_from(PATHS), ANYTHING)
def test_the_walk_and_msgspec_agree_on_a_changed_value(path, value):
    document = changed(path, value)
    assert (check_shape(document) == []) == is_spec_by_msgspec(document)


@given(st.sampled_from([(), *PATHS]), st.sampled_from(["name", "types", "n", ""]), ANYTHING)
def test_the_walk_and_msgspec_agree_on_an_added_key(path, key, value):
    target = WHOLE
    for part in path:
        target = target[part]
    document = changed((*path, key), value) if isinstance(target, dict) else WHOLE
    assert (check_shape(document) == []) == is_spec_by_msgspec(document)


@pytest.mark.parametrize("path", PATHS)
def test_the_walk_and_msgspec_agree_on_a_missing_key(path):
    document = changed(path, None, remove=True)
    assert (check_shape(document) == []) == is_spec_by_msgspec(document)


@given(st.dictionaries(st.sampled_from([path[0] for path in PATHS]) | st.text(max_size=3), ANYTHING, max_size=6))
def test_any_document_is_a_spec_or_has_faults(document):
    if not check_shape(document):
        as_spec(document)


@given(st.lists(st.sampled_from([p for p in PATHS if len(p) == 2 and p[0] != "input"]), min_size=1, unique=True))
def test_every_spoiled_key_is_reported_once(paths):
    document = copy.deepcopy(WHOLE)
    for table, key in paths:
        document[table][key] = datetime.date(2026, 1, 1)  # of no type that a spec knows
    assert sorted(fault.path for fault in check_shape(document)) == sorted(paths)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, 2**63])
def test_a_number_that_json_cannot_carry_is_refused(value):
    (fault,) = check_shape(changed(("metric", "online", "minimum_effect"), value))
    assert fault.code == "spec.out-of-range"


@pytest.mark.parametrize(
    ("path", "value", "code", "fix"),
    [
        (("requirement", "precision"), 80, "spec.not-a-probability", "precision = 0.80"),
        (("requirement", "precision"), 97.5, "spec.not-a-probability", "precision = 0.975"),
        (("requirement", "precision"), "80%", "spec.wrong-type", "precision = 0.80"),
        (("requirement", "precision"), 1, "spec.not-a-probability", ""),
        (("requirement", "precision"), 0, "spec.not-a-probability", ""),
        (("requirement", "precision"), -3, "spec.not-a-probability", ""),
        (("requirement", "precision"), math.nan, "spec.not-a-probability", ""),
        (("requirement", "gold_looks"), 0, "spec.out-of-range", ""),
        (("requirement", "gold_looks"), "5", "spec.wrong-type", "gold_looks = 5"),
        (("requirement", "gold_looks"), True, "spec.wrong-type", ""),
        (("population", "group"), "household_id", "spec.wrong-type", 'group = ["household_id"]'),
        (("population", "group"), ["a", 3], "spec.wrong-type", '"3"'),
        (("output", "positive"), 1, "spec.wrong-type", 'positive = "1"'),
        (("output", "positive"), True, "spec.wrong-type", 'positive = "true"'),
        (("task", "kind"), "binery", "spec.unknown-value", 'kind = "binary"'),
        (("task", "name"), "my task", "spec.wrong-form", ""),
        (("task", "name"), "task\n", "spec.wrong-form", ""),
        (("task",), "income", "spec.wrong-type", ""),
        (("input", "age"), "integr", "spec.unknown-value", 'age = "integer"'),
        (("input", "age"), "float", "spec.unknown-value", 'age = "number"'),
        (("input", "age"), 7, "spec.wrong-type", ""),
        (("input", "job", "optional"), "yes", "spec.wrong-type", "optional = true"),
        (("input", "job", "is_optional"), True, "spec.unknown-key", "optional = true"),
        (("input", "cons"), {"price": {"idx": "number"}}, "spec.unquoted-name", '"cons.price.idx" = "number"'),
        (("requirement", "precisions"), 0.8, "spec.unknown-key", "precision = 0.8"),
        (("task", "recall"), 0.8, "spec.unknown-key", "move it into [requirement]"),
        (("precision",), 0.8, "spec.unknown-key", "move it into [requirement]"),
        (("requirements",), {"precision": 0.8}, "spec.unknown-key", "[requirement]"),
        (("metric", "offlin"), {}, "spec.unknown-key", "[metric.offline]"),
    ],
)
def test_one_fault_has_one_code_and_the_line_that_mends_it(path, value, code, fix):
    (fault,) = check_shape(changed(path, value))
    assert (fault.code, fault.fix) == (code, fix)
    assert fault.path[: len(path)] == path


def test_a_missing_table_and_a_missing_key_are_told_apart():
    assert [fault.code for fault in check_shape(changed(("task",), None, remove=True))] == ["spec.missing-table"]
    assert [fault.code for fault in check_shape(changed(("task", "name"), None, remove=True))] == ["spec.missing-key"]
