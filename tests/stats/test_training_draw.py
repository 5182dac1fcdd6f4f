"""Drawing in turn against drawing one by one; what is left of a pool."""

import itertools

import numpy as np
import pytest
from scipy.stats import chisquare

from martello.errors import DataError
from martello.stats.training_draw import draw_in_turn, draw_random, open_positions, random_stream


def _chance_of_order(weights, order):
    chance, left = 1.0, sum(weights)
    for i in order:
        chance *= weights[i] / left
        left -= weights[i]
    return chance


def test_whole_orders_fall_as_if_drawn_one_by_one():
    """The exponential times against the chance of each of the 24 orders, multiplied out."""
    weights = [1.0, 2.0, 4.0, 0.5]
    orders = list(itertools.permutations(range(4)))
    rng = np.random.default_rng(1)
    seen = [orders.index(tuple(draw_in_turn(weights, 4, rng=rng)[0].tolist())) for _ in range(12_000)]
    expected = np.array([_chance_of_order(weights, order) for order in orders])
    assert chisquare(np.bincount(seen, minlength=24), 12_000 * expected).pvalue > 1e-3


def test_recorded_probabilities_are_those_of_drawing_one_by_one():
    weights = np.random.default_rng(2).uniform(0.1, 5, 40)
    index, q = draw_in_turn(weights, 25, rng=np.random.default_rng(3))
    assert len(set(index.tolist())) == 25
    assert np.prod(q) == pytest.approx(_chance_of_order(weights.tolist(), index.tolist()))


def test_the_last_units_of_a_pool_keep_their_probabilities_beside_enormous_ones():
    """Subtracting drawn weights from the total would leave nothing of the small ones."""
    weights = np.array([1e18, 1.0, 3.0])
    index, q = draw_in_turn(weights, 3, rng=np.random.default_rng(0))
    assert index[0] == 0
    assert q[1] == pytest.approx(weights[index[1]] / 4)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_would_leave_a_unit_out_is_refused(weight):
    with pytest.raises(DataError, match=r"stats\.weight-not-positive"):
        draw_in_turn([1.0, weight], 1, rng=np.random.default_rng(0))


def test_random_draws_record_one_over_those_left_and_take_each_unit_alike():
    draws = [draw_random(6, 2, [4], seed=s) for s in range(3000)]
    assert all(d.probability == pytest.approx([1 / 5, 1 / 4]) for d in draws)
    seen = np.bincount([i for d in draws for i in d.position], minlength=6)
    assert seen[4] == 0
    assert chisquare(np.delete(seen, 4)).pvalue > 1e-3


def test_a_batch_asked_for_again_is_the_same_and_the_next_is_another():
    first, again = (draw_random(1000, 5, [1, 2], seed=3) for _ in range(2))
    assert first.position.tolist() == again.position.tolist()
    assert random_stream(3, 5).random(4).tolist() != random_stream(3, 6).random(4).tolist()
    assert random_stream(3, 5).random(4).tolist() != random_stream(4, 5).random(4).tolist()


def test_an_exhausted_pool_gives_nothing():
    assert draw_random(2, 5, [1, 0], seed=0).position.tolist() == []


@pytest.mark.parametrize("drawn", [[3], [-1], [1, 1]])
def test_draws_that_are_no_units_of_the_pool_are_refused(drawn):
    with pytest.raises(DataError, match=r"stats\.no-such-unit"):
        open_positions(3, drawn)
