"""LURE against its formula as a sum of readings, its special cases, and exact limits."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import hypergeom

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.lure import lure_mean, lure_weights
from martello.stats.training_draw import draw_in_turn


def _by_readings(losses, q, n):
    """The estimate as Farquhar et al. derive it: unbiased readings, mixed with constants that sum to 1."""
    m = len(losses)
    total, parts = Fraction(0), Fraction(0)
    for t in range(1, m + 1):
        reading = (sum(losses[: t - 1], Fraction(0)) + losses[t - 1] / q[t - 1]) / n
        part = Fraction(n * (n - m), m * (n - t) * (n - t + 1))
        total, parts = total + part * reading, parts + part
    assert parts == 1
    return total


def test_the_weighted_mean_is_the_mixture_of_unbiased_readings():
    losses = [Fraction(3), Fraction(1, 2), Fraction(7), Fraction(2)]
    q = [Fraction(1, 3), Fraction(1, 20), Fraction(2, 5), Fraction(1, 7)]
    mean = np.mean(lure_weights([float(one) for one in q], 9) * [float(one) for one in losses])
    assert mean == pytest.approx(float(_by_readings(losses, q, 9)))


def test_random_draws_weigh_1_each():
    assert lure_weights(1 / (50 - np.arange(20)), 50) == pytest.approx(np.ones(20))


def test_a_pool_drawn_whole_is_counted():
    _, q = draw_in_turn([5.0, 1.0, 2.0, 9.0], 4, rng=np.random.default_rng(0))
    assert lure_weights(q, 4) == pytest.approx(np.ones(4))
    found = lure_mean([1.0, 0.0, 0.0, 1.0], q, 4)
    assert (found.low, found.value, found.high) == pytest.approx((0.5, 0.5, 0.5), abs=1e-5)


def test_one_unit_short_of_a_count_leaves_only_that_unit_open():
    _, q = draw_in_turn(np.ones(10), 9, rng=np.random.default_rng(0))
    found = lure_mean([1.0] * 3 + [0.0] * 6, q, 10)
    assert found.low >= 0.3 - 1e-9
    assert found.high <= 0.4 + 1e-5


def test_an_unknown_probability_refuses_the_estimate_by_name():
    for unknown in (None, float("nan")):
        found = lure_mean([0.0, 1.0, 1.0], [0.1, unknown, 0.2], 50)
        assert isinstance(found, NotEstimable)
        assert "labels picked without probabilities can never become gold" in found.reason


def test_labels_that_are_all_alike_still_leave_room_for_others():
    """No loss in 20 random draws of 1,000: the interval reaches at least as far as the exact bound."""
    found = lure_mean(np.zeros(20), 1 / (1000 - np.arange(20)), 1000)
    exact = max(k for k in range(1001) if hypergeom.cdf(0, 1000, k, 20) >= 0.025) / 1000
    assert found.low == 0
    assert exact <= found.high <= 1.6 * exact


def test_random_draws_give_an_interval_around_the_plain_mean():
    labels = np.random.default_rng(4).random(400) < 0.3
    found = lure_mean(labels, 1 / (100_000 - np.arange(400)), 100_000)
    assert found.value == pytest.approx(labels.mean())
    exact = 2 * 1.96 * np.sqrt(0.3 * 0.7 / 400)
    assert exact < found.high - found.low < 2 * exact


def test_losses_on_another_scale_give_the_same_on_that_scale():
    rng = np.random.default_rng(1)
    losses, q = rng.random(60), draw_in_turn(rng.uniform(1, 4, 500), 60, rng=rng)[1]
    plain, scaled = lure_mean(losses, q, 500), lure_mean(3 * losses - 1, q, 500, bounds=(-1, 2))
    # The value is linear in the losses, and the weights do not sum to M: only the limits move with the scale exactly.
    assert (scaled.low, scaled.high) == pytest.approx((3 * plain.low - 1, 3 * plain.high - 1))


def test_a_higher_level_is_a_wider_interval():
    q = 1 / (500 - np.arange(60))
    labels = np.arange(60) % 3 == 0
    narrow, wide = (lure_mean(labels, q, 500, level=level) for level in (0.8, 0.99))
    assert isinstance(narrow, Estimate)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("losses", "q", "n", "code"),
    [
        ([0.0, 1.0], [0.5], 9, "stats.length-mismatch"),
        ([0.0], [0.0], 9, "stats.not-a-probability"),
        ([0.0], [1.5], 9, "stats.not-a-probability"),
        ([0.0, 1.0], [0.5, 0.5], 1, "stats.sample-size"),
        ([2.0], [0.5], 9, "stats.value-out-of-bounds"),
        ([], [], 9, "stats.empty"),
        ([np.nan], [0.5], 9, "stats.score-not-finite"),
    ],
)
def test_what_cannot_be_estimated_from_is_refused_by_name(losses, q, n, code):
    with pytest.raises(DataError) as refused:
        lure_mean(losses, q, n)
    assert refused.value.code == code


def test_weights_of_unknown_probabilities_are_refused():
    with pytest.raises(DataError, match="picked without probabilities"):
        lure_weights([0.1, None], 50)
