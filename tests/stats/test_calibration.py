"""Reliability bins and the calibration error."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve

from martello.errors import DataError
from martello.stats.calibration import calibration_bins, calibration_error
from martello.stats.estimate import NotEstimable


@pytest.fixture
def calibrated():
    rng = np.random.default_rng(8)
    score = rng.random(3000)
    return rng.random(3000) < score, score


def test_bins_equal_scikit_learns_quantile_bins(calibrated):
    truth, score = calibrated
    observed, promised = calibration_curve(truth, score, n_bins=10, strategy="quantile")
    found = calibration_bins(truth, score, n_bins=10)
    assert [one.mean_score for one in found] == pytest.approx(list(promised), abs=2e-3)
    assert [one.observed.value for one in found] == pytest.approx(list(observed), abs=1e-2)
    assert [one.share for one in found] == pytest.approx([0.1] * 10)


def test_each_bin_has_the_exact_interval(calibrated):
    truth, score = calibrated
    one = calibration_bins(truth, score, n_bins=5)[2]
    rows = (score >= one.low) & (score <= one.high)
    expected = stats.binomtest(int(truth[rows].sum()), int(rows.sum())).proportion_ci(method="exact")
    assert (one.observed.low, one.observed.high, one.n) == pytest.approx((expected.low, expected.high, rows.sum()))


def test_equal_scores_stay_together():
    score = np.repeat([0.2, 0.7], [90, 10])
    found = calibration_bins(np.arange(100) % 2, score, n_bins=10)
    assert [(one.low, one.high, one.n) for one in found] == [(0.2, 0.2, 90), (0.7, 0.7, 10)]


def test_weights_shift_the_bins_to_equal_weight():
    score = np.linspace(0, 1, 1000)
    found = calibration_bins(np.arange(1000) % 2, score, n_bins=4, weight=1 + 3 * (score > 0.5))
    assert [one.share for one in found] == pytest.approx([0.25] * 4, abs=0.01)


def test_rows_without_weight_are_not_counted():
    found = calibration_bins([0, 1, 1, 0], [0.1, 0.2, 0.9, 0.8], n_bins=2, weight=[1.0, 1.0, 0.0, 2.0])
    assert sum(one.n for one in found) == 3
    assert max(one.high for one in found) == 0.8


def test_noise_is_not_reported_as_miscalibration(calibrated):
    truth, score = calibrated
    found = calibration_error(truth, score, seed=1)
    bins = calibration_bins(truth, score)
    plug_in = np.sqrt(np.mean([(one.mean_score - one.observed.value) ** 2 for one in bins]))
    assert found.low == 0.0
    assert found.value < plug_in


def test_a_constant_shift_is_found(calibrated):
    truth, score = calibrated
    found = calibration_error(truth, np.clip(score + 0.1, 0, 1), seed=1)
    assert found.low < 0.1 < found.high
    assert found.low > 0.06


def test_clusters_widen_the_interval(calibrated):
    truth, score = calibrated
    alone = calibration_error(truth, score * 0.8, seed=1)
    copied = calibration_error(
        np.repeat(truth, 4), np.repeat(score * 0.8, 4), cluster=np.repeat(np.arange(3000), 4), seed=1
    )
    assert copied.value == pytest.approx(alone.value, rel=0.01)
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.03)


def test_the_same_seed_gives_the_same_error(calibrated):
    assert calibration_error(*calibrated, seed=3) == calibration_error(*calibrated, seed=3)


def test_a_sure_and_right_model_has_no_error():
    found = calibration_error([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0], seed=1)
    assert (found.value, found.low) == (0.0, 0.0)


def test_one_cluster_is_not_estimable():
    assert isinstance(calibration_error([0, 1], [0.2, 0.4], cluster=["a", "a"], seed=1), NotEstimable)


def test_margins_are_refused():
    with pytest.raises(DataError) as caught:
        calibration_bins([0, 1], [-1.0, 2.0])
    assert caught.value.code == "stats.score-not-a-probability"
