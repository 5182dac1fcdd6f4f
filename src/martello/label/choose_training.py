"""Which units to learn from next: dev plainly at random, train by a strategy that is handed in.

The strategy (`TrainingSampler`) is a value from outside: margin, margin with recorded probabilities, a diverse start,
or plain random. How answers are kept is `martello.label.book`'s; who gets a unit is `martello.label.queue`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.errors import DataError
from martello.label.choose_gold import Correction
from martello.label.entries import Draw, Round

__all__ = ["TrainingChooser", "TrainingDraws", "TrainingPlan", "TrainingSampler"]

Ints = NDArray[np.int64]
_DEV_WHY = "Drawn plainly at random."


class TrainingDraws(Protocol):
    """What a sampler gives: positions in the order of the draw."""

    @property
    def position(self) -> Ints:
        """Positions among the train units, none of them drawn before, shape (m,), m <= k."""

    @property
    def probability(self) -> NDArray[np.float64] | None:
        """Probability of each draw given the ones before it, shape (m,); None when the choice was not random."""

    @property
    def why(self) -> Sequence[str]:
        """One sentence per draw that an annotator may read; no guess at the answer."""


class TrainingSampler(Protocol):
    """A strategy over the train units: its position i is the i-th unit of the pool that is on the train side.

    It keeps no state that changes what it draws, and is called from one thread at a time and away from the annotators'
    requests, so it may fit a model and take a second.
    """

    @property
    def name(self) -> str:
        """Name that is recorded with every draw, such as ``margin``."""

    @property
    def seed(self) -> int:
        """Seed that is recorded with every draw."""

    def draw(self, k: int, labeled: Ints, labels: Ints, *, drawn: Ints) -> TrainingDraws:
        """Draw up to k units.

        Parameters
        ----------
        k
            How many are wanted; fewer come back only when no more are left.
        labeled, labels
            Train units with a settled answer, and the code of each answer (its place in the task's classes). Units
            whose answer is "unsure" are not among them.
        drawn
            Units that were drawn or answered before, and may not be drawn again; labeled ones included. Its length
            only grows, so a seed advanced by it goes on after a restart as without one.
        """


class TrainingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a training campaign draws from.

    Attributes
    ----------
    side
        ``train`` or ``dev`` of each unit, shape (N,), in the order of the pool. Dev is drawn in its share of the pool.
    target
        Settled labels wanted in all; the campaign is done then.
    sampler
        The strategy on the train side.
    """

    side: NDArray[Any]
    target: int
    sampler: TrainingSampler


class TrainingChooser:
    """Draw the units of a training campaign. This is a process; the room calls it from under its lock.

    Parameters
    ----------
    plan, units, seed
        The plan, the pool, and the seed of the dev draw.
    classes
        The possible answers, in the order of their codes.
    now
        Gives the time for what is written down.

    Raises
    ------
    DataError
        ``label.pool-mismatch`` when sides and units do not belong together.
    """

    draws_at_once = False
    is_held_up = False

    def __init__(
        self, plan: TrainingPlan, units: Sequence[str], *, classes: Sequence[str], seed: int, now: Callable[[], str]
    ) -> None:
        side = np.asarray(plan.side)
        if len(side) != len(units) or not np.isin(side, ["train", "dev"]).all():
            raise DataError(
                "label.pool-mismatch",
                f"{len(side)} sides for {len(units)} units",
                expected="train or dev for every unit, in the order of the pool",
            )
        self.plan, self._units, self._now, self._seed = plan, units, now, seed
        self._codes = {name: code for code, name in enumerate(classes)}
        self._train = np.flatnonzero(side == "train")
        self._at = np.where(side == "train", np.cumsum(side == "train") - 1, -1)  # pool to train position
        self._dev_order = np.random.default_rng([seed, 2]).permutation(np.flatnonzero(side == "dev"))
        self._dev_share = len(self._dev_order) / len(units)
        self.round, self.draws = 0, list[Draw]()
        self._drawn: dict[int, None] = {}  # train positions, in their order
        self._answers: dict[int, int | None] = {}  # by train position
        self._n_dev = 0
        self.fingerprint = ""

    def begin(self, round_: Round, position_of: Mapping[str, int]) -> None:
        """Nothing begins anew: what was learned stays learned."""

    def code(self, answer: str | None) -> int | None:
        """Give an answer by its place in the classes; None for unsure."""
        return None if answer is None else self._codes[answer]

    def is_dev(self, position: int) -> bool:
        """Whether a unit is on the dev side."""
        return bool(self._at[position] < 0)

    @property
    def is_decided(self) -> bool:
        """Whether the target is reached: the room counts settled units, so it never is from here."""
        return False

    def prepare(self, k: int) -> Callable[[], list[Draw]]:
        """Give the work of drawing k units, as of now; it may be done in another thread, one at a time."""
        first, n_dev = len(self.draws), self._n_dev
        turns = [int((first + i + 1) * self._dev_share) > int((first + i) * self._dev_share) for i in range(k)]
        dev = self._dev_order[n_dev : n_dev + sum(turns)]
        drawn = np.fromiter(self._drawn, dtype=np.int64)
        known = [(at, code) for at, code in self._answers.items() if code is not None]
        labeled = np.array([at for at, _ in known], dtype=np.int64)
        labels = np.array([code for _, code in known], dtype=np.int64)

        def work() -> list[Draw]:
            wanted = min(k - len(dev), len(self._train) - len(drawn))
            found = self.plan.sampler.draw(wanted, labeled, labels, drawn=drawn) if wanted > 0 else None
            return self._noted(turns, dev, found, n_dev)

        return work

    def _noted(self, turns: list[bool], dev: Ints, found: TrainingDraws | None, n_dev: int) -> list[Draw]:
        sampler, at, first = self.plan.sampler, self._now(), len(self.draws)
        dev_rows = [
            (int(position), 1 / (len(self._dev_order) - n_dev - i), "random", self._seed, _DEV_WHY)
            for i, position in enumerate(dev)
        ]
        train_rows = []
        if found is not None:
            chances = [None] * len(found.position) if found.probability is None else found.probability.tolist()
            train_rows = [
                (int(self._train[position]), chance, sampler.name, sampler.seed, why)
                for position, chance, why in zip(found.position.tolist(), chances, found.why, strict=True)
            ]
        rows = []
        for is_dev in turns:
            source = dev_rows if (is_dev and dev_rows) or not train_rows else train_rows
            if source:
                rows.append(source.pop(0))
        return [
            Draw(unit=self._units[position], position=position, draw=first + i, round=0, probability=chance,
                 sampler=name, seed=seed, after=len(self._answers), why=why, at=at)
            for i, (position, chance, name, seed, why) in enumerate(rows)
        ]  # fmt: skip

    def accept(self, draws: Sequence[Draw]) -> None:
        """Take draws that are written down."""
        self.draws += draws
        for draw in draws:
            self._take(draw.position)

    def _take(self, position: int) -> None:
        if self.is_dev(position):
            self._n_dev += 1
        else:
            self._drawn.setdefault(int(self._at[position]))

    def replay(self, draws: Sequence[Draw], answers: Mapping[int, int | None]) -> None:
        """Take up the book's draws and answers."""
        self.accept(draws)
        for position, code in answers.items():
            self.settle(position, code)

    def settle(self, position: int, code: int | None) -> Correction | None:
        """Take the settled answer of a unit, drawn or not."""
        if not self.is_dev(position):
            at = int(self._at[position])
            self._answers[at] = code
            self._drawn.setdefault(at)
        return None

    def reopen(self, position: int) -> Correction | None:
        """Take an answer back."""
        self._answers.pop(int(self._at[position]), None)
        return None
