from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from martello.errors import DataError
from martello.stats.crossing import cross_chances, upper_cross_chance


@pytest.mark.parametrize("drift", [0.0, 0.7, -1.1])
def test_never_crossing_is_a_multivariate_normal_box(drift: float) -> None:
    information, upper, lower = np.array([1.0, 1.7, 4.0]), [2.4, 2.1, 2.0], [-1.0, -0.5, -0.2]
    root = np.sqrt(information)
    correlation = np.minimum.outer(information, information) / np.outer(root, root)
    box = stats.multivariate_normal(mean=drift * root, cov=correlation, abseps=1e-9, releps=1e-9)
    inside = box.cdf(upper, lower_limit=lower, rng=1)
    down, up = cross_chances(lower, upper, information.tolist(), drift=drift)
    assert 1 - down.sum() - up.sum() == pytest.approx(inside, abs=1e-6)


def test_one_look_is_the_normal_tail() -> None:
    assert upper_cross_chance([1.2], [4.0], drift=0.5) == pytest.approx(stats.norm.sf(1.2 - 1.0))


def test_many_looks_still_add_up() -> None:
    """28 equal looks at ±1.96: 27 % wrongly significant, as a t test looked at daily."""
    down, up = cross_chances([-1.96] * 28, [1.96] * 28, list(range(1, 29)))
    rng = np.random.default_rng(5)
    walks = np.abs(rng.normal(size=(40_000, 28)).cumsum(axis=1) / np.sqrt(np.arange(1, 29))).max(axis=1) > 1.96
    assert down.sum() + up.sum() == pytest.approx(walks.mean(), abs=0.01)
    assert down == pytest.approx(up)


def test_looks_must_bring_information() -> None:
    with pytest.raises(DataError, match="looks-unordered"):
        cross_chances([-2, -2], [2, 2], [1.0, 1.0])
