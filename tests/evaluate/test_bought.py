"""Gold bought one by one: labels are spent until the answer is known, and the verdict says of whom it speaks."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from martello.errors import DataError
from martello.evaluate.bought import DevTruth, GoldPool, begin, buy_labels, judge_bought, terms_of
from martello.records import Evaluation
from martello.spec.schema import Requirement
from martello.stats.estimate import Estimate, NotEstimable, Verdict

THRESHOLD = 0.5


def world(precision: float, n: int, seed: int, *, slices: dict[str, list[str | None]] | None = None):
    """Units of which about a quarter are flagged; flagged ones are right as often as said, others yes at 5 %."""
    rng = np.random.default_rng(seed)
    flagged = rng.random(n) < 0.25
    truth = rng.random(n) < np.where(flagged, precision, 0.05)
    scores = np.clip(np.where(flagged, 0.75, 0.2) + rng.normal(0, 0.08, n) + 0.05 * truth, 0.0, 1.0)
    scores = np.where(flagged, np.maximum(scores, THRESHOLD), np.minimum(scores, THRESHOLD - 0.01))
    pool = GoldPool(scores=scores, weight=np.full(n, 4.0), cluster=None, slices=slices or {})
    return pool, truth


def dev_like(pool: GoldPool, truth: np.ndarray) -> DevTruth:
    return DevTruth(truth=truth, weight=pool.weight, cluster=pool.cluster, slices=pool.slices)


def judge(
    pool: GoldPool, truth: np.ndarray, requirement: Requirement, *, error: float = 0.05, seed: int = 0
) -> Evaluation:
    terms = terms_of(pool, dev_like(pool, truth), threshold=THRESHOLD, requirement=requirement, error=error)
    process = begin(pool, terms, threshold=THRESHOLD, requirement=requirement, sampler="weighted", seed=0)
    buy_labels(process, terms, truth.astype(np.int64))
    gain = NotEstimable(reason="not asked", needs="nothing")
    return judge_bought(
        process, terms, requirement=requirement, look=1, error=error, gain_over_constant=gain, parents=()
    )


def test_a_good_model_is_met_with_a_part_of_the_pool():
    pool, truth = world(0.92, 20_000, 1)
    found = judge(pool, truth, Requirement(precision=0.8))
    assert found.verdict is Verdict.MET
    assert found.bought is not None
    assert found.n_gold < 1000 < found.bought.n_pool
    true = truth[pool.scores >= THRESHOLD].mean()
    assert isinstance(found.metrics["precision"], Estimate)
    assert found.metrics["precision"].low <= true <= found.metrics["precision"].high


def test_a_bad_model_is_not_met():
    found = judge(*world(0.68, 20_000, 2), Requirement(precision=0.8))
    assert found.verdict is Verdict.NOT_MET
    assert [claim.verdict for claim in found.claims] == [Verdict.NOT_MET]


def test_more_must_be_shown_of_a_pool_than_of_its_population():
    pool, truth = world(0.9, 4_000, 3)
    of_population = judge(pool, truth, Requirement(precision=0.8)).bought
    of_pool = judge(pool, truth, Requirement(precision=0.8, holds_for="pool")).bought
    assert of_population is not None
    assert of_pool is not None
    assert of_pool.floors["precision"] == 0.8 < of_population.floors["precision"] < 0.85
    assert of_pool.n_labels < of_population.n_labels


def test_a_pool_between_the_two_is_undecided_of_its_population_and_says_so():
    pool, truth = world(0.82, 3_000, 4)
    flagged = np.flatnonzero(pool.scores >= THRESHOLD)
    truth[flagged] = np.arange(len(flagged)) < 0.81 * len(flagged)
    found = judge(pool, truth, Requirement(precision=0.8))
    assert found.verdict is Verdict.UNDECIDED
    claim = found.claims[0]
    assert claim.low < 0.8 < claim.high
    assert judge(pool, truth, Requirement(precision=0.8, holds_for="pool")).verdict is Verdict.MET


def test_the_budget_is_kept():
    found = judge(*world(0.82, 20_000, 5), Requirement(precision=0.8, label_budget=150))
    assert found.verdict is Verdict.UNDECIDED
    assert found.n_gold == 150


def test_no_label_is_spent_on_what_the_pool_cannot_show():
    pool, truth = world(0.95, 4_000, 6)
    rare = ["rare" if i < 12 else "common" for i in range(4_000)]
    found = judge(msgspec.structs.replace(pool, slices={"kind": rare}), truth, Requirement(precision=0.8))
    assert found.n_gold == 0
    assert found.verdict is Verdict.UNDECIDED
    lacking = next(claim for claim in found.claims if claim.population == "kind = rare")
    assert isinstance(lacking.estimate, NotEstimable)
    assert "such units" in lacking.estimate.needs


def test_slices_are_judged_each():
    pool, truth = world(0.93, 30_000, 7)
    rng = np.random.default_rng(70)
    kind = np.where(rng.random(30_000) < 0.4, "a", "b")
    truth = truth & ~((kind == "b") & (pool.scores >= THRESHOLD) & (rng.random(30_000) < 0.3))
    found = judge(msgspec.structs.replace(pool, slices={"kind": kind.tolist()}), truth, Requirement(precision=0.8))
    verdicts = {claim.population: claim.verdict for claim in found.claims}
    assert found.verdict is Verdict.NOT_MET
    assert verdicts["kind = b"] is Verdict.NOT_MET
    assert verdicts["kind = a"] is not Verdict.NOT_MET


def test_chances_that_differ_are_refused_for_a_population_and_taken_for_a_pool():
    pool, truth = world(0.95, 4_000, 8)
    uneven = msgspec.structs.replace(pool, weight=np.where(np.arange(4_000) < 100, 1.0, 9.0))
    with pytest.raises(DataError) as caught:
        judge(uneven, truth, Requirement(precision=0.8))
    assert caught.value.code == "evaluate.pool-drawn-unequally"
    assert judge(uneven, truth, Requirement(precision=0.8, holds_for="pool")).verdict is Verdict.MET


def test_alike_units_widen_the_step_to_the_population():
    pool, truth = world(0.9, 4_000, 9)
    clustered = msgspec.structs.replace(pool, cluster=(np.arange(4_000) // 8).astype(str))
    asked = [
        terms_of(each, dev_like(each, truth), threshold=THRESHOLD, requirement=Requirement(precision=0.8), error=0.05)
        for each in (pool, clustered)
    ]
    assert asked[1].n_about["precision"] < asked[0].n_about["precision"]
    assert asked[1].floors["precision"].raised > asked[0].floors["precision"].raised
