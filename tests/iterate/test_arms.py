from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from martello.iterate import DevUnits, advise, algorithm_arm, features_arm, labels_arm
from martello.records import Arm, Gate
from martello.stats.estimate import Estimate, NotEstimable, Verdict

N = 4000
RNG = np.random.default_rng(3)
LOGIT = RNG.normal(size=N) * 2
TRUTH = (RNG.random(N) < 1 / (1 + np.exp(-LOGIT))).astype(np.int64)


def scores(noise: float, seed: int = 0) -> NDArray[np.float64]:
    """Scores of a model that knows the logit up to some noise."""
    known = LOGIT + np.random.default_rng(seed).normal(size=N) * noise
    p = 1 / (1 + np.exp(-known))
    return np.column_stack([1 - p, p])


def dev(noise: float = 0.3) -> DevUnits:
    return DevUnits(truth=TRUTH, weight=np.ones(N), cluster=None, scores=scores(noise), level=0.95)


class World:
    """Refit in a world where the model's noise is known for each share of labels and each input left out."""

    def __init__(self, share: dict[float, float], without: dict[str, float]) -> None:
        self.share, self.without = share, without

    def __call__(self, *, share: float = 1.0, without: str | None = None) -> NDArray[np.float64]:
        return scores(self.without[without] if without else self.share[share])


def nothing() -> None:
    return None


STILL = {0.125: 0.3, 0.25: 0.3, 0.5: 0.3}


def arms(world: World, others: dict[str, float] | None = None) -> tuple[Arm, ...]:
    units = dev()
    rivals = {name: scores(noise) for name, noise in (others or {"logistic": 1.5}).items()}
    return (
        labels_arm(units, world, 8000, nothing),
        features_arm(units, world, tuple(world.without), nothing),
        algorithm_arm(units, rivals, "lightgbm"),
    )


SKILL = Estimate(value=0.25, low=0.24, high=0.26, level=0.95, n=N, method="paired")
OPEN = Gate(parents=(), conditions=(), verdict=Verdict.UNDECIDED)
MET = Gate(parents=(), conditions=(), verdict=Verdict.MET)


def test_the_learning_curve_falls_where_labels_help_and_they_are_advised() -> None:
    world = World({0.125: 1.6, 0.25: 1.2, 0.5: 0.8}, {"a": 0.3, "b": 0.3})
    found = arms(world)
    curve = [measure.value for _, measure in found[0].detail if isinstance(measure, Estimate)]
    assert curve == sorted(curve, reverse=True)
    assert [int(name) for name, _ in found[0].detail] == [1000, 2000, 4000, 8000]
    advice = advise(found, skill=SKILL, gate=OPEN, gold_gain=SKILL, is_later=False, parents=())
    assert "label more units" in advice.next_step
    assert not advice.is_plateau


def test_features_that_matter_stand_first_and_are_advised_when_nothing_else_helps() -> None:
    world = World(STILL, {"useless": 0.3, "strong": 1.2, "middling": 0.8})
    found = arms(world)
    assert [name for name, _ in found[1].detail] == ["strong", "middling", "useless"]
    assert (
        "another input" in advise(found, skill=SKILL, gate=OPEN, gold_gain=SKILL, is_later=False, parents=()).next_step
    )


def test_a_better_algorithm_is_advised() -> None:
    found = arms(World(STILL, {"a": 0.3, "b": 0.3}), {"logistic": 1.5, "forest": 0.0})
    assert found[2].what.startswith("forest")
    assert (
        "change the algorithm"
        in advise(found, skill=SKILL, gate=OPEN, gold_gain=SKILL, is_later=False, parents=()).next_step
    )


def test_when_nothing_brings_a_percent_it_is_a_plateau() -> None:
    advice = advise(
        arms(World(STILL, {"a": 0.3, "b": 0.3})), skill=SKILL, gate=MET, gold_gain=SKILL, is_later=False, parents=()
    )
    assert advice.is_plateau
    assert "Plateau" in advice.next_step
    assert "ship it" in advice.next_step


def test_an_input_that_carries_much_is_named() -> None:
    found = arms(World(STILL, {"duration": 2.5, "age": 0.35}))
    advice = advise(found, skill=SKILL, gate=OPEN, gold_gain=SKILL, is_later=False, parents=())
    assert [finding.columns for finding in advice.findings] == [("duration",)]


def test_what_is_lost_on_gold_comes_before_any_gain_on_dev() -> None:
    worse = Estimate(value=-0.3, low=-0.35, high=-0.25, level=0.95, n=N, method="paired")
    found = arms(World({0.125: 1.6, 0.25: 1.2, 0.5: 0.8}, {"a": 0.3, "b": 0.3}))
    advice = advise(found, skill=SKILL, gate=OPEN, gold_gain=worse, is_later=True, parents=())
    assert "the world has changed" in advice.next_step


def test_without_skill_no_more_modelling_is_advised() -> None:
    no_skill = Estimate(value=0.001, low=-0.01, high=0.012, level=0.95, n=N, method="paired")
    advice = advise(
        arms(World(STILL, {"a": 0.3, "b": 0.3})), skill=no_skill, gate=OPEN, gold_gain=SKILL, is_later=False, parents=()
    )
    assert "Nothing beats the constant rule" in advice.next_step


def test_one_input_cannot_be_left_out() -> None:
    found = features_arm(dev(), World(STILL, {"text": 0.3}), ("text",), nothing)
    assert isinstance(found.gain, NotEstimable)


def test_the_gain_is_the_difference_of_mean_losses() -> None:
    found = labels_arm(dev(), World({0.125: 1.6, 0.25: 1.2, 0.5: 0.8}, {}), 8000, nothing)
    last = {name: measure.value for name, measure in found.detail if isinstance(measure, Estimate)}
    assert isinstance(found.gain, Estimate)
    assert found.gain.value == pytest.approx(last["4000"] - last["8000"])
