"""Bins hold every drawable unit once, one kind each, with close scores."""

import numpy as np
from scipy.special import logit
from scipy.stats import chisquare

from martello.stats.score_bins import MOST_BINS, bin_pool


def _pool(n=4000, seed=3, **changed):
    rng = np.random.default_rng(seed)
    settings = {"by_score": True, "drawable": np.ones(n, dtype=bool), "seed": seed} | changed
    scores = rng.beta(0.3, 2, n)
    cells = (scores > 0.6).astype(np.int64)
    return scores, cells, bin_pool(scores, cells, **settings)


def test_every_drawable_unit_is_in_its_bin_once():
    drawable = np.arange(4000) % 7 != 0
    _, _, pool = _pool(drawable=drawable)
    assert sorted(pool.order.tolist()) == np.flatnonzero(drawable).tolist()
    for b in range(len(pool)):
        assert set(pool.bin_of[pool.order[pool.start[b] : pool.start[b] + pool.size[b]]]) <= {b}


def test_a_bin_has_one_kind_and_close_scores():
    scores, cells, pool = _pool()
    assert len(pool) <= MOST_BINS
    widths = [np.ptp(logit(np.clip(scores[pool.bin_of == b], 1e-6, 1))) for b in range(len(pool))]
    assert np.median(widths) < 0.2
    assert all(set(cells[pool.bin_of == b]) == {pool.cell_of[b]} for b in range(len(pool)))


def test_without_scores_there_is_one_bin_per_kind():
    _, _, pool = _pool(by_score=False)
    assert len(pool) == 2


def test_any_unit_of_a_bin_is_first_equally_often():
    firsts = [
        int(bin_pool(np.full(5, 0.5), np.zeros(5, np.int64), by_score=True, drawable=np.ones(5, bool), seed=s).order[0])
        for s in range(2000)
    ]
    assert chisquare(np.bincount(firsts, minlength=5)).pvalue > 1e-3


def test_scores_of_zero_and_one_and_equal_scores_are_no_trouble():
    scores = np.array([0.0, 1.0, 0.5, 0.5])
    pool = bin_pool(scores, np.zeros(4, np.int64), by_score=True, drawable=np.ones(4, bool), seed=0)
    assert np.isfinite(pool.logit).all()
    assert pool.size.sum() == 4
