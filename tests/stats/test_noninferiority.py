from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from martello.errors import DataError
from martello.stats.arms import ArmMean
from martello.stats.effects import Effect, p_value
from martello.stats.estimate import NotEstimable
from martello.stats.noninferiority import Margin, margin_effect

RNG = np.random.default_rng(6)
OLD, NEW = RNG.normal(10, 2, 300), RNG.normal(9.9, 2.5, 340)


def arm(values: np.ndarray) -> ArmMean:
    return ArmMean(n=len(values), mean=values.mean(), variance=values.var(ddof=1))


@pytest.mark.parametrize(
    ("margin", "factor", "shift"), [(Margin(size=0.3), 1.0, -0.3), (Margin(size=0.05, is_relative=True), 0.95, 0.0)]
)
def test_it_is_welchs_test_against_the_margin(margin: Margin, factor: float, shift: float) -> None:
    found = margin_effect(arm(OLD), arm(NEW), margin)
    assert isinstance(found, Effect)
    theirs = CompareMeans(DescrStatsW(NEW), DescrStatsW(factor * OLD)).ttest_ind(usevar="unequal", value=shift)
    assert (found.value / found.error, p_value(found), found.df) == pytest.approx(theirs)


def test_where_less_is_better_the_sides_change() -> None:
    up = margin_effect(arm(-OLD + 20), arm(-NEW + 20), Margin(size=0.3))
    down = margin_effect(arm(OLD), arm(NEW), Margin(size=0.3, is_up_better=False))
    assert isinstance(up, Effect)
    assert isinstance(down, Effect)
    assert (up.value, up.error) == pytest.approx((down.value, down.error))


def test_a_share_of_nothing_is_no_margin() -> None:
    assert isinstance(
        margin_effect(ArmMean(n=9, mean=0.0, variance=1.0), arm(NEW), Margin(size=0.1, is_relative=True)), NotEstimable
    )
    with pytest.raises(DataError, match="margin-negative"):
        Margin(size=-0.1)
