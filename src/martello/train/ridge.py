"""Logistic regression with a ridge, bought from scikit-learn: one fit, and fits in which each row is held out once.

Several classes are one multinomial model. The number of threads inside a fit decides the last bits, so it is one;
several fits run beside each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from martello.train.arrays import Sparse, probabilities
from martello.train.folds import Fold, log_loss
from martello.train.learner import Floats, TrainingData

__all__ = ["STRENGTHS", "Ridge", "as_matrix", "choose_strength", "fits_beside", "held_out_logits", "solve"]

#: Inverse strengths of the ridge that are tried, strongest ridge first, as long as the held-out loss falls.
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, slots=True)
class Ridge:
    """A fitted model: weights of shape (width, 1 or K) and intercepts of shape (1 or K,)."""

    weights: Floats
    intercepts: Floats

    def logits(self, matrix: Any) -> Floats:
        """Give logits of shape (n, 1 or K), fast and with last bits that depend on the batch: for choosing only."""
        return np.asarray(matrix @ self.weights + self.intercepts)

    def scores(self, matrix: Any) -> Floats:
        """Give scores of shape (n, K), likewise for choosing only."""
        return probabilities(self.logits(matrix))


def as_matrix(cells: Sparse) -> Any:
    """Give the cells as a matrix of scipy."""
    from scipy.sparse import csr_matrix

    return csr_matrix((cells.values, (cells.rows, cells.columns)), shape=(cells.n, cells.width))


def solve(matrix: Any, codes: npt.NDArray[np.int64], weights: Floats, strength: float) -> Ridge:
    """Fit to some rows."""
    from sklearn.linear_model import LogisticRegression

    with _one_thread():
        model = LogisticRegression(C=strength, solver="lbfgs", max_iter=1000, tol=1e-4)
        model.fit(matrix, codes, sample_weight=weights)
    return Ridge(np.ascontiguousarray(model.coef_.T), model.intercept_)


@contextmanager
def _one_thread() -> Iterator[None]:
    import sklearn.linear_model  # noqa: F401 - its libraries must be there for their threads to be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def fits_beside() -> ThreadPoolExecutor:
    """Give room for as many fits beside each other as there are cores, each on one thread."""
    return ThreadPoolExecutor(max(1, min(5, os.cpu_count() or 1)))


def held_out_logits(matrix: Any, data: TrainingData, folds: Sequence[Fold], strength: float) -> list[Floats]:
    """Give the logits of the rows held out of each fold."""

    def fit(fold: Fold) -> Floats:
        kept, out = fold
        return solve(matrix[kept], data.codes[kept], data.weights[kept], strength).logits(matrix[out])

    with _one_thread(), fits_beside() as pool:
        return list(pool.map(fit, folds))


def choose_strength(matrix: Any, data: TrainingData, folds: Sequence[Fold]) -> float:
    """Give the strength with the lowest held-out log loss; the strongest ridge where nothing can be held out.

    Weaker ridges, which take longest to fit, are tried only while they help.
    """
    best, lowest = STRENGTHS[0], np.inf
    for strength in STRENGTHS if folds else ():
        logits = held_out_logits(matrix, data, folds, strength)
        loss = sum(
            log_loss(probabilities(own), data.codes[out], data.weights[out]) * float(data.weights[out].sum())
            for own, (_, out) in zip(logits, folds, strict=True)
        )
        if loss >= lowest:
            break
        best, lowest = strength, loss
    return best
