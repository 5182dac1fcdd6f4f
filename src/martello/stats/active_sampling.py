"""Which unit to label next so that a model learns: how to begin, and how to go on once a model has scores.

The policy lives here; the samplers it chooses among are `martello.stats.diverse_start`, `martello.stats.margin` and
`martello.stats.training_draw`. Arrays in, positions out: where labels, scores and features come from is the labelling
room's business. Labels that are to prove something are drawn by `martello.stats.certification` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from martello.errors import DataError
from martello.stats.checks import Ints, check_same_length
from martello.stats.diverse_start import pick_diverse
from martello.stats.margin import draw_by_margin, pick_by_margin
from martello.stats.training_draw import TrainingDraw, draw_random

__all__ = ["TrainingMethod", "TrainingSampler"]

TrainingMethod = Literal["margin", "pps-margin", "random"]


class TrainingSampler(msgspec.Struct, frozen=True, kw_only=True):
    """The rule by which units are chosen for training. It holds no state: the same draws so far give the same batch.

    Attributes
    ----------
    n_pool
        Units of the pool.
    method
        ``margin`` picks what the model is least sure of, spread over groups of similar units, and learns fastest.
        ``pps-margin`` draws such units with recorded probabilities, so that the same labels can estimate, too.
        ``random`` draws blindly.
    per_class, start_at_most
        The start ends when each class has so many labels, or when so many units were drawn. With ``margin`` the start
        is diverse, with the others it is random, so that every label has a probability.
    power, floor
        Of ``pps-margin``; as in `martello.stats.margin.draw_by_margin`.
    seed
        Of the whole campaign.

    Raises
    ------
    DataError
        ``stats.sampler-unknown``.

    Assumptions
    -----------
    As those of the samplers.

    Guarantee
    ---------
    As those of the samplers: none about the pool for ``margin``; exact probabilities for the others.

    Examples
    --------
    >>> sampler = TrainingSampler(n_pool=3, per_class=1)
    >>> scores = np.array([[0.9, 0.1], [0.45, 0.55], [0.2, 0.8]])
    >>> sampler.draw(1, [0, 2], n_per_class=[1, 1], scores=scores).why
    ('the model is least sure here: 0.45 against 0.55',)
    """

    n_pool: int
    method: TrainingMethod = "margin"
    per_class: int = 3
    start_at_most: int = 40
    power: float = 3.0
    floor: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("margin", "pps-margin", "random"):
            raise DataError(
                "stats.sampler-unknown",
                f"there is no sampler {self.method!r}",
                where="method",
                expected="margin, pps-margin or random",
            )

    def is_starting(self, n_drawn: int, n_per_class: Sequence[int]) -> bool:
        """Tell whether the labels so far are too few for a model to say what it needs."""
        return min(n_per_class, default=0) < self.per_class and n_drawn < self.start_at_most

    def draw(
        self,
        k: int,
        drawn: Sequence[int] | Ints,
        *,
        n_per_class: Sequence[int] = (),
        scores: npt.ArrayLike | None = None,
        features: Callable[[], Any] | None = None,
    ) -> TrainingDraw:
        """Give up to k units to label next; fewer, or none, when the pool is at its end.

        Parameters
        ----------
        k
            How many.
        drawn
            Positions of all draws so far in their order, whether or not their labels are back.
        n_per_class
            Labels so far of each class, 0 for those that have none.
        scores
            Class probabilities of the whole pool by the newest model, shape (n_pool, K); None when there is no model.
        features
            Gives the features of the whole pool, shape (n_pool, d), dense or scipy.sparse. Only ``margin`` calls it,
            once for each batch; None leaves it without a diverse start and spread batches.

        Raises
        ------
        DataError
            ``stats.length-mismatch``, ``stats.no-such-unit``, and faults of scores and features.
        """
        if self.method == "random" or scores is None or self.is_starting(len(drawn), n_per_class):
            return self._start(k, drawn, features)
        check_same_length(pool=range(self.n_pool), scores=np.asarray(scores))
        if self.method == "margin":
            return pick_by_margin(scores, k, drawn, seed=self.seed, features=self._matrix(features))
        return draw_by_margin(scores, k, drawn, seed=self.seed, power=self.power, floor=self.floor)

    def _start(self, k: int, drawn: Sequence[int] | Ints, features: Callable[[], Any] | None) -> TrainingDraw:
        matrix = self._matrix(features) if self.method == "margin" else None
        if matrix is None:
            return draw_random(self.n_pool, k, drawn, seed=self.seed)
        return pick_diverse(matrix, k, drawn, seed=self.seed)

    def _matrix(self, features: Callable[[], Any] | None) -> Any | None:
        if features is None:
            return None
        matrix = features()
        if matrix.shape[0] != self.n_pool:
            raise DataError(
                "stats.length-mismatch",
                f"the features have {matrix.shape[0]} rows",
                where="features",
                expected=f"{self.n_pool}, one per unit of the pool",
            )
        return matrix
