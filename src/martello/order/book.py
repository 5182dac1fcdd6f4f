"""The book of an audit: decisions as they were made, and for each list that people saw the one render that counts.

An event that is sent again counts once. A list that is rendered again is judged each time, and its last complete render
counts; events that know single places are put together first. Item ids are held once, so that a million decisions fit
into memory. Rates are made in `report`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from martello.order.chain import check_ids
from martello.order.edits import Edits
from martello.order.facts import Click, RankedDecision, Render, Shown
from martello.order.keys import Keyring
from martello.order.reconcile import Judgment, Kind, Place, State, judge
from martello.order.shapes import RowFault

__all__ = ["Book", "SeenList"]

_EXAMPLES = 3


@dataclass(slots=True)
class SeenList:
    """One list that people saw: the state and kinds of the render that counts, and what it is compared by."""

    decision: str | None
    state: State
    kinds: tuple[Kind, ...]
    at: int | None
    complete: bool
    sparse: bool
    groups: tuple[str | None, str | None, str | None, str | None]  # surface, build, client, arm
    whose: str  # lists of one person, else of one decision, count as seen together
    dropped: int
    _places: array[int]

    @property
    def places(self) -> Iterator[Place]:
        """Where each item was due and shown."""
        steps = iter(self._places)
        while place := tuple(islice(steps, 3)):
            yield place  # type: ignore[misc]  # three at a time, as they were put in


@dataclass(slots=True)
class Book:
    """What was decided and what was seen of it.

    Decisions come first: a render is judged when it comes in.
    """

    edits: Edits = field(default_factory=Edits)
    keys: Keyring | None = None
    decisions: dict[str, RankedDecision] = field(default_factory=dict)
    lists: dict[tuple[str | None, int | str], SeenList] = field(default_factory=dict)
    clicks: dict[str, set[str]] = field(default_factory=dict)
    examples: dict[Kind, list[str]] = field(default_factory=dict)
    n_renders: int = 0
    n_repeated: int = 0
    counts_from_0: bool = False
    _names: dict[str, str] = field(default_factory=dict)
    _twisted: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _sparse: dict[str, tuple[Render, dict[tuple[str, int], None]]] = field(default_factory=dict)

    def decide(self, decision: RankedDecision) -> None:
        """Take in a decision.

        Raises
        ------
        RowFault
            When another list stands under this id: then neither is believed.
        DataError
            ``order.id-not-text`` and ``order.item-twice``.
        """
        items = tuple(self._names.setdefault(each, each) for each in check_ids(decision.items))
        known = self.decisions.setdefault(decision.decision, msgspec.structs.replace(decision, items=items))
        if known.items != items:
            self._twisted.add(decision.decision)
            raise RowFault(f"decision {decision.decision!r} is there already with another list")

    def take(self, event: Render | Click) -> None:
        """Take in what was shown, or clicked."""
        if isinstance(event, Click):
            self.clicks.setdefault(event.decision, set()).add(self._names.get(event.item, event.item))
            return
        if event.id and event.id in self._seen:
            self.n_repeated += 1
            return
        self.n_renders += 1
        if event.id:
            self._seen.add(event.id)
        if event.sparse and event.decision is not None:
            self._gather(event, event.decision)
        else:
            self._judge(event)

    def close(self) -> None:
        """Judge what had to be put together first, and forget what was only needed while reading."""
        self.counts_from_0 = any(slot == 0 for _, places in self._sparse.values() for _, slot in places)
        shift = int(self.counts_from_0)
        for render, places in self._sparse.values():
            shown = tuple(Shown(id=name, slot=slot + shift) for name, slot in places)
            self._judge(msgspec.structs.replace(render, shown=shown))
        self._sparse.clear()
        self._seen.clear()

    def _gather(self, render: Render, decision: str) -> None:
        held = self._sparse.setdefault(decision, (render, {}))
        for each in render.shown:
            if each.slot is not None:
                held[1][(self._names.get(each.id, each.id), each.slot)] = None

    def _judge(self, render: Render) -> None:
        known = None if render.decision in self._twisted else self.decisions.get(render.decision or "")
        found = judge(render, known, edits=self.edits, keys=self.keys)
        # A list under no decision has no name by which it could be known again.
        key = (render.decision, render.offset if render.decision is not None else render.id or str(self.n_renders))
        before = self.lists.get(key)
        if before is None or (render.complete, render.at or 0) >= (before.complete, before.at or 0):
            self.lists[key] = self._written(render, known, found)
        for kind, text in found.kinds.items():
            kept = self.examples.setdefault(kind, [])
            if len(kept) < _EXAMPLES:
                kept.append(f"{render.decision or 'no decision'}: {text}")

    def _written(self, render: Render, decision: RankedDecision | None, found: Judgment) -> SeenList:
        words = (
            render.surface or (decision.surface if decision else None),
            render.build,
            render.client,
            (decision.arm if decision else None) or render.arm,
        )
        surface, build, client, arm = (word and self._names.setdefault(word, word) for word in words)
        return SeenList(
            decision=render.decision,
            state=found.state,
            kinds=tuple(found.kinds),
            at=render.at,
            complete=render.complete,
            sparse=render.sparse,
            groups=(surface, build, client, arm),
            whose=self._whose(render, decision),
            dropped=found.dropped,
            _places=array("i", (number for place in found.places for number in place)),
        )

    def _whose(self, render: Render, decision: RankedDecision | None) -> str:
        subject = render.subject or (decision.subject if decision and decision.subject != "*" else None)
        if subject is not None:
            return f"subject {subject}"
        return f"render {self.n_renders}" if render.decision is None else f"decision {render.decision}"
