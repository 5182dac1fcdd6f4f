from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from martello.features.alone import alone_auc, one_column_scores
from martello.stats.estimate import Estimate, NotEstimable

ONES = np.ones(6)


def test_a_category_scores_its_shrunken_weighted_rate_and_an_unseen_one_the_overall_rate():
    truth = np.array([1.0, 1, 0, 0, 0, 1])
    weights = np.array([2.0, 1, 1, 1, 1, 1])
    values = ["a", "a", "a", "b", "b", None]
    overall = 4 / 7
    expected = [(3 + 10 * overall) / 14, (10 * overall) / 12, (1 + 10 * overall) / 11, overall]
    assert one_column_scores("category", values, truth, weights, ["a", "b", None, "z"]) == pytest.approx(expected)


def test_a_number_beyond_the_range_seen_scores_like_the_end_bin_and_missing_has_its_own():
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000)
    truth = (values > 0).astype(float)
    asked = [-99, values.min(), 99, None]
    scores = one_column_scores("number", [*values, None], np.append(truth, 1.0), np.ones(2001), asked)
    assert scores[0] == scores[1]
    assert scores[0] < 0.2 < 0.8 < scores[2]
    assert scores[3] == pytest.approx((1 + 10 * (truth.sum() + 1) / 2001) / 11)


def test_the_auc_is_that_of_the_optimal_order_for_a_number_that_works_by_distance():
    rng = np.random.default_rng(1)
    values = rng.normal(size=6000)
    truth = (np.abs(values) > 1).astype(float)
    sides = [(values[part].tolist(), truth[part], np.ones(3000)) for part in (slice(0, 3000), slice(3000, 6000))]
    found = alone_auc("number", *sides, cluster=None, seed=0)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(roc_auc_score(truth[3000:], np.abs(values[3000:])), abs=0.02)


def test_an_id_says_nothing_about_units_not_seen():
    truth = np.tile([0.0, 1.0], 100)
    sides = [([f"{side}{i}" for i in range(200)], truth, np.ones(200)) for side in "ab"]
    assert alone_auc("category", *sides, cluster=None, seed=0).value == 0.5


def test_free_text_and_empty_sides_are_not_estimable():
    side = (["a"] * 6, np.tile([0.0, 1.0], 3), ONES)
    empty = ([], np.empty(0), np.empty(0))
    assert isinstance(alone_auc("text", side, side, cluster=None, seed=0), NotEstimable)
    assert isinstance(alone_auc("number", empty, side, cluster=None, seed=0), NotEstimable)
