"""From evidence to verdicts: when all claims of a gate are shown, when one is refuted, and which gate counts.

A gate opens when every claim has reached 1/alpha at some time (intersection-union: no correction). It is refused when
the mean of the refuting e-values reaches 1/alpha: a mean of e-values is an e-value, so this needs no correction
either and decides no later than asking one of k claims for k/alpha. Where less is agreed to refute than to show, the
truth may lie between the two: once that is known, more labels cannot help, and the gate stays undecided for good.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from martello.stats.estimate import Verdict
from martello.stats.gates import Gates
from martello.stats.martingale import Evidence
from martello.stats.thresholds import fixed_sequence_certified

__all__ = ["GateWatch"]

Floats = NDArray[np.float64]


class GateWatch:
    """Follow the evidence of all rows and keep the first decision of each gate. This is a process.

    Parameters
    ----------
    gates
        The rows, by gate.
    level
        One minus the error allowed on each side.
    """

    def __init__(self, gates: Gates, level: float) -> None:
        self.bar = -math.log(1 - level)
        self.level = level
        self._rows = [gates.of_gate(gate) for gate in range(len(gates.thresholds))]
        self._refuting = gates.refuting
        n_rows = len(gates.rows)
        self.ship, self.refuse = np.zeros(n_rows), np.zeros(n_rows)  # log e-values now
        self.peak = np.zeros(n_rows)
        self.own = [Verdict.UNDECIDED] * len(self._rows)  # each gate by itself
        self.decided_at: list[int | None] = [None] * len(self._rows)
        self.is_between = [False] * len(self._rows)
        self._seen = 0

    def watch(self, evidence: Evidence) -> None:
        """Take the evidence after each of T draws."""
        peaks = np.maximum.accumulate(np.concatenate([self.peak[:, None], evidence.ship], axis=1), axis=1)[:, 1:]
        for gate, rows in enumerate(self._rows):
            if self.own[gate] is Verdict.UNDECIDED and not self.is_between[gate]:
                met = _first(np.all(peaks[rows] >= self.bar, axis=0))
                against = logsumexp(evidence.refuse[self._refuters(rows)], axis=0) - math.log(len(rows))
                not_met = _first(against >= self.bar)
                self._decide(gate, met, not_met, self._between(evidence, peaks, rows))
        self.ship, self.refuse, self.peak = evidence.ship[:, -1], evidence.refuse[:, -1], peaks[:, -1]
        self._seen += evidence.ship.shape[1]

    def _refuters(self, rows: list[int]) -> list[int]:
        return [self._refuting[row] for row in rows]

    def _between(self, evidence: Evidence, peaks: Floats, rows: list[int]) -> float:
        """When some claim is known to be too low to be shown and too high to be refuted."""
        both = [
            (evidence.refuse[row] >= self.bar + math.log(len(rows))) & (peaks[refuter] >= self.bar)
            for row, refuter in zip(rows, self._refuters(rows), strict=True)
            if refuter != row
        ]
        return _first(np.any(both, axis=0)) if both else math.inf

    def _decide(self, gate: int, met: float, not_met: float, between: float) -> None:
        if min(met, not_met) < math.inf and min(met, not_met) <= between:
            self.own[gate] = Verdict.MET if met <= not_met else Verdict.NOT_MET
            self.decided_at[gate] = self._seen + int(min(met, not_met)) + 1
        elif between < math.inf:
            self.is_between[gate] = True

    @property
    def certified(self) -> int:
        """How many gates, from the first, are certified in the declared order."""
        shown = [math.inf if verdict is Verdict.MET else 0.0 for verdict in self.own]
        return fixed_sequence_certified(shown, level=self.level)

    @property
    def open_gate(self) -> int | None:
        """The gate that labels are for now; None when nothing is left to decide."""
        at = self.certified
        is_open = at < len(self.own) and self.own[at] is Verdict.UNDECIDED and not self.is_between[at]
        return at if is_open else None

    def limiting_row(self, distance: Floats) -> tuple[int, float]:
        """The row the open gate (or the last decided one) waits for, and the evidence it still lacks.

        When every claim looks true, that is the one to be shown last; when one looks false, the one refuted first; when
        one lies between, that one.
        """
        rows = self._rows[min(self.certified, len(self._rows) - 1)]
        waiting = [row for row in rows if self.peak[row] < self.bar] or rows
        size = np.maximum(distance**2, 1e-8)
        false = self._looking_false(self._refuters(rows), distance) or self._looking_false(rows, distance)
        if false:
            lack = self.bar + math.log(len(rows)) - self.refuse
            row = min(false, key=lambda r: lack[r] / size[r])
        else:
            lack = self.bar - self.ship
            row = max(waiting, key=lambda r: lack[r] / size[r])
        return row, float(max(lack[row], 0.05))

    def _looking_false(self, rows: list[int], distance: Floats) -> list[int]:
        """The rows estimated below 0, but for those that hold for certain: their 0 may have been rounded below it."""
        return [row for row in rows if distance[row] < 0 and self.refuse[row] > -math.inf]

    def needs(self, distance: Floats, sd: Floats) -> Floats:
        """Draws each row needs per unit of variance, shape (C,), for the sampler: 0 for rows that need no more."""
        need = np.zeros(len(distance))
        if self.open_gate is None:
            return need
        rows = self._rows[self.open_gate]
        mean2 = np.maximum(distance**2, 1e-4) * sd**2
        if self._looking_false(rows, distance):
            row, lack = self.limiting_row(distance)
            need[row] = lack / mean2[row]
        else:
            for row in rows:
                if self.peak[row] < self.bar:
                    need[row] = max(self.bar - self.ship[row], 0.05) / mean2[row]
        return need


def _first(happened: NDArray[np.bool_]) -> float:
    """Index of the first True; infinity when there is none."""
    return float(np.argmax(happened)) if happened.any() else math.inf
