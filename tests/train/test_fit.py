from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from martello.errors import DataError, IntegrityError, PluginError, SpecError
from martello.records import Column, FeatureSet, Labels, Sample, decode_record, encode_record, record_id
from martello.stats.estimate import Estimate, NotEstimable
from martello.store import Store
from martello.testing.learners import example_rows
from martello.train import fit, load_model, train_models
from martello.train.fit import checked_scores
from martello.train.rows import train_and_dev

KINDS = {"number": pa.float64(), "integer": pa.int64(), "category": pa.string(), "boolean": pa.bool_()}
FIELDS = tuple(field for field in example_rows(1, 2, seed=0).fields if field.type in KINDS)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".martello")


def records(store, *, n=800, k=2, codes=None, sides=("train", "train", "train", "dev", "gold")):
    """Make the records of a staged task; units in turn on the sides."""
    data = example_rows(n, k, seed=0)
    units = pa.array([f"u{i}" for i in range(n)])
    rng = np.random.default_rng(5)
    table = pa.table(
        {
            "unit": units,
            "inclusion_probability": rng.choice([0.5, 1.0], n),
            "split": [sides[i % len(sides)] for i in range(n)],
            "cluster": units,
        }
    )
    sample = Sample(
        parents=("frame-0",),
        design="simple",
        seed=0,
        splits=(),
        units=store.put_table(table),
        is_clustered=False,
        split_by="hash",
        findings=(),
    )
    codes = data.codes.tolist() if codes is None else codes
    labels = Labels(
        parents=(record_id(sample),),
        source="column",
        classes=data.classes,
        positive="1" if k == 2 else None,
        shares=(),
        n_labeled=n,
        n_missing=0,
        table=store.put_table(pa.table({"unit": units, "code": pa.array(codes, pa.int32())})),
    )
    typed = pa.table({"unit": units, **{f.column: pa.array(data.columns[f.name], KINDS[f.type]) for f in FIELDS}})
    unseen = NotEstimable(reason="not looked at", needs="a look")
    columns = [
        Column(name=f.name, type=f.type, optional=True, missing_share=0.1, n_distinct=9, alone=unseen) for f in FIELDS
    ]
    features = FeatureSet(
        parents=(record_id(sample), record_id(labels)),
        columns=tuple(columns),
        definition="definition-0",
        missing=(),
        table=store.put_table(typed),
        findings=(),
    )
    return features, labels, sample


def trained(store, made, **options):
    options = {"learners": ("logistic", "lightgbm"), "offline_metric": "brier_score", "seed": 0} | options
    return train_models(store, *made, fields=FIELDS, **options)


def test_all_learners_are_trained_the_losers_kept_and_the_same_run_gives_the_same_record(store):
    made = records(store)
    model = trained(store, made)
    assert [candidate.learner for candidate in model.candidates] == ["constant", "logistic", "lightgbm"]
    assert model.learner != "constant"
    assert model.parents == (record_id(made[2]), record_id(made[1]), record_id(made[0]))
    assert (model.n_train, model.n_dev) == (480, 160)
    assert decode_record(encode_record(model)) == model
    assert record_id(trained(store, made)) == record_id(model)


def test_dev_numbers_are_those_of_scikit_learn_with_design_weights(store):
    made = records(store)
    model = trained(store, made)
    _, dev, units = train_and_dev(store, made[2], made[1], made[0], FIELDS)
    scores = store.get_table(model.scores)
    assert scores["unit"].to_pylist() == units == [f"u{i}" for i in range(3, 800, 5)]
    for candidate in model.candidates:
        own = np.array([scores[f"{candidate.learner}.{k}"].to_numpy() for k in (0, 1)]).T
        assert candidate.log_loss.value == pytest.approx(log_loss(dev.codes, own, sample_weight=dev.weights))
        assert candidate.metrics["roc_auc"].value == pytest.approx(
            roc_auc_score(dev.codes, own[:, 1], sample_weight=dev.weights)
        )
        assert set(candidate.metrics) == {"brier_score", "roc_auc"}


def test_the_stored_files_alone_give_the_stored_scores(store):
    made = records(store, k=3)
    model = trained(store, made)
    _, dev, _ = train_and_dev(store, made[2], made[1], made[0], FIELDS)
    scores = store.get_table(model.scores)
    for candidate in model.candidates:
        files = {name: store.get_bytes(ref) for name, ref in candidate.files.items()}
        scorer = load_model(candidate.learner, classes=model.classes, fields=FIELDS, files=files)
        own = np.array([scores[f"{candidate.learner}.{k}"].to_numpy() for k in range(3)]).T
        assert np.array_equal(scorer.scores(dev.columns), own)


def test_with_several_classes_areas_are_not_estimable_and_log_loss_is(store):
    model = trained(store, records(store, k=3), offline_metric="average_precision")
    for candidate in model.candidates:
        assert isinstance(candidate.log_loss, Estimate)
        assert isinstance(candidate.metrics["average_precision"], NotEstimable)


def test_where_nothing_can_be_learned_the_constant_rule_wins(store):
    noise = np.random.default_rng(11).integers(0, 2, 800).tolist()
    assert trained(store, records(store, codes=noise)).learner == "constant"


def test_units_without_a_label_are_left_out(store):
    codes = [None if i % 10 == 0 else i % 2 for i in range(800)]
    model = trained(store, records(store, codes=codes), learners=())
    assert model.n_train + model.n_dev == sum(i % 5 < 4 and i % 10 != 0 for i in range(800))


def test_progress_is_told_from_nothing_to_all(store):
    told = []
    trained(store, records(store, n=200), progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("options", "code"),
    [({"sides": ("train", "gold")}, "train.no-rows"), ({"codes": [1] * 800}, "train.one-class")],
)
def test_what_cannot_be_trained_on_is_named(store, options, code):
    with pytest.raises(DataError) as caught:
        trained(store, records(store, **options))
    assert caught.value.code == code


def test_options_reach_their_learner_and_brought_scores_are_judged_by_unit(store, tmp_path):
    made = records(store)
    rng = np.random.default_rng(0)
    units, score = [f"u{i}" for i in range(800)], rng.random(800)
    order = rng.permutation(800)
    pq.write_table(pa.table({"unit": [units[i] for i in order], "score": score[order]}), tmp_path / "scores.parquet")
    options = {"scores:ours": {"file": str(tmp_path / "scores.parquet")}, "random_forest": {"trees": 7}}
    model = trained(store, made, learners=tuple(options), options=options)
    assert [candidate.learner for candidate in model.candidates] == ["constant", "random_forest", "scores:ours"]
    assert model.candidates[1].settings["trees"] == 7
    kept = store.get_table(model.scores)
    assert kept["scores:ours.1"].to_pylist() == [score[units.index(unit)] for unit in kept["unit"].to_pylist()]
    with pytest.raises(SpecError, match="bad-options"):
        trained(store, made, learners=("logistic",), options={"logistic": {"depth": 3}})


def test_tables_of_different_samples_are_refused(store):
    features, _, sample = records(store)
    other = records(store, n=790)[1]
    with pytest.raises(IntegrityError, match="units-differ"):
        trained(store, (features, other, sample))


class Scores:
    """A scorer that gives what it is told to."""

    def __init__(self, give):
        self.scores = give


@pytest.mark.parametrize(
    "give",
    [
        lambda columns: np.full((len(columns["size"]), 3), 1 / 3),
        lambda columns: np.full((len(columns["size"]), 2), np.nan),
        lambda columns: np.full((len(columns["size"]), 2), 0.4),
        lambda columns: np.tile([1.5, -0.5], (len(columns["size"]), 1)),
    ],
)
def test_scores_that_are_no_probabilities_are_refused(give):
    with pytest.raises(PluginError, match="bad-scores"):
        checked_scores("mine", Scores(give), example_rows(30, 2, seed=0))


def test_scores_that_depend_on_the_company_of_a_row_are_refused():
    def give(columns):
        share = 0.5 + 1e-16 * len(columns["size"])
        return np.tile([1 - share, share], (len(columns["size"]), 1))

    with pytest.raises(IntegrityError, match="alone and in a batch"):
        checked_scores("mine", Scores(give), example_rows(30, 2, seed=0))


def test_a_learner_that_makes_a_pickle_is_refused(store, monkeypatch):
    real = fit.fit_model
    monkeypatch.setattr(
        fit, "fit_model", lambda *args, **options: replace(real(*args, **options), files={"model.pkl": b"\x80"})
    )
    with pytest.raises(PluginError, match="bad-file"):
        trained(store, records(store, n=200))
