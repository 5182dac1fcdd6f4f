"""Coverage of every interval of evaluation, by simulation from populations whose truth is known.

An exact interval must keep its level. The others say "about" their level: each case names the lowest coverage it is
held to, so that a case known to be hard (few positives, skewed losses, uneven weights) is on record with its number
instead of being left out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special, stats

from martello.stats.areas import average_precision_of, roc_auc_of
from martello.stats.calibration import calibration_error
from martello.stats.compare import mcnemar, paired_difference, paired_metric_difference
from martello.stats.error_slices import error_slices
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import mean_estimate, proportion_interval, ratio_estimate
from martello.stats.metrics import estimate_metric
from martello.stats.multiclass import class_estimates, macro_estimate
from martello.stats.operating_point import choose_threshold
from martello.stats.ranking_metrics import estimate_ranking_metric
from martello.stats.shares import precision_estimate

pytestmark = pytest.mark.guarantee


def _coverage(draw: Callable[[np.random.Generator, int], Estimate | NotEstimable], truth: float, runs: int) -> float:
    """Give the share of estimates whose interval holds the truth; a refusal is no claim and is not counted."""
    rng = np.random.default_rng(20_261_123)
    found = [one for run in range(runs) if isinstance(one := draw(rng, run), Estimate)]
    assert len(found) > runs / 2
    return float(np.mean([one.low <= truth <= one.high for one in found]))


def _clusters(rng, n, size):
    """Give cluster codes of about n rows, sizes varying fourfold."""
    groups = n // size
    return np.repeat(np.arange(groups), rng.integers(max(1, size // 2), 2 * size + 1, groups))


def _weights(rng, n, spread):
    return np.exp(rng.normal(0, spread, n)) if spread else None


@pytest.mark.parametrize("n", [1, 5, 20, 100, 400])
@pytest.mark.parametrize("share", [0.005, 0.1, 0.5, 0.8, 0.99])
def test_the_exact_interval_keeps_its_level_everywhere(n, share):
    """No simulation: the coverage is summed over every outcome."""
    hits = np.arange(n + 1)
    found = [proportion_interval(int(k), n) for k in hits]
    held = np.array([one.low <= share <= one.high for one in found])
    assert stats.binom.pmf(hits, n, share)[held].sum() >= 0.95


@pytest.mark.parametrize(
    ("share", "n", "spread", "size", "alike", "floor"),
    [
        (0.90, 60, 1.0, 0, 0.0, 0.94),
        (0.98, 60, 1.0, 0, 0.0, 0.94),
        (0.02, 300, 1.0, 0, 0.0, 0.94),
        (0.50, 30, 1.0, 0, 0.0, 0.93),
        (0.80, 300, 0.5, 0, 0.0, 0.94),
        (0.90, 300, 0.0, 10, 0.1, 0.94),
        (0.90, 300, 0.0, 10, 0.5, 0.94),
        (0.98, 300, 0.0, 10, 0.2, 0.94),
        (0.90, 400, 0.7, 10, 0.2, 0.94),
        (0.80, 100, 0.0, 20, 0.05, 0.94),
    ],
)
def test_precision_with_weights_and_clusters(share, n, spread, size, alike, floor):
    def draw(rng, run):
        cluster = _clusters(rng, n, size) if size else None
        rows = len(cluster) if size else n
        chance = share
        if size:
            scale = (1 - alike) / alike
            chance = rng.beta(share * scale, (1 - share) * scale, cluster.max() + 1)[cluster]
        return precision_estimate(
            rng.random(rows) < chance, np.ones(rows), weight=_weights(rng, rows, spread), cluster=cluster
        )

    assert _coverage(draw, share, 2000) >= floor


def test_precision_when_weight_goes_with_truth():
    """A quarter of the rows stands for 20 times as many units and is right more often: uneven weights at their worst.

    The rare misses among heavy rows decide, and few of them are seen.
    """

    def draw(rng, run):
        heavy = rng.random(200) < 0.25
        return precision_estimate(
            rng.random(200) < np.where(heavy, 0.95, 0.7), np.ones(200), weight=np.where(heavy, 20.0, 1.0)
        )

    assert _coverage(draw, (5 * 0.95 + 0.75 * 0.7) / 5.75, 2000) >= 0.92


@pytest.mark.parametrize(
    ("n", "size", "spread", "skewed", "floor"),
    [
        (10, 0, 0.0, False, 0.94),
        (50, 0, 0.0, True, 0.92),
        (200, 0, 0.0, True, 0.935),
        (200, 0, 1.0, False, 0.93),
        (200, 10, 0.0, False, 0.935),
        (400, 10, 0.7, True, 0.93),
        (100, 20, 0.0, False, 0.92),
    ],
)
def test_means_of_losses(n, size, spread, skewed, floor):
    def draw(rng, run):
        cluster = _clusters(rng, n, size) if size else None
        rows = len(cluster) if size else n
        values = rng.exponential(size=rows) - 1 if skewed else rng.normal(size=rows)
        if size:
            values = values + rng.normal(0, 0.5, cluster.max() + 1)[cluster]
        return mean_estimate(values, weight=_weights(rng, rows, spread), cluster=cluster)

    assert _coverage(draw, 0.0, 2000) >= floor


def test_ratios_of_two_random_totals():
    def draw(rng, run):
        size = rng.gamma(2.0, size=80)
        return ratio_estimate(0.3 * size + rng.normal(0, 0.2, 80), size)

    assert _coverage(draw, 0.3, 2000) >= 0.935


def _scored(rng, n, prevalence, gap, size=0, heavy_tailed=False):
    """Give truth, score and cluster: two bells a gap apart, shifted together within clusters."""
    cluster = np.arange(n) // size if size else None
    shift = rng.normal(0, 0.7, n // size + 1)[cluster] if size else 0.0
    truth = rng.random(n) < special.expit(special.logit(prevalence) + shift)
    noise = rng.standard_t(3, n) if heavy_tailed else rng.normal(size=n)
    return truth, truth * gap + noise + 0.5 * shift, cluster


@pytest.mark.parametrize("name", ["average_precision", "roc_auc"])
@pytest.mark.parametrize(
    ("n", "prevalence", "gap", "size", "spread", "heavy_tailed", "floor"),
    [
        (100, 0.10, 1.5, 0, 0.0, False, 0.94),
        (100, 0.30, 1.5, 0, 0.0, False, 0.93),
        (1000, 0.02, 1.5, 0, 0.0, False, 0.93),
        (1000, 0.02, 3.0, 0, 0.0, False, 0.94),
        (1000, 0.02, 3.0, 0, 0.0, True, 0.92),
        (1000, 0.10, 1.5, 0, 0.7, False, 0.93),
        (1000, 0.10, 1.5, 10, 0.0, False, 0.93),
        (400, 0.20, 1.5, 20, 0.7, False, 0.92),
    ],
)
def test_areas_with_few_positives_weights_and_clusters(name, n, prevalence, gap, size, spread, heavy_tailed, floor):
    # independent rows of a long run of clusters: the population itself
    truth, score, _ = _scored(np.random.default_rng(1), 1_000_000, prevalence, gap, size, heavy_tailed)
    prepare = {"average_precision": average_precision_of, "roc_auc": roc_auc_of}[name]
    target = float(prepare(truth, score)(np.ones((1, len(truth))))[0])

    def draw(rng, run):
        true, scores, cluster = _scored(rng, n, prevalence, gap, size, heavy_tailed)
        return estimate_metric(name, true, scores, weight=_weights(rng, n, spread), cluster=cluster)

    assert _coverage(draw, target, 1000) >= floor


def test_average_precision_by_bootstrap():
    truth, score, _ = _scored(np.random.default_rng(1), 1_000_000, 0.1, 1.5, 10)
    target = float(average_precision_of(truth, score)(np.ones((1, len(truth))))[0])

    def draw(rng, run):
        true, scores, cluster = _scored(rng, 600, 0.1, 1.5, 10)
        return estimate_metric("average_precision", true, scores, cluster=cluster, seed=run, resamples=200)

    assert _coverage(draw, target, 500) >= 0.93


@pytest.mark.parametrize("name", ["log_loss", "brier_score"])
def test_losses_of_probabilities(name):
    nodes = np.random.default_rng(1).normal(-1, 1.5, 400_000)
    p = special.expit(nodes)
    target = np.mean(-p * np.log(p) - (1 - p) * np.log1p(-p)) if name == "log_loss" else np.mean(p * (1 - p))

    def draw(rng, run):
        score = special.expit(rng.normal(-1, 1.5, 150))
        return estimate_metric(name, rng.random(150) < score, score)

    assert _coverage(draw, float(target), 2000) >= 0.93


@pytest.mark.parametrize(
    ("n", "base", "flattened", "size"),
    [(500, 0.3, 0.0, 0), (500, 0.3, 0.3, 0), (2000, 0.3, 0.1, 0), (5000, 0.05, 0.3, 0), (1000, 0.3, 0.3, 10)],
)
def test_calibration_error(n, base, flattened, size):
    """Scores are too extreme by a factor; their error between the population's tenths is known."""

    def rows(rng, count):
        cluster = np.arange(count) // size if size else None
        logit = special.logit(base) + rng.normal(0, 0.5, count)
        logit += 1.5 * (rng.normal(size=count // size + 1)[cluster] if size else rng.normal(size=count))
        return special.expit(logit), special.expit(logit * (1 - flattened) + flattened * special.logit(base)), cluster

    score, chance, _ = rows(np.random.default_rng(1), 2_000_000)
    tenths = np.array_split((score - chance)[np.argsort(score)], 10)
    target = float(np.sqrt(np.mean([tenth.mean() ** 2 for tenth in tenths])))

    def draw(rng, run):
        score, chance, cluster = rows(rng, n)
        return calibration_error(rng.random(n) < chance, score, cluster=cluster, seed=run)

    assert _coverage(draw, target, 500) >= 0.92


CONFUSION = np.array([[0.54, 0.04, 0.02], [0.05, 0.22, 0.03], [0.02, 0.02, 0.06]])


@pytest.mark.parametrize("name", ["macro_precision", "macro_recall", "macro_f1"])
@pytest.mark.parametrize("seeded", [False, True])
def test_macro_averages(name, seeded):
    both, true, predicted = np.diag(CONFUSION), CONFUSION.sum(axis=1), CONFUSION.sum(axis=0)
    target = {
        "macro_precision": both / predicted,
        "macro_recall": both / true,
        "macro_f1": 2 * both / (true + predicted),
    }

    def draw(rng, run):
        cell = rng.choice(9, 250, p=CONFUSION.ravel())
        return macro_estimate(name, cell // 3, cell % 3, 3, seed=run if seeded else None, resamples=200)

    assert _coverage(draw, float(target[name].mean()), 500 if seeded else 1500) >= 0.93


def test_f1_of_a_rare_class():
    target = 2 * 0.06 / (CONFUSION.sum(axis=1)[2] + CONFUSION.sum(axis=0)[2])

    def draw(rng, run):
        cell = rng.choice(9, 250, p=CONFUSION.ravel())
        return class_estimates(cell // 3, cell % 3, ["a", "b", "c"])[2].f1

    assert _coverage(draw, target, 1500) >= 0.94


def test_paired_differences_by_cluster():
    def draw(rng, run):
        cluster = _clusters(rng, 200, 8)
        unit = rng.exponential(size=len(cluster))
        change = 0.1 + rng.normal(0, 0.2, cluster.max() + 1)[cluster] + rng.normal(0, 0.3, len(cluster))
        return paired_difference(unit + change, unit, cluster=cluster)

    assert _coverage(draw, 0.1, 2000) >= 0.93


@pytest.mark.parametrize("name", ["average_precision", "roc_auc"])
def test_paired_differences_of_areas_between_equal_models(name):
    def draw(rng, run):
        truth = rng.random(300) < 0.1
        shared = 1.5 * truth + rng.normal(0, 0.7, 300)
        a, b = shared + rng.normal(0, 0.7, (2, 300))
        return paired_metric_difference(name, truth, a, b, seed=run, resamples=200)

    assert _coverage(draw, 0.0, 600) >= 0.93


@pytest.mark.parametrize("n", [10, 30, 200])
def test_mcnemars_difference(n):
    def draw(rng, run):
        return mcnemar(rng.random(n) < 0.8, rng.random(n) < 0.7).difference

    assert _coverage(draw, 0.1, 2000) >= 0.94


def test_ranking_metrics_over_queries_of_users():
    """Reciprocal rank of one relevant item among four in random order, for users with one to five queries each."""

    def draw(rng, run):
        user = np.repeat(np.arange(40), rng.integers(1, 6, 40))
        query = np.repeat(np.arange(len(user)), 4)
        relevance = np.tile([1, 0, 0, 0], len(user))
        return estimate_ranking_metric("mrr", query, relevance, rng.random(len(query)), cluster=user[query])

    assert _coverage(draw, (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, 600) >= 0.93


def test_the_predicted_chance_of_certification_is_kept_on_gold():
    """Over many dev sets, gold certifies about as often as was predicted, and not much less often."""
    rng = np.random.default_rng(7)

    def rows(n):
        score = special.expit(rng.normal(-2.2, 1.8, n))
        return rng.random(n) < special.expit(1.2 * special.logit(score) + 0.3), score

    predicted, kept = [], []
    for _ in range(150):
        choice = choose_threshold(*rows(2000), precision=0.8, gold_n=2000)
        truth, score = rows(2000)
        flagged = score >= choice.threshold
        hits, n = int(np.sum(truth & flagged)), int(flagged.sum())
        predicted.append(choice.chance)
        kept.append(stats.binom.sf(hits - 1, n, 0.8) <= 0.05)
    assert np.mean(kept) >= np.mean(predicted) - 0.12


def test_slices_found_by_search_are_rarely_false():
    """Under no difference at all every slice shown is false, so the rate of showing any is the false discovery rate."""
    rng = np.random.default_rng(8)
    shown = 0
    for _ in range(300):
        columns = {name: rng.integers(4, size=800).astype(str) for name in ("a", "b", "c")}
        shown += bool(error_slices(rng.exponential(size=800), columns))
    assert shown / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
