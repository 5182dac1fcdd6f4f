from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import lightgbm
import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from martello.spec.schema import Field
from martello.testing.learners import check_learner, example_rows
from martello.train import TrainingData, fit_model, load_model, open_learner
from martello.train.linear_view import fit_linear_view
from martello.train.texts import fit_texts

DATA = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data"
TYPES = {"int64": "integer", "double": "number", "string": "category", "large_string": "category"}


def sides(name, label, positive):
    """Give 60 % of a real set to learn from and 40 % to judge by, divided by hash."""
    table = pq.read_table(DATA / f"{name}.parquet")
    fields = tuple(
        Field(name=column.name, type=TYPES[str(column.type)]) for column in table.schema if column.name != label
    )
    units = [f"{name}{i}" for i in range(table.num_rows)]
    data = TrainingData(
        fields=fields,
        columns={field.name: table[field.name].to_pylist() for field in fields},
        codes=np.array([int(str(value) == positive) for value in table[label].to_pylist()]),
        weights=np.ones(len(units)),
        clusters=units,
        classes=("no", "yes"),
    )
    place = np.array([int(hashlib.sha1(unit.encode()).hexdigest()[:4], 16) / 2**16 for unit in units])
    return data.take(np.flatnonzero(place < 0.6)), data.take(np.flatnonzero(place >= 0.6))


@pytest.fixture(scope="module", params=[("telco_churn", "churn", "Yes"), ("german_credit", "credit_risk", "2")])
def real(request):
    return sides(*request.param)


def defaults_log_loss(train, test):
    """Log loss of LightGBM as it comes, with its native categories."""

    def table(data):
        codes = {}
        for field in data.fields:
            if field.type == "category":
                known = {level: i for i, level in enumerate(sorted({v for v in train.columns[field.name] if v}))}
                codes[field.name] = [known.get(value) for value in data.columns[field.name]]
            else:
                codes[field.name] = data.columns[field.name]
        return np.array(list(codes.values()), dtype=float).T

    categories = [i for i, field in enumerate(train.fields) if field.type == "category"]
    model = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(table(train), train.codes, categorical_feature=categories),
    )
    return log_loss(test.codes, model.predict(table(test)))


@pytest.mark.parametrize("learner", ["logistic", "lightgbm", "random_forest", "blend"])
def test_each_learner_beats_plain_lightgbm_on_real_data_and_every_row_scores_alike_alone(real, learner):
    train, test = real
    fitted = fit_model(learner, train, seed=0)
    scorer = load_model(learner, classes=train.classes, fields=train.fields, files=fitted.files)
    scores = scorer.scores(test.columns)
    assert log_loss(test.codes, scores[:, 1]) < defaults_log_loss(train, test) - 0.005
    for i in range(len(test)):
        alone = scorer.scores({name: [values[i]] for name, values in test.columns.items()})
        assert np.array_equal(alone[0], scores[i])


@pytest.mark.parametrize("learner", ["logistic", "lightgbm", "random_forest", "blend"])
def test_scores_are_calibrated_in_the_large(real, learner):
    train, test = real
    scorer = load_model(
        learner, classes=train.classes, fields=train.fields, files=fit_model(learner, train, seed=0).files
    )
    standard_error = np.sqrt(0.25 / len(test))
    assert scorer.scores(test.columns)[:, 1].mean() == pytest.approx(test.codes.mean(), abs=3 * standard_error)


@pytest.mark.parametrize("learner", ["constant", "logistic", "lightgbm", "random_forest", "blend"])
def test_a_built_in_learner_keeps_the_contract_it_asks_of_others(learner):
    check_learner(open_learner(learner))


@pytest.mark.parametrize("learner", ["logistic", "lightgbm"])
def test_a_seed_may_be_larger_than_the_libraries_take(learner):
    fit_model(learner, example_rows(200, 2, seed=0), seed=2**40 + 1, settings={"C": 1.0, "trees": 5})


@pytest.mark.parametrize("k", [2, 3])
def test_logistic_scores_are_those_of_scikit_learn_on_the_same_rows(k):
    data = example_rows(400, k, seed=5)
    fitted = fit_model("logistic", data, seed=0)
    texts, rows = fit_texts(data, seed=0, with_runs=fitted.settings["runs"])
    _, cells = fit_linear_view(data.fields, data.columns, texts, rows)
    matrix = np.zeros((cells.n, cells.width))
    np.add.at(matrix, (cells.rows, cells.columns), cells.values)
    oracle = LogisticRegression(C=fitted.settings["C"], tol=1e-4, max_iter=1000).fit(matrix, data.codes)
    scorer = load_model("logistic", classes=data.classes, fields=data.fields, files=fitted.files)
    assert scorer.scores(data.columns) == pytest.approx(oracle.predict_proba(matrix), abs=2e-3)


def test_the_constant_rule_gives_the_weighted_shares():
    data = replace(example_rows(4, 2, seed=0), codes=np.array([0, 1, 1, 1]), weights=np.array([2.0, 0.5, 0.5, 1.0]))
    scorer = load_model(
        "constant", classes=data.classes, fields=data.fields, files=fit_model("constant", data, seed=0).files
    )
    assert scorer.scores(data.columns).tolist() == [[0.5, 0.5]] * 4


@pytest.mark.parametrize("learner", ["logistic", "lightgbm"])
def test_weights_say_how_many_units_a_row_stands_for(learner):
    data = example_rows(600, 2, seed=2).only(["size", "city"])
    weights = np.where(data.codes == 1, 3.0, 1.0)
    heavy = replace(data, weights=weights / weights.mean())
    fitted = fit_model(learner, heavy, seed=0, settings={"C": 1.0, "trees": 50})
    scorer = load_model(learner, classes=data.classes, fields=data.fields, files=fitted.files)
    mean_score = np.average(scorer.scores(data.columns)[:, 1], weights=weights)
    assert mean_score == pytest.approx(np.average(data.codes, weights=weights), abs=0.01)
    assert mean_score > data.codes.mean() + 0.2


def test_two_processes_with_other_hash_seeds_and_threads_make_the_same_bytes():
    program = (
        "import hashlib; from martello.testing.learners import example_rows; from martello.train import fit_model\n"
        "known = {'C': 1.0, 'runs': True, 'trees': 20}\n"
        "for learner in ('constant', 'logistic', 'lightgbm', 'random_forest', 'blend'):\n"
        "    settings = None if learner == 'blend' else known\n"
        "    fitted = fit_model(learner, example_rows(300, 3, seed=4), seed=1, settings=settings)\n"
        "    for name, data in sorted(fitted.files.items()):\n"
        "        print(learner, name, hashlib.sha256(data).hexdigest())"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=environment | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    ]
    assert outputs[0].count(b"\n") == 1 + 4 + 5 + 5 + 9
    assert outputs[0] == outputs[1]


def test_scoring_imports_no_training_library(tmp_path):
    data = example_rows(300, 2, seed=4)
    names = ("constant", "logistic", "lightgbm", "random_forest", "blend")
    rows = (data.fields, {name: values[:20] for name, values in data.columns.items()}, data.classes)
    (tmp_path / "rows").write_bytes(msgspec.json.encode(rows))
    for learner in names:
        for name, content in fit_model(learner, data, seed=1).files.items():
            (tmp_path / f"{learner}-{name}").write_bytes(content)
    program = (
        "import json, pathlib, sys\n"
        "import msgspec\n"
        "from martello.features.values import Reader\n"
        "from martello.spec.schema import Field\n"
        "from martello.train import load_model\n"
        "rows = pathlib.Path(sys.argv[1], 'rows').read_bytes()\n"
        "fields, columns, classes = msgspec.json.decode(rows, type=tuple[tuple[Field, ...], dict, tuple[str, ...]])\n"
        "Reader(fields, ())\n"
        f"for learner in {names}:\n"
        "    files = {p.name.removeprefix(learner + '-'): p.read_bytes()\n"
        "             for p in pathlib.Path(sys.argv[1]).glob(learner + '-*')}\n"
        "    load_model(learner, classes=classes, fields=fields, files=files).scores(columns)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
    )
    heavy = {
        "sklearn",
        "scipy",
        "lightgbm",
        "pandas",
        "pyarrow",
        "sqlalchemy",
        "duckdb",
        "statsmodels",
        "threadpoolctl",
    }
    assert heavy.isdisjoint(json.loads(done.stdout))


@pytest.mark.shared_data
def test_many_classes_of_text_are_learned():
    path = SHARED / "banking77" / "banking77.parquet"
    if not path.exists():
        pytest.skip(f"{path.name} may not be carried in the repository and is not beside it")
    table = pq.read_table(path).take(list(range(0, 13_083, 4)))
    classes = tuple(sorted(set(table["category"].to_pylist())))
    data = TrainingData(
        fields=(Field(name="text", type="text"),),
        columns={"text": table["text"].to_pylist()},
        codes=np.array([classes.index(name) for name in table["category"].to_pylist()]),
        weights=np.ones(len(table)),
        clusters=[str(i) for i in range(len(table))],
        classes=classes,
    )
    train, test = data.take(range(0, len(data), 2)), data.take(range(1, len(data), 2))
    fitted = fit_model("logistic", train, seed=0, settings={"C": 10.0})
    scores = load_model("logistic", classes=classes, fields=data.fields, files=fitted.files).scores(test.columns)
    assert (scores.argmax(axis=1) == test.codes).mean() > 0.65
