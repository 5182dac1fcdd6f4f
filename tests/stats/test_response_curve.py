"""The response curve follows the truth, and says how little it knows."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special

from martello.stats.checks import check_design
from martello.stats.response_curve import fit_response_curve


def _rows(n, seed=0):
    rng = np.random.default_rng(seed)
    logit = rng.normal(-2, 1.5, n)
    return rng.random(n) < special.expit(logit), special.expit(logit)


def test_the_curve_follows_the_true_chance():
    truth, score = _rows(20_000)
    thresholds = np.quantile(score, np.linspace(0.99, 0, 60))
    curve = fit_response_curve(truth, score, check_design(20_000), thresholds)
    code = np.searchsorted(-thresholds, -score)
    expected = np.bincount(code, weights=score) / np.bincount(code)
    assert curve.positive.mean(axis=0) == pytest.approx(expected, abs=0.04)
    assert curve.mass == pytest.approx(np.bincount(code) / 20_000)


def test_the_mean_curve_has_the_hits_it_was_fitted_to():
    """A logistic fit with a constant gives back the number of positives, whatever its shape."""
    truth, score = _rows(3000)
    curve = fit_response_curve(truth, score, check_design(3000), np.unique(score)[::-1])
    assert float(np.sum(curve.mass * curve.positive.mean(axis=0))) == pytest.approx(truth.mean(), abs=0.004)


def test_its_spread_is_that_of_a_logistic_regression():
    truth, score = _rows(2000)
    curve = fit_response_curve(truth, score, check_design(2000), np.unique(score)[::-1])
    middle = special.logit(curve.positive[:, 1000])
    fit = sm.Logit(truth.astype(float), sm.add_constant(special.logit(score))).fit(disp=0)
    row = np.array([1.0, np.sort(special.logit(score))[::-1][1000]])
    # a spline of 4 terms knows less at a point than the 2 terms of the true model, but not many times less
    assert 1.0 < middle.std() / np.sqrt(row @ fit.cov_params() @ row) < 2.5


def test_copies_in_clusters_do_not_sharpen_the_curve():
    truth, score = _rows(400)
    thresholds = np.unique(score)[::-1]
    alone = fit_response_curve(truth, score, check_design(400), thresholds)
    design = check_design(2000, cluster=np.repeat(np.arange(400), 5))
    copied = fit_response_curve(np.repeat(truth, 5), np.repeat(score, 5), design, thresholds)
    assert copied.design_effect == pytest.approx(5, rel=0.02)
    assert copied.positive.std(axis=0)[200] == pytest.approx(alone.positive.std(axis=0)[200], rel=0.1)


@pytest.mark.parametrize("truth", [np.zeros(30, bool), np.ones(30, bool), np.arange(30) >= 15])
@pytest.mark.parametrize("score", [np.arange(30) / 30, np.full(30, 0.5)])
def test_one_class_perfect_separation_and_a_constant_score_stay_finite(truth, score):
    curve = fit_response_curve(truth, score, check_design(30), np.unique(score)[::-1])
    assert np.isfinite(curve.positive).all()
