"""Allocations: oracles are brute-force search over all whole-number allocations, and the budget itself."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.errors import DataError
from martello.stats.allocation import allocate_equal, allocate_neyman, allocate_proportional


def variance(counts, spreads, sizes):
    return sum((counts[s] * spreads[s]) ** 2 / sizes[s] for s in counts)


def best_of_all(counts, spreads, n, minimum):
    ranges = [range(min(minimum, c), c + 1) for c in counts.values()]
    return min(
        variance(counts, spreads, dict(zip(counts, sizes, strict=True)))
        for sizes in itertools.product(*ranges)
        if sum(sizes) == n
    )


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.floats(0.1, 5.0)), min_size=1, max_size=4),
    st.integers(1, 3),
    st.data(),
)
def test_neyman_has_the_smallest_variance_of_all_allocations(strata, minimum, data):
    counts = {i: c for i, (c, _) in enumerate(strata)}
    spreads = {i: s for i, (_, s) in enumerate(strata)}
    n = data.draw(st.integers(sum(min(minimum, c) for c in counts.values()), sum(counts.values())))
    sizes = allocate_neyman(counts, spreads, n, minimum=minimum)
    assert sum(sizes.values()) == n
    assert all(min(minimum, counts[s]) <= sizes[s] <= counts[s] for s in counts)
    assert variance(counts, spreads, sizes) == pytest.approx(best_of_all(counts, spreads, n, minimum), rel=1e-12)


@settings(deadline=None)
@given(st.lists(st.integers(200, 5000), min_size=2, max_size=8), st.integers(100, 400))
def test_proportional_stays_within_a_unit_of_the_exact_share_and_sums_up(counts, n):
    named = dict(enumerate(counts))
    sizes = allocate_proportional(named, n)
    assert sum(sizes.values()) == n
    shares = {s: n * c / sum(counts) for s, c in named.items()}
    assert all(abs(sizes[s] - shares[s]) < 1.5 or sizes[s] == 2 for s in named)


def test_a_stratum_smaller_than_the_equal_number_is_taken_whole():
    assert allocate_equal({"big": 500, "small": 7}, 10) == {"big": 10, "small": 7}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: allocate_proportional({"a": 10, "b": 10}, 3), "stats.sample-size"),
        (lambda: allocate_proportional({"a": 10, "b": 10}, 21), "stats.sample-size"),
        (lambda: allocate_proportional({"a": 10, "b": 0}, 5), "stats.stratum-size"),
        (lambda: allocate_neyman({"a": 10, "b": 10}, {"a": 1.0}, 5), "stats.spread-not-positive"),
        (lambda: allocate_neyman({"a": 10}, {"a": float("nan")}, 5), "stats.spread-not-positive"),
        (lambda: allocate_equal({"a": 10}, 0), "stats.sample-size"),
    ],
)
def test_impossible_allocations_are_refused_by_name(call, code):
    with pytest.raises(DataError) as fault:
        call()
    assert fault.value.code == code
