"""The exact 0/1 e-value: fair under its hypothesis, by enumeration; its interval inverts it."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.evalues import anytime_p_value, count_confidence_sequence, count_evidence, pool_counts


@pytest.mark.parametrize("side", ["ship", "refuse"])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_mean_e_value_is_one_at_the_requirement(side, n):
    yes = np.arange(n + 1)
    e_values = np.exp(count_evidence(yes, n, 0.8, side=side))
    assert binom.pmf(yes, n, 0.8) @ e_values == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("side", "share"), [("ship", 0.7), ("refuse", 0.9)])
def test_mean_e_value_is_below_one_inside_the_hypothesis(side, share):
    yes = np.arange(41)
    assert binom.pmf(yes, 40, share) @ np.exp(count_evidence(yes, 40, 0.8, side=side)) < 1


@pytest.mark.parametrize(("side", "n_yes_in_pool"), [("ship", 15), ("refuse", 16)])
@pytest.mark.parametrize("n", [3, 9])
def test_mean_e_value_is_one_in_the_nearest_pool_of_the_hypothesis(side, n_yes_in_pool, n):
    pool = 20  # at least 16 of 20 meet .80
    yes = np.arange(max(0, n - (pool - n_yes_in_pool)), min(n, n_yes_in_pool) + 1)
    chance = hypergeom.pmf(yes, pool, n_yes_in_pool, n)
    e_values = np.exp(count_evidence(yes, n, 0.8, side=side, pool_size=pool))
    mean = chance @ e_values
    assert mean <= 1 + 1e-9
    if n == 3:  # nothing an alternative allows is impossible under the hypothesis yet
        assert mean == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("n_yes_in_pool", [3, 4, 5, 6])
def test_every_order_of_a_pool_keeps_the_error_at_any_stop(n_yes_in_pool):
    """All orders of a pool of 8, looked at after every label: the exact chance ever to reach the bar 5."""
    pool, requirement, bar = 8, 0.8, math.log(5)
    crossed = total = 0
    for order in product((0, 1), repeat=pool):
        if sum(order) != n_yes_in_pool:
            continue
        path = count_evidence(np.cumsum(order)[:-1], np.arange(1, pool), requirement, pool_size=pool)
        total += 1
        crossed += bool(np.any(path >= bar))
    assert pool_counts(requirement, pool) == 7
    assert crossed / total <= 1 / 5


def test_a_census_decides_either_way():
    assert count_evidence(8, 10, 0.8, pool_size=10) == math.inf
    assert count_evidence(7, 10, 0.8, pool_size=10) == -math.inf
    assert count_evidence(7, 10, 0.8, side="refuse", pool_size=10) == math.inf


def test_a_large_pool_is_like_independent_labels():
    alone = count_evidence(430, 500, 0.8)
    assert count_evidence(430, 500, 0.8, pool_size=10_000_000) == pytest.approx(float(alone), abs=0.02)


def test_evidence_does_not_depend_on_rounding_of_the_requirement():
    assert pool_counts(0.29, 100) == 29
    assert pool_counts(0.07, 100) == 7


def test_interval_ends_are_where_the_e_value_reaches_its_bar():
    found = count_confidence_sequence(170, 200)
    bar = math.log(40)
    assert count_evidence(170, 200, found.low, side="ship") == pytest.approx(bar, abs=0.02)
    assert count_evidence(170, 200, found.high, side="refuse") == pytest.approx(bar, abs=0.02)


@pytest.mark.parametrize(("yes", "n"), [(0, 20), (20, 20)])
def test_interval_reaches_the_edge_when_all_labels_agree(yes, n):
    found = count_confidence_sequence(yes, n)
    assert (found.low == 0.0) == (yes == 0)
    assert (found.high == 1.0) == (yes == n)


def test_no_label_is_not_estimable():
    assert isinstance(count_confidence_sequence(0, 0), NotEstimable)


def test_p_value_is_one_over_the_largest_e_value():
    assert anytime_p_value([0.0, -3.0]) == 1.0
    assert anytime_p_value([math.log(8), math.log(40), 0.0]) == pytest.approx(1 / 40)


def test_impossible_counts_are_refused_by_name():
    with pytest.raises(DataError, match=r"stats\.counts-impossible"):
        count_evidence(5, 4, 0.8)
    with pytest.raises(DataError, match=r"stats\.requirement-out-of-range"):
        count_evidence(3, 4, 80)
