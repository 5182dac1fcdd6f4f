from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from martello.stats.difference import independent_difference
from martello.stats.estimate import Estimate, NotEstimable


def wilson(hits: int, n: int) -> Estimate:
    low, high = proportion_confint(hits, n, method="wilson")
    return Estimate(value=hits / n, low=low, high=high, level=0.95, n=n, method="Wilson")


@pytest.mark.parametrize(
    ("a", "n", "b", "m"), [(56, 70, 48, 80), (9, 10, 3, 10), (0, 20, 5, 25), (790, 1000, 160, 200)]
)
def test_from_wilson_intervals_it_is_newcombes_interval(a: int, n: int, b: int, m: int) -> None:
    found = independent_difference(wilson(a, n), wilson(b, m))
    assert isinstance(found, Estimate)
    low, high = confint_proportions_2indep(a, n, b, m, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_what_is_not_estimable_stays_so() -> None:
    nothing = NotEstimable(reason="nothing flagged", needs="a flagged unit")
    assert independent_difference(wilson(5, 10), nothing) is nothing


def test_different_levels_are_not_mixed() -> None:
    other = Estimate(value=0.5, low=0.4, high=0.6, level=0.9, n=10, method="exact")
    assert isinstance(independent_difference(wilson(5, 10), other), NotEstimable)


def test_it_covers_the_true_difference() -> None:
    rng = np.random.default_rng(1)
    truth, covered = 0.82 - 0.78, 0
    for a, b in zip(rng.binomial(300, 0.82, 2000), rng.binomial(900, 0.78, 2000), strict=True):
        found = independent_difference(wilson(int(a), 300), wilson(int(b), 900))
        assert isinstance(found, Estimate)
        covered += found.low <= truth <= found.high
    # 95 % of 2,000, minus four standard errors.
    assert covered / 2000 >= 0.95 - 4 * (0.95 * 0.05 / 2000) ** 0.5
