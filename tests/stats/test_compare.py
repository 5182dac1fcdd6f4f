"""Paired comparison against statsmodels, scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn import metrics
from statsmodels.stats import contingency_tables

from martello.errors import DataError
from martello.stats.compare import mcnemar, paired_difference, paired_metric_difference, unit_losses
from martello.stats.estimate import NotEstimable


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def test_the_paired_difference_is_students_paired_t(rng):
    a, b = rng.random(30), rng.random(30)
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    found = paired_difference(a, b)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_by_cluster_it_is_the_one_of_a_cluster_robust_regression(rng):
    a, b, cluster = rng.random(60), rng.random(60), np.arange(60) // 4
    fit = sm.OLS(a - b, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True)
    found = paired_difference(a, b, cluster=cluster)
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[0]))


def test_a_model_does_not_differ_from_itself(rng):
    truth, score = rng.random(80) < 0.4, rng.random(80)
    for name in ("roc_auc", "average_precision", "log_loss", "brier_score"):
        found = paired_metric_difference(name, truth, score, score, seed=1, resamples=50)
        assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_difference_of_means_by_bootstrap_agrees_with_the_closed_form(rng):
    truth = rng.random(400) < 0.4
    a, b = np.clip(truth + rng.normal(0, 0.4, (2, 400)), 0, 1)
    by_bootstrap = paired_metric_difference("brier_score", truth, a, b, seed=1, resamples=4000)
    closed = paired_difference((a - truth) ** 2, (b - truth) ** 2)
    assert by_bootstrap.value == pytest.approx(closed.value)
    assert by_bootstrap.high - by_bootstrap.low == pytest.approx(closed.high - closed.low, rel=0.06)


def test_the_difference_of_areas_agrees_with_scipys_paired_bootstrap(rng):
    truth = rng.random(150) < 0.4
    shared = truth + rng.normal(0, 0.7, 150)
    a, b = shared + rng.normal(0, 0.5, (2, 150))
    theirs = stats.bootstrap(
        (truth, a, b),
        lambda y, s, t: metrics.roc_auc_score(y, s) - metrics.roc_auc_score(y, t),
        paired=True,
        vectorized=False,
        n_resamples=400,
        method="percentile",
        rng=np.random.default_rng(1),
    ).standard_error
    found = paired_metric_difference("roc_auc", truth, a, b, seed=1, resamples=2000)
    assert found.value == pytest.approx(metrics.roc_auc_score(truth, a) - metrics.roc_auc_score(truth, b))
    assert (found.high - found.value) / stats.t.ppf(0.975, min(truth.sum(), 150 - truth.sum()) - 1) == pytest.approx(
        theirs, rel=0.12
    )


def test_pairing_makes_the_interval_narrow(rng):
    truth = rng.random(300) < 0.4
    a = truth + rng.normal(0, 1, 300)
    close, far = a + rng.normal(0, 0.05, 300), truth + rng.normal(0, 1, 300)
    near = paired_metric_difference("roc_auc", truth, a, close, seed=1)
    wide = paired_metric_difference("roc_auc", truth, a, far, seed=1)
    assert near.high - near.low < 0.3 * (wide.high - wide.low)


def test_one_class_is_not_estimable():
    found = paired_metric_difference("roc_auc", [1, 1], [0.1, 0.2], [0.3, 0.2], seed=1)
    assert isinstance(found, NotEstimable)


@pytest.mark.parametrize(
    ("only_a", "only_b", "both", "neither"), [(9, 2, 20, 5), (0, 0, 8, 2), (6, 0, 1, 1), (40, 38, 9, 3)]
)
def test_mcnemars_test_is_the_exact_one_of_statsmodels(only_a, only_b, both, neither):
    right_a = np.repeat([1, 0, 1, 0], [only_a, only_b, both, neither])
    right_b = np.repeat([0, 1, 1, 0], [only_a, only_b, both, neither])
    expected = contingency_tables.mcnemar([[both, only_a], [only_b, neither]], exact=True)
    found = mcnemar(right_a, right_b)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.only_a_right, found.only_b_right) == (only_a, only_b)
    assert found.difference.value == pytest.approx((only_a - only_b) / len(right_a))
    assert found.difference.low < found.difference.value + 1e-12 < found.difference.high


@pytest.mark.parametrize("classes", [2, 4])
def test_unit_losses_average_to_scikit_learns(rng, classes):
    scores = rng.dirichlet(np.ones(classes), size=50)
    truth = rng.integers(classes, size=50)
    weight = rng.random(50)
    labels = list(range(classes))
    assert np.average(unit_losses(truth, scores), weights=weight) == pytest.approx(
        metrics.log_loss(truth, scores, sample_weight=weight, labels=labels)
    )
    assert np.average(unit_losses(truth, scores, metric="brier_score"), weights=weight) == pytest.approx(
        metrics.brier_score_loss(truth, scores if classes > 2 else scores[:, 1], sample_weight=weight, labels=labels)
    )


def test_an_unknown_loss_and_a_code_outside_the_classes_are_refused():
    with pytest.raises(DataError) as caught:
        unit_losses([0], [[0.5, 0.5]], metric="hinge")
    assert caught.value.code == "stats.unknown-metric"
    with pytest.raises(DataError) as caught:
        unit_losses([2], [[0.5, 0.5]])
    assert caught.value.code == "stats.label-outside-classes"
