from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar

from martello.evaluate.comparison import Comparison, compare_scores
from martello.evaluate.units import ScoredUnits
from martello.records import Measure
from martello.stats.estimate import Estimate
from martello.stats.linearization import survey_design

N = 800
RNG = np.random.default_rng(11)
LOGIT = RNG.normal(size=N)
TRUTH = (RNG.random(N) < 1 / (1 + np.exp(-LOGIT))).astype(np.int64)
OURS = 1 / (1 + np.exp(-LOGIT))
THEIRS = 1 / (1 + np.exp(-(LOGIT + RNG.normal(size=N))))


def both(score: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([1 - score, score])


def known(measure: Measure) -> Estimate:
    assert isinstance(measure, Estimate)
    return measure


def compare(stratum: NDArray[np.int64] | None = None, weight: NDArray[np.float64] | None = None) -> Comparison:
    weights = np.ones(N) if weight is None else weight
    units = ScoredUnits(
        truth=TRUTH,
        scores=both(OURS),
        weight=weights,
        cluster=None,
        slices={},
        strata=None if stratum is None else survey_design(weight=weights, stratum=stratum),
    )
    outputs = (OURS >= 0.5).astype(np.int64), (THEIRS >= 0.5).astype(np.int64)
    return compare_scores(units, both(THEIRS), outputs=outputs, against=("t",), level=0.95, seed=0)


def test_right_and_wrong_are_tested_as_statsmodels_tests_them() -> None:
    found = compare()
    ours, theirs = (OURS >= 0.5) == TRUTH, (THEIRS >= 0.5) == TRUTH
    table = [[np.sum(ours & theirs), np.sum(ours & ~theirs)], [np.sum(~ours & theirs), np.sum(~ours & ~theirs)]]
    assert found.p_value == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert (found.only_ours_right, found.only_theirs_right) == (table[0][1], table[1][0])
    assert known(found.differences["accuracy"]).value == pytest.approx(ours.mean() - theirs.mean())


def test_differences_are_ours_minus_theirs() -> None:
    found = compare().differences
    assert known(found["roc_auc"]).value == pytest.approx(roc_auc_score(TRUTH, OURS) - roc_auc_score(TRUTH, THEIRS))
    expected = brier_score_loss(TRUTH, OURS) - brier_score_loss(TRUTH, THEIRS)
    assert known(found["brier_score"]).value == pytest.approx(expected)
    assert known(found["roc_auc"]).low > 0


def test_with_one_stratum_the_difference_of_losses_is_the_paired_t_interval() -> None:
    found = known(compare(stratum=np.zeros(N, dtype=np.int64)).differences["brier_score"])
    paired = stats.ttest_rel((OURS - TRUTH) ** 2, (THEIRS - TRUTH) ** 2).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((paired.low, paired.high))


def test_strata_keep_the_difference_of_areas_near_its_bootstrap() -> None:
    plain = known(compare().differences["roc_auc"])
    found = known(compare(stratum=np.arange(N) % 3).differences["roc_auc"])
    assert found.value == pytest.approx(plain.value)
    assert found.high - found.low == pytest.approx(plain.high - plain.low, rel=0.15)


def test_mcnemar_is_not_given_where_weights_would_make_it_wrong() -> None:
    assert compare(weight=1.0 + np.arange(N) % 2).p_value is None
