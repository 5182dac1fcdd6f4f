from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    roc_auc_score,
)

from martello.evaluate import GoldUnits, evaluate_on_gold
from martello.records import Evaluation, Measure
from martello.spec.schema import Requirement
from martello.stats.estimate import Estimate, NotEstimable, Verdict


def value(measure: Measure) -> float:
    assert isinstance(measure, Estimate)
    assert measure.low <= measure.value <= measure.high
    return measure.value


def gold(n: int = 3000, classes: int = 2, seed: int = 0, **more: Any) -> GoldUnits:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, classes)) * 2
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(classes, p=row) for row in scores])
    shares = np.bincount(truth, minlength=classes) / n
    return GoldUnits(
        truth=truth,
        scores=scores,
        constant=np.tile(shares, (n, 1)),
        weight=np.ones(n),
        cluster=more.get("cluster"),
        slices=more.get("slices", {}),
    )


def evaluate(units: GoldUnits, requirement: Requirement, threshold: float | None = 0.7, look: int = 1) -> Evaluation:
    names = tuple(f"c{k}" for k in range(units.scores.shape[1]))
    return evaluate_on_gold(
        units, classes=names, threshold=threshold, requirement=requirement, look=look, seed=0, parents=()
    )


def test_binary_metrics_are_those_of_scikit_learn() -> None:
    units = gold()
    found = evaluate(units, Requirement(precision=0.8))
    score = units.scores[:, 1]
    expected = {
        "average_precision": average_precision_score(units.truth, score),
        "roc_auc": roc_auc_score(units.truth, score),
        "log_loss": log_loss(units.truth, score),
        "brier_score": brier_score_loss(units.truth, score),
        "f1": f1_score(units.truth, score >= 0.7),
    }
    assert {name: value(found.metrics[name]) for name in expected} == pytest.approx(expected)
    assert np.array_equal(found.confusion, confusion_matrix(units.truth, score >= 0.7))


def test_several_classes_have_a_mean_and_each_its_own_numbers() -> None:
    units = gold(classes=4)
    found = evaluate(units, Requirement(precision=0.2), threshold=None)
    output = units.scores.argmax(axis=1)
    recalls = [float((output == k)[units.truth == k].mean()) for k in range(4)]
    assert [value(each.recall) for each in found.classes] == pytest.approx(recalls)
    assert value(found.metrics["macro_recall"]) == pytest.approx(np.mean(recalls))
    assert value(found.metrics["log_loss"]) == pytest.approx(log_loss(units.truth, units.scores))
    assert found.claims[0].metric == "macro_precision"
    assert found.verdict is Verdict.MET


def test_the_requirement_must_hold_in_each_value_of_each_slice() -> None:
    units = gold()
    # In slice "b" every flagged unit is wrong.
    wrong = (units.scores[:, 1] >= 0.7) & (units.truth == 0)
    units = gold(slices={"site": ["b" if each else "a" for each in wrong]})
    found = evaluate(units, Requirement(precision=0.5, slices=("site",)))
    verdicts = {claim.population: claim.verdict for claim in found.claims}
    assert verdicts["everyone"] is Verdict.MET
    assert verdicts["site = b"] is Verdict.NOT_MET
    assert found.verdict is Verdict.NOT_MET


def test_a_missing_slice_value_is_a_slice_of_its_own() -> None:
    units = gold(100, slices={"site": [None] * 100})
    assert [(each.column, each.value, each.n) for each in evaluate(units, Requirement()).slices] == [
        ("site", "(none)", 100)
    ]


def test_clusters_widen_the_intervals() -> None:
    alone = gold(1000)
    doubled = GoldUnits(
        truth=np.repeat(alone.truth, 3),
        scores=np.repeat(alone.scores, 3, axis=0),
        constant=np.repeat(alone.constant, 3, axis=0),
        weight=np.ones(3000),
        cluster=np.repeat([f"u{i}" for i in range(1000)], 3),
        slices={},
    )
    width = {}
    for name, units in (("alone", alone), ("copies", doubled)):
        precision = evaluate(units, Requirement(precision=0.5)).metrics["precision"]
        assert isinstance(precision, Estimate)
        width[name] = precision.high - precision.low
    assert width["copies"] == pytest.approx(width["alone"], rel=0.05)


def test_the_gain_over_the_constant_rule_is_paired() -> None:
    units = gold()
    gain = value(evaluate(units, Requirement()).gain_over_constant)
    expected = log_loss(units.truth, units.constant) - log_loss(units.truth, units.scores)
    assert gain == pytest.approx(expected)


def test_nothing_flagged_is_not_estimable_and_undecided() -> None:
    found = evaluate(gold(), Requirement(precision=0.8), threshold=1.1)
    assert isinstance(found.metrics["precision"], NotEstimable)
    assert found.verdict is Verdict.UNDECIDED


def test_looks_are_counted_down_and_the_last_is_the_last() -> None:
    requirement = Requirement(precision=0.1, gold_looks=2)
    assert [evaluate(gold(300), requirement, look=look).looks_left for look in (1, 2)] == [1, 0]
    used_up = evaluate(gold(300), requirement, look=3)
    assert used_up.verdict is Verdict.UNDECIDED
