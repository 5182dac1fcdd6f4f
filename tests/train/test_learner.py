from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from martello.errors import IntegrityError, PluginError
from martello.testing.learners import example_rows
from martello.train import fit_model, learner, load_model, open_learner
from martello.train.arrays import pack_arrays


def plug_in(monkeypatch, name, value):
    point = EntryPoint(name=name, value=value, group="martello.learners")
    monkeypatch.setattr(learner, "entry_points", lambda group, name=None: [point] if name in (None, point.name) else [])


def test_an_unknown_learner_is_named_with_the_nearest():
    with pytest.raises(PluginError, match='did you mean "lightgbm"') as caught:
        open_learner("ligthgbm")
    assert caught.value.code == "train.unknown-learner"


def test_a_plug_in_is_found_by_its_entry_point_and_cannot_replace_a_built_in_one(monkeypatch):
    plug_in(monkeypatch, "mine", "martello.train.constant:Constant")
    assert open_learner("mine").name == "constant"
    assert learner.known_learners() == (*learner.BUILT_IN, "mine")
    plug_in(monkeypatch, "lightgbm", "martello.train.constant:Constant")
    assert open_learner("lightgbm").name == "lightgbm"


def test_a_plug_in_that_cannot_be_opened_is_named(monkeypatch):
    plug_in(monkeypatch, "mine", "no_such_module:Learner")
    with pytest.raises(PluginError, match="no_such_module") as caught:
        open_learner("mine")
    assert caught.value.code == "train.broken-learner"


@pytest.mark.parametrize("name", ["constant", "logistic", "lightgbm"])
def test_classes_that_training_did_not_show_get_a_small_share_and_the_rest_keep_their_proportions(name):
    data = example_rows(300, 2, seed=0)
    wide = replace(data, codes=data.codes * 2 + 1, classes=("a", "b", "c", "d"))
    settings = {"C": 1.0, "runs": False, "trees": 10}
    narrow_files = fit_model(name, data, seed=0, settings=settings).files
    wide_files = fit_model(name, wide, seed=0, settings=settings).files
    narrow = load_model(name, classes=data.classes, fields=data.fields, files=narrow_files).scores(data.columns)
    scores = load_model(name, classes=wide.classes, fields=wide.fields, files=wide_files).scores(wide.columns)
    assert np.all(scores[:, [0, 2]] == 0.5 / 301)
    assert scores.sum(axis=1) == pytest.approx(1.0)
    assert scores[:, 3] / scores[:, 1] == pytest.approx(narrow[:, 1] / narrow[:, 0])


def test_taking_rows_keeps_their_order_and_weights_of_mean_one():
    data = replace(example_rows(4, 2, seed=0), weights=np.array([1.0, 3.0, 2.0, 2.0]))
    some = data.take([3, 1])
    assert some.columns["size"] == [data.columns["size"][3], data.columns["size"][1]]
    assert some.weights.tolist() == [0.8, 1.2]
    assert some.clusters == ["c3", "c1"]


def test_weights_of_another_shape_are_refused():
    data = example_rows(200, 2, seed=0)
    files = fit_model("logistic", data, seed=0, settings={"C": 1.0}).files
    files["weights.npz"] = pack_arrays({"weights": np.zeros((3, 1)), "intercepts": np.zeros(1)})
    with pytest.raises(IntegrityError, match="not-weights"):
        load_model("logistic", classes=data.classes, fields=data.fields, files=files)
