"""Forecasts agree with exact costs where those exist, and refuse to promise a hair's breadth."""

import numpy as np
import pytest

from martello.errors import DataError
from martello.stats.estimate import NotEstimable, Verdict
from martello.stats.label_budget import rule_cost
from martello.stats.labels_left import Forecast, costs_at_distance, forecast_labels, planned_costs
from martello.stats.power_floor import information_bound


def _forecast(distance, n=400, evidence=(0.0, 0.0), **changed):
    settings = {"bar": np.log(20), "remaining": 100_000, "gap": distance / 2, "name": "precision"} | changed
    return forecast_labels(distance, n, evidence, **settings)


@pytest.mark.parametrize("gap", [-0.1, -0.06, -0.02, 0.02, 0.06, 0.1])
def test_planned_cost_is_close_to_the_exact_one(gap):
    (cost,) = [c for c in planned_costs(0.80, gaps=(abs(gap),)) if (c.true_value > 0.8) == (gap > 0)]
    exact = rule_cost(0.80, 0.80 + gap, level=0.95, budget=40_000).expected
    assert cost.labels == pytest.approx(exact, rel=0.08)
    assert cost.labels > information_bound(0.80 + gap, 0.80)


def test_a_hundredth_costs_ten_thousand_labels():
    costs = planned_costs(0.80, gaps=(0.01,))
    assert all(cost.labels > 10_000 for cost in costs)


def test_gaps_beyond_the_scale_are_left_out():
    assert [round(cost.true_value, 2) for cost in planned_costs(0.95, gaps=(0.02, 0.08))] == [0.87, 0.93, 0.97]


def test_more_evidence_means_fewer_labels():
    assert _forecast(0.2, evidence=(2.5, -5.0)).labels < _forecast(0.2, evidence=(0.5, -5.0)).labels


def test_a_range_holds_its_middle_and_ends_at_a_full_count():
    found = _forecast(0.01, n=30, gap=0.05, remaining=700)
    assert found.low <= found.labels <= found.high == 700


def test_the_sign_of_the_distance_says_which_way():
    assert _forecast(0.1).toward is Verdict.MET
    assert _forecast(-0.1).toward is Verdict.NOT_MET


def test_too_close_to_call_is_said_plainly():
    found = _forecast(0.01, n=5_000, gap=0.004)
    assert isinstance(found, NotEstimable)
    assert "0.01" in found.reason
    assert "10,000" in found.reason


def test_a_handful_of_labels_makes_no_forecast():
    assert isinstance(_forecast(0.2, n=29), NotEstimable)
    assert isinstance(_forecast(0.2, n=30), Forecast)
    assert isinstance(_forecast(0.2, n=5, remaining=12), Forecast)


def test_costs_at_a_distance_agree_with_the_plain_rule():
    """A share of .86 against .80: distance .06 in units of the label's spread at the requirement."""
    (cost,) = costs_at_distance([(0.86, 0.06 / 0.4)], bar=np.log(20), remaining=10**6)
    assert cost.labels == pytest.approx(rule_cost(0.80, 0.86, level=0.95, budget=20_000).expected, rel=0.12)


def test_a_small_pool_is_counted_out_even_when_it_is_close():
    assert isinstance(_forecast(0.01, n=5_000, gap=0.004, remaining=900), Forecast)


def test_a_percentage_is_refused_by_name():
    with pytest.raises(DataError, match=r"stats\.requirement-out-of-range"):
        planned_costs(80)
