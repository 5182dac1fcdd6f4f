"""Several classes against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.multiclass import class_estimates, confused_pairs, macro_estimate

CLASSES = ("ant", "bee", "cow")
AVERAGES = {
    "macro_precision": metrics.precision_score,
    "macro_recall": metrics.recall_score,
    "macro_f1": metrics.f1_score,
}


@pytest.fixture
def rows():
    rng = np.random.default_rng(6)
    truth = rng.choice(3, size=300, p=[0.6, 0.3, 0.1])
    predicted = np.where(rng.random(300) < 0.75, truth, rng.integers(3, size=300))
    return truth, predicted, rng.exponential(size=300), np.arange(300) // 3


@pytest.mark.parametrize("weighted", [False, True])
def test_each_class_equals_scikit_learn(rows, weighted):
    truth, predicted, weight, _ = rows
    weight = weight if weighted else None
    found = class_estimates(truth, predicted, CLASSES, weight=weight)
    precision, recall, f1, n = metrics.precision_recall_fscore_support(truth, predicted, sample_weight=weight)
    assert [one.precision.value for one in found] == pytest.approx(list(precision))
    assert [one.recall.value for one in found] == pytest.approx(list(recall))
    assert [one.f1.value for one in found] == pytest.approx(list(f1))
    assert [one.n for one in found] == np.bincount(truth).tolist()
    assert weighted or [one.n for one in found] == list(n)


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("seed", [None, 1])
def test_macro_averages_equal_scikit_learn(rows, name, seed):
    truth, predicted, weight, cluster = rows
    found = macro_estimate(name, truth, predicted, 3, weight=weight, cluster=cluster, seed=seed, resamples=50)
    assert found.value == pytest.approx(AVERAGES[name](truth, predicted, sample_weight=weight, average="macro"))
    assert 0 <= found.low < found.value < found.high <= 1


@pytest.mark.parametrize("name", AVERAGES)
def test_the_linearized_interval_agrees_with_the_bootstrap(rows, name):
    truth, predicted, weight, cluster = rows
    linearized = macro_estimate(name, truth, predicted, 3, weight=weight, cluster=cluster)
    redrawn = macro_estimate(name, truth, predicted, 3, weight=weight, cluster=cluster, seed=2, resamples=3000)
    assert redrawn.high - redrawn.low == pytest.approx(linearized.high - linearized.low, rel=0.12)


def test_log_loss_is_the_mean_of_the_units():
    scores = np.random.default_rng(1).dirichlet(np.ones(3), size=40)
    truth = np.arange(40) % 3
    found = macro_estimate("log_loss", truth, scores, 3)
    assert found.value == pytest.approx(metrics.log_loss(truth, scores))
    assert found.high - found.value == pytest.approx(
        stats.t.ppf(0.975, 39) * stats.sem(-np.log(scores[np.arange(40), truth]))
    )


def test_a_class_never_seen_makes_the_average_unknown_instead_of_zero():
    truth, predicted = [0, 0, 1, 1], [0, 1, 1, 1]
    assert "class 2 is never true" in str(macro_estimate("macro_recall", truth, predicted, 3))
    assert "class 2 is never predicted" in str(macro_estimate("macro_precision", truth, predicted, 3))
    last = class_estimates(truth, predicted, CLASSES)[2]
    assert all(isinstance(one, NotEstimable) for one in (last.precision, last.recall, last.f1))


def test_confused_pairs_come_in_the_order_of_the_confusion_matrix(rows):
    truth, predicted, _, _ = rows
    matrix = metrics.confusion_matrix(truth, predicted)
    np.fill_diagonal(matrix, 0)
    found = confused_pairs(truth, predicted, CLASSES, top=3)
    assert [one.n for one in found] == sorted(matrix.ravel(), reverse=True)[:3]
    first = found[0]
    row = CLASSES.index(first.truth)
    assert matrix[row, CLASSES.index(first.predicted)] == first.n
    assert first.share.value == pytest.approx(first.n / np.sum(truth == row))


def test_what_was_never_confused_is_not_listed():
    assert confused_pairs([0, 1, 2], [0, 1, 2], CLASSES) == ()


def test_codes_outside_the_classes_and_unknown_names_are_refused(rows):
    with pytest.raises(DataError) as caught:
        class_estimates([0, 3], [0, 1], CLASSES)
    assert caught.value.code == "stats.label-outside-classes"
    with pytest.raises(DataError, match="macro_f1") as caught:
        macro_estimate("makro_f1", [0, 1], [0, 1], 2)
    assert caught.value.code == "stats.unknown-metric"
