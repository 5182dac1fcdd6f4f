"""One render against one decision: kept, or every kind of change by its name.

A render is kept when what it shows of the decision, without declared inserts, is the beginning of the sealed list from
its offset on, without declared drops. What leaves no trace cannot be seen: an item missing from the end is a list cut
short, which is legal. Logs and files are others' business; nothing here reads a clock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

import msgspec

from martello.order.edits import Edits
from martello.order.facts import RankedDecision, Render, Shown
from martello.order.keys import Keyring
from martello.order.seal import Unverifiable, open_seal

__all__ = ["Judgment", "Kind", "Place", "State", "judge"]


class Kind(StrEnum):
    """What can be wrong with a render; `unobserved` is about a decision that no render was seen of."""

    REORDER = "reorder"
    DROP = "drop"
    INSERT = "insert"
    FOREIGN = "foreign"
    DUPLICATE = "duplicate"
    MIXED = "mixed"
    STALE = "stale"
    WRONG_SUBJECT = "wrong subject"
    UNVERIFIABLE = "unverifiable"
    UNOBSERVED = "unobserved"


class State(StrEnum):
    """What a render says of the contract."""

    KEPT = "kept"
    VIOLATED = "violated"
    BY_USER = "by user"  # a person sorted it: neither kept nor violated
    UNVERIFIABLE = "unverifiable"  # nothing to hold it against


#: An item's rank in the sealed list, the slot where it was due and the one where it was shown, from 1; 0 is nowhere.
Place = tuple[int, int, int]


class Judgment(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one render: each kind with one example in words, and where every item was due and shown.

    `dropped` counts the items left out with a declared reason. `places` is empty when a person sorted the list.
    """

    state: State
    kinds: dict[Kind, str]
    places: tuple[Place, ...] = ()
    dropped: int = 0


def judge(
    render: Render,
    decision: RankedDecision | None,
    *,
    edits: Edits | None = None,
    keys: Keyring | None = None,
) -> Judgment:
    """Judge one render.

    Parameters
    ----------
    render
        What the page showed.
    decision
        What had been decided under the id that the render names; None when no such decision is known.
    edits
        What is legal after the seal; nothing but cutting short and paging when left out.
    keys
        When given, a seal that the render carries is opened, too.

    Examples
    --------
    >>> sealed = RankedDecision(decision="d1", items=("a", "b", "c", "d"))
    >>> shown = tuple(Shown(id=each) for each in ("b", "a", "d"))
    >>> judge(Render(id="r1", decision="d1", shown=shown), sealed).kinds
    {<Kind.REORDER: 'reorder'>: "'a' stands after 'b'", <Kind.DROP: 'drop'>: "'c' is missing before 'd'"}
    """
    if render.decision is None:
        what = repr(render.shown[0].id) if render.shown else "nothing"
        return Judgment(state=State.VIOLATED, kinds={Kind.FOREIGN: f"{what} is shown under no decision"})
    seal_fault = _seal_fault(render, keys)
    if decision is None:
        reason = seal_fault or f"decision {render.decision!r} is not known"
        return Judgment(state=State.UNVERIFIABLE, kinds={Kind.UNVERIFIABLE: reason})
    page = _Page(render, decision, edits or Edits())
    found = {**_bearings(render, decision), **page.faults()}
    if seal_fault is not None:
        found[Kind.UNVERIFIABLE] = seal_fault
    kinds = {kind: found[kind] for kind in Kind if kind in found}
    return Judgment(
        state=_state(kinds, page.by_user),
        kinds=kinds,
        places=() if page.by_user else page.places(),
        dropped=len(page.excused),
    )


def _state(kinds: dict[Kind, str], by_user: bool) -> State:
    if kinds.keys() - {Kind.UNVERIFIABLE}:
        return State.VIOLATED
    if kinds:
        return State.UNVERIFIABLE
    return State.BY_USER if by_user else State.KEPT


def _seal_fault(render: Render, keys: Keyring | None) -> str | None:
    if render.seal is None or keys is None:
        return None
    opened = open_seal(render.seal, keys)
    if isinstance(opened, Unverifiable):
        return opened.reason
    return None if opened.did == render.decision else "the seal is another decision's"


def _bearings(render: Render, decision: RankedDecision) -> dict[Kind, str]:
    """Look at when, for whom and in which arm."""
    found = {}
    if render.at is not None and decision.expires_at is not None and render.at > decision.expires_at:
        found[Kind.STALE] = f"shown {(render.at - decision.expires_at) / 1e6:,.0f} s after it had expired"
    for what, theirs, ours in (
        ("subject", render.subject, decision.subject),
        ("arm", render.arm, decision.arm),
    ):
        if theirs is not None and ours not in (None, "*", theirs):
            found[Kind.WRONG_SUBJECT] = f"shown to {what} {theirs!r}, decided for {ours!r}"
    return found


class _Page:
    """One render laid over its decision. `known` are sealed indices with the slot where each was shown, in order."""

    def __init__(self, render: Render, decision: RankedDecision, rules: Edits) -> None:
        self._render = render
        self._names = decision.items
        self._rules = rules
        index = {name: k for k, name in enumerate(decision.items)}
        first = decision.offset if render.sparse else 0  # places of sparse logs count through all pages
        placed = [(slot - first, each) for slot, each in _placed(render) if each.decision in (None, render.decision)]
        items = [(slot, each.id) for slot, each in placed if each.kind == "item"]
        self._inserts = [(slot, each.kind) for slot, each in placed if each.kind != "item"]
        self._known = [(index[name], slot) for slot, name in items if name in index]
        self._foreign = [name for _, name in items if name not in index]
        self.by_user = render.actor is not None and render.actor in rules.resort
        self.excused = self._excused(index)
        self._held, self._bad_insert = self._weigh_inserts()

    def faults(self) -> dict[Kind, str]:
        """Name every kind of change, with an example."""
        found = {}
        for each in self._render.shown:
            if each.decision not in (None, self._render.decision):
                found[Kind.MIXED] = f"{each.id!r} comes from decision {each.decision!r}"
        if self._bad_insert:
            found[Kind.INSERT] = self._bad_insert
        if self._foreign:
            found[Kind.FOREIGN] = f"{self._foreign[0]!r} is not in the decision"
        twice = _twice([k for k, _ in self._known])
        if twice:
            found[Kind.DUPLICATE] = f"{self._names[min(twice)]!r} is shown twice"
        if not self.by_user:
            found |= self._sparse_faults(twice) if self._render.sparse else self._order_faults()
        return found

    def places(self) -> tuple[Place, ...]:
        """Say of every item that was due or shown: rank, slot due, slot shown."""
        offset = self._render.offset
        shown: dict[int, int] = {}
        for k, slot in self._known:
            shown.setdefault(k, slot)
        if self._render.sparse:
            return tuple((k + 1, k + 1, shown[k]) for k in sorted(shown))
        due = self._due(len(self._known) + len(self._foreign) + len(self._inserts) - len(self._held))
        return tuple(
            (k + 1, due[k] + offset if k in due else 0, shown[k] + offset if k in shown else 0)
            for k in sorted(due.keys() | shown.keys())
        )

    def _due(self, n: int) -> dict[int, int]:
        """Give the slots in which the next n sealed items belonged, around the declared inserts."""
        due: dict[int, int] = {}
        slot = 0
        for k in range(self._render.offset, len(self._names)):
            if len(due) == n:
                break
            if k not in self.excused:
                slot += 1
                while slot in self._held:
                    slot += 1
                due[k] = slot
        return due

    def _excused(self, index: dict[str, int]) -> set[int]:
        """Give the items left out for a declared reason; one that is shown all the same was not."""
        if self._rules.drop is None:
            return set()
        reasons = self._rules.drop.reasons
        named = {index[each.id] for each in self._render.dropped if each.reason in reasons and each.id in index}
        return named - {k for k, _ in self._known}

    def _weigh_inserts(self) -> tuple[set[int], str]:
        """Give the slots of legal inserts, and what is wrong with the first that is not."""
        held: set[int] = set()
        fault = ""
        counts: dict[str, int] = {}
        for slot, kind in self._inserts:
            rule = self._rules.inserts.get(kind)
            counts[kind] = counts.get(kind, 0) + 1
            if rule is None:
                fault = fault or f"{kind!r} in slot {slot} is not declared"
            elif slot not in rule.slots:
                fault = fault or f"{kind!r} stands in slot {slot}, which is not declared"
            elif rule.max is not None and counts[kind] > rule.max:
                fault = fault or f"{counts[kind]} of {kind!r}, at most {rule.max} are declared"
            else:
                held.add(slot)
        return held, fault

    def _order_faults(self) -> dict[Kind, str]:
        found, names, offset = {}, self._names, self._render.offset
        sequence = [k for k, _ in self._known]
        early = next((k for k in sequence if k < offset), None)
        if early is not None:
            found[Kind.REORDER] = f"{names[early]!r} stands on a page after its own"
        elif not _can_be_in_order(sequence):
            a, b = next((a, b) for a, b in pairwise(sequence) if a > b)
            found[Kind.REORDER] = f"{names[b]!r} stands after {names[a]!r}"
        if self._render.complete:
            end = _end_of_longest_run(sequence)
            gone = set(range(offset, end)) - set(sequence) - self.excused
            if gone:
                found[Kind.DROP] = f"{names[min(gone)]!r} is missing before {names[end]!r}"
        return found

    def _sparse_faults(self, twice: set[int]) -> dict[Kind, str]:
        """Judge places without what lies between: too early means a drop above it, too late an insert.

        Where something stands out of order, the order alone is to blame.
        """
        found: dict[Kind, str] = {}
        last, last_slot = self._render.offset - 1, 0
        for slot, k in sorted((slot, k) for k, slot in self._known if k not in twice):
            said = f"{self._names[k]!r} was due in slot {k + 1} and is shown in {slot}"
            if k < last or slot == last_slot:
                found.setdefault(Kind.REORDER, said)
                continue
            surplus = (slot - last_slot) - (k - last) + sum(1 for each in self.excused if last < each < k)
            if surplus < 0:
                found.setdefault(Kind.DROP, said)
            elif surplus > _room(self._rules, last_slot, slot):
                found.setdefault(Kind.INSERT, said)
            last, last_slot = k, slot
        return {Kind.REORDER: found[Kind.REORDER]} if Kind.REORDER in found else found


def _placed(render: Render) -> list[tuple[int, Shown]]:
    """Give each shown thing with its slot, from 1, in the order of slots."""
    placed, at = [], 0
    for each in render.shown:
        at = each.slot if each.slot is not None else at + 1
        placed.append((at, each))
    return sorted(placed, key=lambda pair: pair[0])


def _twice(sequence: Sequence[int]) -> set[int]:
    seen: set[int] = set()
    return {k for k in sequence if k in seen or seen.add(k)}  # type: ignore[func-returns-value]


def _can_be_in_order(sequence: Sequence[int]) -> bool:
    """Say whether the items stand as sealed; of one that is shown several times, any one place will do."""
    if all(a < b for a, b in pairwise(sequence)):
        return True
    at: dict[int, list[int]] = {}
    for place, k in enumerate(sequence):
        at.setdefault(k, []).append(place)
    last = -1
    for k in sorted(at):
        later = next((place for place in at[k] if place > last), None)
        if later is None:
            return False
        last = later
    return True


def _end_of_longest_run(sequence: Sequence[int]) -> int:
    """Give where the longest part in the sealed order ends, the earliest of several; -1 when nothing is shown.

    What is missing before it was dropped. An item pulled up from far below is not its end: then those between were cut
    off with the rest.
    """
    tails: list[int] = []
    for k in sequence:
        at = bisect_left(tails, k)
        tails[at : at + 1] = [k]
    return tails[-1] if tails else -1


def _room(rules: Edits, after: int, before: int) -> int:
    """Count the declared inserts that may stand unseen between two slots."""
    return sum(
        min(len([slot for slot in rule.slots if after < slot < before]), rule.max or len(rule.slots))
        for rule in rules.inserts.values()
    )
