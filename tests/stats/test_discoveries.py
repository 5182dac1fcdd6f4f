from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from martello.stats.discoveries import find_discoveries
from martello.stats.effects import Effect, p_value

EFFECTS = {
    f"m{i}": Effect(value=value, error=1.0, df=5000, n=5002) for i, value in enumerate([4, 3, 2.5, 1.9, 1, 0.2, -3.2])
}


def test_what_is_found_is_what_benjamini_and_hochberg_find() -> None:
    found = find_discoveries(EFFECTS)
    reject, adjusted, *_ = multipletests([p_value(one) for one in EFFECTS.values()], method="fdr_bh")
    assert [one.is_found for one in found] == reject.tolist()
    assert [one.adjusted for one in found] == pytest.approx(adjusted)


def test_intervals_of_what_is_found_are_wider_and_leave_0_out() -> None:
    found = {one.name: one for one in find_discoveries(EFFECTS)}
    level = 1 - 0.05 * 4 / 7
    assert found["m0"].estimate.high - 4 == pytest.approx(stats.t.ppf(0.5 + level / 2, 5000))
    assert all(one.estimate.low > 0 or one.estimate.high < 0 for one in found.values() if one.is_found)
    assert found["m4"].estimate.level == 0.95


def test_nothing_in_nothing_out() -> None:
    assert find_discoveries({}) == ()
    rng = np.random.default_rng(0)
    quiet = {str(i): Effect(value=z, error=1.0, df=1e9, n=10) for i, z in enumerate(rng.normal(0, 0.5, 30))}
    assert not any(one.is_found for one in find_discoveries(quiet))
