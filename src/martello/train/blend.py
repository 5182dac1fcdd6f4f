"""A linear model and boosted trees, blended: the recipe that is best on average, for a few seconds of training.

Rows are held out of up to five fits. The logits held out of the linear model are an input of the trees where there is
text, and those of all models say how they are mixed. The models are then fitted once more on all rows, so a release
holds one of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from martello.spec.schema import Field
from martello.train.arrays import probabilities
from martello.train.booster import Booster
from martello.train.folds import FOLDS, MANY_CLASSES, Fold, folds_worth, inner_folds
from martello.train.forest import Rows, cross_fit, deeper_if_better, forest_settings, grow, is_small, wide_settings
from martello.train.learner import Columns, Fitted, Floats, Settings, TrainingData
from martello.train.linear_view import fit_linear_view
from martello.train.logistic import Linear, linear_files, load_linear
from martello.train.mixture import fit_mixture, mix
from martello.train.ridge import as_matrix, choose_strength, held_out_logits, solve
from martello.train.texts import Texts, fit_texts
from martello.train.tree_view import TreeView, fit_tree_view

__all__ = ["Blend"]

#: Folds that are enough to mix models by where rows are many.
_ENOUGH_FOLDS = 2


class _Mixture(msgspec.Struct, frozen=True):
    """Weight of each model, the linear one first, the offsets of the classes, and whether trees see its logits."""

    weights: list[float]
    offsets: list[float]
    sees_logits: bool


class Blend:
    """Learn a linear model and one or two forests, and how to mix them."""

    name = "blend"

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Fit, choosing what `settings` of an earlier fit does not give."""
        known = settings or {}
        folds = _folds(data, seed)
        texts, encoded = fit_texts(data, seed=seed, with_runs=known.get("runs"))
        view, cells = fit_linear_view(data.fields, data.columns, texts, encoded)
        matrix = as_matrix(cells)
        strength = float(known["C"]) if known else choose_strength(matrix, data, folds[: folds_worth(data)])
        sees_logits = bool(encoded) and len(folds) == FOLDS
        linear = held_out_logits(matrix, data, folds, strength) if sees_logits or not known else []
        trees_view, table = fit_tree_view(data.fields, data.columns, encoded, seed=seed)
        if sees_logits:
            table = np.hstack([table, _in_place(linear, folds)])
        rows = Rows(table, data)
        plan = _known_plan(data, known) if known else _plan(rows, folds, linear, seed)
        files = texts.files() | linear_files(view, solve(matrix, data.codes, data.weights, strength))
        files |= trees_view.files() | _grown(rows, plan, seed)
        mixture = _Mixture(plan.weights.tolist(), plan.offsets.tolist(), sees_logits)
        files["mixture.json"] = msgspec.json.encode(mixture)
        chosen: Settings = {"C": strength, "runs": texts.has_runs}
        return Fitted(settings=chosen | plan.settings(), files=files)

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Blended:
        """Make the scorer from the files of the models and of the mixture."""
        texts = Texts.load(files)
        mixture = msgspec.json.decode(files["mixture.json"], type=_Mixture)
        view = TreeView.load(files, fields)
        width = len(view.names) + _n_logits(classes) * mixture.sees_logits
        forests = [
            Booster(files[_file(i)], width=width, n_outputs=len(classes), raw=True)
            for i in range(len(mixture.weights) - 1)
        ]
        return _Blended(texts, load_linear(files, texts, fields=fields, n_classes=len(classes)), view, forests, mixture)


class _Blended:
    def __init__(
        self, texts: Texts, linear: Linear, view: TreeView, forests: Sequence[Booster], mixture: _Mixture
    ) -> None:
        self._texts = texts
        self._linear = linear
        self._view = view
        self._forests = forests
        self._sees_logits = mixture.sees_logits
        self._weights = np.array(mixture.weights)
        self._offsets = np.array(mixture.offsets)

    def scores(self, columns: Columns) -> Floats:
        texts = self._texts.encode(columns)
        linear = self._linear.logits(columns, texts)
        table = self._view.encode(columns, texts)
        if self._sees_logits:
            table = np.hstack([table, linear])
        logits = [linear, *(forest.logits(table) for forest in self._forests)]
        return probabilities(mix(logits, self._weights, self._offsets))


@dataclass(frozen=True)
class _Plan:
    """How each forest is grown, by how many trees, and how the models are mixed."""

    recipes: list[Settings]
    trees: list[int]
    weights: Floats
    offsets: Floats

    def settings(self) -> Settings:
        """Give the plan as flat settings."""
        flat: Settings = {"num_leaves": self.recipes[0]["num_leaves"]}
        for i, trees in enumerate(self.trees):
            flat[f"trees_{i}"] = trees
        for i, weight in enumerate(self.weights.tolist()):
            flat[f"weight_{i}"] = weight
        for i, offset in enumerate(self.offsets.tolist() if self.offsets.any() else ()):
            flat[f"offset_{i}"] = offset
        return flat


def _plan(rows: Rows, folds: Sequence[Fold], linear: Sequence[Floats], seed: int) -> _Plan:
    """Find the plan by rows held out; equal weights where none can be."""
    data = rows.data
    recipes = _recipes(data)
    recipes[0] = deeper_if_better(rows, recipes[0], folds, seed=seed)
    fits = [cross_fit(rows, recipe, folds, seed=seed) for recipe in recipes]
    trees = [fit.trees for fit in fits]
    if not folds:
        k = 1 + len(recipes)
        return _Plan(recipes, trees, np.full(k, 1.0 / k), np.zeros(_n_logits(data.classes)))
    out = np.concatenate([held for _, held in folds])
    logits = [np.concatenate(own) for own in (linear, *(fit.logits for fit in fits))]
    mixed = fit_mixture(logits, data.codes[out], data.weights[out], has_offsets=len(data.classes) <= MANY_CLASSES)
    return _Plan(recipes, trees, *mixed)


def _known_plan(data: TrainingData, known: Mapping[str, Any]) -> _Plan:
    """Read the plan from the settings of an earlier fit."""
    recipes = _recipes(data)[: sum(name.startswith("trees_") for name in known)]
    recipes[0]["num_leaves"] = known["num_leaves"]
    trees = [int(known[f"trees_{i}"]) for i in range(len(recipes))]
    weights = np.array([known[f"weight_{i}"] for i in range(1 + len(recipes))])
    offsets = np.array([known.get(f"offset_{i}", 0.0) for i in range(_n_logits(data.classes))])
    return _Plan(recipes, trees, weights, offsets)


def _n_logits(classes: Sequence[str]) -> int:
    return 1 if len(classes) == 2 else len(classes)


def _recipes(data: TrainingData) -> list[Settings]:
    """Give the forests to grow: two unlike ones on few rows, where that pays, and else one."""
    first = forest_settings(len(data), len(data.classes))
    return [first, wide_settings(first)] if is_small(data) else [first]


def _folds(data: TrainingData, seed: int) -> list[Fold]:
    """Hold out every row where rows are few or the trees need its logit, and else as many as a few weights need."""
    if len(data.classes) > MANY_CLASSES:
        most = 1
    else:
        most = FOLDS if is_small(data) or any(field.type == "text" for field in data.fields) else _ENOUGH_FOLDS
    return list(inner_folds(data, seed=seed, most=most))


def _in_place(logits: Sequence[Floats], folds: Sequence[Fold]) -> Floats:
    """Put held-out logits back in the order of the rows."""
    table = np.empty((sum(len(own) for own in logits), logits[0].shape[1]))
    for own, (_, out) in zip(logits, folds, strict=True):
        table[out] = own
    return table


def _grown(rows: Rows, plan: _Plan, seed: int) -> dict[str, bytes]:
    return {
        _file(i): grow(rows, recipe, trees, seed=seed)
        for i, (recipe, trees) in enumerate(zip(plan.recipes, plan.trees, strict=True))
    }


def _file(i: int) -> str:
    return f"trees-{i}.txt"
