"""A verdict about a population keeps its error, though the pool it was drawn from is itself a matter of chance."""

from __future__ import annotations

import numpy as np
import pytest

from martello.evaluate.bought import DevTruth, GoldPool, begin, buy_labels, terms_of
from martello.spec.schema import Requirement
from martello.stats.estimate import Verdict

pytestmark = pytest.mark.guarantee

N_POOL, RUNS, ERROR = 1500, 600, 0.05


def verdict(precision: float, recall: float | None, requirement: Requirement, seed: int) -> Verdict:
    """One pool of a population in which 20 % are flagged and flagged ones are right as often as said."""
    rng = np.random.default_rng(seed)
    flagged = rng.random(N_POOL) < 0.2
    rest = 0.02 if recall is None else 0.2 * precision * (1 / recall - 1) / 0.8
    truth = rng.random(N_POOL) < np.where(flagged, precision, rest)
    scores = np.where(flagged, 0.5 + 0.5 * rng.random(N_POOL), 0.49 * rng.random(N_POOL))
    pool = GoldPool(scores=scores, weight=np.ones(N_POOL), cluster=None, slices={})
    dev_truth = rng.random(800) < 0.2 * precision + 0.8 * rest
    dev = DevTruth(truth=dev_truth, weight=np.ones(800), cluster=None, slices={})
    terms = terms_of(pool, dev, threshold=0.5, requirement=requirement, error=ERROR)
    process = begin(pool, terms, threshold=0.5, requirement=requirement, sampler="weighted", seed=seed)
    buy_labels(process, terms, truth.astype(np.int64))
    return process.verdict


def rate(verdicts: list[Verdict], which: Verdict) -> float:
    return sum(each is which for each in verdicts) / len(verdicts)


def test_a_population_just_below_the_floor_is_hardly_ever_shipped():
    found = [verdict(0.795, None, Requirement(precision=0.8), seed) for seed in range(RUNS)]
    assert rate(found, Verdict.MET) <= ERROR + 0.01


def test_the_same_pools_judged_as_pools_would_often_be_shipped():
    """What the raised floor is for: such a pool is better than its population by chance, nearly half the time."""
    requirement = Requirement(precision=0.8, holds_for="pool")
    found = [verdict(0.795, None, requirement, seed) for seed in range(200)]
    assert rate(found, Verdict.MET) > 0.2


def test_recall_just_below_the_floor_is_hardly_ever_shipped():
    found = [verdict(0.9, 0.595, Requirement(precision=0.5, recall=0.6), seed) for seed in range(RUNS // 2)]
    assert rate(found, Verdict.MET) <= ERROR + 0.015


def test_a_good_population_is_shipped():
    found = [verdict(0.93, None, Requirement(precision=0.8), seed) for seed in range(60)]
    assert rate(found, Verdict.MET) >= 0.95
