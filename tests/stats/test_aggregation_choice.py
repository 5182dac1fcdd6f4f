from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from martello.stats.aggregation_choice import choose_aggregation
from martello.stats.estimate import NotEstimable

TRUTH = np.arange(200) % 3


def with_errors(units: range) -> np.ndarray:
    label = TRUTH.copy()
    label[list(units)] = (label[list(units)] + 1) % 3
    return label


@pytest.mark.parametrize(
    ("of_votes", "of_model", "verdict", "use"),
    [
        (range(60), range(10), "dawid-skene", "dawid-skene"),
        (range(10), range(60), "majority", "majority"),
        (range(20), range(10, 32), "undecided", "majority"),
        (range(20), range(20), "undecided", "majority"),
    ],
)
def test_the_better_one_is_used_and_the_majority_where_check_units_do_not_tell(of_votes, of_model, verdict, use):
    found = choose_aggregation(with_errors(of_votes), with_errors(of_model), TRUTH)
    assert (found.verdict, found.use) == (verdict, use)
    assert found.difference.value == pytest.approx((len(of_votes) - len(of_model)) / 200)
    exact = stats.binomtest(200 - len(of_model), 200).proportion_ci(method="exact")
    assert (found.dawid_skene.low, found.dawid_skene.high) == pytest.approx((exact.low, exact.high))
    assert "200 check units" in found.reason


def test_a_label_that_is_unknown_is_not_right():
    found = choose_aggregation(np.full(20, -1), TRUTH[:20], TRUTH[:20])
    assert (found.majority.value, found.dawid_skene.value) == (0.0, 1.0)


def test_fewer_than_ten_check_units_decide_nothing():
    found = choose_aggregation([0] * 9, TRUTH[:9], TRUTH[:9])
    assert (found.verdict, found.use) == ("undecided", "majority")
    assert isinstance(found.difference, NotEstimable)
