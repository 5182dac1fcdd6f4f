"""What the survey chapter promises, by repeated draws from finite populations with known truth.

Every check counts draws; its tolerance is five Monte Carlo standard errors, so a correct program fails about once in a
million runs with new seeds, and never with these.
"""

import numpy as np
import pytest

from martello.stats.allocation import allocate_neyman, allocate_proportional
from martello.stats.design import (
    draw_clusters,
    draw_simple,
    draw_stratified,
    draw_two_stage,
    hash_order,
)
from martello.stats.harm import expected_change
from martello.stats.linearization import survey_design
from martello.stats.pps import draw_pps, inclusion_pps
from martello.stats.replication import jackknife
from martello.stats.shift import total_variation, two_sample_auc
from martello.stats.survey import survey_mean, survey_ratio, survey_total
from martello.stats.weighting import Margin, post_stratify, rake

pytestmark = pytest.mark.guarantee

RNG = np.random.default_rng(2026)
N, DRAWS = 3000, 1500
CLUSTER = np.sort(RNG.integers(0, 150, N))
STRATUM = np.searchsorted([0.5, 0.85], np.arange(N) / N)
SIZE = RNG.lognormal(0, 0.6, N)
X = SIZE * RNG.uniform(0.8, 1.2, N)
Y = 2 * X + RNG.normal(0, 0.5, 150)[CLUSTER] + np.array([0.0, 1.0, 3.0])[STRATUM] + RNG.normal(0, 0.5, N)
DOMAIN = RNG.uniform(size=N) < 0.4
COUNTS = {s: int((s == STRATUM).sum()) for s in range(3)}


def uniforms(draw):
    return np.random.default_rng([7, draw]).uniform(size=N)


def cluster_uniforms(draw):
    return np.random.default_rng([8, draw]).uniform(size=150)[CLUSTER]


def simple(draw):
    return draw_simple(uniforms(draw), 150), {}


def proportional(draw):
    return draw_stratified(uniforms(draw), STRATUM, allocate_proportional(COUNTS, 150)), {"stratum": STRATUM}


def neyman(draw):
    sizes = allocate_neyman(COUNTS, {s: Y[s == STRATUM].std() for s in COUNTS}, 150)
    return draw_stratified(uniforms(draw), STRATUM, sizes), {"stratum": STRATUM}


def pps(draw):
    return draw_pps(uniforms(draw), SIZE, 150), {}


def one_stage(draw):
    return draw_clusters(cluster_uniforms(draw), CLUSTER, 40), {"cluster": CLUSTER}


def two_stage(draw):
    return draw_two_stage(cluster_uniforms(draw), uniforms(draw), CLUSTER, 50, 5), {"cluster": CLUSTER}


DESIGNS = [simple, proportional, neyman, pps, one_stage, two_stage]


def sampled(draw_by, draw):
    drawn, columns = draw_by(draw)
    rows = drawn.positions
    kept = {name: column[rows] for name, column in columns.items()}
    return rows, survey_design(pi=drawn.pi, stage_pi=drawn.stage_pi, **kept)


ESTIMATORS = {
    "total": (lambda d, r: survey_total(d, Y[r]), Y.sum()),
    "mean": (lambda d, r: survey_mean(d, Y[r]), Y.mean()),
    "ratio": (lambda d, r: survey_ratio(d, Y[r], X[r]), Y.sum() / X.sum()),
    "domain mean": (lambda d, r: survey_mean(d, Y[r], domain=DOMAIN[r]), Y[DOMAIN].mean()),
}


@pytest.mark.parametrize("draw_by", DESIGNS)
def test_every_estimator_is_unbiased_and_its_interval_covers(draw_by):
    found = {name: [] for name in ESTIMATORS}
    for draw in range(DRAWS):
        rows, design = sampled(draw_by, draw)
        for name, (estimate, _) in ESTIMATORS.items():
            found[name].append(estimate(design, rows))
    for name, (_, truth) in ESTIMATORS.items():
        values = np.array([e.value for e in found[name]])
        bias, error = values.mean() - truth, values.std() / np.sqrt(DRAWS)
        # Ratios and Hájek means have a bias of order 1/n: a small part of their standard error.
        allowed = 5 * error + (0 if name == "total" else 0.05 * values.std())
        assert abs(bias) < allowed, (draw_by.__name__, name, bias / error)
        covered = np.mean([e.low <= truth <= e.high for e in found[name]])
        assert 0.922 < covered < 0.978, (draw_by.__name__, name, covered)


@pytest.mark.parametrize("draw_by", DESIGNS)
def test_recorded_inclusion_probabilities_are_the_frequencies_of_being_drawn(draw_by):
    hits, pi, draws = np.zeros(N), np.full(N, np.nan), 4000
    for draw in range(draws):
        drawn, _ = draw_by(draw)
        hits[drawn.positions] += 1
        pi[drawn.positions] = drawn.pi
    assert not np.isnan(pi).any()
    risky = pi < 1
    z = (hits[risky] / draws - pi[risky]) / np.sqrt(pi[risky] * (1 - pi[risky]) / draws)
    assert (hits[~risky] == draws).all()
    assert np.abs(z).max() < 5.5
    assert np.mean(z**2) == pytest.approx(1, abs=0.25)  # clusters fall together: fewer free numbers than units


def test_hashed_keys_draw_pps_samples_with_the_recorded_probabilities():
    sizes = np.array([1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 40.0])
    pi, hits, draws = inclusion_pps(sizes, 3), np.zeros(7), 20_000
    for draw in range(draws):
        hits[draw_pps(hash_order(range(7), f"salt {draw}"), sizes, 3).positions] += 1
    risky = pi < 1
    z = (hits[risky] / draws - pi[risky]) / np.sqrt(pi[risky] * (1 - pi[risky]) / draws)
    assert np.abs(z).max() < 5


def test_the_jackknife_covers_in_one_stage_designs():
    for draw_by in (simple, one_stage):
        covered = []
        for draw in range(400):
            rows, design = sampled(draw_by, draw)
            ratio = jackknife(design, lambda w, r=rows: float(w @ Y[r] / (w @ X[r])))
            covered.append(ratio.low <= Y.sum() / X.sum() <= ratio.high)
        assert 0.90 < np.mean(covered) < 0.995


def test_calibrated_estimates_cover_and_are_sharper():
    half = (np.arange(N) % 2 == 0).astype(int)
    group = np.digitize(X, np.quantile(X, [0.25, 0.5, 0.75]))
    strata = Margin(STRATUM, COUNTS)
    groups = {g: int((group == g).sum()) for g in range(4)}
    plain, post, raked = [], [], []
    for draw in range(DRAWS):
        rows, design = sampled(simple, draw)
        margins = [Margin(group[rows], groups), Margin(half[rows], {0: N // 2, 1: N // 2})]
        plain.append(survey_mean(design, Y[rows]))
        post.append(survey_mean(post_stratify(design, Margin(STRATUM[rows], strata.counts)), Y[rows]))
        raked.append(survey_mean(rake(design, margins), Y[rows]))
    spread = {name: np.std([e.value for e in found]) for name, found in (("plain", plain), ("raked", raked))}
    assert spread["raked"] < 0.75 * spread["plain"]
    for found in (post, raked):
        assert 0.922 < np.mean([e.low <= Y.mean() <= e.high for e in found]) < 0.978


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_the_two_sample_auc_interval_covers(shift):
    rng = np.random.default_rng([9, int(10 * shift)])
    truth = float(np.mean(rng.normal(size=4_000_000) < rng.normal(shift, 1, 4_000_000)))
    found = [two_sample_auc(rng.normal(size=80), rng.normal(shift, 1, 120)) for _ in range(2000)]
    assert 0.926 < np.mean([e.low <= truth <= e.high for e in found]) < 0.974


@pytest.mark.parametrize("moved", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("categories", [2, 12, 100])
def test_the_total_variation_interval_covers_and_errs_on_the_safe_side(moved, categories):
    rng = np.random.default_rng([10, categories, int(100 * moved)])
    p = 1 / np.arange(1.0, categories + 1)
    p /= p.sum()
    q = (1 - moved) * p + moved * p[::-1]
    truth = 0.5 * np.abs(p - q).sum()
    found = [total_variation(rng.choice(categories, 200, p=p), rng.choice(categories, 300, p=q)) for _ in range(600)]
    assert np.mean([e.low > truth for e in found]) <= 0.025 + 0.015
    assert np.mean([e.high < truth for e in found]) <= 0.025 + 0.015


def test_the_expected_change_covers():
    rng = np.random.default_rng(11)
    covered = []
    for _ in range(1000):
        x = rng.uniform(size=1500)
        correct = (rng.uniform(size=1500) < 0.9 - 0.4 * x).astype(float)
        change = expected_change(survey_design(weight=np.ones(1500)), correct, 0.5 + x)
        covered.append(change.low <= -0.4 / 12 <= change.high)
    assert 0.92 < np.mean(covered) < 0.98
