"""LightGBM on the tree view: the package for training, its library alone for scoring (`booster`).

The recipe by size is from measurements on small and middling tables: plain defaults over-fit under 20,000 rows. How
many trees to grow is found by early stopping on inner held-out rows; the trees are then grown on all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from martello.errors import PluginError
from martello.spec.schema import Field
from martello.train.booster import Booster
from martello.train.folds import MANY_CLASSES, inner_folds
from martello.train.learner import Columns, Fitted, Floats, Settings, TrainingData
from martello.train.tree_view import TreeView, fit_tree_view

__all__ = ["LightGBM"]

_SMALL = 20_000
_MOST_TREES = 2_000
_PATIENCE = 40

#: Trees grown where no row can be held out to choose by.
_TREES_UNCHOSEN = 50

#: Beyond `MANY_CLASSES` each round grows so many trees that fewer, larger steps must do.
_LARGE_STEP = 0.2

_FIXED = {
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # waiting threads of a second one cost up to 20 times the work when a core is taken
    "verbosity": -1,
}


def recipe(n: int, n_classes: int) -> Settings:
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


class LightGBM:
    """Learn a forest of boosted trees."""

    name = "lightgbm"

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Grow trees, choosing how many unless `settings` gives it as ``trees``."""
        view, table = fit_tree_view(data.fields, data.columns, seed=seed)
        chosen = recipe(len(data), len(data.classes))
        trees = int(settings["trees"]) if settings else _choose_trees(table, data, chosen, seed)
        booster = _grow(_dataset(table, data, range(len(data))), chosen, trees, seed)
        files = view.files() | {"trees.txt": booster.model_to_string(num_iteration=trees).encode()}
        return Fitted(settings=chosen | {"trees": trees}, files=files)

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Forest:
        """Make the scorer from the view and the text of the trees."""
        view = TreeView.load(files, fields)
        return _Forest(view, Booster(files["trees.txt"], width=len(view.names), n_outputs=len(classes)))


class _Forest:
    def __init__(self, view: TreeView, booster: Booster) -> None:
        self._view = view
        self._booster = booster

    def scores(self, columns: Columns) -> Floats:
        return self._booster.scores(self._view.encode(columns))


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


def _dataset(table: Floats, data: TrainingData, rows: Any) -> Any:
    return _lightgbm().Dataset(
        table[rows], label=data.codes[rows], weight=data.weights[rows], params=_FIXED, free_raw_data=True
    )


def _grow(rows: Any, settings: Settings, trees: int, seed: int, **options: Any) -> Any:
    return _lightgbm().train(settings | _FIXED | {"seed": seed % 2**31}, rows, num_boost_round=trees, **options)


def _choose_trees(table: Floats, data: TrainingData, settings: Settings, seed: int) -> int:
    """Give the mean of the best tree counts over the inner folds."""
    stop = _lightgbm().early_stopping(_PATIENCE, verbose=False)
    best = []
    for kept, out in inner_folds(data, seed=seed):
        training = _dataset(table, data, kept)
        held = training.create_valid(table[out], label=data.codes[out], weight=data.weights[out])
        booster = _grow(training, settings, _MOST_TREES, seed, valid_sets=[held], callbacks=[stop])
        best.append(booster.best_iteration)
    return max(1, round(float(np.mean(best)))) if best else _TREES_UNCHOSEN
