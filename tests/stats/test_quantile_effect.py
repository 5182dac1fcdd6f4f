from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.quantile_effect import quantile_effect, quantile_estimate


@pytest.mark.parametrize(("n", "at"), [(30, 0.5), (200, 0.9), (1000, 0.95)])
def test_the_ends_are_values_whose_ranks_cover_by_the_binomial(n: int, at: float) -> None:
    values = np.random.default_rng(n).permutation(n).astype(float)
    found = quantile_estimate(values, at=at)
    assert isinstance(found, Estimate)
    # Value i is the (i + 1)-th: it is below the quantile when more than i of n fall below it.
    below, above = stats.binom.cdf(found.low, n, at), stats.binom.sf(found.high, n, at)
    assert below <= 0.025
    assert above <= 0.025
    assert stats.binom.cdf(found.low + 1, n, at) > 0.025


def test_a_shift_of_the_whole_arm_is_the_effect_at_every_quantile() -> None:
    values = np.random.default_rng(0).exponential(size=500)
    for at in (0.1, 0.5, 0.95):
        found = quantile_effect(values, values + 3.0, at=at)
        assert isinstance(found, Estimate)
        assert found.value == pytest.approx(3.0)
        assert found.low < 3.0 < found.high


def test_a_quantile_beyond_the_sample_is_not_estimable() -> None:
    assert isinstance(quantile_estimate(range(20), at=0.99), NotEstimable)
    assert isinstance(quantile_estimate([1.0], at=0.5), NotEstimable)
    with pytest.raises(DataError, match="not-a-probability"):
        quantile_estimate(range(20), at=1.0)
