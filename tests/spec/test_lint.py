"""Each rule between fields: what breaks it, and that nothing else does."""

from __future__ import annotations

import pytest

from martello.spec.lint import lint, notes
from martello.spec.schema import Field, Label, Output, Owners, Population, Requirement, SampleDesign, Spec, Task, Train

PARTS = {
    "task": Task(name="income", question="Rich?"),
    "population": Population(source="x.csv", unit=("id",), group=("home",), time="seen"),
    "input": (Field(name="age", type="integer"), Field(name="sex", type="category")),
    "output": Output(column="income", positive="yes"),
    "requirement": Requirement(precision=0.8, slices=("sex", "region")),
    "owners": Owners(ml="Ada", product_engineering="Bo", product_management="Cy", second="Di"),
}


def codes_with(**parts):
    return [error.code for error in lint(Spec(**{**PARTS, **parts}))]


def test_a_sound_spec_breaks_no_rule_and_has_no_notes():
    spec = Spec(**PARTS)
    assert (lint(spec), notes(spec)) == ((), ())


INPUT = Field(name="other", type="text")


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"owners": Owners(ml="Ada", second="Ada")}, "spec.second-is-first"),
        ({"output": Output(column="income")}, "spec.no-positive"),
        ({"task": Task(name="i", question="?", kind="multiclass")}, "spec.positive-not-binary"),
        ({"task": Task(name="i", question="?", kind="ranking")}, "spec.not-in-this-version"),
        ({"output": Output(source="annotators", positive="yes")}, "spec.no-classes"),
        (
            {"output": Output(source="annotators", positive="yes", classes=("no", "yes"), column="income")},
            "spec.column-and-annotators",
        ),
        ({"output": Output(source="annotators", positive="ye", classes=("no", "yes"))}, "spec.positive-no-class"),
        ({"output": Output(column="income", positive="yes", classes=("no", "yes"))}, "spec.classes-from-column"),
        (
            {
                "task": Task(name="i", question="?", kind="multiclass"),
                "output": Output(source="annotators", classes=("a", "b")),
            },
            "spec.no-classes",
        ),
        ({"label": Label(show={"nose": "image"})}, "spec.shows-no-input"),
        ({"output": Output(source="outcomes", positive="yes")}, "spec.not-in-this-version"),
        ({"output": Output(positive="yes")}, "spec.no-answer-column"),
        ({"input": ()}, "spec.no-input"),
        ({"input": (INPUT, Field(name="income", type="text"))}, "spec.label-is-input"),
        ({"input": (INPUT, Field(name="id", type="text"))}, "spec.role-is-input"),
        ({"input": (INPUT, Field(name="home", type="text"))}, "spec.role-is-input"),
        ({"input": (INPUT, Field(name="seen", type="time"))}, "spec.role-is-input"),
        ({"population": Population(source="x", unit=("income",))}, "spec.label-has-role"),
        ({"population": Population(source="x", group=("income",))}, "spec.label-has-role"),
        ({"population": Population(source="x", time="income")}, "spec.label-has-role"),
        ({"requirement": Requirement(slices=("income",))}, "spec.label-has-role"),
        ({"population": Population(source="x", unit=("a", "b", "a"))}, "spec.duplicate-name"),
        ({"population": Population(source="x", group=("a", "a"))}, "spec.duplicate-name"),
        ({"requirement": Requirement(slices=("a", "a"))}, "spec.duplicate-name"),
        ({"train": Train(learners=("logistic", "logistic"))}, "spec.duplicate-name"),
        ({"sample": SampleDesign(dev=0.5, gold=0.5)}, "spec.no-train-left"),
        ({"sample": SampleDesign(design="stratified", by=("a", "a"), n=9)}, "spec.duplicate-name"),
        ({"sample": SampleDesign(design="simple")}, "spec.design-needs"),
        ({"sample": SampleDesign(design="stratified", n=9)}, "spec.design-needs"),
        ({"sample": SampleDesign(design="stratified", by=("a",), allocation="equal")}, "spec.design-needs"),
        ({"sample": SampleDesign(design="stratified", by=("a",), allocation="neyman", n=9)}, "spec.design-needs"),
        ({"sample": SampleDesign(design="pps", n=9)}, "spec.design-needs"),
        ({"sample": SampleDesign(design="cluster")}, "spec.design-needs"),
        ({"sample": SampleDesign(design="two_stage", clusters=9)}, "spec.design-needs"),
        (
            {"population": Population(source="x"), "sample": SampleDesign(design="cluster", clusters=9)},
            "spec.design-needs",
        ),
        ({"sample": SampleDesign(n=9, by=("a",))}, "spec.design-ignores"),
        ({"sample": SampleDesign(design="simple", n=9, allocation="equal")}, "spec.design-ignores"),
        ({"sample": SampleDesign(design="stratified", by=("a",), n=9, per_stratum=3)}, "spec.design-ignores"),
        (
            {"sample": SampleDesign(design="stratified", by=("a",), allocation="equal", per_stratum=3, n=9)},
            "spec.design-ignores",
        ),
        ({"sample": SampleDesign(design="cluster", clusters=9, n=9)}, "spec.design-ignores"),
    ],
)
def test_one_broken_rule_is_one_error(parts, code):
    assert codes_with(**parts) == [code]


@pytest.mark.parametrize(
    "parts",
    [
        {"owners": Owners()},
        {"sample": SampleDesign(dev=0.5, gold=0.49)},
        {"sample": SampleDesign(n=9)},
        {"sample": SampleDesign(design="simple", n=9)},
        {"sample": SampleDesign(design="stratified", by=("a",), n=9)},
        {"sample": SampleDesign(design="stratified", by=("a", "b"), allocation="neyman", spread="s", n=9)},
        {"sample": SampleDesign(design="stratified", by=("a",), allocation="equal", per_stratum=3)},
        {"sample": SampleDesign(design="pps", size="s", n=9)},
        {"sample": SampleDesign(design="cluster", clusters=9)},
        {"sample": SampleDesign(design="two_stage", clusters=9, per_cluster=2)},
        {"requirement": Requirement(slices=("a column that is no input",))},
        {"population": Population(source="x", unit=("home", "id"), group=("home",))},
        {"population": Population(source="x", unit=("row",), time="row")},
        {"task": Task(name="i", question="?", kind="multiclass"), "output": Output(column="income")},
        {
            "input": (
                Field(name="unit", type="text"),
                Field(name="label", type="text"),
                Field(name="split", type="text"),
            )
        },
    ],
)
def test_what_is_allowed_breaks_no_rule(parts):
    assert codes_with(**parts) == []


def test_all_broken_rules_are_reported():
    parts = {"input": (), "output": Output(column="income"), "sample": SampleDesign(dev=0.6, gold=0.6)}
    assert sorted(codes_with(**parts)) == ["spec.no-input", "spec.no-positive", "spec.no-train-left"]


def test_notes_name_what_is_left_open_without_calling_it_a_fault():
    spec = Spec(task=PARTS["task"], population=Population(source="x"), input=PARTS["input"], output=PARTS["output"])
    assert lint(spec) == ()
    assert {note.code: note.severity for note in notes(spec)} == {
        "spec.no-unit-declared": "note",
        "spec.no-group-declared": "note",
        "spec.no-time-declared": "note",
        "spec.no-floor-declared": "warning",
        "spec.no-owner-declared": "note",
    }


def test_the_note_on_owners_names_the_empty_posts_only():
    spec = Spec(**{**PARTS, "owners": Owners(ml="Ada", second="Di")})
    (note,) = notes(spec)
    assert note.what.endswith("product_engineering, product_management")
