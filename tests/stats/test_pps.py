"""Draws proportional to size: the probabilities are exact within every order of the frame."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.errors import DataError
from martello.stats.pps import draw_pps, inclusion_pps


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=40), st.data())
def test_pps_draws_n_different_units_with_probabilities_that_sum_to_n(sizes, data):
    n = data.draw(st.integers(1, len(sizes)))
    seed = data.draw(st.integers(0, 2**31))
    drawn = draw_pps(np.random.default_rng(seed).uniform(1e-9, 1, len(sizes)), sizes, n)
    pi = inclusion_pps(sizes, n)
    assert len(set(drawn.positions.tolist())) == n
    assert pi.sum() == pytest.approx(n)
    assert drawn.pi.tolist() == pi[drawn.positions].tolist()
    below = pi < 1
    assert np.ptp(pi[below] / np.array(sizes)[below]) == pytest.approx(0, abs=1e-9) if below.any() else True


def test_the_pps_start_is_independent_of_the_order():
    """Inclusion probabilities hold within every order of the frame: the start alone makes them exact."""
    rng = np.random.default_rng(4)
    sizes = np.array([1.0, 2.0, 3.0, 4.0])
    pi = inclusion_pps(sizes, 2)
    hits, seen = np.zeros((24, 4)), np.zeros(24)
    orders = {order: i for i, order in enumerate(itertools.permutations(range(4)))}
    for u in rng.uniform(size=(24_000, 4)):
        which = orders[tuple(np.argsort(u).tolist())]
        hits[which, draw_pps(u, sizes, 2).positions] += 1
        seen[which] += 1
    z = (hits / seen[:, None] - pi) / np.sqrt(pi * (1 - pi) / seen[:, None])
    assert np.abs(z).max() < 4.2


U4 = [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: draw_pps(U4, [1, 2, 0, 1], 2), "stats.size-not-positive"),
        (lambda: draw_pps(U4, [1, 2, float("nan"), 1], 2), "stats.size-not-positive"),
        (lambda: draw_pps(U4, [1, 2, 3], 2), "stats.length-mismatch"),
        (lambda: draw_pps(U4, [1, 2, 3, 4], 5), "stats.sample-size"),
    ],
)
def test_impossible_draws_are_refused_by_name(call, code):
    with pytest.raises(DataError) as fault:
        call()
    assert fault.value.code == code
