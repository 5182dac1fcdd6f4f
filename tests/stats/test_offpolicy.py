from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.offpolicy import (
    doubly_robust_value,
    importance_weights,
    ips_value,
    snips_value,
    switch_value,
    weights_refusal,
)

#: Beta priors of the production policy of the Open Bandit Dataset, campaign "all" (Saito et al. 2020, ZOZO): α, then β.
PRIOR = """
47 8 62 142 3 14 7 857 12 15 6 100 48 23 71 61 13 16 518 30 7 4 23 8 10 11 11 18 121 11 11 10 14 9 204 58 3 19
42 1013 2 328 15 31 14 138 45 55 23 38 10 401 52 6 3 6 5 32 35 133 52 820 43 195 8 42 40 4 32 30 9 22 6 23 5
54 8 22 65 246
12198 3566 15993 35522 2367 4609 3171 181745 4372 4951 3100 24665 13210 7061 18061 17449 5644 6787 111326 8776
3334 2271 7389 2659 3665 4724 3561 5085 27407 4601 4756 4120 4736 3788 45292 14719 2189 5589 11995 222255 2308
70034 4801 8274 5421 31912 12213 13576 6230 10382 4141 85731 12811 2707 2250 2668 2886 9581 9465 28336 12062
162793 12107 41240 3162 11604 10818 2923 8897 8654 4000 6580 3174 6766 2602 14506 3968 7523 16532 51964
"""
ALPHA, BETA = np.array(PRIOR.split(), dtype=float).reshape(2, 80)
LOG = Path(__file__).resolve().parents[3] / "shared" / "data" / "open_bandit_all" / "impressions.parquet"

LOGGING, TARGET = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
CHANCE = np.array([0.1, 0.4, 0.3])  # of a reward, by action
TRUTH = float(TARGET @ CHANCE)


def logged(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    action = rng.choice(3, n, p=LOGGING)
    reward = (rng.random(n) < CHANCE[action]).astype(float)
    return action, reward, importance_weights(LOGGING[action], TARGET[action])


def value_of(found: Estimate | NotEstimable) -> Estimate:
    assert isinstance(found, Estimate), found
    return found


def test_ips_and_the_doubly_robust_value_are_means_over_rows_and_unbiased_in_every_log() -> None:
    """Over all 6² logs of two rows, weighted by their chance, the two estimates average the truth."""
    model = np.array([0.3, 0.1, 0.9])  # as wrong as can be
    ips = robust = total = 0.0
    for rows in itertools.product(itertools.product(range(3), (0.0, 1.0)), repeat=2):
        action, reward = np.array([a for a, _ in rows]), np.array([r for _, r in rows])
        chance = np.prod(LOGGING[action] * np.where(reward == 1, CHANCE[action], 1 - CHANCE[action]))
        weight = TARGET[action] / LOGGING[action]
        total += chance
        ips += chance * (weight * reward).mean()
        robust += chance * (TARGET @ model + weight * (reward - model[action])).mean()
    assert (total, ips, robust) == pytest.approx((1.0, TRUTH, TRUTH))
    action, reward, weight = logged(1000, 1)
    assert value_of(ips_value(reward, weight)).value == pytest.approx((weight * reward).mean())
    found = value_of(doubly_robust_value(reward, weight, model[action], np.full(1000, TARGET @ model)))
    assert found.value == pytest.approx((TARGET @ model + weight * (reward - model[action])).mean())


def test_snips_is_the_weighted_mean_of_rewards() -> None:
    _, reward, weight = logged(2000, 2)
    found = value_of(snips_value(reward, weight))
    assert found.value == pytest.approx(np.average(reward, weights=weight))
    assert found.effective_n == pytest.approx(weight.sum() ** 2 / (weight**2).sum())


def test_a_good_model_narrows_and_a_bad_one_does_not_mislead() -> None:
    action, reward, weight = logged(4000, 3)
    plain = value_of(ips_value(reward, weight))
    good = value_of(doubly_robust_value(reward, weight, CHANCE[action], np.full(4000, TRUTH)))
    bad = value_of(doubly_robust_value(reward, weight, 1 - CHANCE[action], np.full(4000, TARGET @ (1 - CHANCE))))
    assert good.high - good.low < plain.high - plain.low
    assert bad.low < TRUTH < bad.high


def test_the_switch_is_doubly_robust_where_no_weight_is_too_large() -> None:
    action, reward, weight = logged(3000, 4)
    model = CHANCE[action], np.full(3000, TRUTH)
    robust = value_of(doubly_robust_value(reward, weight, *model))
    switched = value_of(switch_value(reward, weight, *model, np.zeros(3000), most=3.0))
    assert (switched.value, switched.low) == pytest.approx((robust.value, robust.low))
    # Above the limit the model speaks alone: action 2 has a weight of 3.
    rare = np.full(3000, TARGET[2] * CHANCE[2])
    refused = switch_value(reward, weight, *model, rare, most=2.0)
    assert isinstance(refused, NotEstimable)


def test_a_log_that_says_too_little_is_refused_with_what_it_would_take() -> None:
    rng = np.random.default_rng(0)
    weight = np.where(rng.random(5000) < 0.01, 100.0, 0.0)
    weight *= 1 / weight.mean()
    refused = weights_refusal(weight)
    assert isinstance(refused, NotEstimable)
    assert "rows of such a log" in refused.needs
    for weights in (np.ones(99), np.r_[np.ones(500), 60.0], np.full(1000, 1.5), np.zeros(200)):
        assert isinstance(ips_value(np.ones(len(weights)), weights), NotEstimable)


@pytest.mark.parametrize(("p", "q"), [([0.0], [0.5]), ([1.2], [0.5]), ([0.5], [-0.1]), ([0.5], [1.5])])
def test_what_is_no_probability_is_refused(p: list[float], q: list[float]) -> None:
    with pytest.raises(DataError, match="propensity-out-of-range"):
        importance_weights(p, q)
    with pytest.raises(DataError, match="length-mismatch"):
        importance_weights([0.5], [0.5, 0.5])


def production_policy() -> np.ndarray:
    """Chance of each item at each position under Thompson sampling: 100,000 draws, seed 12345, as published."""
    random, counts = np.random.RandomState(12345), np.zeros((80, 3))
    for _ in range(10):
        top = np.argsort(random.beta(ALPHA, BETA, size=(10_000, 80)), axis=1)[:, ::-1][:, :3]
        for position in range(3):
            counts[:, position] += np.bincount(top[:, position], minlength=80)
    return counts / 100_000


@pytest.mark.shared_data
@pytest.mark.skipif(not LOG.exists(), reason=f"there is no {LOG}")
def test_thompson_sampling_on_the_random_log_of_open_bandit_is_as_published() -> None:
    """Saito et al. (2020), quickstart of obp: 0.004553, 1.198126 times the random policy."""
    table = pd.read_parquet(LOG)
    table = table[table.policy == "random"]
    target = production_policy()[table.item_id, table.position - 1]
    weight = importance_weights(table.propensity_score, target)
    found = value_of(ips_value(table.click, weight))
    assert found.value == pytest.approx(0.004553, abs=5e-7)
    assert found.value / table.click.mean() == pytest.approx(1.198126, abs=1e-6)
    assert found.effective_n == pytest.approx(1640, abs=1)
    assert found.low < 0.0042 < found.high  # what Thompson sampling earned online
