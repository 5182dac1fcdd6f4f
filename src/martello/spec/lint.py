"""Rules between the fields of a spec, one small function each; all are run and every broken one is reported.

A rule yields a `Fault` where the agreement contradicts itself. What is allowed but worth knowing (no owners, no groups,
no time) is a `Finding` from `notes`. Whether the columns exist in the source is the business of `sample`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from martello.errors import SpecError
from martello.records import Finding
from martello.spec.faults import Fault, as_errors
from martello.spec.schema import AGGREGATES, SampleDesign, Spec
from martello.spec.toml_text import KeyPath, dotted, toml_key

__all__ = ["broken_rules", "design_faults", "lint", "notes"]

Rule = Callable[[Spec], Iterator[Fault]]

# Keys of [sample] that belong to some designs only, as they are when they are not given.
_OF_A_DESIGN = {
    "n": None,
    "by": (),
    "allocation": "proportional",
    "per_stratum": None,
    "spread": None,
    "size": None,
    "score": None,
    "clusters": None,
    "per_cluster": None,
}


def lint(spec: Spec, *, name: str = "martello.toml") -> tuple[SpecError, ...]:
    """Give an error for each rule that a spec breaks.

    `load_spec` and `parse_spec` have done so already, with line numbers; this is for a `Spec` made in Python.
    """
    return as_errors(broken_rules(spec), name=name)


def broken_rules(spec: Spec) -> Iterator[Fault]:
    """Give a fault for each rule that a spec breaks."""
    for rule in _RULES:
        yield from rule(spec)


def notes(spec: Spec) -> tuple[Finding, ...]:
    """Give what is allowed but worth knowing about a spec."""
    return tuple(_notes(spec))


def _second_is_another_person(spec: Spec) -> Iterator[Fault]:
    owners = spec.owners
    if owners.second is not None and owners.second == owners.ml:
        yield Fault(
            "spec.second-is-first",
            ("owners", "second"),
            f"owners.second is {owners.second}, who is owners.ml already",
            "another person, who can run it when the first is away",
        )


def _only_this_version(spec: Spec) -> Iterator[Fault]:
    if spec.task.kind == "ranking":
        yield _not_yet(("task", "kind"), "ranking", '"binary" or "multiclass"', 'kind = "binary"')
    if spec.output.source == "outcomes":
        yield _not_yet(("output", "from"), "outcomes", '"column" or "annotators"', 'from = "column"')


def _not_yet(path: KeyPath, value: str, expected: str, fix: str) -> Fault:
    what = f'{dotted(path)} = "{value}" is not available in this version'
    return Fault("spec.not-in-this-version", path, what, expected, fix)


def _answer_is_somewhere(spec: Spec) -> Iterator[Fault]:
    if spec.output.source == "column" and spec.output.column is None:
        yield Fault(
            "spec.no-answer-column",
            ("output", "column"),
            "output.column is missing: nothing says where the answer is",
            "the column of the source that holds the answer",
        )


def _answers_are_declared(spec: Spec) -> Iterator[Fault]:
    """Where people answer, the page must know what they may say; where a column does, it says so itself."""
    output, people = spec.output, spec.output.source == "annotators"
    if people and len(output.classes) < 2:
        yield Fault(
            "spec.no-classes",
            ("output", "classes"),
            "output.classes is missing: annotators need the answers they may give",
            "two answers or more",
            'classes = ["no", "yes"]',
        )
    if people and len(output.classes) == 2 and spec.task.kind == "multiclass":
        yield Fault(
            "spec.no-classes",
            ("output", "classes"),
            "output.classes has two answers, but a multiclass task has three or more",
            "three answers or more, or a binary task",
            'kind = "binary", with the answer that counts as yes as output.positive',
        )
    if people and output.column is not None:
        yield Fault(
            "spec.column-and-annotators",
            ("output", "column"),
            f"output.column is {output.column}, but annotators give the answers",
            "one of the two",
            'take it out, or say from = "column"',
        )
    if not people and output.classes:
        yield Fault(
            "spec.classes-from-column",
            ("output", "classes"),
            "output.classes is given, but the answers are those that stand in the column",
            'no output.classes, or from = "annotators"',
        )
    if people and output.classes and output.positive is not None and output.positive not in output.classes:
        yield Fault(
            "spec.positive-no-class",
            ("output", "positive"),
            f"output.positive is {output.positive}, which is none of output.classes",
            "one of " + ", ".join(output.classes),
        )


def _shown_inputs_are_there(spec: Spec) -> Iterator[Fault]:
    inputs = {field.name for field in spec.input}
    for name in spec.label.show:
        if name not in inputs:
            yield Fault(
                "spec.shows-no-input",
                ("label", "show", name),
                f"label.show names {name}, which is no input",
                "one of " + ", ".join(sorted(inputs)),
            )


def _positive_fits_kind(spec: Spec) -> Iterator[Fault]:
    positive = spec.output.positive
    if spec.task.kind == "binary" and positive is None:
        yield Fault(
            "spec.no-positive",
            ("output", "positive"),
            "output.positive is missing: a binary task needs the answer that counts as yes",
            "one of the two values of the answer column, as a text",
        )
    if spec.task.kind == "multiclass" and positive is not None:
        yield Fault(
            "spec.positive-not-binary",
            ("output", "positive"),
            "output.positive is given, but a multiclass task has no answer that counts as yes",
            'no output.positive, or task.kind = "binary"',
        )


def _something_goes_in(spec: Spec) -> Iterator[Fault]:
    if not spec.input:
        yield Fault("spec.no-input", ("input",), "[input] is empty", "at least one input", 'age = "integer"')


def _label_is_not_an_input(spec: Spec) -> Iterator[Fault]:
    label = spec.output.column
    if label in {field.name for field in spec.input}:
        yield Fault(
            "spec.label-is-input",
            ("input", str(label)),
            f"the answer {label} is also an input: the model would read the answer",
            "inputs that are known before the answer",
            f"take {toml_key(str(label))} out of [input]",
        )


def _features_have_names_of_their_own(spec: Spec) -> Iterator[Fault]:
    taken = {field.name: "an input" for field in spec.input} | {"now": "the moment of the decision"}
    if spec.output.column is not None:
        taken[spec.output.column] = "the answer"
    clashes = [(("feature", each.name), each.name) for each in spec.feature if each.name in taken]
    if spec.feature:
        clashes += [(("input", field.name), field.name) for field in spec.input if field.name == "now"]
    for path, name in clashes:
        yield Fault(
            "spec.feature-name-taken",
            path,
            f"{dotted(path)} has the name of {taken[name] if path[0] == 'feature' else taken['now']}",
            "a name of its own for every feature",
            "rename it",
        )


_OF_HISTORY = ("agg", "value", "window", "where", "k")


def _a_feature_is_one_thing(spec: Spec) -> Iterator[Fault]:
    """An expression, or an aggregate of events with its window."""
    for each in spec.feature:
        path: KeyPath = ("feature", each.name)
        given = [key for key in _OF_HISTORY if getattr(each, key) is not None]
        if each.expression is not None and (each.source is not None or given):
            key = "from" if each.source is not None else given[0]
            yield _unclear((*path, key), f"{each.name} is an expression and has {key}", "one of the two")
        elif each.expression is None and each.source is None:
            expected = 'an expression, or { from = "opens", agg = "count", window = "7d" }'
            yield _unclear(path, f"nothing says how {each.name} is computed", expected)
        elif each.expression is None and each.agg is None:
            yield _unclear(path, f"{each.name} has no agg", "one of " + ", ".join(AGGREGATES))


def _history_has_a_moment(spec: Spec) -> Iterator[Fault]:
    for each in spec.feature:
        if each.source is not None and spec.population.time is None:
            yield Fault(
                "spec.feature-needs-time",
                ("feature", each.name),
                f"{each.name} looks back from the time of the unit, and population.time is missing",
                "the column with the time of the unit",
                'time = "seen_at", under [population]',
            )


def _unclear(path: KeyPath, what: str, expected: str) -> Fault:
    return Fault("spec.feature-unclear", path, what, expected)


def _the_model_sees_something(spec: Spec) -> Iterator[Fault]:
    hidden = [each.feature_only for each in spec.input] + [each.feature_only for each in spec.feature]
    if spec.input and all(hidden):
        yield Fault(
            "spec.model-sees-nothing",
            ("input",),
            "every input and feature is feature_only: the model would see nothing",
            "at least one input or feature without feature_only",
        )


def _label_has_no_other_role(spec: Spec) -> Iterator[Fault]:
    label = spec.output.column
    for path, column in (*_roles(spec), *_slices(spec)):
        if column == label:
            yield Fault(
                "spec.label-has-role",
                path,
                f"{dotted(path)} is {label}, which is the answer",
                "a column that is known before the answer",
            )


def _roles_are_not_inputs(spec: Spec) -> Iterator[Fault]:
    """Hold the columns that name, tie or order units away from the model: a new unit has a value it never met."""
    inputs = {field.name for field in spec.input if not field.feature_only}
    for path, column in _roles(spec):
        if column in inputs:
            yield Fault(
                "spec.role-is-input",
                ("input", column),
                f"{column} is an input and also {dotted(path)}",
                "one or the other: what names, ties or orders the units of one file says nothing about the next",
                f"take {toml_key(column)} out of [input] or {dotted(path[:2])}, or give it feature_only = true",
            )


def _nothing_is_named_twice(spec: Spec) -> Iterator[Fault]:
    lists = (
        (("population", "unit"), spec.population.unit),
        (("population", "group"), spec.population.group),
        (("requirement", "slices"), spec.requirement.slices),
        (("sample", "by"), spec.sample.by),
        (("train", "learners"), spec.train.learners),
    )
    for path, names in lists:
        for place, name in enumerate(names):
            if name in names[:place]:
                yield Fault(
                    "spec.duplicate-name", (*path, place), f"{dotted(path)} names {name} twice", "each name once"
                )


def _some_units_train(spec: Spec) -> Iterator[Fault]:
    held = spec.sample.dev + spec.sample.gold
    if held >= 1:
        yield Fault(
            "spec.no-train-left",
            ("sample", "gold"),
            f"sample.dev and sample.gold are {held:g} together: nothing is left to train on",
            "two shares that sum to less than 1",
            "dev = 0.2, gold = 0.2",
        )


def design_faults(design: SampleDesign, *, has_group: bool) -> Iterator[Fault]:
    """Give a fault for each key that a design lacks or does not use."""
    by = f", {design.allocation}," if design.design == "stratified" else ""
    name = f'the design "{design.design}"{by}'
    for key in design.needs:
        if not getattr(design, key):
            yield _lacking(("sample", key), name)
    if design.design in ("cluster", "two_stage") and not has_group:
        yield _lacking(("population", "group"), name)
    used = {"bernoulli": ("n",), "stratified": ("allocation",)}.get(design.design, ()) + design.needs
    for key, default in _OF_A_DESIGN.items():
        if getattr(design, key) != default and key not in used:
            yield Fault(
                "spec.design-ignores",
                ("sample", key),
                f"sample.{key} is given, but {name} does not use it",
                f"no sample.{key}, or a design that uses it",
            )


def _lacking(path: KeyPath, name: str) -> Fault:
    what = f"{dotted(path)} is missing: {name} cannot be drawn without it"
    return Fault("spec.design-needs", path, what, f"{dotted(path)}, or another design")


def _design_is_whole(spec: Spec) -> Iterator[Fault]:
    yield from design_faults(spec.sample, has_group=bool(spec.population.group))


_RULES: tuple[Rule, ...] = (
    _only_this_version,
    _second_is_another_person,
    _answer_is_somewhere,
    _answers_are_declared,
    _shown_inputs_are_there,
    _positive_fits_kind,
    _something_goes_in,
    _label_is_not_an_input,
    _features_have_names_of_their_own,
    _a_feature_is_one_thing,
    _history_has_a_moment,
    _the_model_sees_something,
    _label_has_no_other_role,
    _roles_are_not_inputs,
    _nothing_is_named_twice,
    _some_units_train,
    _design_is_whole,
)


def _roles(spec: Spec) -> Iterator[tuple[KeyPath, str]]:
    population = spec.population
    for place, column in enumerate(population.unit):
        yield ("population", "unit", place), column
    for place, column in enumerate(population.group):
        yield ("population", "group", place), column
    if population.time is not None:
        yield ("population", "time"), population.time


def _slices(spec: Spec) -> Iterator[tuple[KeyPath, str]]:
    for place, column in enumerate(spec.requirement.slices):
        yield ("requirement", "slices", place), column


def _notes(spec: Spec) -> Iterator[Finding]:
    population, requirement, owners = spec.population, spec.requirement, spec.owners
    if not population.unit:
        yield _note("spec.no-unit-declared", "no unit is declared: each unit is named by the content of its row")
    if not population.group:
        yield _note(
            "spec.no-group-declared",
            "no group is declared: rows that belong to one person or thing may lie on both sides of a split",
        )
    if population.time is None:
        yield _note(
            "spec.no-time-declared", "no time is declared: gold is not later than train, so drift over time is not seen"
        )
    if requirement.precision is None and requirement.recall is None:
        what = "the requirement has no floor: the gate has nothing to prove"
        yield Finding(code="spec.no-floor-declared", what=what, severity="warning")
    unnamed = [role for role in owners.__struct_fields__ if getattr(owners, role) is None]
    if unnamed:
        yield _note("spec.no-owner-declared", f"nobody is named in [owners] for: {', '.join(unnamed)}")


def _note(code: str, what: str) -> Finding:
    return Finding(code=code, what=what, severity="note")
