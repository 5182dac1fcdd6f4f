"""The inner split: which rows a learner holds out of its own training rows to choose its settings.

By a hash of the cluster, so that rows that belong together stay together and a rerun gives the same folds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from martello.train.learner import TrainingData

__all__ = ["MANY_CLASSES", "inner_folds", "log_loss"]

#: Beyond this many classes a fit is dear, and choices are made with less searching.
MANY_CLASSES = 10

_FOLDS = 5

#: From this many rows one held-out fifth is enough to choose by; five would cost five times as much.
_ONE_FOLD_FROM = 10_000


def inner_folds(data: TrainingData, *, seed: int) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Give (fitted, held out) row positions of each fold; folds in which a class could not be learned are left out."""
    fold = np.array([_fold_of(cluster, seed) for cluster in data.clusters])
    classes = set(data.codes.tolist())
    is_dear = len(data) >= _ONE_FOLD_FROM or len(data.classes) > MANY_CLASSES
    for held in range(1 if is_dear else _FOLDS):
        kept, out = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        if len(out) and set(data.codes[kept].tolist()) == classes:
            yield kept, out


def _fold_of(cluster: str, seed: int) -> int:
    return int(hashlib.md5(f"{seed}|inner|{cluster}".encode(), usedforsecurity=False).hexdigest()[:8], 16) % _FOLDS


def log_loss(scores: npt.NDArray[np.float64], codes: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> float:
    """Give the weighted mean log loss of scores of shape (n, K)."""
    own = np.clip(scores[np.arange(len(codes)), codes], 1e-15, 1.0)
    return float(np.average(-np.log(own), weights=weights))
