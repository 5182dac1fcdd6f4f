"""Labels against a floor: measured tables, and scipy's binomial test as the rule that is planned for."""

import numpy as np
import pytest
from scipy import stats

from martello.stats.estimate import NotEstimable
from martello.stats.power_floor import detectable_rate, information_bound, labels_for_floor, power_for_floor

RATES = (0.74, 0.78, 0.82, 0.86, 0.90)


def test_the_information_bound_of_the_table():
    assert [round(information_bound(rate, 0.80)) for rate in RATES] == [252, 2172, 2065, 216, 72]


def test_first_sizes_of_the_fixed_size_rule():
    """At power .95 and .80."""
    assert [labels_for_floor(r, 0.80, power=0.95, stable=False) for r in (0.74, 0.78, 0.86, 0.90)] == [
        535,
        4491,
        425,
        135,
    ]
    assert [labels_for_floor(r, 0.80, stable=False) for r in RATES] == [304, 2560, 2398, 249, 82]


@pytest.mark.parametrize(
    ("share", "sizes"),
    [(4, (384, 126)), (8, (451, 145)), (16, (513, 171)), (32, (581, 190)), (64, (649, 216)), (2**8, (774, 255))],
)
def test_sizes_when_the_error_is_shared_among_gold_queries(share, sizes):
    level = 1 - 0.05 / share
    assert tuple(labels_for_floor(r, 0.80, level=level, stable=False) for r in (0.86, 0.90)) == sizes


def exact_power(n, rate, floor, side):
    return sum(stats.binom.pmf(k, n, rate) for k in range(n + 1) if stats.binomtest(k, n, floor, side).pvalue <= 0.05)


@pytest.mark.parametrize(("rate", "side"), [(0.9, "greater"), (0.6, "less")])
def test_power_is_that_of_the_binomial_test(rate, side):
    for n in (1, 20, 57, 100):
        assert power_for_floor(n, rate, 0.80) == pytest.approx(exact_power(n, rate, 0.80, side), abs=1e-12)


def test_a_stable_size_is_never_followed_by_a_loss_of_power():
    n = labels_for_floor(0.90, 0.80, power=0.95)
    first = labels_for_floor(0.90, 0.80, power=0.95, stable=False)
    assert first < n
    assert exact_power(n - 1, 0.90, 0.80, "greater") < 0.95
    assert min(exact_power(m, 0.90, 0.80, "greater") for m in range(n, n + 60)) >= 0.95


def test_the_detectable_rate_is_the_inverse_of_the_size():
    rate = detectable_rate(300, 0.80, power=0.9)
    assert power_for_floor(300, rate, 0.80) == pytest.approx(0.9)


def test_too_few_labels_certify_nothing_and_the_refusal_says_how_many_would():
    refusal = detectable_rate(5, 0.80)
    assert refusal == NotEstimable(reason="5 labels cannot certify 0.8, even all correct", needs="14 labels")
    assert stats.binomtest(14, 14, 0.80, "greater").pvalue <= 0.05 < stats.binomtest(13, 13, 0.80, "greater").pvalue


def test_a_rate_at_the_floor_is_undecidable_and_one_beside_it_too_dear():
    assert isinstance(labels_for_floor(0.80, 0.80), NotEstimable)
    assert isinstance(information_bound(0.80, 0.80), NotEstimable)
    assert isinstance(labels_for_floor(0.8001, 0.80), NotEstimable)


def test_no_fixed_size_beats_the_bound():
    for rate in np.arange(0.5, 0.99, 0.07):
        if abs(rate - 0.8) > 0.02:
            assert labels_for_floor(rate, 0.80, power=0.95, stable=False) > information_bound(rate, 0.80)
