from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from martello.errors import DataError
from martello.stats.arms import ArmMean, adjusted_arms, arm_mean, covariate_gain
from martello.stats.estimate import NotEstimable
from martello.stats.sums import Sums, sums_of

RNG = np.random.default_rng(11)
N = 400
X = RNG.gamma(2.0, size=N)
ARM = RNG.integers(0, 2, N)
Y = X + RNG.normal(size=N) + 0.3 * ARM
D = 1 + RNG.poisson(X)


def arms(**columns: np.ndarray) -> tuple[Sums, Sums]:
    first, second = (sums_of(**{name: values[k == ARM] for name, values in columns.items()}) for k in (0, 1))
    return first, second


def test_a_plain_mean_has_the_sample_variance() -> None:
    found = arm_mean(sums_of(Y))
    assert isinstance(found, ArmMean)
    assert (found.mean, found.variance) == pytest.approx((Y.mean(), Y.var(ddof=1)))


def test_a_ratio_has_the_variance_of_its_linearization() -> None:
    found = arm_mean(sums_of(Y, d=D))
    assert isinstance(found, ArmMean)
    assert found.mean == pytest.approx(Y.sum() / D.sum())
    assert found.variance == pytest.approx(((Y - found.mean * D) / D.mean()).var(ddof=1))


def test_the_adjusted_difference_is_the_coefficient_of_an_analysis_of_covariance() -> None:
    found = adjusted_arms(*arms(y=Y, x=X))
    assert not isinstance(found, NotEstimable)
    fit = sm.OLS(Y, np.column_stack([np.ones(N), ARM, X])).fit()
    assert found[1].mean - found[0].mean == pytest.approx(fit.params[1], rel=1e-10)
    error = np.sqrt(sum(one.variance / one.n for one in found))
    assert error == pytest.approx(fit.bse[1], rel=0.02)


def test_an_adjusted_ratio_is_the_adjustment_of_its_linearization() -> None:
    a, b = arms(y=Y, d=D, x=X)
    found = adjusted_arms(a, b)
    assert not isinstance(found, NotEstimable)
    parts = [(Y - Y[k == ARM].sum() / D[k == ARM].sum() * D) / D[k == ARM].mean() for k in (0, 1)]
    linear = np.where(ARM == 1, parts[1], parts[0])
    within = X - np.where(ARM == 1, X[ARM == 1].mean(), X[ARM == 0].mean())
    theta = within @ linear / (within @ within)
    left = [(linear - theta * X)[k == ARM].var(ddof=1) for k in (0, 1)]
    assert [one.variance for one in found] == pytest.approx(left, rel=1e-9)


def test_the_gain_is_the_squared_correlation() -> None:
    assert covariate_gain(sums_of(Y, x=X)) == pytest.approx(np.corrcoef(X, Y)[0, 1] ** 2)
    assert isinstance(covariate_gain(sums_of(np.ones(5), x=X[:5])), NotEstimable)


def test_a_constant_covariate_changes_nothing() -> None:
    found = adjusted_arms(*arms(y=Y, x=np.ones(N)))
    assert not isinstance(found, NotEstimable)
    assert [one.mean for one in found] == pytest.approx([Y[ARM == 0].mean(), Y[ARM == 1].mean()])


def test_too_little_is_not_estimable_and_no_covariate_is_a_fault() -> None:
    assert isinstance(arm_mean(sums_of([1.0])), NotEstimable)
    assert isinstance(arm_mean(sums_of([0.0, 1.0], d=[0.0, 0.0])), NotEstimable)
    with pytest.raises(DataError, match="no-covariate"):
        adjusted_arms(sums_of(Y), sums_of(Y))
