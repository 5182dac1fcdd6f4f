"""The inner split: which rows a learner holds out of its own training rows to choose its settings.

By a hash of the cluster, so that rows that belong together stay together and a rerun gives the same folds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from martello.train.learner import TrainingData

__all__ = ["FOLDS", "MANY_CLASSES", "Fold", "folds_worth", "inner_folds", "log_loss"]

#: Positions of the rows that are fitted and of those that are held out.
Fold = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

#: Beyond this many classes a fit is dear, and choices are made with less searching.
MANY_CLASSES = 10

#: Parts that training rows are divided into.
FOLDS = 5

#: From this many rows one held-out fifth is enough to choose by; five would cost five times as much.
_ONE_FOLD_FROM = 10_000


def inner_folds(data: TrainingData, *, seed: int, most: int | None = None) -> Iterator[Fold]:
    """Give (fitted, held out) row positions of each fold; folds in which a class could not be learned are left out.

    All five parts are held out in turn, or only the first `most`; by default one of many rows or classes.
    """
    fold = np.array([_fold_of(cluster, seed) for cluster in data.clusters])
    classes = set(data.codes.tolist())
    for held in range(folds_worth(data) if most is None else most):
        kept, out = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        if len(out) and set(data.codes[kept].tolist()) == classes:
            yield kept, out


def folds_worth(data: TrainingData) -> int:
    """Give how many folds a choice is worth: five, or one where rows or classes are many."""
    return 1 if len(data) >= _ONE_FOLD_FROM or len(data.classes) > MANY_CLASSES else FOLDS


def _fold_of(cluster: str, seed: int) -> int:
    return int(hashlib.md5(f"{seed}|inner|{cluster}".encode(), usedforsecurity=False).hexdigest()[:8], 16) % FOLDS


def log_loss(scores: npt.NDArray[np.float64], codes: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> float:
    """Give the weighted mean log loss of scores of shape (n, K)."""
    own = np.clip(scores[np.arange(len(codes)), codes], 1e-15, 1.0)
    return float(np.average(-np.log(own), weights=weights))
