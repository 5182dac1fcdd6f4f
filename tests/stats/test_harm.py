"""The expected change of a metric: oracles are populations whose shift is known, and the survey estimators."""

import numpy as np
import pytest

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.harm import density_ratio, expected_change
from martello.stats.linearization import survey_design
from martello.stats.survey import survey_mean


def world(rng, n):
    """Correct with chance .9 - .4 x, x uniform; traffic has density 0.5 + x: accuracy .7 here, .6667 there."""
    x = rng.uniform(size=n)
    return x, (rng.uniform(size=n) < 0.9 - 0.4 * x).astype(float), 0.5 + x


def test_the_change_under_a_known_shift_is_recovered():
    _, correct, ratio = world(np.random.default_rng(0), 20_000)
    change = expected_change(survey_design(weight=np.ones(20_000)), correct, ratio)
    assert change.low < -0.4 / 12 < change.high
    assert change.high < 0


def test_a_deliberately_uneven_sample_gives_the_same_answer_through_its_weights():
    rng = np.random.default_rng(4)
    x, correct, ratio = world(rng, 60_000)
    pi = np.where(x < 0.5, 0.5, 0.1)
    drawn = rng.uniform(size=x.size) < pi
    change = expected_change(survey_design(pi=pi[drawn]), correct[drawn], ratio[drawn])
    assert change.low < -0.4 / 12 < change.high


def test_without_a_shift_nothing_changes_and_the_sample_shows_no_spread():
    _, correct, _ = world(np.random.default_rng(2), 500)
    assert isinstance(expected_change(survey_design(weight=np.ones(500)), correct, np.ones(500)), NotEstimable)


def test_the_two_metrics_are_survey_means_with_the_two_weights():
    _, correct, ratio = world(np.random.default_rng(3), 3000)
    here = survey_mean(survey_design(weight=np.ones(3000)), correct).value
    there = survey_mean(survey_design(weight=ratio), correct).value
    change = expected_change(survey_design(weight=np.ones(3000)), correct, ratio)
    assert change.value == pytest.approx(there - here)


def test_odds_of_calibrated_scores_are_the_density_ratio():
    x = np.linspace(0.01, 0.99, 50)
    chance = 3 * (0.5 + x) / (3 * (0.5 + x) + 1)  # three times as much traffic as sample
    assert density_ratio(chance, n_sample=1000, n_traffic=3000) == pytest.approx(0.5 + x)


@pytest.mark.parametrize(
    "ratio",
    [
        np.where(np.arange(2000) < 60, 33.0, 1e-3),  # 60 rows stand for all traffic
        np.where(np.arange(2000) < 1, 120.0, 1.0),  # one row carries more than 5 %
        np.where(np.arange(2000) < 1000, 0.2, 1.0),  # averages .6: part of traffic has no like here
        np.zeros(2000),
    ],
)
def test_a_sample_that_cannot_stand_in_for_traffic_is_refused(ratio):
    correct = np.tile([1.0, 0.0], 1000)
    assert isinstance(expected_change(survey_design(weight=np.ones(2000)), correct, ratio), NotEstimable)


ONES = survey_design(weight=np.ones(200))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: expected_change(ONES, np.ones(200), np.full(200, -1.0)), "stats.ratio-negative"),
        (lambda: expected_change(ONES, np.full(200, np.nan), np.ones(200)), "stats.value-not-finite"),
        (lambda: expected_change(ONES, np.ones(200), np.ones(3)), "stats.length-mismatch"),
        (lambda: density_ratio([0.5, 1.0], n_sample=1, n_traffic=1), "stats.score-not-a-probability"),
        (lambda: density_ratio([0.5, np.nan], n_sample=1, n_traffic=1), "stats.score-not-a-probability"),
    ],
)
def test_bad_input_is_refused_by_name(call, code):
    with pytest.raises(DataError) as fault:
        call()
    assert fault.value.code == code
