"""Logistic regression on the linear view, bought from scikit-learn for training and not needed for scoring.

The strength of the ridge is chosen among three by inner held-out log loss. Several classes are one multinomial model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from martello.errors import IntegrityError
from martello.spec.schema import Field
from martello.train.arrays import pack_arrays, probabilities, unpack_arrays
from martello.train.folds import inner_folds
from martello.train.learner import Columns, Fitted, Floats, TrainingData
from martello.train.linear_view import LinearView, fit_linear_view
from martello.train.ridge import Ridge, as_matrix, choose_strength, solve
from martello.train.texts import TextRows, Texts, fit_texts

__all__ = ["Linear", "Logistic", "linear_files", "load_linear"]


class Logistic:
    """Learn a weight for every piece of the linear view."""

    name = "logistic"

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Fit, choosing the strength of the ridge and the terms unless `settings` gives them as ``C`` and ``runs``."""
        known = settings or {}
        texts, rows = fit_texts(data, seed=seed, with_runs=known.get("runs"))
        view, cells = fit_linear_view(data.fields, data.columns, texts, rows)
        matrix = as_matrix(cells)
        strength = float(known["C"]) if settings else choose_strength(matrix, data, list(inner_folds(data, seed=seed)))
        ridge = solve(matrix, data.codes, data.weights, strength)
        files = texts.files() | linear_files(view, ridge)
        return Fitted(settings={"C": strength, "runs": texts.has_runs, "columns": view.width}, files=files)

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Scorer:
        """Make the scorer from the view and the weights.

        Raises
        ------
        IntegrityError
            ``train.not-weights`` when the weights are not for these inputs and classes.
        """
        texts = Texts.load(files)
        return _Scorer(texts, load_linear(files, texts, fields=fields, n_classes=len(classes)))


class _Scorer:
    def __init__(self, texts: Texts, linear: Linear) -> None:
        self._texts = texts
        self._linear = linear

    def scores(self, columns: Columns) -> Floats:
        return probabilities(self._linear.logits(columns, self._texts.encode(columns)))


class Linear:
    """A fitted view and the weights of its pieces."""

    def __init__(self, view: LinearView, weights: Floats, intercepts: Floats) -> None:
        self._view = view
        self._weights = weights
        self._intercepts = intercepts

    def logits(self, columns: Columns, texts: TextRows) -> Floats:
        """Give logits of shape (n, 1 or K), the same in every bit for a row alone and in a batch."""
        return self._view.encode(columns, texts).dot(self._weights) + self._intercepts


def linear_files(view: LinearView, ridge: Ridge) -> dict[str, bytes]:
    """Give the files of a linear model, beside those of its texts."""
    weights = pack_arrays({"weights": ridge.weights, "intercepts": ridge.intercepts})
    return {"pieces.json": view.file(), "weights.npz": weights}


def load_linear(files: Mapping[str, bytes], texts: Texts, *, fields: tuple[Field, ...], n_classes: int) -> Linear:
    """Make a linear model from its files."""
    arrays = unpack_arrays(files["weights.npz"])
    view = LinearView.load(files["pieces.json"], fields, texts)
    expected = (view.width, 1 if n_classes == 2 else n_classes)
    if arrays["weights"].shape != expected:
        raise IntegrityError(
            "train.not-weights",
            f"the weights have shape {arrays['weights'].shape}",
            where="weights.npz",
            expected=f"shape {expected}, for the declared inputs and classes",
            fix="restore the file, or train again",
        )
    return Linear(view, arrays["weights"], arrays["intercepts"])
