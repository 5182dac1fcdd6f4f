"""The book of a certification: what was asked, in which order and by which plan, and what came back.

Every given label is kept, whatever else goes wrong in the same call. Nothing here knows statistics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.errors import DataError
from martello.stats.checks import check_same_length
from martello.stats.label_sampler import Draws

__all__ = ["Answers", "known_labels", "plain_label", "read_label"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Answers:
    """Keep draws in their order and labels by position. This is a process: it grows.

    Parameters
    ----------
    labels
        Labels known before the first draw, by position; NaN is "unsure".
    late
        Positions handed out by an earlier process: answers to them are kept, and count when the unit is drawn again.
    """

    def __init__(self, labels: dict[int, float], late: Iterable[int] = ()) -> None:
        self.labels = dict(labels)
        self.late = list(late)
        self.position: list[int] = []
        self.probability: list[float] = []
        self.plan: list[int] = []
        self.after: list[int] = []  # labels taken into account when the draw was made
        self._askable = {*labels, *self.late}
        self._ready = 0

    def ask(self, draws: Draws, *, plan: int, after: int) -> None:
        """Note draws that were handed out."""
        self.position += draws.position.tolist()
        self.probability += draws.probability.tolist()
        self.plan += [plan] * len(draws.position)
        self.after += [after] * len(draws.position)
        self._askable.update(draws.position.tolist())

    def give(self, positions: ArrayLike, labels: Iterable[object]) -> None:
        """Note answers in any order; keep the good ones and then refuse the bad ones, all by name.

        Raises
        ------
        DataError
            ``stats.label-not-asked``, ``stats.label-outside-classes`` or ``stats.label-conflict``; further ones in
            ``others``.
        """
        where, given = np.atleast_1d(np.asarray(positions)).tolist(), list(labels)
        check_same_length(positions=where, labels=given)
        faults = [fault for at, label in zip(where, given, strict=True) if (fault := self._give_one(at, label))]
        if faults:
            first = faults[0]
            raise DataError(
                first.code, first.what, where=first.where, expected=first.expected, fix=first.fix, others=faults[1:]
            )

    def _give_one(self, position: object, label: object) -> DataError | None:
        if position not in self._askable or not isinstance(position, int):
            return DataError(
                "stats.label-not-asked",
                f"unit {position} was not handed out",
                expected="a position that next() gave",
                fix="a label chosen in another way can be given as known= when a certification starts",
            )
        value = read_label(label)
        if value is None:
            return DataError(
                "stats.label-outside-classes",
                f"the label of unit {position} is {label!r}",
                where=f"position {position}",
                expected="1 or True, 0 or False, None for unsure",
            )
        before = self.labels.get(position)
        if before is not None and not (before == value or (math.isnan(before) and math.isnan(value))):
            return DataError(
                "stats.label-conflict",
                f"unit {position} was labeled {_written(before)} before and {_written(value)} now",
                where=f"position {position}",
                expected="one answer per unit; the first one stands",
                fix="settle the answer between annotators before it is handed in",
            )
        self.labels[position] = value
        return None

    @property
    def ready(self) -> int:
        """Draws at the front of the order that all have their label."""
        while self._ready < len(self.position) and self.position[self._ready] in self.labels:
            self._ready += 1
        return self._ready

    @property
    def probabilities(self) -> Floats:
        """Probability of each draw given the ones before, in their order."""
        return np.array(self.probability, dtype=float)

    @property
    def pending(self) -> list[int]:
        """Positions handed out and not answered, in the order of the draw."""
        return [position for position in self.position if position not in self.labels]

    def part(self, start: int, stop: int) -> tuple[Ints, Floats]:
        """Positions and labels of draws start..stop."""
        positions = self.position[start:stop]
        return np.array(positions, dtype=np.int64), np.array([self.labels[at] for at in positions], dtype=float)

    def same_plan_until(self, start: int) -> int:
        """First draw after `start` that was made by another plan."""
        stop = start
        while stop < len(self.plan) and self.plan[stop] == self.plan[start]:
            stop += 1
        return stop


def read_label(label: object) -> float | None:
    """Give 1.0, 0.0, NaN for unsure, or None when it is no label.

    Examples
    --------
    >>> read_label(True), read_label(0), read_label(None), read_label("yes")
    (1.0, 0.0, nan, None)
    """
    if label is None or (isinstance(label, float | np.floating) and math.isnan(label)):
        return math.nan
    if isinstance(label, bool | int | float | np.bool_ | np.integer | np.floating) and label in (0, 1):
        return float(label)
    return None


def known_labels(known: Mapping[int, object], pool_size: int) -> dict[int, float]:
    """Give labels that existed before the first draw as numbers, or refuse one by name.

    Examples
    --------
    >>> known_labels({3: True, 5: None}, 10)
    {3: 1.0, 5: nan}
    """
    checked = {}
    for position, label in known.items():
        value = read_label(label)
        if value is None or not 0 <= position < pool_size:
            raise DataError(
                "stats.label-outside-classes",
                f"the known label of unit {position} is {label!r}",
                where=f"known, position {position} of {pool_size}",
                expected="a position of the pool with 1, 0 or None",
            )
        checked[int(position)] = value
    return checked


def plain_label(value: float) -> int | None:
    """Give a kept label as 1, 0 or None for unsure.

    Examples
    --------
    >>> plain_label(1.0), plain_label(math.nan)
    (1, None)
    """
    return None if math.isnan(value) else int(value)


def _written(value: float) -> str:
    return "unsure" if math.isnan(value) else f"{value:.0f}"
