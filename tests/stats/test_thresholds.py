"""Several candidates on one set of labels: in order at full level, out of order at Holm's."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from martello.stats.thresholds import any_order_certified, fixed_sequence_certified


@pytest.mark.parametrize(("e_values", "count"), [([25, 30, 5, 99], 2), ([5, 99], 0), ([20.1], 1), ([], 0)])
def test_a_sequence_stops_at_its_first_failure(e_values, count):
    assert fixed_sequence_certified(np.log(e_values).tolist()) == count


@pytest.mark.parametrize("seed", range(6))
def test_any_order_is_holm_on_reciprocal_e_values(seed):
    log_e = np.random.default_rng(seed).normal(3.5, 2, 8)
    p_values = np.minimum(1, np.exp(-log_e))
    expected = np.flatnonzero(multipletests(p_values, 0.05, method="holm")[0]).tolist()
    assert any_order_certified(log_e.tolist()) == expected
