"""The bootstrap redraws clusters, is exact in law, and agrees with scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from martello.stats.bootstrap import bootstrap_values, redrawn_weights
from martello.stats.checks import check_design


def _mean(values):
    return lambda weight: weight @ values / weight.sum(axis=-1)


def test_rows_of_a_cluster_come_and_go_together():
    cluster = np.array([0, 0, 1, 1, 1, 2])
    for block in redrawn_weights(check_design(6, cluster=cluster), resamples=50, seed=1):
        assert (block[:, 0] == block[:, 1]).all()
        assert (block[:, 2] == block[:, 4]).all()
        assert (block[:, [0, 2, 5]].sum(axis=1) == 3).all()


def test_design_weights_are_kept():
    weight = np.array([1.0, 2.0, 4.0])
    block = np.concatenate(list(redrawn_weights(check_design(3, weight), resamples=200, seed=1)))
    assert np.allclose(block / weight, np.round(block / weight))


def test_counts_have_the_moments_of_a_multinomial_draw():
    block = np.concatenate(list(redrawn_weights(check_design(5), resamples=20_000, seed=2)))
    assert block.mean(axis=0) == pytest.approx(np.ones(5), abs=0.03)
    assert np.cov(block.T)[0] == pytest.approx([0.8, -0.2, -0.2, -0.2, -0.2], abs=0.04)


def test_the_spread_of_a_mean_is_that_of_scipys_bootstrap():
    values = np.random.default_rng(3).exponential(size=60)
    ours = bootstrap_values(_mean(values), check_design(60), resamples=4000, seed=1).std(ddof=1)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, rng=np.random.default_rng(1)).standard_error
    assert ours == pytest.approx(theirs, rel=0.06)


def test_the_spread_of_a_clustered_mean_is_the_one_of_cluster_means():
    rng = np.random.default_rng(3)
    center = rng.normal(size=40)
    values = np.repeat(center, 5) + rng.normal(scale=0.1, size=200)
    design = check_design(200, cluster=np.repeat(np.arange(40), 5))
    found = bootstrap_values(_mean(values), design, resamples=4000, seed=1).std(ddof=1)
    assert found == pytest.approx(values.reshape(40, 5).mean(axis=1).std() / np.sqrt(40), rel=0.06)


def test_the_same_seed_gives_the_same_values_and_another_gives_others():
    values, design = np.arange(30.0), check_design(30)
    first, again, other = (bootstrap_values(_mean(values), design, resamples=20, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_more_rows_than_fit_a_block_are_drawn_row_by_row():
    n = (1 << 17) + 7
    blocks = list(redrawn_weights(check_design(n), resamples=3, seed=1))
    assert [block.shape for block in blocks] == [(1, n)] * 3
