"""What the rooms between a sample and an advice are handed: arrays for those that judge, callables for those that
refit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from martello.corridor.agreement import declared_features
from martello.corridor.units import Side, units_of
from martello.engines import open_engine
from martello.experiment import compare_with_promise
from martello.features.compute import compute_features
from martello.iterate import DevUnits, advise, algorithm_arm, features_arm, labels_arm
from martello.records import (
    Advice,
    AnyRecord,
    Candidate,
    Evaluation,
    Experiment,
    FeatureSet,
    Gate,
    Labels,
    Model,
    Rehearsal,
    Sample,
    record_id,
    the,
)
from martello.settings import Settings
from martello.spec.known_afterwards import looks_known_afterwards
from martello.spec.schema import Field, Spec
from martello.stats.compare import paired_difference, unit_losses
from martello.store import Store
from martello.train.fit import train_models
from martello.train.learner import Scorer, load_model
from martello.train.refit import Refit
from martello.train.rows import train_and_dev

__all__ = [
    "Records",
    "advice_of",
    "experiment_of",
    "features_of",
    "model_fields",
    "model_of",
    "scorer_of",
    "scores_of",
    "side_of",
]

Records = Mapping[str, AnyRecord]
Tick = Callable[[int, int], None]

#: Options of learners that name a file or a directory.
_PLACES = ("file", "cache")


def features_of(store: Store, spec: Spec, directory: Path, settings: Settings, records: Records) -> FeatureSet:
    """Turn the sample's inputs into typed values, and compute its features as of the time of each unit."""
    return compute_features(
        store,
        the(Sample, records),
        the(Labels, records),
        fields=spec.input,
        missing=spec.population.missing,
        known_afterwards=looks_known_afterwards,
        declared=declared_features(spec),
        open_engine=lambda table: open_engine(table, directory, settings),
        seed=spec.sample.seed,
    )


def model_fields(spec: Spec, features: FeatureSet) -> tuple[Field, ...]:
    """Give what the model sees: inputs as declared, then features, as the columns that were computed."""
    inputs = {field.name: field for field in spec.input}
    return tuple(
        inputs.get(column.name) or Field(name=column.name, type=column.type, optional=column.optional)
        for column in features.columns
    )


def model_of(store: Store, spec: Spec, directory: Path, records: Records, tick: Tick) -> Model:
    """Train the constant rule and the named learners."""
    return train_models(
        store,
        the(FeatureSet, records),
        the(Labels, records),
        the(Sample, records),
        fields=model_fields(spec, the(FeatureSet, records)),
        learners=spec.train.learners,
        offline_metric=spec.metric.offline.name,
        seed=spec.sample.seed,
        options=learner_options(spec, directory),
        progress=tick,
    )


def learner_options(spec: Spec, directory: Path) -> dict[str, dict[str, Any]]:
    """Give what each learner needs, files as places in the project, and the question to those that read it."""
    found: dict[str, dict[str, Any]] = {}
    for name, given in spec.train.options.items():
        found[name] = {key: str(directory / str(v)) if key in _PLACES else v for key, v in given.items()}
        if name.partition(":")[0] == "endpoint":
            found[name]["question"] = spec.task.question
    return found


def candidate_of(model: Model, learner: str) -> Candidate:
    """Give one candidate by the name of its learner."""
    return next(candidate for candidate in model.candidates if candidate.learner == learner)


def scorer_of(store: Store, spec: Spec, model: Model, learner: str) -> Scorer:
    """Load the scorer of one candidate from its stored files."""
    files = {name: store.get_bytes(ref) for name, ref in candidate_of(model, learner).files.items()}
    features = next(each for each in map(store.get_record, model.parents) if isinstance(each, FeatureSet))
    return load_model(learner, classes=model.classes, fields=model_fields(spec, features), files=files)


def experiment_of(store: Store, spec: Spec, records: Records) -> Experiment:
    """Compare what the rehearsal brought with what gold promised."""
    labels = the(Labels, records)
    rehearsal = the(Rehearsal, records)
    evaluation = the(Evaluation, records)
    table = store.get_table(rehearsal.table)
    known = table.filter(pc.is_valid(table["outcome"]))
    code = {name: number for number, name in enumerate(labels.classes)}
    return compare_with_promise(
        np.asarray([code[str(name)] for name in known["outcome"].to_pylist()], dtype=np.int64),
        np.asarray([code[str(name)] for name in known["output"].to_pylist()], dtype=np.int64),
        n_classes=len(labels.classes),
        metric=spec.metric.online.name,
        evaluation=evaluation,
        rehearsal=rehearsal,
        seed=spec.sample.seed,
        parents=(record_id(rehearsal), record_id(evaluation)),
    )


def advice_of(store: Store, spec: Spec, directory: Path, records: Records, tick: Tick) -> Advice:
    """Measure the three arms on dev and say what next."""
    sample, labels = the(Sample, records), the(Labels, records)
    features, model = the(FeatureSet, records), the(Model, records)
    dev = side_of(store, records, "dev")
    table = store.get_table(model.scores)
    scores = {each.learner: scores_of(table, each.learner, len(model.classes)) for each in model.candidates}
    units = DevUnits(
        truth=dev.codes,
        weight=dev.weight,
        cluster=dev.cluster,
        scores=scores[model.learner],
        level=spec.requirement.level,
    )
    fields = model_fields(spec, features)
    inputs = tuple(field.name for field in fields)
    step = _Steps(3 + (len(inputs) if len(inputs) > 1 else 0), tick)
    train, judged, _ = train_and_dev(store, sample, labels, features, fields)
    settings = candidate_of(model, model.learner).settings
    options = learner_options(spec, directory).get(model.learner)
    refit = Refit(train, judged, model.learner, settings=settings, seed=spec.sample.seed, options=options)
    others = {name: each for name, each in scores.items() if name not in (model.learner, "constant")}
    arms = (
        labels_arm(units, refit, model.n_train, step),
        features_arm(units, refit, inputs, step),
        algorithm_arm(units, others, model.learner),
    )
    skill = paired_difference(
        unit_losses(dev.codes, scores["constant"]),
        unit_losses(dev.codes, units.scores),
        weight=dev.weight,
        cluster=dev.cluster,
        level=spec.requirement.level,
    )
    gate = the(Gate, records)
    return advise(
        arms,
        skill=skill,
        gate=gate,
        gold_gain=the(Evaluation, records).gain_over_constant,
        is_later=sample.split_by == "time",
        parents=(record_id(model), record_id(gate)),
    )


class _Steps:
    """Count steps and pass them on."""

    def __init__(self, total: int, tick: Tick) -> None:
        self._done, self._total, self._tick = 0, total, tick

    def __call__(self) -> None:
        self._done += 1
        self._tick(self._done, self._total)


def scores_of(table: pa.Table, learner: str, n_classes: int) -> NDArray[np.float64]:
    """Give the dev scores of one candidate as an array, shape (n, K)."""
    return np.column_stack([table[f"{learner}.{k}"].to_numpy() for k in range(n_classes)])


def side_of(store: Store, records: Records, split: str) -> Side:
    """Give the labeled units of one side."""
    return units_of(store, the(Sample, records), the(Labels, records), the(FeatureSet, records), split)
