"""A ranked answer in the hands of a product: it can be paged, dropped from and put between, and not be sorted.

Every edit gives a new list that remembers what was done, so that the render event says it without anybody's care.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import msgspec

from martello.errors import DataError
from martello.order.chain import check_ids
from martello.order.facts import Dropped, RankedDecision, Shown
from martello.order.keys import Keyring
from martello.order.seal import Seal, SealedOrder, Unverifiable, open_seal

__all__ = ["RankedList"]


@dataclass(frozen=True, slots=True)
class RankedList(Sequence[str]):
    """The ids of a ranked answer in their order; what cannot be done to it cannot be done by accident.

    Parameters
    ----------
    decision
        Id of the answer.
    items
        All ids, in order.
    seal
        As it came with the answer.

    Examples
    --------
    >>> jobs = RankedList("d1", ("c", "a", "b", "d"))
    >>> page = jobs.drop("a", "deleted").page(0, 3).insert("ad", 1, "x")
    >>> [each.id for each in page.shown], list(page), len(jobs)
    (['x', 'c', 'b'], ['c', 'b'], 4)
    >>> page.event(source="home.list@7", id="r1")["data"]["dropped"]
    [{'id': 'a', 'reason': 'deleted'}]
    """

    decision: str
    items: tuple[str, ...]
    seal: Seal | None = None
    offset: int = 0
    size: int | None = None
    dropped: tuple[Dropped, ...] = ()
    inserts: tuple[Shown, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", check_ids(self.items))

    @classmethod
    def of(cls, decision: RankedDecision, seal: Seal | None = None) -> RankedList:
        """Give the list of a decision."""
        return cls(decision.decision, decision.items, seal)

    def page(self, offset: int, size: int) -> RankedList:
        """Give a page: `size` items of the answer from `offset` on, without those that were dropped."""
        if offset < 0 or size < 0:
            raise DataError("order.no-such-place", f"a page of {size} from {offset} on", expected="0 or more of both")
        return replace(self, offset=offset, size=size)

    def drop(self, item: str, reason: str) -> RankedList:
        """Leave an item out, for a reason that the spec should declare."""
        if item not in self.items:
            raise DataError(
                "order.no-such-item", f"{item!r} is not in the list", where="drop", expected="one of its ids"
            )
        return replace(self, dropped=(*self.dropped, Dropped(id=item, reason=reason)))

    def insert(self, kind: str, slot: int, item: str) -> RankedList:
        """Put something of another kind into a slot of the page, from 1; the items move on."""
        if slot < 1 or kind == "item":
            raise DataError(
                "order.no-such-place",
                f"{kind!r} in slot {slot}",
                where="insert",
                expected="a kind such as ad, a slot from 1",
            )
        return replace(self, inserts=(*self.inserts, Shown(id=item, slot=slot, kind=kind)))

    @property
    def shown(self) -> tuple[Shown, ...]:
        """What the page is to show, in order, each with its slot; an insert behind the end is not shown."""
        between = {each.slot: each for each in self.inserts}
        rest = iter(self._visible())
        found: list[Shown] = []
        while True:
            slot = len(found) + 1
            each = between.get(slot) or next((Shown(id=name, slot=slot) for name in rest), None)
            if each is None:
                return tuple(found)
            found.append(each)

    def event(self, *, source: str, id: str | None = None, **said: Any) -> dict[str, Any]:
        """Give the render event of the page, a CloudEvent for `POST /renders`.

        Parameters
        ----------
        source
            Where it is shown, ``surface@build``.
        id
            Name of this rendering: sent again under the same one, it counts once.
        said
            What else is known: `client`, `arm`, `subject`, `actor`, `complete`, `layout`.
        """
        here = self.items[self.offset : None if self.size is None else self.offset + self.size]
        data = {
            "did": self.decision,
            "offset": self.offset,
            "shown": [msgspec.to_builtins(each) for each in self.shown],
            "dropped": [msgspec.to_builtins(each) for each in self.dropped if each.id in here],
            **({"seal": self.seal.token} if self.seal else {}),
            **said,
        }
        return {
            "specversion": "1.0",
            "id": id or secrets.token_hex(16),
            "source": source,
            "type": "martello.render.v1",
            "data": data,
        }

    def check(self, keys: Keyring) -> bool | None:
        """Say whether the seal is of this list; None when that cannot be known."""
        opened = Unverifiable(reason="no seal") if self.seal is None else open_seal(self.seal, keys)
        if not isinstance(opened, SealedOrder):
            return None
        found = opened.check(self.items)
        return opened.did == self.decision and not found.broken and found.proven == opened.n

    def _visible(self) -> Iterator[str]:
        gone = {each.id for each in self.dropped}
        end = None if self.size is None else self.offset + self.size
        return (each for each in self.items[self.offset : end] if each not in gone)

    def __len__(self) -> int:
        return sum(1 for _ in self._visible())

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return tuple(self._visible())[index]
