"""The train stage: every learner is trained on train and scored on dev; one is the model, the others are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from martello.errors import IntegrityError, PluginError
from martello.records import Candidate, FeatureSet, FileRef, Labels, Measure, Model, Sample, record_id
from martello.spec.schema import Field
from martello.stats.compare import unit_losses
from martello.stats.estimate import NotEstimable
from martello.stats.intervals import mean_estimate
from martello.stats.metrics import estimate_metric
from martello.store import Store
from martello.train.choose import CHOSEN_BY, choose, simplest_first
from martello.train.learner import Fitted, Floats, Scorer, TrainingData, fit_model, load_model
from martello.train.rows import train_and_dev

__all__ = ["checked_scores", "train_models"]

#: Dev rows that are scored one by one and must agree with the batch in every bit.
_ONE_BY_ONE = 20

#: Metrics of the agreement that are mean losses, by their name in `martello.stats`.
_LOSSES = {"log_loss": "log_loss", "brier_score": "brier_score"}

_FORMATS = {".json": "json", ".npz": "npz", ".txt": "lightgbm-text"}

Progress = Callable[[int, int], None]


def train_models(
    store: Store,
    features: FeatureSet,
    labels: Labels,
    sample: Sample,
    *,
    fields: tuple[Field, ...],
    learners: tuple[str, ...],
    offline_metric: str,
    seed: int,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> Model:
    """Train the constant rule and the named learners, and choose among them on dev.

    Parameters
    ----------
    store
        Where the tables are, and where models and dev scores are put.
    features, labels, sample
        The records the model stands on.
    fields
        The declared inputs.
    learners
        Names of learners beside the constant rule.
    offline_metric
        A metric estimated for every candidate beside log loss; the winner is chosen by log loss whatever it is.
    seed
        Seed of every random choice.
    options
        What is declared for each learner, by its name.
    progress
        Told (done, of how many) as learners finish.

    Raises
    ------
    DataError
        ``train.no-rows`` or ``train.one-class``.
    PluginError
        ``train.unknown-learner``, ``train.no-lightgbm`` or ``train.bad-scores``.
    SpecError
        ``train.bad-options``, or what a learner says of its options.
    IntegrityError
        ``train.units-differ`` or ``train.not-reproducible``.
    """
    train, dev, units = train_and_dev(store, sample, labels, features, fields)
    names = simplest_first(learners)
    design = _Design(dev, sample.is_clustered)
    candidates: list[Candidate] = []
    scores: dict[str, Floats] = {}
    for done, name in enumerate(names):
        if progress:
            progress(done, len(names))
        fitted = fit_model(name, train, seed=seed, options=(options or {}).get(name))
        files = {file: _put(store, file, data) for file, data in fitted.files.items()}
        scores[name] = _scores_from(store, name, files, dev)
        candidates.append(_candidate(name, fitted, files, design, scores[name], offline_metric, seed))
    if progress:
        progress(len(names), len(names))
    losses = {name: unit_losses(dev.codes, own) for name, own in scores.items()}
    return Model(
        parents=(record_id(sample), record_id(labels), record_id(features)),
        learner=choose(losses, weight=design.weight, cluster=design.cluster),
        classes=labels.classes,
        candidates=tuple(candidates),
        chosen_by=CHOSEN_BY,
        scores=store.put_table(_score_table(units, scores)),
        n_train=len(train),
        n_dev=len(dev),
    )


class _Design:
    """Truth, weight and cluster of the dev units, as the estimators take them."""

    def __init__(self, dev: TrainingData, is_clustered: bool) -> None:
        self.codes = dev.codes
        self.weight = dev.weights
        self.cluster = np.asarray(dev.clusters) if is_clustered else None


def _put(store: Store, name: str, data: bytes) -> FileRef:
    """Keep a file of a model, in one of the formats that run no code on load."""
    suffix = name[name.rfind(".") :]
    if suffix not in _FORMATS:
        raise PluginError(
            "train.bad-file",
            f"a learner made the file {name}",
            expected="files named .json, .npz or .txt",
            fix="ask the author of the learner",
        )
    return store.put_bytes(data, cast(Literal["json", "npz", "lightgbm-text"], _FORMATS[suffix]))


def _scores_from(store: Store, learner: str, files: Mapping[str, FileRef], dev: TrainingData) -> Floats:
    """Score dev with what the store gives back, twice, since a model that does not survive its files is none."""
    scores = []
    for _ in range(2):
        data = {name: store.get_bytes(ref) for name, ref in files.items()}
        scorer = load_model(learner, classes=dev.classes, fields=dev.fields, files=data)
        scores.append(checked_scores(learner, scorer, dev))
    if not np.array_equal(scores[0], scores[1]):
        raise _not_reproducible(learner, "loading it twice gives two different scores")
    return scores[0]


def checked_scores(learner: str, scorer: Scorer, rows: TrainingData) -> Floats:
    """Score rows, refusing scores that are no probabilities or that depend on the company of a row.

    Raises
    ------
    PluginError
        ``train.bad-scores``.
    IntegrityError
        ``train.not-reproducible``.
    """
    scores = scorer.scores(rows.columns)
    if (
        scores.shape != (len(rows), len(rows.classes))
        or not np.all((scores >= 0) & (scores <= 1))
        or not np.allclose(scores.sum(axis=1), 1.0, rtol=0.0, atol=1e-9)
    ):
        raise PluginError(
            "train.bad-scores",
            f"the scores of {learner} are not the probabilities of {len(rows.classes)} classes",
            where=f"{len(rows)} dev units",
            expected="scores in [0, 1] that sum to 1 in each row",
            fix="ask the author of the learner; leave it out of [train] learners until then",
        )
    for i in range(min(_ONE_BY_ONE, len(rows))):
        alone = scorer.scores({name: [values[i]] for name, values in rows.columns.items()})
        if not np.array_equal(alone[0], scores[i]):
            raise _not_reproducible(learner, "a unit scores differently alone and in a batch")
    return scores


def _not_reproducible(learner: str, why: str) -> IntegrityError:
    return IntegrityError(
        "train.not-reproducible",
        f"{learner}: {why}",
        expected="the same scores in every bit",
        fix="ask the author of the learner; leave it out of [train] learners until then",
    )


def _candidate(
    name: str, fitted: Fitted, files: dict[str, FileRef], design: _Design, scores: Floats, metric: str, seed: int
) -> Candidate:
    losses = unit_losses(design.codes, scores)
    metrics = dict.fromkeys((metric, "roc_auc") if scores.shape[1] == 2 else (metric,))
    return Candidate(
        learner=name,
        settings=fitted.settings,
        files=files,
        log_loss=mean_estimate(losses, weight=design.weight, cluster=design.cluster),
        metrics={wanted: _measure(wanted, design, scores, seed) for wanted in metrics},
    )


def _measure(metric: str, design: _Design, scores: Floats, seed: int) -> Measure:
    """Estimate a metric; with several classes only the mean losses are defined."""
    loss = _LOSSES.get(metric)
    if scores.shape[1] == 2:
        return estimate_metric(
            loss or metric, design.codes, scores[:, 1], weight=design.weight, cluster=design.cluster, seed=seed
        )
    if loss is None:
        return NotEstimable(reason=f"{metric} is defined for two classes", needs="log_loss or brier_score")
    losses = unit_losses(design.codes, scores, metric=loss)
    return mean_estimate(losses, weight=design.weight, cluster=design.cluster)


def _score_table(units: list[str], scores: Mapping[str, npt.NDArray[np.float64]]) -> pa.Table:
    columns: dict[str, object] = {"unit": pa.array(units, pa.string())}
    for name, own in scores.items():
        columns |= {f"{name}.{k}": pa.array(np.ascontiguousarray(own[:, k])) for k in range(own.shape[1])}
    return pa.table(columns)
