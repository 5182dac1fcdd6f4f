from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss as oracle

from martello.testing.learners import example_rows
from martello.train.folds import inner_folds, log_loss


def test_every_row_is_held_out_once_and_no_cluster_lies_on_both_sides():
    data = replace(example_rows(500, 2, seed=0), clusters=[f"c{i // 3}" for i in range(500)])
    held = []
    for kept, out in inner_folds(data, seed=1):
        assert {data.clusters[i] for i in kept}.isdisjoint({data.clusters[i] for i in out})
        assert sorted([*kept, *out]) == list(range(500))
        held.extend(out.tolist())
    assert sorted(held) == list(range(500))


def test_one_fifth_is_held_out_of_many_rows_or_classes():
    few = example_rows(500, 2, seed=0)
    many = replace(few, classes=tuple("abcdefghijkl"))
    assert len(list(inner_folds(few, seed=0))) == 5
    ((_, out),) = inner_folds(many, seed=0)
    assert len(out) == pytest.approx(100, abs=35)


def test_a_fold_that_would_hide_a_class_is_left_out():
    data = example_rows(200, 2, seed=0)
    lone = replace(data, codes=(np.arange(200) == 7).astype(np.int64))
    assert len(list(inner_folds(lone, seed=0))) == 4
    assert list(inner_folds(data.take([0]), seed=0)) == []


def test_the_weighted_log_loss_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    scores, codes, weights = rng.dirichlet([1, 1, 1], 50), rng.integers(0, 3, 50), rng.uniform(0.5, 2, 50)
    assert log_loss(scores, codes, weights) == pytest.approx(
        oracle(codes, scores, sample_weight=weights, labels=range(3))
    )
