"""Who gets which unit next: earliest drawn first, never one person twice, leased for a while and then given to others.

Units are named by their position in the pool. Everybody has a heap of their own of what is open, so a request costs
the logarithm of what is open, however large the pool. Why a unit was drawn and what votes mean is decided elsewhere.
"""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Callable, Sequence

__all__ = ["Held", "Queue"]

# A lease whose tab has not spoken for so long may be handed to another tab of the same person.
RESUME_SECONDS = 60.0


class Held:
    """A unit in the hands of one annotator."""

    __slots__ = ("annotator", "assignment", "is_check", "position", "touched", "until", "why")

    def __init__(
        self, assignment: str, annotator: str, position: int, until: float, touched: float, why: str, is_check: bool
    ) -> None:
        self.assignment, self.annotator, self.position = assignment, annotator, position
        self.until, self.touched, self.why, self.is_check = until, touched, why, is_check


class _Open:
    """A unit that wants votes."""

    __slots__ = ("order", "takers", "wants", "why")

    def __init__(self, order: int, wants: int, why: str) -> None:
        self.order, self.wants, self.why = order, wants, why
        self.takers: set[str] = set()


class Queue:
    """Hand out open units. Not safe for several threads: the room has the lock.

    Parameters
    ----------
    lease_seconds
        How long a unit stays with one annotator.
    has_seen
        Whether an annotator has acted on a unit before, by position.
    check
        Gives a hidden check unit to show to an annotator in place of the next one, or None.
    """

    def __init__(
        self, *, lease_seconds: float, has_seen: Callable[[str, int], bool], check: Callable[[str], int | None]
    ) -> None:
        self._lease_seconds, self._has_seen, self._check = lease_seconds, has_seen, check
        self._open: dict[int, _Open] = {}
        self._heaps: dict[str, list[tuple[int, int]]] = {}
        self._held: dict[str, Held] = {}
        self._mine: dict[str, dict[str, Held]] = {}
        self._ends: list[tuple[float, str]] = []
        self._untouched: set[int] = set()

    @property
    def n_open(self) -> int:
        """Units that want votes."""
        return len(self._open)

    @property
    def n_untouched(self) -> int:
        """Open units that nobody was given yet."""
        return len(self._untouched)

    def want(self, position: int, *, order: int, wants: int, why: str) -> None:
        """Ask for so many further votes on a unit; 0 asks no more."""
        found = self._open.get(position)
        if wants <= 0:
            if found is not None:
                del self._open[position]
                self._untouched.discard(position)
            return
        if found is None:
            found = self._open[position] = _Open(order, wants, why)
            found.takers = {held.annotator for held in self._held.values() if held.position == position}
            if not found.takers:
                self._untouched.add(position)
        else:
            found.wants, found.order = wants, order
        self._announce(position, found)

    def clear(self) -> None:
        """Forget what is open; leases stay."""
        self._open.clear()
        self._untouched.clear()
        self._heaps = {name: [] for name in self._heaps}

    def take(self, annotator: str, k: int, holding: Sequence[str], now: float) -> tuple[list[Held], list[str]]:
        """Give up to k leases, those of the annotator that lie idle first, and the leases that ended meanwhile."""
        ended = self._end_leases(now)
        mine = self._mine.setdefault(annotator, {})
        for assignment in holding:
            if assignment in mine:
                mine[assignment].touched = now
        taken = [held for held in mine.values() if held.assignment not in holding and self._is_idle(held, now)][:k]
        for held in taken:
            held.touched = now
        while len(taken) < k and (position := self.peek(annotator)) is not None:
            check = self._check(annotator)
            why = self._open[position].why
            taken.append(self.hand(annotator, position if check is None else check, now, why, check is not None))
        return taken, ended

    def _is_idle(self, held: Held, now: float) -> bool:
        return now - held.touched >= RESUME_SECONDS and (held.is_check or held.position in self._open)

    def peek(self, annotator: str) -> int | None:
        """Give the first open unit that this annotator may have, without handing it out."""
        if annotator not in self._heaps:
            self._heaps[annotator] = sorted((unit.order, position) for position, unit in self._open.items())
        heap = self._heaps[annotator]
        while heap:
            position = heap[0][1]
            unit = self._open.get(position)
            if (
                unit is not None
                and unit.wants > len(unit.takers)
                and annotator not in unit.takers
                and not self._has_seen(annotator, position)
            ):
                return position
            heapq.heappop(heap)
        return None

    def hand(self, annotator: str, position: int, now: float, why: str, is_check: bool = False) -> Held:
        """Lease a unit, open or not."""
        held = Held(secrets.token_urlsafe(12), annotator, position, now + self._lease_seconds, now, why, is_check)
        self.keep(held)
        return held

    def keep(self, held: Held) -> None:
        """Take up a lease, new or from before a restart."""
        self._held[held.assignment] = held
        self._mine.setdefault(held.annotator, {})[held.assignment] = held
        heapq.heappush(self._ends, (held.until, held.assignment))
        if (unit := self._open.get(held.position)) is not None:
            unit.takers.add(held.annotator)
        self._untouched.discard(held.position)

    def held(self, annotator: str, position: int) -> Held | None:
        """Give the annotator's lease on a unit."""
        return next((held for held in self._mine.get(annotator, {}).values() if held.position == position), None)

    def end(self, annotator: str, position: int) -> list[str]:
        """End the annotator's lease on a unit; give what ended."""
        held = self.held(annotator, position)
        if held is None:
            return []
        self._drop(held)
        return [held.assignment]

    def _end_leases(self, now: float) -> list[str]:
        ended = []
        while self._ends and self._ends[0][0] <= now:
            _, assignment = heapq.heappop(self._ends)
            if assignment in self._held:
                self._drop(self._held[assignment])
                ended.append(assignment)
        return ended

    def _drop(self, held: Held) -> None:
        del self._held[held.assignment]
        del self._mine[held.annotator][held.assignment]
        if (unit := self._open.get(held.position)) is not None:
            unit.takers.discard(held.annotator)
            self._announce(held.position, unit)

    def _announce(self, position: int, unit: _Open) -> None:
        if unit.wants > len(unit.takers):
            for heap in self._heaps.values():
                heapq.heappush(heap, (unit.order, position))
