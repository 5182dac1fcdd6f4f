"""A claim about a pool becomes one about its population when the floor is raised by what chance can do."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.pool_margin import PoolFloor, independent_units, pool_floor


def tail_at_least(count: int, n: int, p: float) -> float:
    return math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(count, n + 1))


@pytest.mark.parametrize(("floor", "n"), [(0.8, 30), (0.3, 25), (0.95, 200), (0.5, 7)])
def test_raised_is_the_first_share_that_a_worse_population_hardly_reaches(floor, n):
    found = pool_floor(floor, n, level=0.99)
    count = round(found.raised * n)
    assert tail_at_least(count, n, floor) <= 0.01 < tail_at_least(count - 1, n, floor)


@pytest.mark.parametrize(("floor", "n"), [(0.8, 30), (0.3, 25), (0.95, 200)])
def test_lowered_is_the_last_share_that_a_good_population_hardly_falls_to(floor, n):
    count = round(pool_floor(floor, n, level=0.99).lowered * n)
    at_most = [1 - tail_at_least(c + 1, n, floor) for c in (count, count + 1)]
    assert at_most[0] <= 0.01 < at_most[1]


@pytest.mark.parametrize("n", [40, 400, 4000])
def test_raised_agrees_with_the_clopper_pearson_bound_of_statsmodels(n):
    count = round(pool_floor(0.7, n, level=0.95).raised * n)
    lows = [proportion_confint(c, n, alpha=0.10, method="beta")[0] for c in (count - 1, count)]
    assert lows[0] < 0.7 <= lows[1]


def test_the_margin_shrinks_with_the_pool():
    margins = [pool_floor(0.8, n, level=0.99).raised - 0.8 for n in (50, 500, 5000, 50000)]
    assert all(later < earlier for earlier, later in pairwise(margins))
    assert margins[-1] == pytest.approx(2.326 * math.sqrt(0.16 / 50000), rel=0.02)


def test_a_pool_too_small_says_how_many_it_needs():
    found = pool_floor(0.9, 43, level=0.99)
    assert isinstance(found, NotEstimable)
    assert "44" in found.needs
    assert isinstance(pool_floor(0.9, 44, level=0.99), PoolFloor)


@pytest.mark.parametrize("floor", [0.0, 1.0, 1.2])
def test_a_floor_that_is_no_share_is_refused(floor):
    with pytest.raises(DataError, match="floor"):
        pool_floor(floor, 100, level=0.95)


def test_alike_units_count_once_for_each_cluster():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 9, 400)
    cluster = np.repeat(np.arange(400), sizes)
    worth = independent_units(cluster, len(cluster))
    shares = [float(sizes @ (rng.random(400) < 0.3)) / sizes.sum() for _ in range(4000)]
    assert np.var(shares) <= 0.3 * 0.7 / worth * 1.1
    assert np.var(shares) >= 0.3 * 0.7 / worth * 0.9
