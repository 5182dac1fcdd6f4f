"""Boosted trees from LightGBM: the settings by size, how many trees and how many leaves held-out rows ask for.

Settings are from measurements (`bench/training.py`): plain defaults over-fit under 20,000 rows; above that some tables
want trees four times as deep and others are harmed by them, so one held-out fold decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from martello.errors import PluginError
from martello.train.arrays import probabilities
from martello.train.folds import MANY_CLASSES, Fold, log_loss
from martello.train.learner import Floats, Settings, TrainingData
from martello.train.ridge import fits_beside

__all__ = ["CrossFit", "Rows", "cross_fit", "deeper_if_better", "forest_settings", "grow", "is_small", "wide_settings"]

_SMALL = 20_000
_MOST_TREES = 2_000
_PATIENCE = 40

#: Trees grown where no row can be held out to choose by.
_TREES_UNCHOSEN = 50

#: Beyond `MANY_CLASSES` each round grows so many trees that fewer, larger steps must do.
_LARGE_STEP = 0.2

#: Leaves of the deeper trees that are tried on many rows.
_DEEP_LEAVES = 127

_FIXED = {
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # waiting threads of a second one cost up to 20 times the work when a core is taken
    "verbosity": -1,
}


def forest_settings(n: int, n_classes: int) -> Settings:
    """Give the settings for this many rows and classes."""
    rate = 0.05 if n < _SMALL else 0.1
    settings: Settings = {
        "objective": "binary" if n_classes == 2 else "multiclass",
        "num_leaves": 7 if n < _SMALL else 31,
        "learning_rate": rate if n_classes <= MANY_CLASSES else _LARGE_STEP,
        "feature_fraction": 0.5,
        "lambda_l2": 5.0,
        "min_data_in_leaf": 20,
    }
    return settings if n_classes == 2 else settings | {"num_class": n_classes}


def is_small(data: TrainingData) -> bool:
    """Say whether rows and classes are few enough for a second forest to pay."""
    return len(data) < _SMALL and len(data.classes) <= MANY_CLASSES


def wide_settings(settings: Settings) -> Settings:
    """Give the settings of a second, unlike forest: large trees that cut at random places."""
    return settings | {"num_leaves": 63, "extra_trees": True}


class Rows:
    """Encoded rows as LightGBM takes them, binned once for every fold.

    Parameters
    ----------
    table
        Encoded rows, shape (n, width).
    data
        Their classes and weights.
    """

    def __init__(self, table: Floats, data: TrainingData) -> None:
        self.table = table
        self.data = data
        self.all = (
            _lightgbm()
            .Dataset(table, label=data.codes, weight=data.weights, params=_FIXED, free_raw_data=False)
            .construct()
        )

    def some(self, rows: npt.NDArray[np.int64]) -> Any:
        """Give some of the rows."""
        return self.all.subset(rows)


@dataclass(frozen=True, slots=True)
class CrossFit:
    """What holding out each fold in turn has shown: logits of the rows held out of each, and trees on all rows."""

    logits: list[Floats]
    trees: int


def grow(rows: Rows, settings: Mapping[str, Any], trees: int, *, seed: int) -> bytes:
    """Grow trees on all rows and give them as text."""
    booster = _lightgbm().train({**settings, **_FIXED, "seed": seed % 2**31}, rows.all, num_boost_round=trees)
    return str(booster.model_to_string(num_iteration=trees)).encode()


def cross_fit(rows: Rows, settings: Mapping[str, Any], folds: Sequence[Fold], *, seed: int) -> CrossFit:
    """Grow trees on each fold until the rows held out gain no more."""
    options = {**settings, **_FIXED, "seed": seed % 2**31}

    def fit(fold: Fold) -> tuple[Floats, int]:
        kept, out = fold
        stop = _lightgbm().early_stopping(_PATIENCE, verbose=False)
        booster = _lightgbm().train(
            options, rows.some(kept), num_boost_round=_MOST_TREES, valid_sets=[rows.some(out)], callbacks=[stop]
        )
        logits = booster.predict(rows.table[out], raw_score=True, num_iteration=booster.best_iteration, num_threads=1)
        return np.asarray(logits).reshape(len(out), -1), booster.best_iteration

    with fits_beside() as pool:
        done = list(pool.map(fit, folds))
    trees = max(1, round(float(np.mean([best for _, best in done])))) if done else _TREES_UNCHOSEN
    return CrossFit([logits for logits, _ in done], trees)


def deeper_if_better(rows: Rows, settings: Settings, folds: Sequence[Fold], *, seed: int) -> Settings:
    """Give the settings with deeper trees where rows are many and those held out of the first fold ask for them."""
    if len(rows.data) < _SMALL or len(rows.data.classes) > MANY_CLASSES or not folds:
        return settings
    deep: Settings = settings | {"num_leaves": _DEEP_LEAVES}
    losses = []
    for tried in (settings, deep):
        (logits,) = cross_fit(rows, tried, folds[:1], seed=seed).logits
        out = folds[0][1]
        losses.append(log_loss(probabilities(logits), rows.data.codes[out], rows.data.weights[out]))
    return deep if losses[1] < losses[0] else settings


def _lightgbm() -> Any:
    try:
        import lightgbm
    except (ImportError, OSError) as err:
        raise PluginError(
            "train.no-lightgbm",
            f"LightGBM cannot be imported: {err}",
            expected="the package lightgbm and its OpenMP library (libgomp)",
            fix="pip install lightgbm; on a slim image also install libgomp1",
        ) from err
    return lightgbm
