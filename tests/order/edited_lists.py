"""Random ranked answers, legal and illegal edits of them, and a judge that tries things out instead of being clever."""

from __future__ import annotations

from itertools import product
from random import Random

from martello.order.edits import read_edits
from martello.order.facts import Dropped, RankedDecision, Render, Shown

ALLOW = read_edits(
    [
        {"op": "insert", "kind": "ad", "slots": [1, 5], "max": 2},
        {"op": "insert", "kind": "banner", "slots": [3], "max": 1},
        {"op": "drop", "reasons": ["deleted", "no_permission"]},
        {"op": "resort", "actor": "user"},
    ]
)
LEGAL_SLOTS = {"ad": {1, 5}, "banner": {3}}
LEGAL_MAX = {"ad": 2, "banner": 1}
LEGAL_REASONS = {"deleted", "no_permission"}
HOUR = 3_600_000_000

ILLEGAL = (
    "reorder",
    "drop",
    "insert",
    "foreign",
    "duplicate",
    "mixed",
    "stale",
    "wrong subject",
    "unverifiable",
)


def decide(rng: Random, number: int) -> RankedDecision:
    n = rng.randint(6, 16)
    # Ids of all sorts, also such that look like numbers and such that are long.
    names = rng.sample([f"job-{k}" for k in range(40)] + [str(k) for k in range(40)] + ["ä" * 90, "日本", "👍"], n)
    return RankedDecision(
        decision=f"d{number}",
        items=tuple(names),
        at=0,
        expires_at=HOUR,
        subject=rng.choice(["ann", "*"]),
        arm=rng.choice(["a", "b"]),
    )


class Draft:
    """A page in the making: items of the ranking first, inserts at their slots last."""

    def __init__(self, rng: Random, decision: RankedDecision, *, least: int) -> None:
        self.rng, self.decision = rng, decision
        n = len(decision.items)
        self.offset = rng.choice([0, 0, rng.randint(0, n - least)])
        rest = list(decision.items[self.offset :])
        self.dropped = []
        for each in rng.sample(rest, rng.randint(0, min(2, len(rest) - least))):
            rest.remove(each)
            self.dropped.append(Dropped(id=each, reason=rng.choice(sorted(LEGAL_REASONS))))
        self.rest = rest
        self.shown = [Shown(id=each) for each in rest[: rng.randint(least, len(rest))]]
        self.fields = {
            "at": rng.randint(0, HOUR),
            "subject": rng.choice([None, "ann"]),
            "arm": rng.choice([None, decision.arm]),
            "complete": True,
            "actor": None,
        }
        self.decision_id = decision.decision

    def put_inserts(self) -> None:
        for slot, kind in ((1, "ad"), (3, "banner"), (5, "ad")):
            if self.rng.random() < 0.4 and len(self.shown) >= slot - 1:
                self.shown.insert(slot - 1, Shown(id=f"{kind}-{slot}", kind=kind))

    def render(self) -> Render:
        shown = tuple(self.shown)
        if self.rng.random() < 0.3:  # written with slots, in any order
            slotted = [Shown(id=e.id, kind=e.kind, decision=e.decision, slot=k) for k, e in enumerate(shown, start=1)]
            self.rng.shuffle(slotted)
            shown = tuple(slotted)
        return Render(
            id="r",
            decision=self.decision_id,
            shown=shown,
            dropped=tuple(self.dropped),
            offset=self.offset,
            **self.fields,
        )


def legal(rng: Random, decision: RankedDecision) -> Render:
    draft = Draft(rng, decision, least=0)
    draft.put_inserts()
    turn = rng.random()
    if turn < 0.1 and len(draft.shown) > 1:  # still loading: the last of them are not there yet, nothing is said of why
        draft.fields["complete"] = False
        gone = rng.randrange(len(draft.shown))
        del draft.shown[gone:]
    elif turn < 0.2:
        draft.fields["actor"] = "user"
        draft.shown = [each for each in draft.shown if each.kind == "item"]
        rng.shuffle(draft.shown)
    return draft.render()


def illegal(rng: Random, decision: RankedDecision, kind: str) -> Render:
    draft = Draft(rng, decision, least=4)
    shown = draft.shown
    if kind == "reorder":
        _disorder(rng, draft)
    elif kind == "drop":
        gone = shown.pop(rng.randrange(len(shown) - 1))
        if rng.random() < 0.5:
            draft.dropped.append(Dropped(id=gone.id, reason="out_of_fashion"))
    elif kind == "foreign":
        shown.insert(rng.randint(0, len(shown)), Shown(id="from elsewhere"))
    elif kind == "duplicate":
        shown.insert(rng.randint(0, len(shown)), rng.choice(shown))
    elif kind == "mixed":
        other = rng.choice([decision.items[0], "from elsewhere"])
        shown.insert(rng.randint(0, len(shown)), Shown(id=other, decision="d-other"))
    elif kind == "stale":
        draft.fields["at"] = HOUR + rng.randint(1, HOUR)
    elif kind == "unverifiable":
        draft.decision_id = "d-unknown"
    if kind == "insert":
        _insert_badly(rng, draft)
    else:
        draft.put_inserts()
    if kind == "wrong subject":
        if decision.subject == "*" or rng.random() < 0.5:
            draft.fields["arm"] = "another"
        else:
            draft.fields["subject"] = "bob"
    return draft.render()


def _disorder(rng: Random, draft: Draft) -> None:
    shown, before = draft.shown, list(draft.shown)
    way = rng.choice(["swap", "shuffle", "reverse", "pull up"])
    if way == "pull up" and len(draft.rest) > len(shown):  # the page keeps its length: another falls off its end
        pulled = rng.choice(draft.rest[len(shown) :])
        shown.insert(rng.randrange(len(shown) - 1), Shown(id=pulled))
        shown.pop()
        return
    if way == "reverse":
        shown.reverse()
    while shown == before:
        a, b = rng.sample(range(len(shown)), 2)
        shown[a], shown[b] = shown[b], shown[a]
        if way == "shuffle":
            rng.shuffle(shown)


def _insert_badly(rng: Random, draft: Draft) -> None:
    shown = draft.shown
    way = rng.choice(["kind", "slot", "many"])
    if way == "kind":
        shown.insert(rng.randint(0, len(shown)), Shown(id="x", kind="video"))
    elif way == "slot":
        shown.insert(rng.choice([1, 2, 3]), Shown(id="x", kind="ad"))
    else:
        shown[2:2] = [Shown(id="x", kind="banner"), Shown(id="y", kind="banner")]


def brute(render: Render, decision: RankedDecision | None) -> set[str]:
    """Name the kinds from their definitions, by trying every way to read a list."""
    if render.decision is None:
        return {"foreign"}
    if decision is None:
        return {"unverifiable"}
    kinds = set()
    if decision.expires_at is not None and render.at is not None and render.at > decision.expires_at:
        kinds.add("stale")
    if render.subject and decision.subject not in (None, "*") and render.subject != decision.subject:
        kinds.add("wrong subject")
    if render.arm and decision.arm and decision.arm != "*" and render.arm != decision.arm:
        kinds.add("wrong subject")
    shown = list(render.shown)
    if all(each.slot is not None for each in shown):
        shown.sort(key=lambda each: each.slot)
    numbered = list(enumerate(shown, start=1))
    if any(each.decision not in (None, decision.decision) for each in shown):
        kinds.add("mixed")
        numbered = [(k, each) for k, each in numbered if each.decision in (None, decision.decision)]
    for kind in {each.kind for _, each in numbered} - {"item"}:
        slots = [k for k, each in numbered if each.kind == kind]
        if kind not in LEGAL_SLOTS or not set(slots) <= LEGAL_SLOTS[kind] or len(slots) > LEGAL_MAX[kind]:
            kinds.add("insert")
    ids = [each.id for _, each in numbered if each.kind == "item"]
    if set(ids) - set(decision.items):
        kinds.add("foreign")
    ids = [each for each in ids if each in decision.items]
    if len(ids) != len(set(ids)):
        kinds.add("duplicate")
    if render.actor != "user":
        kinds |= _brute_order(render, decision, ids)
    return kinds


def _brute_order(render: Render, decision: RankedDecision, ids: list[str]) -> set[str]:
    rank_of = {name: k for k, name in enumerate(decision.items)}
    kinds = set()
    where = {name: [k for k, each in enumerate(ids) if each == name] for name in ids}
    by_rank = sorted(where, key=rank_of.__getitem__)
    ways = product(*(where[name] for name in by_rank))
    if not any(list(way) == sorted(way) for way in ways) or any(rank_of[name] < render.offset for name in ids):
        kinds.add("reorder")
    if not render.complete:
        return kinds
    # The longest parts that stand in order, by quadratic search; of those as long, the one that ends first.
    ranks = [rank_of[name] for name in ids]
    length = []
    for k, each in enumerate(ranks):
        length.append(1 + max((length[j] for j in range(k) if ranks[j] < each), default=0))
    end = min((rank for rank, n in zip(ranks, length, strict=True) if n == max(length)), default=-1)
    excused = {each.id for each in render.dropped if each.reason in LEGAL_REASONS}
    for name in decision.items[render.offset : end + 1]:
        if name not in ids and name not in excused:
            kinds.add("drop")
    return kinds
