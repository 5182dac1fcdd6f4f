from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.link_slope import link_points, link_slope, sign_agreement

RNG = np.random.default_rng(9)
TRUE = RNG.normal(0.01, 0.02, 14)
OFFLINE_ERROR, ONLINE_ERROR = RNG.uniform(0.004, 0.01, 14), RNG.uniform(0.2, 0.5, 14)
OFFLINE, ONLINE = TRUE + RNG.normal(0, OFFLINE_ERROR), 40 * TRUE + RNG.normal(0, ONLINE_ERROR)


def test_without_scatter_the_slope_is_that_of_least_weighted_squares_in_both_directions() -> None:
    """York's slope is where Σ (y − b x)² / (σy² + b² σx²) is least."""

    def squares(slope: float) -> float:
        return float(np.sum((ONLINE - slope * OFFLINE) ** 2 / (ONLINE_ERROR**2 + slope**2 * OFFLINE_ERROR**2)))

    best = optimize.minimize_scalar(squares, bounds=(10, 100), method="bounded", options={"xatol": 1e-10})
    assert best.fun < 14  # no more scatter than the errors
    found = link_slope(link_points(OFFLINE, OFFLINE_ERROR, ONLINE, ONLINE_ERROR)).slope
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(best.x, rel=1e-5)


def test_with_exact_offline_gains_it_is_weighted_least_squares() -> None:
    found = link_slope(link_points(TRUE, np.full(14, 1e-12), ONLINE, np.full(14, 0.3))).slope
    assert isinstance(found, Estimate)
    fit = sm.OLS(ONLINE, TRUE).fit()
    assert found.value == pytest.approx(fit.params[0], rel=1e-6)
    half = stats.t.ppf(0.975, 12) * fit.bse[0]
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), rel=1e-5)


def test_it_is_not_pulled_towards_0_as_a_plain_regression_is() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(0, 0.02, 3000)
    points = link_points(
        x + rng.normal(0, 0.02, 3000), np.full(3000, 0.02), 40 * x + rng.normal(0, 0.1, 3000), np.full(3000, 0.1)
    )
    found = link_slope(points).slope
    assert isinstance(found, Estimate)
    assert found.low < 40 < found.high
    assert np.polyfit(points.offline, points.online, 1)[0] < 25


def test_with_few_changes_or_only_noise_the_link_is_unproven() -> None:
    few = link_slope(link_points(OFFLINE[:4], OFFLINE_ERROR[:4], ONLINE[:4], ONLINE_ERROR[:4]))
    assert isinstance(few.slope, NotEstimable)
    assert "unproven" in few.slope.reason
    rng = np.random.default_rng(1)
    noise = link_slope(link_points(rng.normal(0, 0.001, 8), np.full(8, 0.01), rng.normal(0, 1, 8), np.full(8, 1.0)))
    assert isinstance(noise.slope, NotEstimable)


def test_seven_of_nine_agree_between_40_and_97_percent() -> None:
    x = np.arange(1.0, 10.0)
    found = sign_agreement(link_points(x, x, np.where(x < 8, x, -x), x))
    assert isinstance(found, Estimate)
    assert (found.value, found.low, found.high) == pytest.approx((7 / 9, 0.39991, 0.97186), abs=1e-4)


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="length-mismatch"):
        link_points([1], [1], [1, 2], [1])
    with pytest.raises(DataError, match="error-not-positive"):
        link_points([1], [0], [1], [1])
