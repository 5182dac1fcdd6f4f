"""The design variance against all possible samples of small populations."""

import itertools

import numpy as np
import pytest

from martello.errors import DataError
from martello.stats.design import draw_two_stage
from martello.stats.linearization import survey_design, survey_variance
from martello.stats.pps import draw_pps


def every_sample(n_units, n):
    return itertools.combinations(range(n_units), n)


def test_the_variance_of_a_total_is_unbiased_over_all_stratified_samples():
    y = np.array([1.0, 4.0, 2.0, 8.0, 5.0, 7.0, 1.0])
    sizes, stratum = {0: 4, 1: 3}, np.array([0, 0, 0, 0, 1, 1, 1])
    totals, variances = [], []
    for a, b in itertools.product(every_sample(4, 2), [(4 + i, 4 + j) for i, j in every_sample(3, 2)]):
        rows = np.array([*a, *b])
        pi = np.array([2 / sizes[s] for s in stratum[rows]])
        design = survey_design(pi=pi, stratum=stratum[rows], stage_pi=(pi,))
        totals.append(float(design.weight @ y[rows]))
        variances.append(survey_variance(design, y[rows])[0])
    assert np.mean(totals) == pytest.approx(y.sum())
    assert np.mean(variances) == pytest.approx(np.var(totals))


def test_the_variance_of_a_total_is_unbiased_over_all_two_stage_samples():
    clusters = [np.array([1.0, 4.0, 2.0]), np.array([8.0, 5.0]), np.array([7.0, 1.0, 3.0, 6.0]), np.array([2.0, 9.0])]
    totals, variances, chances = [], [], []
    for first in every_sample(4, 2):
        inside = [list(every_sample(clusters[c].size, 2)) for c in first]
        for rows in itertools.product(*inside):
            y = np.concatenate([clusters[c][list(r)] for c, r in zip(first, rows, strict=True)])
            second = np.repeat([2 / clusters[c].size for c in first], 2)
            pi1 = np.full(4, 0.5)
            design = survey_design(pi=pi1 * second, cluster=np.repeat(first, 2), stage_pi=(pi1, second))
            totals.append(float(design.weight @ y))
            variances.append(survey_variance(design, y)[0])
            chances.append(1 / 6 / np.prod([len(i) for i in inside]))
    mean = np.average(totals, weights=chances)
    assert mean == pytest.approx(sum(c.sum() for c in clusters))
    assert np.average(variances, weights=chances) == pytest.approx(
        np.average((np.array(totals) - mean) ** 2, weights=chances)
    )


def test_a_selection_carries_its_probabilities_into_the_design():
    rng = np.random.default_rng(1)
    cluster = np.arange(200) // 10
    drawn = draw_two_stage(rng.uniform(size=20)[cluster], rng.uniform(size=200), cluster, 5, 4)
    design = survey_design(pi=drawn.pi, cluster=cluster[drawn.positions], stage_pi=drawn.stage_pi)
    assert design.weight == pytest.approx(np.full(20, 10.0))
    assert [len(pi) for pi in design.stage_pi] == [5, 20]


def test_units_taken_with_certainty_add_no_variance():
    size = np.array([1.0] * 30 + [500.0])
    drawn = draw_pps(np.random.default_rng(2).uniform(size=31), size, 6)
    design = survey_design(pi=drawn.pi, stage_pi=drawn.stage_pi)
    y = np.where(drawn.positions == 30, 1e6, drawn.positions)
    variance, df = survey_variance(design, y)
    assert df == 4
    assert variance < 1e6


def test_clusters_taken_with_certainty_are_the_strata_of_their_second_stage():
    rng = np.random.default_rng(6)
    cluster, second, y = np.repeat([0, 1, 2], 4), np.repeat([0.5, 0.1, 1.0], 4), rng.normal(size=12)
    staged = survey_design(pi=second, cluster=cluster, stage_pi=(np.ones(12), second))
    stratified = survey_design(pi=second, stratum=cluster, stage_pi=(second,))
    assert survey_variance(staged, y) == pytest.approx(survey_variance(stratified, y))


TWO = {"weight": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: survey_design(), "stats.weight-or-pi"),
        (lambda: survey_design(weight=[1.0], pi=[1.0]), "stats.weight-or-pi"),
        (lambda: survey_design(pi=[0.5, 0.0]), "stats.pi-out-of-range"),
        (lambda: survey_design(pi=[0.5, float("nan")]), "stats.pi-out-of-range"),
        (lambda: survey_design(pi=[0.5, 1.5]), "stats.pi-out-of-range"),
        (lambda: survey_design(weight=[1.0, 0.0]), "stats.weight-not-positive"),
        (lambda: survey_design(weight=[1.0, float("nan")]), "stats.weight-not-positive"),
        (lambda: survey_design(weight=[]), "stats.empty"),
        (lambda: survey_design(**TWO, stratum=["a"]), "stats.length-mismatch"),
        (lambda: survey_design(**TWO, cluster=["a", "a"], stage_pi=([0.5, 0.4],)), "stats.cluster-pi-varies"),
    ],
)
def test_a_design_that_cannot_be_is_refused_by_name(call, code):
    with pytest.raises(DataError) as fault:
        call()
    assert fault.value.code == code
