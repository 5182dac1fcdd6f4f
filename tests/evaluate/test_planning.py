from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from martello.errors import DataError
from martello.evaluate.planning import plan_labels
from martello.stats.estimate import NotEstimable


def test_the_labels_are_those_that_the_exact_test_needs() -> None:
    (plan,) = plan_labels({"precision": 0.8}, {"precision": 0.86})
    n = np.arange(1, 2000)
    enough = binom.sf(binom.isf(0.05, n, 0.8), n, 0.86) >= 0.8
    assert plan.labels == n[~enough][-1] + 1
    # Wald: (1 - 2a) log((1 - a) / a) over the divergence of 0.86 from 0.8
    divergence = 0.86 * math.log(0.86 / 0.8) + 0.14 * math.log(0.14 / 0.2)
    assert plan.bound == pytest.approx(0.9 * math.log(19) / divergence)


def test_a_difference_of_one_point_is_said_to_cost_about_ten_thousand_labels() -> None:
    for guess in (0.79, 0.81):
        (plan,) = plan_labels({"precision": 0.8}, {"precision": guess})
        assert isinstance(plan.labels, int)
        assert plan.labels == pytest.approx(10_000, rel=0.1)
        assert f"for under about {plan.labels:,} labels" in plan.statement


def test_no_number_of_labels_decides_a_guess_on_the_floor() -> None:
    (plan,) = plan_labels({"recall": 0.5}, {"recall": 0.5})
    assert isinstance(plan.labels, NotEstimable)
    assert plan.units is None


def test_positives_and_flagged_units_are_found_among_all_by_their_share() -> None:
    precision, recall = plan_labels(
        {"precision": 0.8, "recall": 0.3}, {"precision": 0.86, "recall": 0.4}, prevalence=0.1
    )
    assert isinstance(precision.labels, int)
    assert isinstance(recall.labels, int)
    assert recall.units == math.ceil(recall.labels / 0.1)
    # flagged = found positives / precision
    assert precision.units == math.ceil(precision.labels / (0.1 * 0.4 / 0.86))


def test_a_floor_without_a_guess_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        plan_labels({"precision": 0.8, "recall": 0.3}, {"precision": 0.86})
    assert caught.value.code == "evaluate.options-disagree"
