from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from martello.stats.belief import flat_belief
from martello.stats.effects import Effect


@pytest.mark.parametrize("value", [-0.3, 0.0, 0.2, 1.5])
def test_chance_and_losses_are_those_of_the_normal_posterior(value: float) -> None:
    found = flat_belief(Effect(value=value, error=0.4, df=1e9, n=100))
    posterior = stats.norm(value, 0.4)
    assert found.better == pytest.approx(posterior.sf(0))
    assert found.loss_of_a == pytest.approx(posterior.expect(lambda d: np.maximum(d, 0), lb=0), abs=1e-7)
    assert found.loss_of_b == pytest.approx(posterior.expect(lambda d: np.maximum(-d, 0), ub=0), abs=1e-7)
