from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from martello.stats.effects import Effect
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.winners_curse import selected_estimate, shrunken_estimate


def effect(z: float) -> Effect:
    return Effect(value=2 * z, error=2.0, df=1e9, n=1000)


@pytest.mark.parametrize("z", [1.97, 2.1, 2.5, 4.0, 9.0])
def test_the_ends_are_where_the_truncated_normal_puts_the_value_in_its_tails(z: float) -> None:
    found = selected_estimate(effect(z), 1.96)
    assert isinstance(found, Estimate)
    for end, tail in ((found.low, 0.025), (found.high, 0.975)):
        drift = end / 2
        # At least as high as seen, among what was kept.
        chance = np.exp(stats.norm.logsf(z - drift) - stats.norm.logsf(1.96 - drift))
        assert chance == pytest.approx(tail, rel=1e-4)


def test_the_value_loses_the_mean_excess_of_a_truncated_normal() -> None:
    found = selected_estimate(effect(2.5), 1.96)
    assert isinstance(found, Estimate)
    excess = stats.truncnorm.mean(1.96 - 2.5, np.inf) * 1.0
    assert found.value == pytest.approx(2 * (2.5 - excess))


def test_far_above_the_bound_nothing_is_taken_off_and_below_it_there_is_no_winner() -> None:
    sure = selected_estimate(effect(12.0), 1.96)
    assert isinstance(sure, Estimate)
    assert (sure.value, sure.low) == pytest.approx((24.0, 24.0 - 2 * 1.95996), rel=1e-4)
    assert isinstance(selected_estimate(effect(1.9), 1.96), NotEstimable)


def test_history_pulls_towards_its_mean_as_far_as_a_normal_prior_says() -> None:
    rng = np.random.default_rng(1)
    past = [Effect(value=v, error=1.0, df=1e9, n=100) for v in rng.normal(0.5, np.sqrt(1 + 4.0), 4000)]
    found = shrunken_estimate(Effect(value=4.5, error=2.0, df=1e9, n=100), past)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(0.5 + 4.0 / (4.0 + 4.0) * 4.0, abs=0.15)


def test_little_history_and_history_of_chance_alone_are_refused() -> None:
    same = [Effect(value=0.1, error=1.0, df=1e9, n=100)] * 8
    assert isinstance(shrunken_estimate(effect(3.0), same[:4]), NotEstimable)
    assert isinstance(shrunken_estimate(effect(3.0), same), NotEstimable)
