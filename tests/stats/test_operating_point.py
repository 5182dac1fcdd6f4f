"""The precision–recall curve, and the threshold that gold will most likely certify."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from sklearn.metrics import precision_recall_curve

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.operating_point import choose_threshold, pr_curve
from martello.stats.shares import precision_estimate, recall_estimate


def _rows(n, seed=0):
    rng = np.random.default_rng(seed)
    score = special.expit(rng.normal(-2, 1.8, n))
    return rng.random(n) < score, score


def test_the_curve_lies_on_scikit_learns():
    truth, score = _rows(400)
    precision, recall, threshold = precision_recall_curve(truth, score)
    expected = {t: (p, r) for t, p, r in zip(threshold, precision, recall, strict=False)}
    found = pr_curve(truth, score, points=30)
    for at, one in enumerate(found.threshold):
        assert (found.precision[at], found.recall[at]) == pytest.approx(expected[one])


def test_its_intervals_are_those_of_precision_and_recall_at_each_threshold():
    truth, score = _rows(400)
    cluster = np.arange(400) // 4
    found = pr_curve(truth, score, points=10, cluster=cluster)
    flagged = score >= found.threshold[6]
    of_precision = precision_estimate(truth, flagged, cluster=cluster)
    of_recall = recall_estimate(truth, flagged, cluster=cluster)
    assert (found.precision_low[6], found.precision_high[6]) == (of_precision.low, of_precision.high)
    assert (found.recall_low[6], found.recall_high[6]) == (of_recall.low, of_recall.high)


def test_points_are_even_in_recall_and_end_at_all_positives():
    truth, score = _rows(2000)
    found = pr_curve(truth, score, points=20)
    assert found.recall == pytest.approx(np.linspace(0.05, 1, 20), abs=0.01)
    assert found.recall[-1] == 1.0
    assert list(found.threshold) == sorted(found.threshold, reverse=True)


def test_a_curve_without_positives_has_no_points():
    assert pr_curve([0, 0], [0.1, 0.2]).threshold == ()


def test_where_one_cluster_holds_all_flagged_rows_nothing_is_known():
    found = pr_curve([1, 1, 0, 1], [0.9, 0.8, 0.3, 0.2], cluster=["a", "a", "b", "c"])
    assert (found.precision_low[1], found.precision_high[1]) == (0.0, 1.0)


def test_the_chosen_threshold_meets_the_floor_in_the_population():
    """With this model the precision among scores above t is known: the mean of the scores there."""
    truth, score = _rows(5000)
    choice = choose_threshold(truth, score, precision=0.7, gold_n=5000)
    population = _rows(500_000, seed=1)[1]
    real = population[population >= choice.threshold].mean()
    assert choice.chance >= 0.9
    assert 0.7 < real < 0.85
    assert choice.flagged_share == pytest.approx((population >= choice.threshold).mean(), abs=0.01)


def test_a_larger_gold_set_allows_a_looser_threshold():
    truth, score = _rows(4000)
    small, large = (choose_threshold(truth, score, precision=0.6, gold_n=n) for n in (1500, 15_000))
    assert large.threshold < small.threshold
    assert large.recall.value > small.recall.value


def test_recall_alone_takes_the_strictest_threshold_that_will_pass():
    truth, score = _rows(5000)
    choice = choose_threshold(truth, score, recall=0.5, gold_n=5000)
    assert choice.chance >= 0.9
    assert 0.5 < choice.recall.value < 0.65
    assert "precision" in choice.why


def test_the_chance_is_the_chance_of_the_exact_test_when_the_curve_is_known():
    """So many dev units that precision is known: then the chance is the power of the exact binomial test."""
    truth, score = _rows(400_000)
    rounded = np.where(score > 0.6, 0.9, 0.1)
    p, share = truth[score > 0.6].mean(), (score > 0.6).mean()
    floor = p - 0.05
    choice = choose_threshold(truth, rounded, precision=floor, gold_n=4000)
    sizes = np.arange(1, 1200)
    needed = stats.binom.isf(0.05, sizes, floor) + 1
    power = np.sum(stats.binom.pmf(sizes, 4000, share) * stats.binom.sf(needed - 1, sizes, p))
    assert choice.threshold == 0.9
    assert choice.chance == pytest.approx(power, abs=0.03)


def test_an_unreachable_floor_gives_the_best_there_is_and_says_so():
    rng = np.random.default_rng(1)
    choice = choose_threshold(rng.random(500) < 0.1, rng.random(500), precision=0.9, gold_n=500)
    assert choice.chance < 0.1
    assert "no threshold" in choice.why


@pytest.mark.parametrize("truth", [np.zeros(40), np.ones(40), np.arange(40) >= 20])
def test_one_class_and_perfect_scores_still_give_a_choice(truth):
    choice = choose_threshold(truth, np.arange(40) / 40, precision=0.5, recall=0.5, gold_n=200)
    assert 0 <= choice.chance <= 1
    assert (choice.chance > 0.9) == bool(truth.any())
    assert isinstance(choice.recall, NotEstimable) == (not truth.any())


def test_clusters_lower_the_chance():
    truth, score = _rows(600)
    copied = {"truth": np.repeat(truth, 5), "score": np.repeat(score, 5)}
    row_by_row = choose_threshold(**copied, precision=0.7, gold_n=3000)
    clustered = choose_threshold(**copied, precision=0.7, gold_n=3000, cluster=np.repeat(np.arange(600), 5))
    assert clustered.chance < row_by_row.chance


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"gold_n": 100}, "stats.no-requirement"),
        ({"gold_n": 100, "precision": 80}, "stats.floor-out-of-range"),
        ({"gold_n": 0, "precision": 0.8}, "stats.empty"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(settings, code):
    with pytest.raises(DataError) as caught:
        choose_threshold([0, 1], [0.1, 0.2], **settings)
    assert caught.value.code == code
