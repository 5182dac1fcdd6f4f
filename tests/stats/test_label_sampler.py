"""Draws happen as often as their recorded probability says; weights are the best allocation."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chisquare

from martello.errors import DataError
from martello.stats.label_sampler import check_sampler, choose_weights, draw_units
from martello.stats.score_bins import bin_pool

SCORES = np.array([0.1, 0.1, 0.1, 0.9, 0.9, 0.5])


def _draw(seed, k, weights=None):
    pool = bin_pool(SCORES, np.zeros(6, np.int64), by_score=True, drawable=np.ones(6, bool), seed=seed)
    weights = np.array([1.0, 3.0, 2.0]) if weights is None else weights
    return draw_units(pool, np.zeros(len(pool), np.int64), weights, first=0, k=k, seed=seed)


def test_first_draws_fall_as_their_probabilities_say():
    positions = [int(_draw(seed, 1).position[0]) for seed in range(4000)]
    expected = np.array([1, 1, 1, 2, 2, 3]) / 10  # bins in order of score: weights 1, 3 (score .5), 2 (score .9)
    assert chisquare(np.bincount(positions, minlength=6), 4000 * expected).pvalue > 1e-3


def test_second_draws_fall_as_their_probabilities_say_given_the_first():
    second = [d.position[1] for d in (_draw(seed, 2) for seed in range(6000)) if d.position[0] == 5]
    expected = np.array([1, 1, 1, 2, 2]) / 7
    assert chisquare(np.bincount(second, minlength=6)[:5], len(second) * expected).pvalue > 1e-3
    assert all(
        np.isclose(_draw(seed, 1).probability[0], {5: 0.3}.get(int(_draw(seed, 1).position[0]), 0.1), atol=0.11)
        for seed in range(20)
    )


def test_no_unit_is_drawn_twice_and_all_are_drawn_in_the_end():
    draws = _draw(1, 99)
    assert sorted(draws.position.tolist()) == list(range(6))
    assert draws.probability[-1] == pytest.approx(1.0)


def test_draws_do_not_depend_on_how_they_are_asked_for():
    pool = bin_pool(SCORES, np.zeros(6, np.int64), by_score=True, drawable=np.ones(6, bool), seed=4)
    taken, weights = np.zeros(len(pool), np.int64), np.array([1.0, 3.0, 2.0])
    one_by_one = [int(draw_units(pool, taken, weights, first=i, k=1, seed=4).position[0]) for i in range(6)]
    assert one_by_one == _draw(4, 6).position.tolist()


def test_units_without_weight_are_never_drawn():
    assert set(_draw(3, 99, np.array([1.0, 0.0, 0.0])).position.tolist()) == {0, 1, 2}


def test_two_claims_get_the_allocation_whose_slowest_is_fastest():
    """Against a general optimizer on the same objective, floor left out."""
    rng = np.random.default_rng(0)
    variance, gain = rng.uniform(0.01, 0.25, 6), rng.normal(size=(2, 6))
    size, need = rng.uniform(10, 100, 6), np.array([1.0, 2.5])

    def slowest(log_weights):
        w = np.exp(log_weights)
        return np.max(need * ((w @ size) * ((gain**2 * variance) @ (size / w))))

    best = min(
        minimize(
            slowest,
            rng.normal(size=6),
            method="Nelder-Mead",
            options={"maxiter": 40_000, "xatol": 1e-8, "fatol": 1e-6},
        ).fun
        for _ in range(3)
    )
    weights = choose_weights(variance, gain, size, need, sampler="weighted")
    spread = weights - weights.min() + 0  # take the floor out again: it is a third of the mean spread
    floor = 0.5 / 1.5 * (weights @ size) / size.sum()
    spread = weights - floor
    assert slowest(np.log(spread)) <= 1.02 * best


def test_random_weighs_all_units_alike_that_matter():
    gain = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0]])
    weights = choose_weights(np.full(3, 0.2), gain, np.ones(3), np.ones(2), sampler="random")
    assert weights.tolist() == [1.0, 1.0, 0.0]


def test_every_unit_that_matters_keeps_a_weight():
    gain = np.array([[1.0, 1.0, 0.0], [0.0, 0.5, 0.3]])
    weights = choose_weights(np.array([1e-9, 0.2, 1e-9]), gain, np.ones(3), np.array([1.0, 0.0]), sampler="weighted")
    assert (weights > 0).all()


def test_an_unknown_sampler_is_refused_by_name():
    with pytest.raises(DataError, match=r"stats\.sampler-unknown"):
        check_sampler("margin")
