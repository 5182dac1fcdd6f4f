"""A random forest, bought from scikit-learn for training, stored as arrays and scored with numpy alone.

A leaf holds the shares of the classes in training. Shares of one tree are certain too often, so a leaf has ten rows at
least; the forest's score is the mean of its leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from martello.errors import IntegrityError
from martello.spec.schema import Field
from martello.train.arrays import pack_arrays, unpack_arrays
from martello.train.learner import Columns, Fitted, Floats, TrainingData
from martello.train.texts import Texts, fit_texts
from martello.train.tree_view import TreeView, fit_tree_view

__all__ = ["RandomForest"]

_TREES = 200
_FEWEST_IN_LEAF = 10

#: Rows of which the leaves are found at once: 10,000 rows x 200 trees are 16 MB.
_AT_ONCE = 10_000


class RandomForest:
    """Learn many trees, each on its own draw of the rows.

    Parameters
    ----------
    trees
        How many.
    """

    name = "random_forest"

    def __init__(self, trees: int = _TREES) -> None:
        self._trees = trees

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Grow the trees; nothing is searched for."""
        from sklearn.ensemble import RandomForestClassifier

        texts, encoded = fit_texts(data, seed=seed, with_runs=False)
        view, table = fit_tree_view(data.fields, data.columns, encoded, seed=seed)
        trees = int((settings or {}).get("trees", self._trees))
        forest = RandomForestClassifier(trees, min_samples_leaf=_FEWEST_IN_LEAF, random_state=seed % 2**32, n_jobs=1)
        forest.fit(_narrow(table), data.codes, sample_weight=data.weights)
        arrays = _flat([tree.tree_ for tree in forest.estimators_])
        files = texts.files() | view.files() | {"forest.npz": pack_arrays(arrays)}
        return Fitted(settings={"trees": trees, "min_samples_leaf": _FEWEST_IN_LEAF}, files=files)

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Trees:
        """Make the scorer from the view and the arrays.

        Raises
        ------
        IntegrityError
            ``train.not-a-random-forest`` when the arrays are not trees for these inputs and classes.
        """
        view = TreeView.load(files, fields)
        return _Trees(Texts.load(files), view, unpack_arrays(files["forest.npz"]), len(classes))


def _narrow(table: Floats) -> Any:
    """Give the table in the 32 bits that scikit-learn compares in, what does not fit at their ends."""
    ends = np.finfo(np.float32)
    return np.clip(table, ends.min, ends.max).astype(np.float32)


def _flat(trees: list[Any]) -> dict[str, Any]:
    """Lay all trees end to end; a leaf is its own left and right child, and its shares stand in `shares`."""
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    kept: dict[str, list[Any]] = {"column": [], "cut": [], "left": [], "right": [], "missing_left": [], "leaf": []}
    shares: list[Any] = []
    for start, tree in zip(starts, trees, strict=True):
        is_leaf = tree.children_left < 0
        own = np.arange(tree.node_count)
        kept["column"].append(np.where(is_leaf, 0, tree.feature))
        kept["cut"].append(np.where(is_leaf, 0.0, tree.threshold))
        kept["left"].append(start + np.where(is_leaf, own, tree.children_left))
        kept["right"].append(start + np.where(is_leaf, own, tree.children_right))
        kept["missing_left"].append(tree.missing_go_to_left.astype(np.bool_))
        kept["leaf"].append(np.where(is_leaf, len(shares) + np.cumsum(is_leaf) - 1, 0))
        values = tree.value[is_leaf, 0, :]
        shares.extend(values / values.sum(axis=1, keepdims=True))
    kinds = {"column": np.int32, "left": np.int32, "right": np.int32, "leaf": np.int32}
    arrays = {name: np.concatenate(parts).astype(kinds.get(name, parts[0].dtype)) for name, parts in kept.items()}
    return arrays | {"roots": starts.astype(np.int32), "shares": np.array(shares, dtype=np.float32)}


class _Trees:
    def __init__(self, texts: Texts, view: TreeView, arrays: Mapping[str, Any], n_classes: int) -> None:
        self._texts = texts
        self._view = view
        self._arrays = arrays
        _check(arrays, len(view.names), n_classes)
        self._shares = arrays["shares"].astype(np.float64)

    def scores(self, columns: Columns) -> Floats:
        table = _narrow(self._view.encode(columns, self._texts.encode(columns)))
        parts = [self._some(table[start : start + _AT_ONCE]) for start in range(0, len(table), _AT_ONCE)]
        return np.concatenate(parts) if parts else np.empty((0, self._shares.shape[1]))

    def _some(self, table: Any) -> Floats:
        """Walk all rows down all trees, one step at a time, and add the leaves tree after tree."""
        arrays = self._arrays
        at = np.tile(arrays["roots"], (len(table), 1))
        rows = np.arange(len(table))[:, None]
        while True:
            values = table[rows, arrays["column"][at]]
            goes_left = np.where(np.isnan(values), arrays["missing_left"][at], values <= arrays["cut"][at])
            below = np.where(goes_left, arrays["left"][at], arrays["right"][at])
            if np.array_equal(below, at):
                break
            at = below
        total = np.zeros((len(table), self._shares.shape[1]))
        for tree in range(at.shape[1]):
            total += self._shares[arrays["leaf"][at[:, tree]]]
        sums = total[:, 0].copy()
        for k in range(1, total.shape[1]):
            sums += total[:, k]
        return total / sums[:, None]


def _check(arrays: Mapping[str, Any], width: int, n_classes: int) -> None:
    nodes = len(arrays["column"])
    inside = all(arrays[name].min() >= 0 and arrays[name].max() < nodes for name in ("left", "right", "roots"))
    fits = arrays["column"].max() < width and arrays["shares"].shape[1] == n_classes
    below = np.arange(nodes)
    goes_down = np.all((arrays["left"] >= below) & (arrays["right"] >= below))  # or a walk would never end
    if not (inside and fits and goes_down and arrays["leaf"].max() < len(arrays["shares"])):
        raise IntegrityError(
            "train.not-a-random-forest",
            "the arrays are not the trees of a random forest",
            where="forest.npz",
            expected="trees for the declared inputs and classes",
            fix="restore the file, or train again",
        )
