"""Train again on less: part of the rows, or without one input. What `iterate` measures its arms with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from martello.train.learner import Floats, TrainingData, fit_model, load_model

__all__ = ["Refit", "fit_and_score", "share_of"]


def fit_and_score(
    train: TrainingData,
    dev: TrainingData,
    learner: str,
    *,
    seed: int,
    settings: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Floats:
    """Train on these rows and give the scores of the dev rows, shape (n_dev, K); nothing is kept.

    With the settings of an earlier fit nothing is searched for again, which is several times faster.
    """
    fitted = fit_model(learner, train, seed=seed, settings=settings, options=options)
    scorer = load_model(learner, classes=train.classes, fields=train.fields, files=fitted.files)
    return scorer.scores(dev.columns)


def share_of(data: TrainingData, share: float, *, seed: int) -> TrainingData:
    """Give the rows of a share of the clusters, chosen by hash: a smaller share lies within a larger one."""
    end = share * 2**32
    return data.take([i for i, cluster in enumerate(data.clusters) if _place(cluster, seed) < end])


def _place(cluster: str, seed: int) -> int:
    return int(hashlib.md5(f"{seed}|share|{cluster}".encode(), usedforsecurity=False).hexdigest()[:8], 16)


class Refit:
    """One learner to be trained again on parts of one set of rows.

    Parameters
    ----------
    train, dev
        The rows (`martello.train.rows.train_and_dev` makes them from records).
    learner
        Name of the learner.
    settings
        What the learner chose on all rows; kept when an input is left out, searched for anew on fewer rows.
    seed
        Seed of every random choice.
    options
        What is declared for the learner.
    """

    def __init__(
        self,
        train: TrainingData,
        dev: TrainingData,
        learner: str,
        *,
        settings: Mapping[str, Any],
        seed: int,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._train = train
        self._dev = dev
        self._learner = learner
        self._settings = settings
        self._seed = seed
        self._options = options

    def __call__(self, *, share: float = 1.0, without: str | None = None) -> Floats:
        """Give the dev scores after training on a share of the clusters, or without one input."""
        train = self._train
        if without is not None:
            train = train.only([field.name for field in train.fields if field.name != without])
        if share < 1.0:
            train = share_of(train, share, seed=self._seed)
        if not train.fields or len(np.unique(train.codes)) < 2:  # nothing is left to learn from
            return fit_and_score(self._train, self._dev, "constant", seed=self._seed)
        settings = self._settings if share == 1.0 else None
        return fit_and_score(train, self._dev, self._learner, seed=self._seed, settings=settings, options=self._options)
