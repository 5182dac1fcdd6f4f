"""Against the tables of Jennison and Turnbull (2000) and of Reboussin, DeMets, Kim and Lan (2000)."""

from __future__ import annotations

import math

import pytest
from scipy import optimize, stats

from martello.errors import DataError
from martello.stats.crossing import cross_chances
from martello.stats.spending import classic_bounds, spending_bounds, spent_error

POCOCK = {0.05: {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555}, 0.01: {2: 2.772, 3: 2.873, 4: 2.939, 5: 2.986}}
FLEMING = {0.05: {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 10: 2.087}, 0.01: {2: 2.580, 3: 2.595, 4: 2.609, 5: 2.621}}


@pytest.mark.parametrize("error", [0.05, 0.01])
def test_pococks_constants_are_those_of_table_2_1(error: float) -> None:
    for looks, constant in POCOCK[error].items():
        bounds = classic_bounds(looks, error=error, shape="pocock")
        assert bounds == pytest.approx([constant] * looks, abs=6e-4)


@pytest.mark.parametrize("error", [0.05, 0.01])
def test_o_brien_and_flemings_constants_are_those_of_table_2_3(error: float) -> None:
    for looks, constant in FLEMING[error].items():
        want = [constant * math.sqrt(looks / look) for look in range(1, looks + 1)]
        assert classic_bounds(looks, error=error) == pytest.approx(want, rel=4e-4)


def test_spending_at_five_equal_looks_gives_the_published_bounds() -> None:
    assert spending_bounds([1, 2, 3, 4, 5], sides=2) == pytest.approx(
        [4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4
    )
    assert spending_bounds([1, 2, 3, 4, 5], sides=2, shape="pocock") == pytest.approx(
        [2.4380, 2.4268, 2.4101, 2.3966, 2.3859], abs=2e-4
    )


@pytest.mark.parametrize(
    ("shape", "factors"),
    [
        ("pocock", {2: 1.110, 3: 1.166, 4: 1.202, 5: 1.229}),
        ("obrien-fleming", {2: 1.008, 3: 1.017, 4: 1.024, 5: 1.028}),
    ],
)
def test_the_price_in_units_is_that_of_tables_2_2_and_2_4(shape: str, factors: dict[int, float]) -> None:
    once = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    for looks, factor in factors.items():
        bounds = classic_bounds(looks, shape=shape)  # type: ignore[arg-type]
        times = [look / looks for look in range(1, looks + 1)]

        def excess(drift: float, bounds: tuple[float, ...] = bounds, times: list[float] = times) -> float:
            return float(cross_chances([-one for one in bounds], bounds, times, drift=drift)[1].sum()) - 0.8

        assert (optimize.brentq(excess, 2, 5) / once) ** 2 == pytest.approx(factor, abs=2e-3)


@pytest.mark.parametrize("shape", ["obrien-fleming", "pocock"])
def test_whatever_the_looks_all_error_is_spent_and_no_more(shape: str) -> None:
    information, times = [3.0, 3.1, 9.0, 20.0], [0.1, 0.5, 0.6, 1.0]
    bounds = spending_bounds(information, times, error=0.025, shape=shape)  # type: ignore[arg-type]
    up = cross_chances([-math.inf] * 4, bounds, information)[1]
    assert up.cumsum() == pytest.approx([spent_error(t, error=0.025, shape=shape) for t in times], abs=1e-8)  # type: ignore[arg-type]


def test_a_look_ahead_does_not_move_the_bounds_behind() -> None:
    early = spending_bounds([1, 2], [0.2, 0.5])
    assert spending_bounds([1, 2, 7], [0.2, 0.5, 1.0])[:2] == pytest.approx(early)


def test_one_look_is_the_normal_quantile_and_a_first_look_with_nothing_to_spend_is_out_of_reach() -> None:
    assert spending_bounds([5.0]) == pytest.approx([stats.norm.ppf(0.975)])
    assert spending_bounds([1.0, 100.0], [0.01, 1.0])[0] == math.inf


def test_looks_out_of_order_are_refused() -> None:
    for times in ([0.5, 0.5], [0.5, 0.2], [0.5, 1.1], [0.5]):
        with pytest.raises(DataError, match="looks-unordered"):
            spending_bounds([1, 2], times)
    with pytest.raises(DataError, match="looks-unordered"):
        classic_bounds(0)
