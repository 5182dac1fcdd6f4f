from __future__ import annotations

from dataclasses import replace

import lightgbm
import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from martello.testing.learners import example_rows
from martello.train import fit_model, load_model
from martello.train.folds import inner_folds
from martello.train.forest import Rows, cross_fit, deeper_if_better, forest_settings
from martello.train.mixture import fit_mixture, mix
from martello.train.ridge import STRENGTHS, choose_strength


def made(n, *, seed=0):
    """Logits of two models that see different halves of the truth, and one that sees nothing."""
    rng = np.random.default_rng(seed)
    first, second, noise = rng.normal(size=(3, n, 1)) * 1.5
    codes = (rng.random(n) < expit((first + 0.5 * second - 0.7)[:, 0])).astype(np.int64)
    return [first, second, noise], codes


def test_the_mixture_is_the_logistic_regression_of_the_truth_on_the_logits():
    logits, codes = made(20_000)
    weights, offsets = fit_mixture(logits[:2], codes, np.ones(20_000))
    oracle = LogisticRegression(C=1e9, tol=1e-8).fit(np.hstack(logits[:2]), codes)
    assert weights == pytest.approx(oracle.coef_[0], abs=2e-3)
    assert offsets == pytest.approx(oracle.intercept_, abs=2e-3)
    assert mix(logits[:2], weights, offsets)[:, 0] == pytest.approx(
        oracle.decision_function(np.hstack(logits[:2])), abs=2e-2
    )


def test_a_model_that_is_wrong_gets_no_weight_and_few_rows_get_nearly_equal_ones():
    logits, codes = made(5_000)
    assert fit_mixture([logits[0], -logits[1]], codes, np.ones(5_000))[0][1] == pytest.approx(0.0, abs=1e-3)
    few = fit_mixture([own[:4] for own in logits[:2]], codes[:4], np.ones(4))
    assert few[0].tolist() == [0.5, 0.5]
    assert few[1].tolist() == [0.0]


def test_the_mixture_counts_weights_and_several_classes():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(30_000, 3))
    codes = np.argmax(truth + rng.gumbel(size=truth.shape), axis=1)
    heavy = np.where(codes == 2, 3.0, 1.0)
    weights, offsets = fit_mixture([truth, rng.normal(size=truth.shape)], codes, heavy)
    assert weights == pytest.approx([1.0, 0.0], abs=0.05)
    assert offsets - offsets[0] == pytest.approx([0.0, 0.0, np.log(3.0)], abs=0.06)


def test_the_blend_of_a_table_is_the_sum_of_the_models_it_stores():
    data = example_rows(500, 2, seed=3).only(["size", "rooms", "city", "new"])
    fitted = fit_model("blend", data, seed=0)
    assert {"weights.npz", "trees-0.txt", "trees-1.txt", "mixture.json"} <= set(fitted.files)
    scores = load_model("blend", classes=data.classes, fields=data.fields, files=fitted.files).scores(data.columns)
    linear_files = {name: fitted.files[name] for name in ("pieces.json", "weights.npz")}
    linear = load_model("logistic", classes=data.classes, fields=data.fields, files=linear_files).scores(data.columns)
    forests = []
    for i in range(2):
        files = {"trees.txt": fitted.files[f"trees-{i}.txt"], "encoders.json": fitted.files["encoders.json"]}
        scorer = load_model("lightgbm", classes=data.classes, fields=data.fields, files=files)
        forests.append(scorer.scores(data.columns))
    logits = [np.log(own[:, 1] / own[:, 0]) for own in (linear, *forests)]
    weights = [fitted.settings[f"weight_{i}"] for i in range(3)]
    mixed = sum(w * z for w, z in zip(weights, logits, strict=True)) + fitted.settings["offset_0"]
    assert scores[:, 1] == pytest.approx(expit(mixed), abs=1e-9)


def test_where_there_is_text_trees_see_what_the_linear_model_says_of_rows_it_did_not_see():
    data = example_rows(500, 2, seed=3)
    files = fit_model("blend", data, seed=0).files
    width = int(files["trees-0.txt"].split(b"max_feature_idx=")[1].split(b"\n")[0]) + 1
    scorer = load_model("blend", classes=data.classes, fields=data.fields, files=files)
    assert width == len(scorer._view.names) + 1


@pytest.mark.parametrize("rows", [300, 30, 8])
def test_a_blend_of_few_rows_and_of_a_class_seen_once_still_scores(rows):
    data = example_rows(rows, 2, seed=5)
    lone = replace(data, codes=(np.arange(rows) == 3).astype(np.int64))
    for each in (data, lone):
        files = fit_model("blend", each, seed=0).files
        scores = load_model("blend", classes=each.classes, fields=each.fields, files=files).scores(each.columns)
        assert np.isfinite(scores).all()


def test_the_strength_is_the_one_with_the_least_held_out_loss():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(400, 60))
    data = replace(example_rows(400, 2, seed=0), codes=(table[:, 0] + rng.normal(size=400) > 0).astype(np.int64))
    folds = list(inner_folds(data, seed=0))
    losses = {}
    for strength in STRENGTHS:
        losses[strength] = sum(
            log_loss(
                data.codes[out],
                LogisticRegression(C=strength).fit(table[kept], data.codes[kept]).predict_proba(table[out]),
                normalize=False,
            )
            for kept, out in folds
        )
    assert choose_strength(table, data, folds) == min(losses, key=losses.get)
    assert choose_strength(table, data, []) == STRENGTHS[0]


def steps(n, cells):
    """Rows whose answer is drawn for each cell of a grid: only deep trees can know them all."""
    rng = np.random.default_rng(2)
    table = rng.random((n, 2))
    chance = rng.choice([0.05, 0.95], (cells, cells))[tuple((table * cells).astype(int).T)]
    data = example_rows(50, 2, seed=0).take(np.zeros(n, dtype=np.int64))
    data = replace(data, codes=(rng.random(n) < chance).astype(np.int64), clusters=[str(i) for i in range(n)])
    return Rows(np.hstack([table] * 3), data), list(inner_folds(data, seed=0))


def test_deeper_trees_are_grown_only_where_rows_are_many_and_held_out_rows_ask_for_them():
    settings = forest_settings(20_001, 2)
    rows, folds = steps(20_001, 20)
    assert deeper_if_better(rows, settings, folds, seed=0)["num_leaves"] == 127
    rows, folds = steps(20_001, 1)
    assert deeper_if_better(rows, settings, folds, seed=0)["num_leaves"] == 31
    rows, folds = steps(2_000, 20)
    assert deeper_if_better(rows, forest_settings(2_000, 2), folds, seed=0)["num_leaves"] == 7


def test_held_out_logits_are_of_trees_that_did_not_see_the_row():
    rows, folds = steps(3_000, 6)
    settings = forest_settings(3_000, 2)
    found = cross_fit(rows, settings, folds, seed=0)
    kept, out = folds[0]
    fixed = {"verbosity": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 0}
    model = lightgbm.train(
        settings | fixed,
        lightgbm.Dataset(rows.table[kept], rows.data.codes[kept]),
        valid_sets=[lightgbm.Dataset(rows.table[out], rows.data.codes[out])],
        num_boost_round=2_000,
        callbacks=[lightgbm.early_stopping(40, verbose=False)],
    )
    theirs = model.predict(rows.table[out], raw_score=True)
    assert np.corrcoef(found.logits[0][:, 0], theirs)[0, 1] > 0.98  # bins are from all rows, so not in every bit
    assert np.mean([len(logits) for logits in found.logits]) * 5 == 3_000
