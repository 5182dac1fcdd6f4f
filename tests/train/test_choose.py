from __future__ import annotations

import numpy as np
import pytest

from martello.train.choose import choose, simplest_first


def losses(*gains, n=400, noise=0.1):
    """Losses of candidates that beat the first by the gains, each with its own noise."""
    rng = np.random.default_rng(0)
    first = rng.exponential(0.5, n)
    names = ("constant", "logistic", "lightgbm")
    return {"constant": first} | {
        name: first - gain + noise * rng.normal(size=n) for name, gain in zip(names[1:], gains, strict=False)
    }


@pytest.mark.parametrize(
    ("gains", "winner"),
    [((0.1, 0.3), "lightgbm"), ((0.3, 0.1), "logistic"), ((-0.1, -0.1), "constant"), ((0.3, 0.301), "logistic")],
)
def test_the_better_wins_with_certainty_and_otherwise_the_simpler(gains, winner):
    assert choose(losses(*gains)) == winner


def test_learners_are_tried_simplest_first_each_name_once_with_its_options_or_not():
    asked = ("mine", "endpoint:small", "lightgbm", "rule", "endpoint:large", "logistic", "lightgbm")
    assert simplest_first(asked) == (
        "constant",
        "rule",
        "logistic",
        "lightgbm",
        "endpoint:small",
        "endpoint:large",
        "mine",
    )


def test_the_constant_rule_wins_ties():
    same = np.full(10, 0.7)
    assert choose({"constant": same, "logistic": same.copy()}) == "constant"


def test_the_border_is_one_standard_error_of_the_paired_difference():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=2000)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    base = rng.exponential(1, 2000)
    for errors, winner in ((0.97, "constant"), (1.03, "logistic")):
        assert choose({"constant": base, "logistic": base - errors / np.sqrt(2000) - noise}) == winner


def test_weights_and_clusters_decide_what_is_noise():
    base = np.zeros(200)
    better = np.where(np.arange(200) < 100, -0.02, 0.01) + np.tile([-0.01, 0.01], 100)
    assert choose({"constant": base, "logistic": better}) == "logistic"
    assert choose({"constant": base, "logistic": better}, cluster=np.repeat(["a", "b"], 100)) == "constant"
    weight = np.where(np.arange(200) < 100, 0.1, 1.0)
    assert choose({"constant": base, "logistic": better}, weight=weight) == "constant"


def test_candidates_stand_simplest_first_each_once_with_the_constant_rule_always():
    assert simplest_first(("lightgbm", "mine", "logistic", "mine")) == ("constant", "logistic", "lightgbm", "mine")
    assert simplest_first(()) == ("constant",)
