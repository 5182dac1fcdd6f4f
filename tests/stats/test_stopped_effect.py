from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from martello.errors import DataError
from martello.stats.effects import Effect
from martello.stats.spending import spending_bounds
from martello.stats.stopped_effect import conditional_power, futility_bound, repeated_estimate, stagewise_estimate


def effect(z: float) -> Effect:
    return Effect(value=0.1 * z, error=0.1, df=1e9, n=1000)


def test_one_look_is_the_plain_interval() -> None:
    found = stagewise_estimate(effect(2.5), [1.96], [7.0])
    low, high = 0.25 + 0.1 * np.array(stats.norm.interval(0.95))
    assert (found.value, found.low, found.high) == pytest.approx((0.25, low, high), abs=1e-6)


@pytest.mark.parametrize("look", [1, 2, 3, 4])
def test_the_lower_end_is_above_0_just_when_the_last_bound_is_crossed(look: int) -> None:
    information = [1.0, 2.0, 3.0, 4.0][:look]
    bounds = spending_bounds(information, [one / 4 for one in information])
    above = stagewise_estimate(effect(bounds[-1] + 0.01), bounds, information)
    assert above.low > 0
    if look == 4:
        assert stagewise_estimate(effect(bounds[-1] - 0.01), bounds, information).low < 0


def test_stopping_early_pulls_the_value_down_and_never_above_the_raw_one() -> None:
    bounds = spending_bounds([1.0, 2.0], shape="pocock")
    early, late = (
        stagewise_estimate(effect(3.0), bounds[:1], [1.0]),
        stagewise_estimate(effect(3.0), bounds, [1.0, 2.0]),
    )
    assert early.value == pytest.approx(0.3, abs=1e-6)
    assert late.value < 0.3


def test_a_run_stopped_for_want_of_hope_is_covered_as_well() -> None:
    """Two looks, the first with a floor: over all ends, the interval holds 95 % of the time and the median is right."""
    information, floors = [1.0, 2.0], [0.3, -np.inf]
    bounds = spending_bounds(information, shape="pocock")
    rng, drift = np.random.default_rng(4), 1.0
    held, below, runs = 0, 0, 1500
    for _ in range(runs):
        walk = rng.normal(drift / 2, np.sqrt(0.5), 2).cumsum()
        k = 0 if not floors[0] <= walk[0] / np.sqrt(0.5) < bounds[0] else 1
        share = information[k] / 2
        seen = Effect(value=walk[k] / share, error=share**-0.5, df=1e9, n=99)
        found = stagewise_estimate(seen, bounds[: k + 1], information[: k + 1], floors=floors[: k + 1])
        held, below = held + (found.low <= drift <= found.high), below + (found.value <= drift)
    assert held / runs == pytest.approx(0.95, abs=0.017)
    assert below / runs == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("z", [-30.0, 0.0, 30.0])
def test_a_run_that_changed_its_mind_still_has_an_interval(z: float) -> None:
    """An outcome that no constant effect explains: far out at the second look, and not crossed at the first."""
    bounds = spending_bounds([1.0, 2.0])
    for floors in (None, [0.0, -np.inf], [0.0, 0.5]):
        found = stagewise_estimate(effect(z), bounds, [1.0, 2.0], floors=floors)
        assert found.low <= found.value <= found.high


def test_futility_is_conditional_power_turned_round() -> None:
    for share in (0.2, 0.5, 0.9):
        z = futility_bound(share, bound=2.0, drift=2.8, least=0.1)
        assert conditional_power(z, share, bound=2.0, drift=2.8) == pytest.approx(0.1)


def test_the_repeated_interval_leaves_0_out_just_when_the_bound_is_crossed() -> None:
    assert repeated_estimate(effect(2.4), 2.39).low > 0 > repeated_estimate(effect(2.38), 2.39).low


@pytest.mark.parametrize(("z", "share"), [(0.0, 0.5), (1.5, 0.25), (-1.0, 0.8)])
def test_conditional_power_is_that_of_the_walk_from_here(z: float, share: float) -> None:
    rng = np.random.default_rng(2)
    ends = z * np.sqrt(share) + rng.normal(2.8 * (1 - share), np.sqrt(1 - share), 200_000)
    assert conditional_power(z, share, bound=2.0, drift=2.8) == pytest.approx((ends > 2.0).mean(), abs=0.004)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(DataError, match="looks-unordered"):
        conditional_power(1.0, 1.0, bound=2.0, drift=1.0)
    with pytest.raises(DataError, match="looks-unordered"):
        stagewise_estimate(effect(1.0), [2.0, 2.0], [1.0])
