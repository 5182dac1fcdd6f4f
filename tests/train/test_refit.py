from __future__ import annotations

import numpy as np
import pytest

from martello.stats.compare import unit_losses
from martello.testing.learners import example_rows
from martello.train import fit_model, load_model
from martello.train.refit import Refit, fit_and_score, share_of

TRAIN, DEV = example_rows(600, 2, seed=1), example_rows(300, 2, seed=2)


def test_training_again_on_everything_gives_the_same_scores():
    fitted = fit_model("lightgbm", TRAIN, seed=0)
    scores = load_model("lightgbm", classes=TRAIN.classes, fields=TRAIN.fields, files=fitted.files).scores(DEV.columns)
    refit = Refit(TRAIN, DEV, "lightgbm", settings=fitted.settings, seed=0)
    assert np.array_equal(refit(), scores)
    assert np.array_equal(fit_and_score(TRAIN, DEV, "lightgbm", seed=0), scores)


@pytest.mark.parametrize("learner", ["logistic", "lightgbm"])
def test_leaving_out_what_matters_costs_and_leaving_out_noise_does_not(learner):
    refit = Refit(TRAIN, DEV, learner, settings={"C": 0.1, "trees": 50}, seed=0)
    loss = {name: unit_losses(DEV.codes, refit(without=name)).mean() for name in ("size", "rooms")}
    assert loss["size"] > loss["rooms"] + 0.05


def test_a_smaller_share_lies_within_a_larger_and_has_about_its_size():
    small, large = (set(share_of(TRAIN, share, seed=3).clusters) for share in (0.25, 0.5))
    assert small < large < set(TRAIN.clusters)
    assert len(large) == pytest.approx(300, abs=50)


def test_when_nothing_is_left_to_learn_from_the_constant_rule_answers():
    one = TRAIN.only(["size"])
    refit = Refit(one, DEV.only(["size"]), "logistic", settings={"C": 1.0}, seed=0)
    assert len(np.unique(refit(without="size"), axis=0)) == 1
    assert len(np.unique(refit(share=1e-9), axis=0)) == 1


def test_a_blend_fitted_again_with_its_settings_gives_the_same_bytes():
    for data in (TRAIN, example_rows(400, 3, seed=1), TRAIN.only(["size", "city"])):
        fitted = fit_model("blend", data, seed=0)
        again = fit_model("blend", data, seed=0, settings=fitted.settings)
        assert again == fitted
