"""Areas as functions of weights against scikit-learn, and their influence against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from martello.stats.areas import average_precision_influence, average_precision_of, roc_auc_influence, roc_auc_of

PAIRS = [
    (average_precision_of, average_precision_influence, metrics.average_precision_score),
    (roc_auc_of, roc_auc_influence, metrics.roc_auc_score),
]


def _tied_rows(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 60))
    truth = rng.random(n) < 0.4
    truth[:2] = True, False
    return truth, rng.integers(0, rng.integers(2, 25), n) / 25, rng.uniform(0.1, 3, (5, n))


@pytest.mark.parametrize(("prepare", "influence_of", "oracle"), PAIRS)
@pytest.mark.parametrize("seed", range(20))
def test_many_weight_vectors_at_once_equal_scikit_learn_one_by_one(prepare, influence_of, oracle, seed):
    truth, score, weights = _tied_rows(seed)
    weights[:, 2:] *= np.random.default_rng(seed).random((5, len(truth) - 2)) < 0.8
    expected = [oracle(truth, score, sample_weight=weight) for weight in weights]
    assert prepare(truth, score)(weights) == pytest.approx(expected)


@pytest.mark.parametrize(("prepare", "influence_of", "oracle"), PAIRS)
@pytest.mark.parametrize("seed", range(10))
def test_the_influence_is_the_derivative_by_each_rows_share(prepare, influence_of, oracle, seed):
    truth, score, weights = _tied_rows(seed)
    share, step = weights[0] / weights[0].sum(), 1e-6
    moved = prepare(truth, score)(share + step * np.eye(len(share)))
    still = prepare(truth, score)(share - step * np.eye(len(share)))
    assert influence_of(truth, score, weights[0]) == pytest.approx((moved - still) / (2 * step), abs=1e-4)


@pytest.mark.parametrize(("prepare", "influence_of", "oracle"), PAIRS)
@pytest.mark.parametrize("levels", [40, 10**9])
@pytest.mark.parametrize("share", [0.004, 0.03, 0.1, 0.3])
def test_rare_and_common_positives_with_uneven_weights_equal_scikit_learn(prepare, influence_of, oracle, levels, share):
    rng = np.random.default_rng(int(1000 * share) + levels)
    truth = rng.random(2000) < share
    score = rng.integers(0, levels, 2000) / levels
    weights = rng.exponential(size=(3, 2000)) ** 3 * (rng.random((3, 2000)) < 0.7)
    weights[:, np.argmax(truth)] = 1.0
    expected = [oracle(truth, score, sample_weight=weight) for weight in weights]
    assert prepare(truth, score)(weights) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("prepare", "influence_of", "oracle"), PAIRS)
def test_sorted_and_unsorted_rows_give_the_same(prepare, influence_of, oracle):
    truth, score, weights = _tied_rows(99)
    order = np.argsort(-score, kind="stable")
    assert prepare(truth[order], score[order])(weights[:, order]) == pytest.approx(prepare(truth, score)(weights))


@pytest.mark.parametrize(("prepare", "influence_of", "oracle"), PAIRS)
def test_a_weight_vector_without_positives_gives_nan(prepare, influence_of, oracle):
    assert np.isnan(prepare(np.array([True, False]), np.array([0.2, 0.1]))(np.array([[0, 1]]))).all()
    assert np.isnan(prepare(np.array([False, False]), np.array([0.2, 0.1]))(np.array([[0.5, 1.0]]))).all()
