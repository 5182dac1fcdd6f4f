"""A ranked list can be paged, dropped from and put between, tells what was done, and cannot be sorted."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from random import Random

import pytest

from martello.errors import DataError
from martello.order.edits import read_edits
from martello.order.facts import RankedDecision
from martello.order.keys import Keyring, SecretKey, SigningKey
from martello.order.ranked import RankedList
from martello.order.reconcile import State, judge
from martello.order.seal import Sealer
from martello.order.shapes import SHAPES

EDITS = read_edits(
    [
        {"op": "insert", "kind": "ad", "slots": [1, 4], "max": 2},
        {"op": "drop", "reasons": ["deleted"]},
    ]
)


def test_whatever_is_done_with_it_as_declared_keeps_the_order():
    rng = Random(8)
    for number in range(500):
        n = rng.randint(1, 14)
        decision = RankedDecision(decision=f"d{number}", items=tuple(map(str, rng.sample(range(100), n))))
        page = RankedList.of(decision)
        for each in rng.sample(decision.items, rng.randint(0, n // 2)):
            page = page.drop(each, "deleted")
        page = page.page(rng.randint(0, n), rng.randint(0, n))
        for slot in rng.sample([1, 4], rng.randint(0, 2)):
            page = page.insert("ad", slot, f"x{slot}")
        (render,) = SHAPES["martello"].renders(page.event(source="home.list@7", client="app"))
        assert judge(render, decision, edits=EDITS).state is State.KEPT
        assert (render.surface, render.build, render.client) == ("home.list", "7", "app")
        assert [each.id for each in render.shown if each.kind == "item"] == list(page)


def test_pages_follow_each_other_without_gap_or_overlap_whatever_was_dropped():
    jobs = RankedList("d", tuple("abcdefg")).drop("b", "deleted").drop("f", "deleted")
    assert [list(jobs.page(k, 3)) for k in (0, 3, 6)] == [["a", "c"], ["d", "e"], ["g"]]


def test_it_has_no_way_to_be_changed_in_place():
    jobs = RankedList("d", ("b", "a"))
    for way in ("sort", "reverse", "append", "insert_at", "pop", "__setitem__"):
        assert not hasattr(jobs, way)
    with pytest.raises(FrozenInstanceError):
        jobs.items = ("a", "b")
    assert list(jobs.drop("b", "deleted")) == ["a"]
    assert list(jobs) == ["b", "a"]


def test_it_knows_whether_its_seal_is_its_own():
    secret, signing = SecretKey.new(), SigningKey.new()
    decision = RankedDecision(decision="d", items=("b", "a"))
    seal = Sealer(secret, signing).seal(decision)
    ring = Keyring(public=[signing.public])
    assert RankedList.of(decision, seal).check(ring) is True
    assert RankedList("d", ("a", "b"), seal).check(ring) is False
    assert RankedList("d", ("b",), seal).check(ring) is False
    assert RankedList("e", ("b", "a"), seal).check(ring) is False
    assert RankedList.of(decision, seal).check(Keyring()) is None
    assert RankedList.of(decision).check(ring) is None


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda jobs: jobs.drop("x", "deleted"), "order.no-such-item"),
        (lambda jobs: jobs.page(-1, 3), "order.no-such-place"),
        (lambda jobs: jobs.insert("ad", 0, "x"), "order.no-such-place"),
        (lambda jobs: jobs.insert("item", 1, "x"), "order.no-such-place"),
        (lambda jobs: RankedList("d", (1, 2)), "order.id-not-text"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(edit, code):
    with pytest.raises(DataError) as fault:
        edit(RankedList("d", ("a", "b")))
    assert fault.value.code == code
