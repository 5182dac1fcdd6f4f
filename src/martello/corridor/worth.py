"""What each feature is, what it is worth and what it costs: the table that `martello features show` prints.

Part of the corridor: it puts together what the records of a loop already hold and measures only the cost of a row.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from martello.corridor.agreement import declared_features
from martello.corridor.learning import advice_of
from martello.corridor.opened import state_file
from martello.corridor.project import Project
from martello.features.declared import DeclaredFeatures
from martello.features.expressions.closure import RowFeatures
from martello.features.expressions.declare import NOW, Declaration, Input
from martello.features.expressions.tree import columns_of, from_json
from martello.features.history.state import State
from martello.records import Advice, AnyRecord, FeatureSet, Measure, Sample, the
from martello.spec.schema import Feature, Spec
from martello.stats.estimate import NotEstimable

__all__ = ["FeatureWorth", "feature_table"]

#: Rows whose time is taken: the best of some rounds over them, since others use the machine, too.
_TIMED_ROWS, _ROUNDS = 500, 5

#: How many trainings are looked through for the last use of a column.
_TRAININGS = 100


Kind = Literal["input", "history", "row"]


class FeatureWorth(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    Attributes
    ----------
    name, kind, type
        What it is called, where it comes from, what its values are.
    definition
        How it is computed, as it is declared.
    is_seen
        Whether the model sees it itself.
    missing_share, n_distinct
        Of the training rows; None where the model does not see it.
    alone
        AUC on dev of the rule that it makes by itself.
    effect
        What it adds to the rest: gain in log loss on dev against the model without it.
    cost
        Microseconds a request waits for it; None where nothing was measured.
    owner
        Who answers for it.
    last_used
        When a model was trained with it last, in this project.
    note
        That it is constant, or which other column it repeats.
    """

    name: str
    kind: Kind
    type: str
    definition: str
    is_seen: bool
    missing_share: float | None
    n_distinct: int | None
    alone: Measure
    effect: Measure
    cost: float | None
    owner: str | None
    last_used: str | None
    note: str


def feature_table(project: Project) -> tuple[FeatureWorth, ...]:
    """Give a row for every input and feature; whatever the loop has not come to yet is said to be unknown."""
    spec, records = project.spec, project.records()
    declared = declared_features(spec)
    features = records.get("features")
    columns = {each.name: each for each in features.columns} if isinstance(features, FeatureSet) else {}
    effects = _effects(project, records)
    costs = _costs(project, declared, records) if declared and columns else {}
    notes = _notes(features.findings if isinstance(features, FeatureSet) else ())
    used = _last_used(project)
    rows = []
    for name, kind, type_, definition, owner in _declared(spec, declared):
        column = columns.get(name)
        rows.append(
            FeatureWorth(
                name=name,
                kind=kind,
                type=type_,
                definition=definition,
                is_seen=column is not None if columns else _is_seen(spec, declared, name),
                missing_share=column.missing_share if column else None,
                n_distinct=column.n_distinct if column else None,
                alone=column.alone if column else _UNSEEN,
                effect=effects.get(name, _NO_EFFECT) if column else _UNSEEN,
                cost=costs.get(name),
                owner=owner or spec.owners.ml,
                last_used=used.get(name),
                note=notes.get(name, ""),
            )
        )
    return tuple(rows)


_UNSEEN = NotEstimable(reason="no model has seen it", needs="martello train, and a column without feature_only")
_NO_EFFECT = NotEstimable(reason="nothing was left out yet", needs="a trained model and more than one input")


def _declared(spec: Spec, declared: DeclaredFeatures | None) -> list[tuple[str, Kind, str, str, str | None]]:
    """Give name, kind, type, definition and owner of every input and feature, in the order of the file."""
    rows: list[tuple[str, Kind, str, str, str | None]] = [
        (field.name, "input", field.type, field.description, None) for field in spec.input
    ]
    types = declared.types if declared else {}
    for each in spec.feature:
        kind: Kind = "history" if each.expression is None else "row"
        rows.append((each.name, kind, types[each.name][0], _said(each), each.owner))
    return rows


def _said(feature: Feature) -> str:
    """Write a feature on one line, as it would be declared."""
    if feature.expression is not None:
        return " ".join(feature.expression.split())
    what = f"{feature.agg}({', '.join(str(each) for each in (feature.value, feature.k) if each is not None)})"
    return f"{what} of {feature.source} in {feature.window}" + (f" where {feature.where}" if feature.where else "")


def _is_seen(spec: Spec, declared: DeclaredFeatures | None, name: str) -> bool:
    inputs = {field.name: not field.feature_only for field in spec.input}
    return inputs.get(name, declared is not None and name in declared.seen)


def _effects(project: Project, records: Mapping[str, AnyRecord]) -> dict[str, Measure]:
    """Take what leaving each out costs from the advice, or measure it as the advice would."""
    advice = records.get("advice")
    if not isinstance(advice, Advice):
        if "gate" not in records:
            return {}
        advice = advice_of(project.store, project.spec, project.directory, records, lambda done, total: None)
    return {name: gain for arm in advice.arms if arm.kind == "other features" for name, gain in arm.detail}


def _notes(findings: Sequence[Any]) -> dict[str, str]:
    notes = {}
    for each in findings:
        if each.code == "features.constant":
            notes[each.columns[0]] = "constant"
        elif each.code == "features.copy":
            notes[each.columns[0]] = f"repeats {each.columns[1]}"
        elif each.code == "features.looks-like-leak":
            notes[each.columns[0]] = "looks like a leak"
    return notes


def _last_used(project: Project) -> dict[str, str]:
    """Give when a model was last trained with each column."""
    used: dict[str, str] = {}
    for line in project.ledger.lines(word="train", limit=_TRAININGS):
        for parent in line.parents:
            found = project.store.get_record(parent)
            if isinstance(found, FeatureSet):
                used = {each.name: line.at for each in found.columns} | used
    return used


def _costs(project: Project, declared: DeclaredFeatures, records: Mapping[str, AnyRecord]) -> dict[str, float]:
    """Take the time of every row feature by itself, and of every look into the state where there is one."""
    table = project.store.get_table(the(FeatureSet, records).table)
    moments = project.store.get_table(the(Sample, records).units)["time"]
    n = min(_TIMED_ROWS, table.num_rows)
    columns = {
        name.removeprefix("input."): table[name].slice(0, n).to_pylist()
        for name in table.column_names
        if name.startswith("input.")
    } | {NOW: moments.slice(0, n).to_pylist()}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    costs = {name: _time(RowFeatures(_alone(declared, name)).row, rows) for name in _row_names(declared)}
    return costs | _history_costs(project, declared, rows)


def _row_names(declared: DeclaredFeatures) -> list[str]:
    return [each.name for each in declared.row.features]


def _alone(declared: DeclaredFeatures, name: str) -> Declaration:
    """Give a declaration of one row feature, to which those it uses are inputs."""
    feature = next(each for each in declared.row.features if each.name == name)
    used = {str(leaf.value) for leaf in columns_of(from_json(feature.tree))}
    given = {each.name: each for each in declared.row.inputs}
    given |= {each: Input(name=each, type=kind, optional=optional) for each, (kind, optional) in declared.types.items()}
    inputs = tuple(each for each in given.values() if each.name in used)
    return msgspec.structs.replace(declared.row, inputs=inputs, features=(feature,))


def _history_costs(project: Project, declared: DeclaredFeatures, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Time how each group of history is read, and share it among its features."""
    path = state_file(project.state_directory / "state", declared)
    if not path.exists():
        return {}
    costs: dict[str, float] = {}
    with State(path, declared.history) as state:
        now = (state.newest or 0) + 1  # as of the newest event: windows are as full as they get
        for place, group in enumerate(declared.history.groups):
            each = _time(lambda row, place=place: state.read_group(place, row, now), rows)
            costs |= dict.fromkeys(group.features, each / len(group.features))
    return costs


def _time(call: Any, rows: Sequence[Mapping[str, Any]]) -> float:
    """Give microseconds per call: the best of some rounds."""
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for row in rows:
            call(row)
        best = min(best, time.perf_counter() - started)
    return best / max(len(rows), 1) * 1e6
