"""Metrics of scores against scikit-learn; their intervals against DeLong by brute force and against the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.metrics import (
    METRICS,
    average_precision,
    brier_score,
    estimate_metric,
    log_loss,
    metric_named,
    roc_auc,
)

ORACLES = {
    average_precision: metrics.average_precision_score,
    roc_auc: metrics.roc_auc_score,
    log_loss: metrics.log_loss,
    brier_score: metrics.brier_score_loss,
}


def _rows(n=300, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 1.5, n)
    score = special.expit(logit)
    return rng.random(n) < score, np.round(score, 1) if ties else score, rng.exponential(size=n)


@pytest.mark.parametrize("ours", ORACLES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_point_values_equal_scikit_learn(ours, ties, weighted):
    truth, score, weight = _rows(ties=ties)
    weight = weight if weighted else None
    assert ours(truth, score, weight=weight) == pytest.approx(ORACLES[ours](truth, score, sample_weight=weight))


def test_a_sure_and_wrong_probability_costs_what_scikit_learn_says():
    assert log_loss([1, 0], [0.0, 0.2]) == pytest.approx(metrics.log_loss([1, 0], [0.0, 0.2]))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("clustered", [False, True])
def test_the_estimate_has_the_point_value_inside_its_interval(name, clustered):
    truth, score, weight = _rows()
    cluster = np.arange(300) // 4 if clustered else None
    found = estimate_metric(name, truth, score, weight=weight, cluster=cluster, seed=1, resamples=50)
    assert found.value == pytest.approx(float(METRICS[name].prepare(truth, score)(weight[None])[0]))
    assert found.low < found.value < found.high


def test_the_area_has_delongs_interval_in_a_large_sample():
    truth, score, _ = _rows(3000)
    wins = np.greater.outer(score[truth], score[~truth]) + 0.5 * np.equal.outer(score[truth], score[~truth])
    variance = wins.mean(axis=1).var(ddof=1) / truth.sum() + wins.mean(axis=0).var(ddof=1) / (~truth).sum()
    found = estimate_metric("roc_auc", truth, score)
    assert (found.high - found.low) / 2 == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(variance), rel=0.02)


@pytest.mark.parametrize("design", ["simple", "weighted", "clustered", "both"])
def test_the_linearized_interval_of_average_precision_agrees_with_the_bootstrap(design):
    truth, score, weight = _rows(2000, seed=3)
    settings = {
        "weight": weight if design in ("weighted", "both") else None,
        "cluster": np.arange(2000) // 5 if design in ("clustered", "both") else None,
    }
    linearized = estimate_metric("average_precision", truth, score, **settings)
    redrawn = estimate_metric("average_precision", truth, score, seed=5, resamples=2000, **settings)
    assert redrawn.value == linearized.value
    assert redrawn.high - redrawn.low == pytest.approx(linearized.high - linearized.low, rel=0.07)


def test_the_same_seed_gives_the_same_estimate():
    truth, score, _ = _rows()
    first, again = (estimate_metric("average_precision", truth, score, seed=9, resamples=100) for _ in range(2))
    assert first == again


def test_copies_of_rows_in_one_cluster_do_not_narrow_the_interval():
    truth, score, _ = _rows(200)
    for name in METRICS:
        alone = estimate_metric(name, truth, score)
        copied = estimate_metric(name, np.repeat(truth, 6), np.repeat(score, 6), cluster=np.repeat(np.arange(200), 6))
        assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.02)


def test_perfect_ranking_is_not_reported_as_certain():
    for name in ("roc_auc", "average_precision"):
        found = estimate_metric(name, [0] * 20 + [1] * 5, np.arange(25))
        assert found.value == found.high == 1.0
        assert found.low < 0.9


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
@pytest.mark.parametrize(
    ("truth", "cluster"), [([1, 1, 1, 1], None), ([0, 0, 0, 1], None), ([1, 1, 0, 0], list("aabc"))]
)
def test_a_class_seen_too_little_is_not_estimable(name, truth, cluster):
    found = estimate_metric(name, truth, [0.1, 0.2, 0.3, 0.4], cluster=cluster)
    assert isinstance(found, NotEstimable)
    assert "at least 2" in found.needs


def test_losses_need_only_one_class():
    assert estimate_metric("brier_score", [1, 1, 1], [0.9, 0.8, 0.7]).n == 3


def test_an_unknown_metric_is_refused_with_the_nearest_name():
    with pytest.raises(DataError, match="roc_auc") as caught:
        metric_named("roc_acu")
    assert caught.value.code == "stats.unknown-metric"


def test_ranking_metrics_take_any_finite_score_and_losses_only_probabilities():
    truth, margin = [0, 1, 0, 1], [-3.0, 2.0, 0.5, 9.0]
    assert roc_auc(truth, margin) == 1.0
    with pytest.raises(DataError) as caught:
        log_loss(truth, margin)
    assert caught.value.code == "stats.score-not-a-probability"


def test_a_point_value_with_one_class_is_refused():
    with pytest.raises(DataError) as caught:
        roc_auc([1, 1], [0.1, 0.2])
    assert caught.value.code == "stats.metric-undefined"
