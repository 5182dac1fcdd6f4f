"""Intervals against scipy, statsmodels and arithmetic done another way."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from martello.errors import DataError
from martello.stats.checks import check_design
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import (
    Linearized,
    bounded_interval,
    linearized_ratio,
    mean_estimate,
    proportion_interval,
    ratio_estimate,
)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (7, 7), (3, 10), (170, 200), (1, 1), (0, 1)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_a_proportion_has_the_exact_interval_of_scipy(successes, n, level):
    expected = stats.binomtest(successes, n).proportion_ci(confidence_level=level, method="exact")
    found = proportion_interval(successes, n, level=level)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.value == successes / n


def test_a_share_of_nothing_is_not_estimable():
    assert isinstance(proportion_interval(0, 0), NotEstimable)


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2)])
def test_more_successes_than_units_are_refused(successes, n):
    with pytest.raises(DataError) as caught:
        proportion_interval(successes, n)
    assert caught.value.code == "stats.count-out-of-range"


def test_the_plain_mean_has_the_interval_of_students_t(rng):
    values = rng.normal(size=17)
    low, high = stats.t.interval(0.9, 16, values.mean(), stats.sem(values))
    found = mean_estimate(values, level=0.9)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.effective_n == pytest.approx(17)


def test_the_clustered_weighted_mean_has_the_standard_error_of_statsmodels(rng):
    values, cluster, weight = rng.normal(size=90), rng.integers(12, size=90), rng.uniform(0.5, 4, size=90)
    fit = sm.WLS(values, np.ones(90), weights=weight).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "df_correction": True}, use_t=True
    )
    found = linearized_ratio(values, np.ones(90), check_design(90, weight, cluster))
    assert found.value == pytest.approx(fit.params[0])
    # statsmodels multiplies by (n-1)/(n-k), which is 1 for a mean
    assert np.sqrt(found.variance) == pytest.approx(fit.bse[0])
    estimate = mean_estimate(values, weight=weight, cluster=cluster)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(fit.conf_int()[0]))


def test_the_ratio_has_the_standard_error_of_the_residuals(rng):
    bottom = rng.uniform(1, 3, size=40)
    top = 0.4 * bottom + rng.normal(scale=0.1, size=40)
    ratio = top.sum() / bottom.sum()
    expected = np.std(top - ratio * bottom, ddof=1) / np.sqrt(40) / bottom.mean()
    found = ratio_estimate(top, bottom)
    assert found.value == pytest.approx(ratio)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 39) * expected)


def test_rows_outside_the_domain_change_nothing(rng):
    top, bottom = rng.random(30), rng.random(30) + 0.5
    padded = ratio_estimate(np.r_[top, np.zeros(50)], np.r_[bottom, np.zeros(50)])
    alone = ratio_estimate(top, bottom)
    assert (padded.n, padded.low, padded.high) == pytest.approx((alone.n, alone.low, alone.high))


def test_rows_without_weight_change_nothing(rng):
    values, weight = rng.random(30), rng.random(30)
    padded = mean_estimate(np.r_[values, 9.0, 9.0], weight=np.r_[weight, 0.0, 0.0])
    alone = mean_estimate(values, weight=weight)
    assert (padded.value, padded.low, padded.n) == pytest.approx((alone.value, alone.low, alone.n))


def test_weights_count_only_by_their_ratios(rng):
    values, weight = rng.random(30), rng.random(30)
    a, b = mean_estimate(values, weight=weight), mean_estimate(values, weight=1000 * weight)
    assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_copies_within_clusters_add_no_knowledge(rng):
    values = rng.random(12)
    copied = mean_estimate(np.repeat(values, 5), cluster=np.repeat(np.arange(12), 5))
    alone = mean_estimate(values)
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    assert copied.effective_n == pytest.approx(12, rel=0.1)


@pytest.mark.parametrize("cluster", [None, ["a", "a", "a"]])
def test_one_draw_shows_no_spread(cluster):
    values = [1.0] if cluster is None else [1.0, 2.0, 3.0]
    assert isinstance(mean_estimate(values, cluster=cluster), NotEstimable)


def test_a_denominator_of_nothing_is_not_estimable():
    assert isinstance(ratio_estimate([0.0, 0.0], [0.0, 0.0]), NotEstimable)


def test_a_bounded_interval_of_binomial_variance_is_the_exact_one():
    found = Linearized(0.3, 0.3 * 0.7 / 50, 50, 50, 50.0, 0.3 * 0.7 / 50)
    expected = stats.binomtest(15, 50).proportion_ci(method="exact")
    assert (expected.low, expected.high) == pytest.approx(
        (bounded_interval(found, level=0.95).low, bounded_interval(found, level=0.95).high)
    )


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_bounded_interval_has_width_at_the_edge(value):
    found = bounded_interval(Linearized(value, 0.0, 100, 20, 20.0, 0.0), level=0.95)
    exact = stats.binomtest(int(20 * value), 20).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_a_bounded_interval_never_knows_more_than_its_rows():
    found = bounded_interval(Linearized(0.5, 1e-9, 40, 40, 40.0, 1e-9), level=0.95)
    assert isinstance(found, Estimate)
    assert found.effective_n == 40
