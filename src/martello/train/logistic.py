"""Logistic regression on the linear view, bought from scikit-learn for training and not needed for scoring.

The strength of the ridge is chosen among three by inner held-out log loss. Several classes are one multinomial model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from martello.errors import IntegrityError
from martello.spec.schema import Field
from martello.train.arrays import pack_arrays, probabilities, unpack_arrays
from martello.train.folds import inner_folds, log_loss
from martello.train.learner import Columns, Fitted, Floats, TrainingData
from martello.train.linear_view import LinearView, fit_linear_view

__all__ = ["Logistic"]

#: Inverse strengths of the ridge that are tried, strongest ridge first.
_STRENGTHS = (0.1, 1.0, 10.0)


class Logistic:
    """Learn a weight for every piece of the linear view."""

    name = "logistic"

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Fit, choosing the strength of the ridge unless `settings` gives it as ``C``."""
        import sklearn.linear_model  # noqa: F401 - its libraries must be there for their threads to be limited
        from scipy.sparse import csr_matrix
        from threadpoolctl import threadpool_limits

        view, cells = fit_linear_view(data.fields, data.columns)
        matrix = csr_matrix((cells.values, (cells.rows, cells.columns)), shape=(cells.n, cells.width))
        with threadpool_limits(1):  # the number of threads decides the last bits
            strength = float(settings["C"]) if settings else _choose_strength(matrix, data, seed)
            weights, intercepts = _solve(matrix, data.codes, data.weights, strength)
        files = view.files() | {"weights.npz": pack_arrays({"weights": weights, "intercepts": intercepts})}
        return Fitted(settings={"C": strength, "columns": view.width}, files=files)

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Linear:
        """Make the scorer from the view and the weights.

        Raises
        ------
        IntegrityError
            ``train.not-weights`` when the weights are not for these inputs and classes.
        """
        arrays = unpack_arrays(files["weights.npz"])
        view = LinearView.load(files, fields)
        expected = (view.width, 1 if len(classes) == 2 else len(classes))
        if arrays["weights"].shape != expected:
            raise IntegrityError(
                "train.not-weights",
                f"the weights have shape {arrays['weights'].shape}",
                where="weights.npz",
                expected=f"shape {expected}, for the declared inputs and classes",
                fix="restore the file, or train again",
            )
        return _Linear(view, arrays["weights"], arrays["intercepts"])


class _Linear:
    def __init__(self, view: LinearView, weights: Floats, intercepts: Floats) -> None:
        self._view = view
        self._weights = weights
        self._intercepts = intercepts

    def scores(self, columns: Columns) -> Floats:
        return probabilities(self._view.encode(columns).dot(self._weights) + self._intercepts)


def _choose_strength(matrix: Any, data: TrainingData, seed: int) -> float:
    """Give the strength with the lowest held-out log loss; the strongest ridge where nothing can be held out."""
    folds = list(inner_folds(data, seed=seed))
    if not folds:
        return _STRENGTHS[0]
    losses = np.zeros(len(_STRENGTHS))
    for kept, out in folds:
        for i, strength in enumerate(_STRENGTHS):
            weights, intercepts = _solve(matrix[kept], data.codes[kept], data.weights[kept], strength)
            scores = probabilities(matrix[out] @ weights + intercepts)
            losses[i] += log_loss(scores, data.codes[out], data.weights[out]) * data.weights[out].sum()
    return _STRENGTHS[int(np.argmin(losses))]


def _solve(matrix: Any, codes: Any, weights: Any, strength: float) -> tuple[Floats, Floats]:
    """Give weights of shape (width, 1 or K) and intercepts of shape (1 or K,)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, solver="lbfgs", max_iter=1000, tol=1e-4)
    model.fit(matrix, codes, sample_weight=weights)
    return np.ascontiguousarray(model.coef_.T), model.intercept_
