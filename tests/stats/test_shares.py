"""Precision, recall and F against scikit-learn; their intervals against the exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.shares import f_score, precision, precision_estimate, recall, recall_estimate


@pytest.fixture
def rows():
    rng = np.random.default_rng(4)
    truth = rng.random(200) < 0.3
    return truth, (truth ^ (rng.random(200) < 0.2)), rng.exponential(size=200), rng.integers(25, size=200)


@pytest.mark.parametrize("weighted", [False, True])
def test_point_values_equal_scikit_learn(rows, weighted):
    truth, flagged, weight, _ = rows
    weight = weight if weighted else None
    assert precision(truth, flagged, weight=weight) == pytest.approx(
        metrics.precision_score(truth, flagged, sample_weight=weight)
    )
    assert recall(truth, flagged, weight=weight) == pytest.approx(
        metrics.recall_score(truth, flagged, sample_weight=weight)
    )
    for beta in (0.5, 1.0, 2.0):
        assert f_score(truth, flagged, beta=beta, weight=weight) == pytest.approx(
            metrics.fbeta_score(truth, flagged, beta=beta, sample_weight=weight)
        )


def test_without_weights_the_interval_is_exact(rows):
    truth, flagged, _, _ = rows
    hits = int(np.sum(truth & flagged))
    for found, n in (
        (precision_estimate(truth, flagged), flagged.sum()),
        (recall_estimate(truth, flagged), truth.sum()),
    ):
        expected = stats.binomtest(hits, int(n)).proportion_ci(method="exact")
        assert (found.low, found.high, found.n) == pytest.approx((expected.low, expected.high, int(n)))


def test_with_weights_and_clusters_value_and_effective_size_follow_the_design(rows):
    truth, flagged, weight, cluster = rows
    found = precision_estimate(truth, flagged, weight=weight, cluster=cluster)
    assert found.value == pytest.approx(metrics.precision_score(truth, flagged, sample_weight=weight))
    assert found.effective_n < found.n == flagged.sum()
    assert 0 <= found.low < found.value < found.high <= 1


def test_each_row_its_own_cluster_is_close_to_no_clusters(rows):
    truth, flagged, _, _ = rows
    alone = precision_estimate(truth, flagged)
    clustered = precision_estimate(truth, flagged, cluster=np.arange(200))
    assert (clustered.low, clustered.high) == pytest.approx((alone.low, alone.high), abs=0.01)


def test_all_right_in_few_clusters_counts_clusters_not_rows():
    found = precision_estimate(np.ones(50), np.ones(50), cluster=np.repeat(np.arange(10), 5))
    assert found.low == pytest.approx(stats.binomtest(10, 10).proportion_ci(method="exact").low)


def test_an_interval_has_width_even_at_the_edge_with_weights():
    found = recall_estimate(np.ones(20), np.ones(20), weight=np.arange(1.0, 21.0))
    assert isinstance(found, Estimate)
    assert found.low < 0.85 < found.value == 1.0


def test_nothing_flagged_is_not_estimable_and_never_zero():
    assert isinstance(precision_estimate([1, 0], [0, 0]), NotEstimable)
    assert isinstance(recall_estimate([0, 0], [1, 0]), NotEstimable)
    assert isinstance(precision_estimate([1, 0], [1, 0], weight=[0.0, 1.0]), NotEstimable)


def test_all_flagged_rows_in_one_cluster_are_not_estimable():
    found = precision_estimate([1, 0, 1, 1], [1, 1, 0, 0], cluster=["a", "a", "b", "c"])
    assert isinstance(found, NotEstimable)
    assert "cluster" in found.needs


@pytest.mark.parametrize("share", [precision, recall, f_score])
def test_a_point_value_of_nothing_is_refused(share):
    with pytest.raises(DataError) as caught:
        share([0, 0], [0, 0])
    assert caught.value.code == "stats.metric-undefined"
