from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar

from martello.evaluate.shipped import Shipped, compare_with_shipped
from martello.evaluate.units import GoldUnits
from martello.stats.estimate import Estimate


def gold(n: int = 1000, cluster: np.ndarray | None = None) -> GoldUnits:
    truth = np.arange(n) % 2
    flat = np.full((n, 2), 0.5)
    return GoldUnits(truth=truth, scores=flat, constant=flat, weight=np.ones(n), cluster=cluster, slices={})


def outputs(units: GoldUnits, wrong: range) -> np.ndarray:
    output = units.truth.copy()
    output[list(wrong)] = 1 - output[list(wrong)]
    return output


@pytest.mark.parametrize("gain", [0, 5, 10, 15, 20, 40])
def test_it_is_better_exactly_when_the_one_sided_sign_test_rejects(gain: int) -> None:
    units = gold()
    new, old = outputs(units, range(20)), outputs(units, range(10, 30 + gain))
    found = compare_with_shipped(units, new, Shipped(release="r", output=old), error=0.025, level=0.95)
    only_new, only_old = 10 + gain, 10
    assert (found.only_new_right, found.only_shipped_right) == (only_new, only_old)
    expected = binomtest(only_new, only_new + only_old, alternative="greater").pvalue <= 0.025
    assert found.is_better == expected
    two_sided = mcnemar([[0, only_new], [only_old, 0]], exact=True).pvalue
    assert binomtest(only_new, only_new + only_old).pvalue == pytest.approx(two_sided)


def test_copies_of_a_unit_do_not_make_it_better() -> None:
    units = gold(1000, cluster=np.repeat([f"c{i}" for i in range(10)], 100))
    new, old = outputs(units, range(0)), outputs(units, range(100))  # one cluster, a hundred copies
    found = compare_with_shipped(units, new, Shipped(release="r", output=old), error=0.025, level=0.95)
    assert found.only_new_right == 100
    assert not found.is_better


def test_when_gold_is_used_up_nothing_is_decided_but_the_pairs_are_shown() -> None:
    units = gold()
    shipped = Shipped(release="r", output=outputs(units, range(200)))
    found = compare_with_shipped(units, units.truth, shipped, error=None, level=0.95)
    assert not found.is_better
    assert isinstance(found.difference, Estimate)
    assert found.difference.value == pytest.approx(0.2)
