"""LightGBM on the tree view: the package for training (`forest`), its library alone for scoring (`booster`).

How many trees to grow, and on many rows how deep, is found on inner held-out rows; the trees are then grown on all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from martello.spec.schema import Field
from martello.train.booster import Booster
from martello.train.folds import inner_folds
from martello.train.forest import Rows, cross_fit, deeper_if_better, forest_settings, grow
from martello.train.learner import Columns, Fitted, Floats, TrainingData
from martello.train.texts import Texts, fit_texts
from martello.train.tree_view import TreeView, fit_tree_view

__all__ = ["LightGBM"]


class LightGBM:
    """Learn a forest of boosted trees."""

    name = "lightgbm"

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Grow trees, choosing how many and how deep unless `settings` gives ``trees`` and ``num_leaves``."""
        texts, encoded = fit_texts(data, seed=seed, with_runs=False)  # trees see components of words only
        view, table = fit_tree_view(data.fields, data.columns, encoded, seed=seed)
        rows = Rows(table, data)
        chosen = forest_settings(len(data), len(data.classes))
        if settings:
            chosen |= {name: settings[name] for name in ("num_leaves",) if name in settings}
            trees = int(settings["trees"])
        else:
            folds = list(inner_folds(data, seed=seed))
            chosen = deeper_if_better(rows, chosen, folds, seed=seed)
            trees = cross_fit(rows, chosen, folds, seed=seed).trees
        files = texts.files() | view.files() | {"trees.txt": grow(rows, chosen, trees, seed=seed)}
        return Fitted(settings=chosen | {"trees": trees}, files=files)

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Forest:
        """Make the scorer from the view and the text of the trees."""
        view = TreeView.load(files, fields)
        booster = Booster(files["trees.txt"], width=len(view.names), n_outputs=len(classes))
        return _Forest(Texts.load(files), view, booster)


class _Forest:
    def __init__(self, texts: Texts, view: TreeView, booster: Booster) -> None:
        self._texts = texts
        self._view = view
        self._booster = booster

    def scores(self, columns: Columns) -> Floats:
        return self._booster.scores(self._view.encode(columns, self._texts.encode(columns)))
