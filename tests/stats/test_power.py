"""Sample sizes against published and measured numbers, statsmodels, and brute force."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import power_proportions_2indep, proportion_confint

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.power import (
    detectable_second_rate,
    labels_for_auc,
    labels_for_paired,
    labels_for_reuse,
    labels_for_two_rates,
    labels_for_width,
    power_for_auc,
    power_for_paired,
    power_for_two_rates,
)


@pytest.mark.parametrize(
    ("base", "sizes"),
    [
        (0.02, ("7.73e+06", "1.94e+06", "3.15e+05", "8.07e+04")),
        (0.10, ("1.42e+06", "3.56e+05", "5.78e+04", "1.47e+04")),
    ],
)
def test_users_per_arm_are_those_of_the_planning_table(base, sizes):
    """Lifts of 1, 2, 5 and 10 %, level .95, power .8."""
    got = [labels_for_two_rates(base, base * (1 + lift)) for lift in (0.01, 0.02, 0.05, 0.10)]
    assert tuple(f"{n:.2e}" for n in got) == sizes


def test_power_of_a_planned_test_is_what_was_simulated():
    """4,000 simulated tests of 14,000 users per arm found 78 % and 98 % of the true lifts."""
    assert power_for_two_rates(0.10, 0.110, 14_000) == pytest.approx(0.78, abs=0.01)
    assert power_for_two_rates(0.10, 0.115, 14_000) == pytest.approx(0.98, abs=0.01)


def test_two_rate_power_agrees_with_statsmodels():
    expected = power_proportions_2indep(0.05, 0.30, 800, return_results=False)
    assert power_for_two_rates(0.30, 0.35, 800) == pytest.approx(expected, abs=0.005)  # pooled there, unpooled here


def test_the_detectable_rate_is_the_inverse_of_the_sample_size():
    n = labels_for_two_rates(0.2, 0.23, power=0.9)
    assert detectable_second_rate(0.2, n, power=0.9) == pytest.approx(0.23, abs=1e-5)
    assert isinstance(detectable_second_rate(0.9, 5), NotEstimable)


def brute_force_paired_power(n, gains, losses):
    share = [gains, losses, 1 - gains - losses]
    return sum(
        stats.multinomial.pmf([b, c, n - b - c], n, share)
        for b in range(n + 1)
        for c in range(n + 1 - b)
        if mcnemar([[0, b], [c, 0]], exact=True).pvalue <= 0.05
    )


@pytest.mark.parametrize(("n", "gains", "losses"), [(25, 0.4, 0.1), (30, 0.5, 0.0), (12, 0.3, 0.6)])
def test_paired_power_is_the_sum_over_all_tables_of_mcnemars_exact_test(n, gains, losses):
    assert power_for_paired(n, gains, losses) == pytest.approx(brute_force_paired_power(n, gains, losses), abs=1e-12)


def test_paired_size_is_the_first_that_reaches_the_power():
    n = labels_for_paired(0.06, 0.03)
    assert power_for_paired(n, 0.06, 0.03) >= 0.8 > power_for_paired(n - 1, 0.06, 0.03)
    normal = ((1.959964 * np.sqrt(0.09) + 0.841621 * np.sqrt(0.09 - 0.03**2)) / 0.03) ** 2  # Connor 1987
    assert normal < n < 1.1 * normal


@pytest.mark.parametrize(
    ("prevalence", "labels"),
    [(0.5, [332, 146, 81, 34]), (0.2, [528, 234, 130, 55]), (0.05, [1793, 796, 443, 188])],
)
def test_labels_to_show_a_signal_of_auc_60_65_70_80(prevalence, labels):
    assert [labels_for_auc(auc, prevalence=prevalence) for auc in (0.60, 0.65, 0.70, 0.80)] == labels


def test_auc_power_agrees_with_simulated_rank_tests():
    rng = np.random.default_rng(7)
    shift = np.sqrt(2) * stats.norm.ppf(0.65)
    x, y = rng.normal(size=(2000, 73)), rng.normal(shift, size=(2000, 73))
    found = stats.mannwhitneyu(y, x, alternative="greater", axis=1).pvalue < 0.01
    assert power_for_auc(146, 0.65, level=0.99) == pytest.approx(found.mean(), abs=0.04)


def test_interval_width_is_that_of_the_exact_interval():
    for rate, width in ((0.8, 0.1), (0.5, 0.05), (0.02, 0.03)):
        n = labels_for_width(rate, width)
        widths = [np.ptp(proportion_confint(m * rate, m, method="beta")) for m in (n - 1, n)]
        assert widths[1] <= width < widths[0]


def test_gold_set_sizes_of_the_continuous_integration_paper():
    """Renggli et al. 2019: 29K and 67K at churn .1, tolerance .01, 32 queries, error 1e-4; Hoeffding without."""
    assert [labels_for_reuse(t) for t in (0.01, 0.02, 0.05, 0.1)] == [14_979, 3_745, 600, 150]
    reuse = {"level": 0.9999, "queries": 32, "churn": 0.1}
    assert labels_for_reuse(0.01, **reuse) == pytest.approx(29_047, abs=1)
    assert labels_for_reuse(0.01, **reuse, adaptive=True) == pytest.approx(67_705, abs=1)


@pytest.mark.parametrize(
    "plan",
    [
        lambda: labels_for_two_rates(0.2, 0.2),
        lambda: labels_for_paired(0.1, 0.1),
        lambda: labels_for_paired(0.1, 0.09999),
        lambda: labels_for_auc(0.5),
        lambda: labels_for_auc(0.5001),
        lambda: labels_for_width(0.5, 0.0001),
    ],
)
def test_a_difference_that_no_labels_show_is_not_estimable(plan):
    assert isinstance(plan(), NotEstimable)


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (lambda: labels_for_two_rates(0.0, 0.2), "stats.not-a-probability"),
        (lambda: labels_for_two_rates(0.1, 0.2, level=95), "stats.not-a-probability"),
        (lambda: labels_for_paired(0.7, 0.6), "stats.not-a-probability"),
        (lambda: labels_for_paired(0.0, 0.0), "stats.not-a-probability"),
        (lambda: labels_for_auc(1.0), "stats.auc-out-of-range"),
        (lambda: labels_for_auc(0.3), "stats.auc-out-of-range"),
        (lambda: power_for_auc(0, 0.7), "stats.sample-size"),
        (lambda: labels_for_reuse(0.1, queries=0), "stats.sample-size"),
        (lambda: labels_for_width(0.5, float("nan")), "stats.not-a-probability"),
    ],
)
def test_impossible_plans_are_refused_by_name(plan, code):
    with pytest.raises(DataError) as fault:
        plan()
    assert fault.value.code == code
