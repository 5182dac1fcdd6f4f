"""LURE is unbiased whatever the draws prefer, and its interval holds; counted in full, then simulated."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from martello.stats.active_sampling import TrainingSampler
from martello.stats.lure import lure_mean, lure_weights
from martello.stats.training_draw import draw_in_turn

pytestmark = pytest.mark.guarantee


def _expected(losses, m, chance):
    """The mean of the estimate over every order in which m units can be drawn; chance(past, i) may use the past."""
    n, total, certain = len(losses), 0.0, 0.0
    for order in itertools.permutations(range(n), m):
        q = [chance(order[:t], order[t]) for t in range(m)]
        likelihood = float(np.prod([float(one) for one in q]))
        certain += likelihood
        total += likelihood * float(np.mean(lure_weights([float(one) for one in q], n) * losses[list(order)]))
    assert certain == pytest.approx(1.0)
    return total


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_the_mean_over_all_orders_is_the_mean_of_the_pool(m):
    rng = np.random.default_rng(m)
    losses, weights = rng.normal(size=5) ** 2, [Fraction(int(w)) for w in rng.integers(1, 30, 5)]

    def chance(past, i):
        return weights[i] / sum(w for j, w in enumerate(weights) if j not in past)

    assert _expected(losses, m, chance) == pytest.approx(losses.mean(), rel=1e-12)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_it_stays_so_when_labels_seen_decide_what_is_drawn_next(m):
    """After a label of 1, units near it become ten times as likely, as after a new fit."""
    labels = np.array([1.0, 0.0, 0.0, 1.0, 0.0])

    def chance(past, i):
        weight = {j: Fraction(1 + 9 * any(labels[p] and abs(p - j) == 1 for p in past)) for j in range(5)}
        return weight[i] / sum(weight[j] for j in range(5) if j not in past)

    assert _expected(labels, m, chance) == pytest.approx(labels.mean(), rel=1e-12)


def _world(seed, *, share=0.14, n=2000):
    rng = np.random.default_rng(seed)
    yes = rng.beta(8 * share, 8 * (1 - share), n)
    return yes, (rng.random(n) < yes).astype(float)


@pytest.mark.parametrize("n_labels", [30, 100, 300])
@pytest.mark.parametrize(("power", "floor"), [(3.0, 0.2), (8.0, 0.1), (0.0, 1.0)])
def test_the_interval_covers_in_at_least_its_level_of_draws(n_labels, power, floor):
    yes, labels = _world(1)
    unsure = (1 - np.abs(2 * yes - 1)) ** power
    weight = (1 - floor) * unsure / unsure.sum() + floor / len(yes)
    held, runs = 0, 800
    for seed in range(runs):
        index, q = draw_in_turn(weight, n_labels, rng=np.random.default_rng([n_labels, seed]))
        found = lure_mean(labels[index], q, len(yes))
        held += found.low <= labels.mean() <= found.high
    print(f"{n_labels} labels, power {power}, floor {floor}: held in {held / runs:.3f}")
    assert held / runs >= 0.95


def test_it_covers_where_the_scores_are_confidently_wrong():
    """The rare yes is where the model is surest of no, so that the draw avoids it."""
    labels = (np.arange(2000) % 40 == 0).astype(float)
    unsure = np.where(labels == 1, 0.0, np.random.default_rng(0).random(2000)) ** 3
    weight = 0.8 * unsure / unsure.sum() + 0.2 / 2000
    held = 0
    for seed in range(600):
        index, q = draw_in_turn(weight, 200, rng=np.random.default_rng([3, seed]))
        found = lure_mean(labels[index], q, 2000)
        held += found.low <= labels.mean() <= found.high
    assert held / 600 >= 0.95


def test_it_covers_when_looked_at_after_every_batch_of_a_campaign():
    """The policy from its start, the scores better with each batch; one miss at any look counts."""
    missed, values, runs = 0, [], 300
    for seed in range(runs):
        yes, labels = _world(seed + 50, n=600)
        sampler = TrainingSampler(n_pool=600, method="pps-margin", seed=seed)
        noise = np.random.default_rng([9, seed]).normal(size=600)
        drawn, q, ever = [], [], False
        while len(drawn) < 200:
            blur = noise * 3 / (1 + len(drawn) / 40)
            p = 1 / (1 + np.exp(-(np.log((yes + 1e-6) / (1 - yes + 1e-6)) + blur)))
            counts = [int(np.sum(labels[drawn] == label)) for label in (0, 1)]
            scores = np.column_stack([1 - p, p]) if min(counts) else None
            batch = sampler.draw(20, drawn, n_per_class=counts, scores=scores)
            drawn, q = drawn + list(batch.position), q + list(batch.probability)
            found = lure_mean(labels[drawn], q, 600)
            ever |= not found.low <= labels.mean() <= found.high
        missed += ever
        values.append(found.value - labels.mean())
    error = np.std(values) / runs**0.5
    print(f"missed at any of ten looks in {missed / runs:.3f}; bias {np.mean(values):+.4f} (s.e. {error:.4f})")
    assert missed / runs <= 0.05
    assert abs(np.mean(values)) <= 4 * error
