"""Ranked lists against scikit-learn and against every order of the ties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.ranking_metrics import estimate_ranking_metric, query_values


@pytest.fixture
def lists():
    rng = np.random.default_rng(2)
    query = np.repeat(np.arange(25), rng.integers(2, 12, 25))
    order = rng.permutation(len(query))
    relevance = rng.integers(0, 4, len(query)) * (rng.random(len(query)) < 0.6)
    return query[order], relevance, rng.integers(0, 6, len(query)) / 6


@pytest.mark.parametrize("at", [None, 3])
@pytest.mark.parametrize("gain", ["linear", "exponential"])
def test_ndcg_equals_scikit_learn_with_ties(lists, at, gain):
    query, relevance, score = lists
    found = query_values("ndcg", query, relevance, score, at=at, gain=gain, empty="zero")
    gains = relevance if gain == "linear" else 2.0**relevance - 1
    expected = [metrics.ndcg_score([gains[query == q]], [score[query == q]], k=at) for q in found.query]
    assert found.value == pytest.approx(expected)


def test_map_equals_scikit_learn(lists):
    query, relevance, score = lists
    found = query_values("map", query, relevance, score)
    for name, value in zip(found.query, found.value, strict=True):
        rows = query == name
        if (relevance[rows] > 0).any():
            assert value == pytest.approx(metrics.average_precision_score(relevance[rows] > 0, score[rows]))
        else:
            assert np.isnan(value)


@pytest.mark.parametrize("at", [None, 2])
@pytest.mark.parametrize("relevance", [[0, 1, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 1]])
def test_reciprocal_rank_is_the_mean_over_all_orders_of_the_ties(relevance, at):
    score = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    expected = []
    for tied in itertools.permutations([1, 2, 3]):
        first = next(rank for rank, row in enumerate([0, *tied, 4], start=1) if relevance[row])
        expected.append(1 / first if at is None or first <= at else 0.0)
    found = query_values("mrr", ["q"] * 5, relevance, score, at=at)
    assert found.value[0] == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(("empty", "expected"), [("skip", 1.0), ("zero", 0.5), ("one", 1.0)])
def test_the_rule_for_queries_without_a_relevant_item_is_followed(empty, expected):
    query = np.repeat(["a", "b", "c", "d"], 2)
    relevance = [1, 0, 0, 0, 1, 0, 0, 0]
    found = estimate_ranking_metric("mrr", query, relevance, [2, 1] * 4, empty=empty)
    assert found.value == expected


def test_the_interval_is_students_t_over_queries(lists):
    values = query_values("ndcg", *lists).value
    values = values[np.isfinite(values)]
    found = estimate_ranking_metric("ndcg", *lists)
    assert found.n == len(values)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))


def test_queries_of_one_user_count_together(lists):
    query, relevance, score = lists
    found = estimate_ranking_metric("ndcg", query, relevance, score, cluster=query // 5)
    by_query = query_values("ndcg", query, relevance, score)
    counted = np.isfinite(by_query.value)
    totals = np.bincount(by_query.query[counted] // 5, weights=(by_query.value - found.value)[counted])
    error = np.sqrt(5 / 4 * np.sum(totals**2)) / counted.sum()
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 4) * error)


def test_lists_that_are_all_perfect_are_not_certain():
    found = estimate_ranking_metric("mrr", np.repeat(np.arange(10), 2), [1, 0] * 10, [2, 1] * 10)
    assert found.low == pytest.approx(stats.binomtest(10, 10).proportion_ci().low)


def test_no_relevant_item_anywhere_is_not_estimable():
    assert isinstance(estimate_ranking_metric("map", ["a", "b"], [0, 0], [1, 2]), NotEstimable)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "err"}, "stats.unknown-metric"),
        ({"gain": "cubic"}, "stats.unknown-rule"),
        ({"empty": "half"}, "stats.unknown-rule"),
        ({"at": 0}, "stats.cutoff-not-possible"),
        ({"name": "map", "at": 3}, "stats.cutoff-not-possible"),
        ({"relevance": [1, -1]}, "stats.label-outside-classes"),
        ({"weight": [1.0, 2.0]}, "stats.query-not-constant"),
        ({"score": [1.0]}, "stats.length-mismatch"),
    ],
)
def test_bad_settings_and_rows_are_refused_by_name(change, code):
    given = {"name": "ndcg", "query": ["a", "a"], "relevance": [1, 0], "score": [0.2, 0.1]} | change
    with pytest.raises(DataError) as caught:
        estimate_ranking_metric(**given)
    assert caught.value.code == code
