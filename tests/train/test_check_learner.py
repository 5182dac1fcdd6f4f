from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from martello.errors import PluginError
from martello.testing.learners import check_learner
from martello.train.constant import Constant

SHIFT = np.array([-1e-12, 1e-12])


class _Scorer:
    def __init__(self, give):
        self.scores = give


def scoring(give):
    """Make a learner whose scores are those of the constant rule, spoiled."""

    class Spoiled(Constant):
        def load(self, files, *, fields, classes):
            scorer = super().load(files, fields=fields, classes=classes)
            return _Scorer(lambda columns: give(scorer.scores(columns), columns))

    return Spoiled()


def fitting(spoil):
    class Spoiled(Constant):
        calls = 0

        def fit(self, data, *, seed, settings=None):
            Spoiled.calls += 1
            return spoil(super().fit(data, seed=seed, settings=settings), Spoiled.calls)

    return Spoiled()


@pytest.mark.parametrize(
    ("learner", "fault"),
    [
        (fitting(lambda fitted, call: replace(fitted, files=fitted.files | {"a.json": b"%d" % call})), "other bytes"),
        (fitting(lambda fitted, call: replace(fitted, files=fitted.files | {"a.pkl": b""})), "a.pkl is not named"),
        (fitting(lambda fitted, call: replace(fitted, settings={"a": [1]})), "a setting is not text"),
        (fitting(lambda fitted, call: replace(fitted, settings={"a": call})), "given back are not taken"),
        (scoring(lambda scores, columns: scores[:, :1]), "shape"),
        (scoring(lambda scores, columns: scores * 0.9), "not a distribution"),
        (scoring(lambda scores, columns: scores + np.random.default_rng().normal() * SHIFT), "loaded twice"),
        (scoring(lambda scores, columns: scores + (len(scores) == 1) * SHIFT), "alone and in a batch"),
    ],
)
def test_each_promise_not_kept_is_found(learner, fault):
    with pytest.raises(PluginError, match=fault) as caught:
        check_learner(learner, n_classes=(2,))
    assert caught.value.code == "testing.learner-broken"


def test_a_crash_on_an_unseen_category_is_not_hidden():
    def give(scores, columns):
        assert "Never Seen" not in columns["city"]
        return scores

    with pytest.raises(AssertionError):
        check_learner(scoring(give))
