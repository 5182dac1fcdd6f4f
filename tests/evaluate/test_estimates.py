from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from martello.evaluate.estimates import f1_of, macro_of, mean_of, metric_of, share_of
from martello.evaluate.units import ScoredUnits
from martello.records import Measure
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.linearization import survey_design
from martello.stats.multiclass import macro_estimate

H = np.repeat([0, 1, 2], [300, 200, 100])
W = np.array([1.0, 3.0, 7.0])[H]


def known(measure: Measure) -> Estimate:
    assert isinstance(measure, Estimate), measure
    return measure


def units(
    seed: int = 0,
    *,
    stratum: NDArray[np.int64] | None = H,
    weight: NDArray[np.float64] = W,
    cluster: NDArray[np.int64] | None = None,
    classes: int = 2,
) -> ScoredUnits:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(classes), size=600)
    truth = np.array([rng.choice(classes, p=row) for row in scores])
    strata = None if stratum is None else survey_design(weight=weight, stratum=stratum, cluster=cluster)
    return ScoredUnits(truth=truth, scores=scores, weight=weight, cluster=cluster, slices={}, strata=strata)


def textbook_variance(z: NDArray[np.float64], stratum: NDArray[np.int64], cluster: NDArray[np.int64]) -> float:
    """Sum over strata of n/(n-1) times the squares of cluster totals around their mean: any survey book."""
    variance = 0.0
    for h in np.unique(stratum):
        totals = np.array([z[(stratum == h) & (cluster == c)].sum() for c in np.unique(cluster[stratum == h])])
        variance += len(totals) * totals.var(ddof=1)
    return variance


@pytest.mark.parametrize("is_clustered", [False, True])
def test_a_mean_with_strata_has_the_textbook_variance_and_degrees_of_freedom(is_clustered: bool) -> None:
    cluster = np.arange(600) // 4 if is_clustered else np.arange(600)
    some = units(cluster=cluster if is_clustered else None)
    values = some.scores[:, 1]
    mean = np.average(values, weights=W)
    error = np.sqrt(textbook_variance(W * (values - mean) / W.sum(), H, cluster))
    df = len(np.unique(cluster)) - 3
    found = known(mean_of(some, values, rows=some.everyone, level=0.95))
    assert (found.value, found.low) == pytest.approx((mean, mean - stats.t.ppf(0.975, df) * error))


def test_a_share_with_strata_is_korn_and_graubards_interval_around_the_textbook_variance() -> None:
    some = units()
    truth, flagged = some.truth == 1, some.scores[:, 1] > 0.4
    rows = np.random.default_rng(5).random(600) < 0.8
    domain = flagged & rows
    value = np.average(truth[domain], weights=W[domain])
    variance = textbook_variance(np.where(domain, W * (truth - value), 0) / W[domain].sum(), H, np.arange(600))
    # the weight of one draw is kept for "all rows of a draw are copies"
    seen = min(W[domain & truth].sum(), W[domain & ~truth].sum()) / 7
    copies = value * (1 - value) * np.sum(W[domain] ** 2) / W[domain].sum() ** 2
    variance = (seen * variance + max(copies, variance)) / (seen + 1)
    n, df = domain.sum(), domain.sum() - 3
    size = value * (1 - value) / variance * (stats.t.ppf(0.975, n - 1) / stats.t.ppf(0.975, df)) ** 2
    assert size < n
    expected = (
        value,
        stats.beta.ppf(0.025, size * value, size * (1 - value) + 1),
        stats.beta.ppf(0.975, size * value + 1, size * (1 - value)),
    )
    found = known(share_of(some, truth, flagged, rows=rows, level=0.95, of="flagged"))
    assert (found.value, found.low, found.high) == pytest.approx(expected)


def test_strata_that_differ_make_intervals_narrower() -> None:
    level = np.array([0.1, 0.5, 0.9])[H] + np.random.default_rng(1).normal(size=600) * 0.05
    width = {}
    for name, stratum in (("with", H), ("without", None)):
        some = units(stratum=stratum)
        found = known(mean_of(some, level, rows=some.everyone, level=0.95))
        width[name] = found.high - found.low
    assert width["with"] < width["without"] / 3


@pytest.mark.parametrize("name", ["average_precision", "roc_auc", "log_loss", "brier_score"])
def test_one_stratum_is_no_stratum(name: str) -> None:
    one, none = units(stratum=np.zeros(600, dtype=np.int64)), units(stratum=None)
    a = known(metric_of(name, one, level=0.9, seed=0))
    b = known(metric_of(name, none, level=0.9, seed=0))
    tolerance = 0.1 if name == "average_precision" else 1e-9  # bootstrapped where there are no strata
    assert a.value == pytest.approx(b.value)
    assert a.high - a.low == pytest.approx(b.high - b.low, rel=tolerance)


def test_areas_with_strata_are_those_of_scikit_learn_with_weights() -> None:
    some = units()
    truth, score = some.truth == 1, some.scores[:, 1]
    for name, oracle in (("average_precision", average_precision_score), ("roc_auc", roc_auc_score)):
        found = known(metric_of(name, some, level=0.95, seed=0))
        assert found.value == pytest.approx(oracle(truth, score, sample_weight=W))


@pytest.mark.parametrize("name", ["macro_precision", "macro_recall", "macro_f1"])
def test_one_stratum_is_no_stratum_for_means_over_classes(name: str) -> None:
    some = units(stratum=np.zeros(600, dtype=np.int64), classes=3)
    output = some.scores.argmax(axis=1)
    found = known(macro_of(name, some, output, rows=some.everyone, level=0.95, seed=0))
    plain = known(macro_estimate(name, some.truth, output, 3, weight=W))
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_f1_is_scikit_learns_and_its_interval_is_exact() -> None:
    some = units(stratum=None, weight=np.ones(600))
    truth, flagged = some.truth == 1, some.scores[:, 1] > 0.6
    found = known(f1_of(some, truth, flagged, rows=some.everyone, level=0.95))
    both, either = int((truth & flagged).sum()), int((truth | flagged).sum())
    exact = stats.binomtest(both, either).proportion_ci(0.95, method="exact")
    assert found.value == pytest.approx(f1_score(truth, flagged))
    assert (found.low, found.high) == pytest.approx(
        (2 * exact.low / (1 + exact.low), 2 * exact.high / (1 + exact.high))
    )


def test_weighted_f1_is_scikit_learns() -> None:
    some = units()
    truth, flagged = some.truth == 1, some.scores[:, 1] > 0.6
    found = known(f1_of(some, truth, flagged, rows=some.everyone, level=0.95))
    assert found.value == pytest.approx(f1_score(truth, flagged, sample_weight=W))


def test_a_stratum_with_a_single_unit_shows_no_spread_and_says_what_it_needs() -> None:
    lonely = np.where(np.arange(600) == 0, 9, H)
    some = units(stratum=lonely)
    found = mean_of(some, some.scores[:, 1], rows=some.everyone, level=0.95)
    assert isinstance(found, NotEstimable)
    assert "merge" in found.needs


@pytest.mark.parametrize("has_strata", [True, False])
def test_few_heavy_draws_that_agree_do_not_certify_what_light_ones_cannot_know(has_strata: bool) -> None:
    """Ten draws stand for nine tenths of the population: a bound at 95% may exceed the truth in 5% of samples."""
    rng = np.random.default_rng(7)
    stratum = np.repeat([0, 1], [10, 100])
    weight = np.array([900.0, 10.0])[stratum]
    share = np.array([0.85, 0.6])
    truth = (0.85 * 9000 + 0.6 * 1000) / 10000
    design = survey_design(weight=weight, stratum=stratum) if has_strata else None
    everyone, above = np.ones(110, dtype=bool), 0
    for _ in range(400):
        hit = rng.random(110) < share[stratum]
        some = ScoredUnits(
            truth=hit.astype(np.int64), scores=np.zeros((110, 2)), weight=weight, cluster=None, slices={}, strata=design
        )
        found = share_of(some, hit, everyone, rows=everyone, level=0.90, of="flagged")
        above += isinstance(found, Estimate) and found.low > truth
    assert above / 400 < 0.05
