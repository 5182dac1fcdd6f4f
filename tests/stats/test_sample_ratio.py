from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from martello.errors import DataError
from martello.stats.sample_ratio import CONCENTRATION, sample_ratio_p, watch_sample_ratio

HALF = [0.5, 0.5]


def test_at_the_end_it_is_pearsons_test() -> None:
    counts, shares = [5021, 4890, 2601], [0.4, 0.4, 0.2]
    expected = np.array(shares) * sum(counts)
    assert sample_ratio_p(counts, shares) == pytest.approx(stats.chisquare(counts, expected).pvalue)


def test_the_watch_is_the_bayes_factor_of_a_beta_around_the_plan() -> None:
    """By numeric integration over the share."""
    prior = stats.beta(CONCENTRATION * 0.3, CONCENTRATION * 0.7)
    seen = stats.binom.logpmf(400, 1000, np.linspace(0.2, 0.55, 20_001))
    weighted = np.exp(seen - seen.max()) * prior.pdf(np.linspace(0.2, 0.55, 20_001))
    evidence = np.log(integrate.simpson(weighted, x=np.linspace(0.2, 0.55, 20_001))) + seen.max()
    factor = evidence - stats.binom.logpmf(400, 1000, 0.3)
    found = watch_sample_ratio([[250, 350], [150, 250]], [0.3, 0.7])
    assert found.p == pytest.approx(np.exp(-factor), rel=1e-6)


def test_one_broken_day_is_found_though_the_totals_look_well() -> None:
    days = [[5000, 5000]] * 27 + [[5000, 4400]]
    found = watch_sample_ratio(days, HALF)
    assert (found.broken_on, found.worst_day) == (27, 27)
    assert sample_ratio_p(np.sum(days, axis=0), HALF) > 0.001


def test_a_drift_that_no_day_shows_is_found_in_the_totals() -> None:
    found = watch_sample_ratio([[485, 515]] * 60, HALF)
    assert found.broken_on is not None
    assert found.worst_day_p > 0.01


def test_days_without_units_say_nothing() -> None:
    found = watch_sample_ratio([[0, 0], [3, 1], [0, 0]], HALF)
    assert (found.broken_on, found.p) == (None, 1.0)


@pytest.mark.parametrize(
    ("counts", "shares"), [([1, 2], [0.5, 0.6]), ([1, 2, 3], HALF), ([-1, 2], HALF), ([1, 2], [1.0, 0.0])]
)
def test_shares_that_are_none_are_refused(counts: list[int], shares: list[float]) -> None:
    with pytest.raises(DataError, match="shares-unclear"):
        sample_ratio_p(counts, shares)


@pytest.mark.shared_data
def test_the_known_bad_months_of_upworthy_are_found_and_nearly_nothing_else(shared: Callable[[str], Path]) -> None:
    """The archive's authors warn of 25 June 2013 to 10 January 2014; assignment was to be even."""
    table = pd.read_parquet(shared("upworthy_tests"))
    tests = table.groupby("clickability_test_id").agg(at=("test_created_at", "min"), n=("impressions", list))
    tests = tests[tests.n.map(len) > 1]
    fails = tests.n.map(lambda n: sample_ratio_p(n, [1 / len(n)] * len(n)) < 0.001)
    bad = (tests["at"] >= "2013-06-25") & (tests["at"] < "2014-01-11")
    assert (len(tests), bad.sum()) == (2491, 531)
    assert fails[bad].mean() == pytest.approx(0.70, abs=0.01)
    assert fails[~bad].mean() < 0.006
