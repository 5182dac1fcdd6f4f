"""Gold of a size that is fixed beforehand: units drawn plainly at random, all of them answered, then judged once.

For requirements the certification cannot judge label by label, such as a mean over several classes. The order of the
draw is one permutation of the pool, so a larger size asks about the same units first and no label is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from martello.errors import DataError
from martello.label.choose_gold import Correction
from martello.label.entries import Draw, Round
from martello.records import Measure

__all__ = ["FixedChooser", "FixedPlan", "fixed_fingerprint"]

_WHY = "Drawn plainly at random: every unit had the same chance."
_STREAM = 4  # sets the order of gold apart from other draws with the same seed

#: Gives the interval of every claim from positions of the pool and their codes (None for unsure).
Read = Callable[[Sequence[int], Sequence[int | None]], Mapping[str, Measure]]


class FixedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A gold campaign over a plain random part of the pool.

    Attributes
    ----------
    size
        How many units are asked about, fixed before the first answer.
    agreed
        The number each claim must reach, by the claim's name in what `read` gives.
    read
        How the answers so far are read, for people; the gate judges.
    """

    size: int
    agreed: Mapping[str, float]
    read: Read


class FixedChooser:
    """Draw the units of one round and take their answers. The room calls it from under its lock.

    Parameters
    ----------
    plan, units, seed
        The plan, the pool, and the seed of the campaign.
    classes
        The possible answers, in the order of their codes.
    now
        Gives the time for what is written down.

    Raises
    ------
    DataError
        ``label.pool-mismatch`` when more units are asked for than there are.
    """

    draws_at_once = True

    def __init__(
        self, plan: FixedPlan, units: Sequence[str], *, classes: Sequence[str], seed: int, now: Callable[[], str]
    ) -> None:
        if not 0 < plan.size <= len(units):
            raise DataError(
                "label.pool-mismatch",
                f"{plan.size} gold units are wanted of a pool of {len(units)}",
                expected="between 1 and all of them",
            )
        self.plan, self.size, self.seed, self._units, self._now = plan, plan.size, seed, units, now
        self._codes = {name: code for code, name in enumerate(classes)}
        self._order = np.random.default_rng([seed, _STREAM]).permutation(len(units))[: plan.size]
        self.round, self.n_changes = -1, 0
        self.draws: list[Draw] = []
        self._told: dict[int, int | None] = {}
        self.fingerprint = fixed_fingerprint(units, plan.size, seed)

    def begin(self, round_: Round, position_of: Mapping[str, int]) -> None:
        """Start a round; what was answered before counts as soon as its unit is drawn."""
        self.round, self.draws, self._told = round_.number, [], {}

    def code(self, answer: str | None) -> int | None:
        """Give an answer by its place in the classes; None for unsure."""
        return None if answer is None else self._codes[answer]

    @property
    def is_decided(self) -> bool:
        """Whether every unit that was to be asked about has its answer."""
        return len(self._told) == self.size

    @property
    def is_held_up(self) -> bool:
        """Whether all units are drawn and some still wait for an answer."""
        return len(self.draws) == self.size and not self.is_decided

    def prepare(self, k: int) -> Callable[[], list[Draw]]:
        """Give the work of drawing up to k units."""
        return lambda: self._draw(len(self.draws), min(self.size, len(self.draws) + k))

    def _draw(self, first: int, stop: int) -> list[Draw]:
        at, n_pool = self._now(), len(self._units)
        return [
            Draw(unit=self._units[position], position=position, draw=i, round=self.round,
                 probability=1 / (n_pool - i), sampler="random", seed=self.seed, after=len(self._told), why=_WHY, at=at)
            for i, position in enumerate(self._order[first:stop].tolist(), first)
        ]  # fmt: skip

    def accept(self, draws: Sequence[Draw]) -> None:
        """Take draws that are written down."""
        self.draws += draws

    def settle(self, position: int, code: int | None) -> Correction | None:
        """Take the settled answer of a drawn unit; no other draw depends on it."""
        self.n_changes += self._told.get(position, code) != code
        self._told[position] = code
        return None

    def reopen(self, position: int) -> Correction | None:
        """Take an answer back."""
        self.n_changes += position in self._told
        self._told.pop(position, None)
        return None

    def replay(self, draws: Sequence[Draw], answers: Mapping[int, int | None]) -> None:
        """Take up the book's draws and answers."""
        self.draws = list(draws)
        self._told = {draw.position: answers[draw.position] for draw in draws if draw.position in answers}

    def answered(self) -> tuple[list[int], list[int | None]]:
        """Give positions and codes up to the first draw without an answer: what came back late must not be missing."""
        positions: list[int] = []
        for draw in self.draws:
            if draw.position not in self._told:
                break
            positions.append(draw.position)
        return positions, [self._told[position] for position in positions]


def fixed_fingerprint(units: Sequence[str], size: int, seed: int) -> str:
    """Name a draw by what decides it: the pool in its order, the size and the seed."""
    return hashlib.sha256(f"{size} {seed}\n".encode() + "\n".join(units).encode()).hexdigest()
