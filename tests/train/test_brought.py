from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier

from martello.errors import DataError, IntegrityError, PluginError, SpecError
from martello.testing.learners import check_learner, example_rows
from martello.train import fit_model, load_model, rule
from martello.train.arrays import pack_arrays, unpack_arrays
from martello.train.learner import UNIT
from martello.train.onnx import Onnx
from martello.train.rule import Rule

DATA = example_rows(300, 2, seed=0)


def scored(name, options, data=DATA, asked=DATA):
    files = fit_model(name, data, seed=0, options=options).files
    return load_model(name, classes=data.classes, fields=data.fields, files=files).scores(asked.columns)


# the random forest


def test_a_random_forest_scores_as_scikit_learn_does_with_missing_values():
    data = example_rows(500, 3, seed=1).only(["size", "rooms", "new"])
    table = np.array([data.columns[name] for name in ("size", "rooms", "new")], dtype=np.float64).T
    oracle = RandomForestClassifier(200, min_samples_leaf=10, random_state=0)
    oracle.fit(table.astype(np.float32), data.codes, sample_weight=np.ones(500))
    assert scored("random_forest", {}, data, data) == pytest.approx(oracle.predict_proba(table), abs=1e-6)


def test_trees_that_are_none_are_refused():
    files = fit_model("random_forest", DATA, seed=0, options={"trees": 3}).files
    arrays = unpack_arrays(files["forest.npz"])
    for name, value in (("left", 0 * arrays["left"]), ("column", arrays["column"] + 99), ("shares", np.ones((9, 5)))):
        broken = files | {"forest.npz": pack_arrays(arrays | {name: value})}
        with pytest.raises(IntegrityError, match="not-a-random-forest"):
            load_model("random_forest", classes=DATA.classes, fields=DATA.fields, files=broken)


# a rule


def large(row):
    return "1" if (row["size"] or 0) > 80 else "0"


@pytest.fixture
def rules(monkeypatch):
    point = EntryPoint(name="large", value=f"{__name__}:large", group="martello.rules")
    given = {"large": large}

    def entry_points(group, name=None):
        found = []
        for key, function in given.items():
            if name in (None, key):
                fake = type("Point", (), {"name": key, "value": point.value, "load": lambda self, f=function: f})()
                found.append(fake)
        return found

    monkeypatch.setattr(rule, "entry_points", entry_points)
    return given


def test_a_rule_keeps_the_contract_where_it_answers_every_row(rules):
    check_learner(Rule("large"), n_classes=(2,))


def test_the_scores_of_a_rule_say_how_often_its_answers_were_right(rules):
    scores = scored("rule", {"rule": "large"})[:, 1]
    says_yes = np.array([large({"size": size}) == "1" for size in DATA.columns["size"]])
    assert scores[says_yes][0] == pytest.approx(DATA.codes[says_yes].mean(), abs=0.01)
    assert scores[~says_yes][0] == pytest.approx(DATA.codes[~says_yes].mean(), abs=0.01)


def test_a_rule_that_fails_or_answers_nonsense_or_is_not_there_is_named(rules):
    rules |= {"crash": lambda row: 1 / 0, "odd": lambda row: "maybe", "number": lambda row: 1}
    for name in ("crash", "odd", "number"):
        with pytest.raises(PluginError, match="bad-rule"):
            scored("rule", {"rule": name})
    with pytest.raises(SpecError, match='did you mean "large"'):
        scored("rule", {"rule": "lagre"})
    with pytest.raises(SpecError, match="unknown-rule"):
        scored("rule", {})


# an ONNX file


@pytest.fixture
def model(tmp_path):
    """Give a file that scores sigmoid(0.05 size - 4 - 0.1 rooms) and takes the city as text without using it."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    h = onnx.helper
    numbers = h.make_tensor_value_info("numbers", onnx.TensorProto.FLOAT, [None, 2])
    city = h.make_tensor_value_info("city", onnx.TensorProto.STRING, [None, 1])
    weights = h.make_tensor("w", onnx.TensorProto.FLOAT, [2, 1], [0.05, -0.1])
    offset = h.make_tensor("b", onnx.TensorProto.FLOAT, [1], [-4.0])
    nodes = [
        h.make_node("IsNaN", ["numbers"], ["lacks"]),
        h.make_node("Where", ["lacks", "zero", "numbers"], ["known"]),
        h.make_node("MatMul", ["known", "w"], ["sum"]),
        h.make_node("Add", ["sum", "b"], ["logit"]),
        h.make_node("Sigmoid", ["logit"], ["score"]),
        h.make_node("Identity", ["city"], ["echo"]),
    ]
    outputs = [
        h.make_tensor_value_info(name, kind, [None, 1])
        for name, kind in (
            ("score", onnx.TensorProto.FLOAT),
            ("logit", onnx.TensorProto.FLOAT),
            ("echo", onnx.TensorProto.STRING),
        )
    ]
    zero = h.make_tensor("zero", onnx.TensorProto.FLOAT, [1], [0.0])
    graph = h.make_graph(nodes, "g", [numbers, city], outputs, [weights, offset, zero])
    file = tmp_path / "model.onnx"
    made = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9)
    file.write_bytes(made.SerializeToString())
    return {
        "file": str(file),
        "inputs": {"numbers": ["size", "rooms"], "city": "city"},
        "output": "score",
        "missing": {"city": "?"},
    }


def test_a_brought_model_keeps_the_contract_and_scores_as_its_formula(model):
    check_learner(Onnx(**model), n_classes=(2,))
    size, rooms = (np.array([value or 0.0 for value in DATA.columns[name]]) for name in ("size", "rooms"))
    assert scored("onnx", model)[:, 1] == pytest.approx(expit(0.05 * size - 4 - 0.1 * rooms), abs=1e-5)


def test_classes_of_the_file_may_stand_in_another_order(model):
    turned = scored("onnx", model | {"classes": ["1", "0"]})
    assert turned[:, ::-1] == pytest.approx(scored("onnx", model))


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"file": "none.onnx"}, DataError, "train.onnx-file"),
        ({"inputs": {"numbers": ["size", "rooms"]}}, SpecError, "train.onnx-options"),
        ({"inputs": {"numbers": ["size", "height"], "city": "city"}}, SpecError, "train.onnx-options"),
        ({"inputs": {"numbers": ["size"], "city": "city"}}, SpecError, "train.onnx-options"),
        ({"output": "scores"}, SpecError, "train.onnx-options"),
        ({"inputs": {"numbers": ["size", "note"], "city": "city"}}, SpecError, "train.onnx-options"),
        ({"output": "logit"}, PluginError, "train.onnx-output"),
        ({"output": "echo"}, PluginError, "train.onnx-output"),
        ({"classes": ["yes", "no"]}, SpecError, "train.onnx-options"),
        ({"missing": {}}, DataError, "train.onnx-missing"),
    ],
)
def test_what_does_not_fit_the_file_is_named(model, change, error, code):
    with pytest.raises(error) as caught:
        scored("onnx", model | change)
    assert caught.value.code == code


def test_a_file_that_is_no_model_is_named(model, tmp_path):
    (tmp_path / "junk.onnx").write_bytes(b"not a model")
    with pytest.raises(IntegrityError, match="not-onnx"):
        scored("onnx", model | {"file": str(tmp_path / "junk.onnx")})


# a table of scores

UNITS = [f"u{i}" for i in range(300)]
KNOWN = replace(DATA, columns=DATA.columns | {UNIT: UNITS})


@pytest.fixture
def table(tmp_path):
    def write(columns, name="scores.parquet"):
        pq.write_table(pa.table(columns), tmp_path / name)
        return {"file": str(tmp_path / name)}

    return write


def test_a_table_of_scores_answers_by_unit_in_any_order(table):
    score = np.random.default_rng(0).random(300)
    order = np.random.default_rng(1).permutation(300)
    options = table({"unit": [UNITS[i] for i in order], "score": score[order]})
    assert scored("scores", options, KNOWN, KNOWN)[:, 1] == pytest.approx(score)
    some = KNOWN.only(["size"]).take([7, 3])
    assert scored("scores", options, KNOWN, some)[:, 1] == pytest.approx(score[[7, 3]])


def test_a_table_of_several_classes_has_a_column_for_each(table):
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 300)
    wide = replace(example_rows(300, 3, seed=0), columns=KNOWN.columns)
    options = table({"unit": UNITS} | {str(k): shares[:, k] for k in range(3)})
    assert scored("scores", options, wide, wide) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"unit": UNITS[:-1], "score": [0.5] * 299}, "train.scores-lack-units"),
        ({"unit": [*UNITS[:-1], "u0"], "score": [0.5] * 300}, "train.scores-table"),
        ({"unit": UNITS, "score": [1.5] * 300}, "train.scores-table"),
        ({"unit": UNITS, "score": [float("nan")] * 300}, "train.scores-table"),
        ({"unit": UNITS, "score": ["high"] * 300}, "train.scores-table"),
        ({"unit": UNITS, "score": [None, *[0.5] * 299]}, "train.scores-table"),
        ({"unit": UNITS, "chance": [0.5] * 300}, "train.scores-table"),
    ],
)
def test_a_table_that_cannot_be_taken_is_named(table, columns, code):
    with pytest.raises(DataError) as caught:
        scored("scores", table(columns), KNOWN, KNOWN)
    assert caught.value.code == code


def test_a_table_that_is_not_there_and_a_request_without_unit_are_refused(table):
    with pytest.raises(DataError, match="scores-file"):
        scored("scores", {"file": "none.parquet"}, KNOWN, KNOWN)
    with pytest.raises(SpecError, match="scores-no-unit"):
        scored("scores", table({"unit": UNITS, "score": [0.5] * 300}), KNOWN, DATA)


def test_options_that_a_learner_does_not_take_are_named():
    for name in ("constant", "random_forest"):
        with pytest.raises(SpecError, match="bad-options"):
            scored(name, {"depth": 3})
