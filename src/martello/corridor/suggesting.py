"""Which train unit to answer next: a quick model fitted on the answers so far points at what it is least sure of.

Part of the corridor: it joins the reading of values, a learner and the science of training draws into the strategy that
the labelling room is handed. The quick model is thrown away; what is shipped is trained by `train`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from martello.spec.schema import Field
from martello.stats.active_sampling import TrainingMethod, TrainingSampler
from martello.stats.training_draw import TrainingDraw
from martello.train.learner import TrainingData, fit_model, load_model
from martello.train.unlabeled import encode_unlabeled

__all__ = ["Suggestions"]

# Scoring more units than this between two batches would keep people waiting; a random part of the pool serves as well.
_MOST_CANDIDATES = 50_000
_QUICK_LEARNER = "logistic"

Ints = NDArray[np.int64]


class Suggestions:
    """The strategy of a training campaign: a diverse start, then by the margin of a quick model.

    Parameters
    ----------
    fields, columns
        The declared inputs, and the typed values of the train units by field name.
    classes
        The possible answers, in the order of their codes.
    method, seed
        As in `martello.stats.active_sampling.TrainingSampler`.
    """

    def __init__(
        self,
        fields: tuple[Field, ...],
        columns: Mapping[str, Sequence[Any]],
        *,
        classes: tuple[str, ...],
        n_units: int,
        method: TrainingMethod,
        seed: int,
    ) -> None:
        self._fields, self._classes, self.seed, self.name = fields, classes, seed, method
        rng = np.random.default_rng([seed, 3])
        among = rng.permutation(n_units)[:_MOST_CANDIDATES] if n_units > _MOST_CANDIDATES else np.arange(n_units)
        self._among = np.sort(among)
        self._place = {int(unit): place for place, unit in enumerate(self._among)}
        self._columns = columns
        self._candidates = {name: [values[i] for i in self._among] for name, values in columns.items()}
        self._rule = TrainingSampler(n_pool=len(self._among), method=method, seed=seed)
        self._features: Any = None

    def draw(self, k: int, labeled: Ints, labels: Ints, *, drawn: Ints) -> TrainingDraw:
        """Draw up to k units; see `martello.label.choose_training.TrainingSampler`."""
        n_per_class = np.bincount(labels, minlength=len(self._classes)).tolist()
        inside = [self._place[int(unit)] for unit in drawn if int(unit) in self._place]
        is_starting = self._rule.is_starting(len(drawn), n_per_class)
        found = self._rule.draw(
            k,
            inside,
            n_per_class=n_per_class,
            scores=None if is_starting or len(set(labels.tolist())) < 2 else self._scores(labeled, labels),
            features=self._matrix,
        )
        return TrainingDraw(self._among[found.position], found.probability, found.why)

    def _scores(self, labeled: Ints, labels: Ints) -> NDArray[np.float64]:
        data = TrainingData(
            fields=self._fields,
            columns={name: [values[i] for i in labeled] for name, values in self._columns.items()},
            codes=labels,
            weights=np.ones(len(labels)),
            clusters=[str(unit) for unit in labeled],
            classes=self._classes,
        )
        fitted = fit_model(_QUICK_LEARNER, data, seed=self.seed)
        scorer = load_model(_QUICK_LEARNER, classes=self._classes, fields=self._fields, files=fitted.files)
        return scorer.scores(self._candidates)

    def _matrix(self) -> Any:
        if self._features is None:
            self._features = encode_unlabeled(self._fields, self._candidates)
        return self._features
