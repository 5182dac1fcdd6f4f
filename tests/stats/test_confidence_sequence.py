from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from martello.errors import DataError
from martello.stats.confidence_sequence import always_valid_estimate, sequence_bound
from martello.stats.effects import Effect
from martello.stats.estimate import NotEstimable


@pytest.mark.parametrize("n", [200, 5000, 80_000])
def test_the_bound_is_where_the_normal_mixture_martingale_reaches_its_error(n: int) -> None:
    """Mixing exp(λS − λ²n/2) over λ ~ N(0, ρ) gives exp(S²ρ / 2(nρ + 1)) / √(nρ + 1): by numeric integration."""
    rho = (-2 * np.log(0.05) + np.log(1 - 2 * np.log(0.05))) / 5000
    grid = np.linspace(-12, 12, 40_001) * np.sqrt(rho)
    prior = np.exp(-0.5 * grid**2 / rho) / np.sqrt(2 * np.pi * rho)

    def excess(z: float) -> float:
        value = np.trapezoid(np.exp(grid * z * np.sqrt(n) - 0.5 * grid**2 * n) * prior, grid)
        return float(np.log(value) + np.log(0.05))

    # Two-sided: |S| crosses where the symmetric mixture does.
    assert sequence_bound(n, tuned_at=5000) == pytest.approx(optimize.brentq(excess, 1.0, 8.0), rel=1e-6)


def test_no_bound_is_shorter_near_the_units_it_is_tuned_to() -> None:
    at = [sequence_bound(3000, tuned_at=units) for units in (300, 3000, 30_000)]
    assert at[1] < at[0]
    assert at[1] < at[2]
    assert min(sequence_bound(n, tuned_at=3000) for n in (100, 1000, 10_000, 10**6)) > 1.96


def test_few_units_say_nothing_yet() -> None:
    assert isinstance(always_valid_estimate(Effect(value=1, error=0.1, df=9, n=150), tuned_at=3000), NotEstimable)
    with pytest.raises(DataError, match="sample-size"):
        sequence_bound(0, tuned_at=10)
