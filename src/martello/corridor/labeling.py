"""A labelling room for a project: which campaign is due, over which units, chosen how, and what its answers mean next.

Part of the corridor: it joins the sample, the spec, the model and the room. People answer train and dev units first;
once a model is trained and its threshold chosen, they answer gold until the verdict is known.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from martello.corridor.fixed_gold import fixed_plan
from martello.corridor.judging import GoldAnswers, GoldQuestion, gold_question
from martello.corridor.learning import Records
from martello.corridor.project import Project
from martello.corridor.stages import Listener
from martello.corridor.suggesting import Suggestions
from martello.errors import DataError
from martello.evaluate.bought import read_bought
from martello.features.compute import typed_table
from martello.features.values import Reader
from martello.label.choose_fixed import FixedPlan
from martello.label.choose_gold import GoldPlan
from martello.label.choose_training import TrainingPlan
from martello.label.contract import Purpose, ShownField, UnitView
from martello.label.reading import Reading
from martello.label.register import Register
from martello.label.room import Room, RoomPlan, fixed_answers, gold_certification, open_room, settled_answers
from martello.records import Model, Sample, the
from martello.spec.schema import Field, Label, Spec
from martello.stats.active_sampling import TrainingMethod
from martello.stats.certification import Certification
from martello.store import Store

__all__ = [
    "answered_gold",
    "due_purpose",
    "image_directory",
    "label_directory",
    "open_labeling",
    "open_register",
    "training_answers",
]

_METHODS: dict[str, TrainingMethod] = {"margin": "margin", "pps_margin": "pps-margin", "random": "random"}
# What a campaign for more training labels asks for when the first model is there.
_MORE = 100


def label_directory(directory: Path) -> Path:
    """Give the place of a project's answers."""
    return directory / ".martello" / "label"


def open_register(project: Project) -> Register:
    """Open the list of those who may enter."""
    return Register(label_directory(project.directory))


def training_answers(directory: Path) -> dict[str, str | None]:
    """Give the settled answers of train and dev units; empty before anybody answered."""
    place = label_directory(directory)
    return {unit: each.answer for unit, each in settled_answers(place, "training").items()}


def due_purpose(project: Project, listener: Listener | None = None) -> Purpose:
    """Say what people should answer now: train and dev until there are enough; then a model is trained, and gold."""
    if len(training_answers(project.directory)) < project.spec.label.start:
        return "training"
    project.run(until="train", listener=listener)
    return "gold"


def image_directory(project: Project) -> Path | None:
    """Give the directory that pictures of units lie below; None when none is declared."""
    return project.directory / project.spec.label.images if project.spec.label.images else None


def open_labeling(project: Project, *, purpose: Purpose | None = None, listener: Listener | None = None) -> Room:
    """Open the campaign that is due, or the named one; the sample is drawn if it is not there yet.

    Raises
    ------
    DataError
        ``label.no-annotators`` when a column holds the answers; ``label.nothing-to-prove`` when gold cannot be asked
        for a verdict, with the reason; ``label.no-model-yet``.
    """
    spec = project.spec
    if spec.output.source != "annotators":
        raise DataError(
            "label.no-annotators",
            f"the answers stand in the column {spec.output.column!r}: there is nothing to ask people",
            where="martello.toml, output.from",
            expected='from = "annotators", with the classes they choose from',
            fix='say from = "annotators" and classes = [...] under [output]',
        )
    project.run(until="sample", listener=listener)
    chosen = purpose or due_purpose(project, listener)
    return _gold_room(project) if chosen == "gold" else _training_room(project)


def _training_room(project: Project) -> Room:
    spec, store = project.spec, project.store
    units = _units(store, the(Sample, project.records()), ("train", "dev"))
    side = np.asarray(units["split"].to_pylist())
    answered = len(training_answers(project.directory))
    target = spec.label.start if answered < spec.label.start else answered + _MORE
    learned = units.filter(pc.equal(units["split"], pa.scalar("train")))
    typed = typed_table(Reader(spec.input, spec.population.missing), learned)
    seen = tuple(field for field in spec.input if not field.feature_only)  # features would cost a backfill: not here
    sampler = Suggestions(
        seen,
        {field.name: typed[field.column].to_pylist() for field in seen},
        classes=spec.output.classes,
        n_units=learned.num_rows,
        method=_METHODS[spec.label.choose],
        seed=spec.sample.seed,
    )
    return open_room(
        label_directory(project.directory),
        _plan(project, "training"),
        _keys(units),
        _view(spec, units),
        training=TrainingPlan(side=side, target=min(target, units.num_rows), sampler=sampler),
    )


def _gold_room(project: Project) -> Room:
    records = project.records()
    if "model" not in records:
        raise DataError(
            "label.no-model-yet",
            "gold is asked about a model, and none is trained",
            expected="answers of train and dev units first, then `martello run`",
            fix="martello label --for training",
        )
    keys, plan = (_certified if len(the(Model, records).classes) == 2 else _fixed)(project, records)
    units = _units(project.store, the(Sample, records), ("gold",))
    return open_room(
        label_directory(project.directory), _plan(project, "gold"), keys, _view(project.spec, units), gold=plan
    )


def _certified(project: Project, records: Records) -> tuple[list[str], GoldPlan | FixedPlan]:
    question = gold_question(project.store, project.ledger, project.spec, records)
    _check_provable(question)
    return question.unit, _gold_plan(project.spec, question, the(Model, records).learner)


def _fixed(project: Project, records: Records) -> tuple[list[str], GoldPlan | FixedPlan]:
    return fixed_plan(project.store, project.ledger, project.spec, records)


def _check_provable(question: GoldQuestion) -> None:
    if question.error is None:
        why, fix = (
            "gold was asked as often as was agreed",
            "renew gold: another sample.seed, or a new population.source",
        )
    elif question.terms is None:
        why, fix = "there is no floor to prove, or no threshold", "set precision or recall under [requirement]"
    elif question.terms.unreachable:
        name, lack = next(iter(question.terms.unreachable.items()))
        why = f"{name} cannot be shown: {lack.reason}; needs {lack.needs}"
        fix = 'enlarge gold under [sample], or say holds_for = "pool" if the verdict is to be about these very units'
    else:
        return
    raise DataError("label.nothing-to-prove", why, where="gold", expected="a requirement these units can show", fix=fix)


def _gold_plan(spec: Spec, question: GoldQuestion, model: str) -> GoldPlan:
    assert question.terms is not None
    assert question.point.threshold is not None
    return GoldPlan(
        scores=question.pool.scores,
        threshold=question.point.threshold,
        precision=spec.requirement.precision,
        recall=spec.requirement.recall,
        level=question.terms.level,
        slices=question.pool.named_slices,
        floors=question.terms.floors,
        sampler=spec.label.sampler,
        budget=spec.requirement.label_budget,
        model=model,
        reading=_reading(spec, question),
    )


def _reading(spec: Spec, question: GoldQuestion) -> Reading:
    """Let people read what they agreed to, of whom the verdict speaks, with ends that agree with it."""
    terms, error = question.terms, question.error
    assert terms is not None
    assert error is not None
    agreed = {"precision": spec.requirement.precision, "recall": spec.requirement.recall}
    floors = {name: agreed[name.split(" | ", 1)[0]] for name in terms.floors}
    return Reading(
        agreed={name: floor for name, floor in floors.items() if floor is not None},
        level=spec.requirement.level,
        interval=lambda process: read_bought(process, terms, level=1 - 2 * error),
    )


def answered_gold(directory: Path, spec: Spec, learner: str) -> GoldAnswers:
    """Give what people have answered about gold."""
    book = label_directory(directory)

    def certification(question: GoldQuestion) -> Certification:
        plan = _gold_plan(spec, question, learner)
        assert spec.output.positive is not None
        return gold_certification(book, plan, question.unit, spec.output.positive)

    return GoldAnswers(
        certification=certification, fixed=lambda units: fixed_answers(book, units, seed=spec.sample.seed)
    )


def _plan(project: Project, purpose: Purpose) -> RoomPlan:
    spec = project.spec
    return RoomPlan(
        name=spec.task.name,
        question=spec.task.question,
        classes=spec.output.classes,
        positive=spec.output.positive,
        purpose=purpose,
        overlap=spec.label.overlap,
        check_share=spec.label.check_share if spec.label.checks else 0.0,
        checks=_checks(project.directory, spec.label),
        seed=spec.sample.seed,
        guidelines_path=project.directory / spec.label.guidelines,
    )


def _checks(directory: Path, label: Label) -> dict[str, str]:
    """Read the units with known answers.

    Raises
    ------
    DataError
        ``label.checks-unreadable``.
    """
    if label.checks is None:
        return {}
    path = directory / label.checks
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["unit"]: row["answer"] for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as err:
        raise DataError(
            "label.checks-unreadable",
            f"the check units cannot be read: {err!r}",
            where=str(path),
            expected="a UTF-8 CSV file with the columns unit and answer",
            fix="mend the file, or take label.checks out",
        ) from err


def _units(store: Store, sample: Sample, sides: tuple[str, ...]) -> pa.Table:
    table = store.get_table(sample.units)
    return table.filter(pc.is_in(table["split"], value_set=pa.array(sides)))


def _keys(units: pa.Table) -> Sequence[str]:
    return [str(key) for key in units["unit"].to_pylist()]


def _view(spec: Spec, units: pa.Table) -> Callable[[int], UnitView]:
    """Give what turns a unit's position into what people see of it, from the source's own values."""
    keys = units["unit"]
    columns = [(field, units[field.column]) for field in spec.input]

    def view(position: int) -> UnitView:
        return UnitView(
            unit=str(keys[position].as_py()),
            fields=tuple(_shown(spec.label, field, values[position]) for field, values in columns),
        )

    return view


def _shown(label: Label, field: Field, value: Any) -> ShownField:
    return ShownField(name=field.name, show=_show(label, field.name, field.type), value=_plain(value))


def _show(label: Label, name: str, kind: str) -> Any:
    return label.show.get(name) or ("text" if kind == "text" else "line")


def _plain(value: Any) -> Any:
    """Give a stored value as JSON; text that holds a JSON list is a list, as pairs and candidates are written."""
    plain = value.as_py()
    if isinstance(plain, str) and plain.startswith("["):
        try:
            return msgspec.json.decode(plain.encode())
        except msgspec.DecodeError:
            return plain
    return plain if plain is None or isinstance(plain, str | int | float | bool | list) else str(plain)
