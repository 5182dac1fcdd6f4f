from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, ndcg_score

from martello.errors import DataError
from martello.evaluate.rankings import Ranked, RankingRules, judge_rankings
from martello.evaluate.scored_file import ScoredRows
from martello.evaluate.units import ScoredUnits
from martello.records import Measure
from martello.stats.estimate import Estimate, Verdict

Q, K = 120, 8
RNG = np.random.default_rng(2)
SCORE = RNG.random((Q, K))
RELEVANCE = np.where(RNG.random((Q, K)) < 0.5 * SCORE, RNG.integers(1, 4, size=(Q, K)), 0)
RELEVANCE[:10] = 0
FULL = (RELEVANCE > 0).any(axis=1)


def known(measure: Measure) -> Estimate:
    assert isinstance(measure, Estimate)
    return measure


def ranked(rules: RankingRules | None = None, *, site: list[str | None] | None = None, floor: float = 0.5) -> Ranked:
    n = Q * K
    units = ScoredUnits(
        truth=np.zeros(n, dtype=np.int64),
        scores=SCORE.reshape(-1, 1),
        weight=np.ones(n),
        cluster=None,
        slices={} if site is None else {"site": site},
    )
    rows = ScoredRows(
        query=np.repeat(np.arange(Q), K),
        relevance=RELEVANCE.ravel().astype(float),
        against=1 - SCORE.ravel(),
        units=units,
        n_unlabeled=0,
    )
    return judge_rankings(rows, rules or RankingRules(), floors={"ndcg": floor}, against=("t",), level=0.95, error=0.05)


def test_ndcg_is_the_mean_of_scikit_learns_over_queries_with_students_interval() -> None:
    values = np.array([ndcg_score([RELEVANCE[q]], [SCORE[q]], k=5) for q in np.flatnonzero(FULL)])
    found = ranked(RankingRules(at=5))
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    ndcg = known(found.metrics["ndcg"])
    assert (ndcg.value, ndcg.low, ndcg.high) == pytest.approx((values.mean(), low, high))
    assert (found.n_queries, found.n_empty) == (Q, int((~FULL).sum()))


def test_map_is_never_cut_and_is_scikit_learns() -> None:
    values = [average_precision_score(RELEVANCE[q] > 0, SCORE[q]) for q in np.flatnonzero(FULL)]
    assert known(ranked(RankingRules(at=5)).metrics["map"]).value == pytest.approx(np.mean(values))


@pytest.mark.parametrize(("rule", "value"), [("zero", 0.0), ("one", 1.0)])
def test_a_query_with_nothing_relevant_counts_as_the_rule_says(rule: str, value: float) -> None:
    skipped = known(ranked().metrics["mrr"]).value
    share = FULL.mean()
    found = known(ranked(RankingRules(empty=rule)).metrics["mrr"]).value  # type: ignore[arg-type]
    assert found == pytest.approx(share * skipped + (1 - share) * value)


def test_gain_is_what_it_is_named() -> None:
    values = [ndcg_score([2.0 ** RELEVANCE[q] - 1], [SCORE[q]]) for q in np.flatnonzero(FULL)]
    assert known(ranked(RankingRules(gain="exponential")).metrics["ndcg"]).value == pytest.approx(np.mean(values))


def test_the_floor_must_hold_in_each_slice_and_the_other_ranking_is_worse() -> None:
    sites: list[str | None] = np.repeat(np.where(np.arange(Q) % 2, "a", "b"), K).tolist()
    found = ranked(site=sites, floor=0.3)
    assert {claim.population: claim.verdict for claim in found.claims} == {
        "everyone": Verdict.MET,
        "site = a": Verdict.MET,
        "site = b": Verdict.MET,
    }
    assert found.comparison is not None
    assert known(found.comparison.differences["ndcg"]).low > 0


def test_a_slice_that_splits_a_list_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        ranked(site=["a", *["b"] * (Q * K - 1)])
    assert caught.value.code == "stats.query-not-constant"
