from __future__ import annotations

import gc

import lightgbm
import numpy as np
import pytest

from martello.errors import IntegrityError
from martello.train.booster import Booster


def trained(k, *, n=600, width=6, seed=0):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n, width))
    table[rng.random((n, width)) < 0.1] = np.nan
    codes = (np.nan_to_num(table[:, 0]) * 2 + rng.normal(size=n)).round().clip(0, k - 1)
    settings = {"objective": "binary"} if k == 2 else {"objective": "multiclass", "num_class": k}
    return lightgbm.train(
        settings | {"verbosity": -1, "num_threads": 1}, lightgbm.Dataset(table, codes), num_boost_round=30
    )


def asked(width=6):
    rng = np.random.default_rng(9)
    table = rng.normal(size=(300, width)) * 3
    table[rng.random(table.shape) < 0.2] = np.nan
    table[0] = [0.0, -0.0, np.inf, -np.inf, 1e-40, 1e300]
    return table


@pytest.mark.parametrize("k", [2, 4])
def test_scores_equal_those_of_the_package_in_every_bit_alone_and_in_a_batch(k):
    model = trained(k)
    expected = model.predict(asked(), num_threads=1)
    booster = Booster(model.model_to_string().encode(), width=6, n_outputs=k)
    scores = booster.scores(asked())
    assert np.array_equal(scores[:, 1] if k == 2 else scores, expected)
    for row, whole in zip(asked(), scores, strict=True):
        assert np.array_equal(booster.scores(row[None])[0], whole)


def test_no_rows_have_no_scores():
    booster = Booster(trained(2).model_to_string().encode(), width=6, n_outputs=2)
    assert booster.scores(np.empty((0, 6))).shape == (0, 2)


def test_a_text_that_is_no_model_or_of_another_shape_is_refused():
    text = trained(3).model_to_string().encode()
    for data, width, k in ((b"not a model", 6, 3), (text, 5, 3), (text, 6, 4), (text, 6, 2)):
        with pytest.raises(IntegrityError, match="not-a-forest"):
            Booster(data, width=width, n_outputs=k)


def test_boosters_come_and_go_without_disturbing_each_other():
    kept = Booster(trained(2).model_to_string().encode(), width=6, n_outputs=2)
    before = kept.scores(asked())
    for seed in range(5):
        Booster(trained(2, seed=seed).model_to_string().encode(), width=6, n_outputs=2).scores(asked())
    gc.collect()
    assert np.array_equal(kept.scores(asked()), before)
