"""A render that was changed is found and named; one that was edited as declared is not."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

import order.edited_lists as lists
from martello.order.edits import read_edits
from martello.order.facts import Dropped, RankedDecision, Render, Shown
from martello.order.reconcile import Kind, State, judge

SEALED = RankedDecision(decision="d", items=tuple("abcdefghij"), at=0, expires_at=1000, subject="ann", arm="new")
ADS = read_edits([{"op": "insert", "kind": "ad", "slots": [1, 5], "max": 1}])


def shown(names: str, **fields):
    render = {"id": "r", "decision": "d", "shown": tuple(Shown(id=each) for each in names), **fields}
    return Render(**render)


def kinds(names: str, **fields):
    return {kind.value for kind in judge(shown(names, **fields), SEALED).kinds}


def test_twenty_thousand_legal_edits_are_never_a_violation():
    rng = Random(20261124)
    states = Counter()
    for number in range(20_000):
        decision = lists.decide(rng, number)
        render = lists.legal(rng, decision)
        found = judge(render, decision, edits=lists.ALLOW)
        assert found.kinds == {}, (decision, render)
        assert lists.brute(render, decision) == set()
        states[found.state] += 1
    assert states.keys() == {State.KEPT, State.BY_USER}
    assert min(states.values()) > 1000


def test_twenty_thousand_illegal_edits_are_always_one_and_of_the_right_kind():
    rng = Random(411)
    for number in range(20_000):
        kind = lists.ILLEGAL[number % len(lists.ILLEGAL)]
        decision = lists.decide(rng, number)
        render = lists.illegal(rng, decision, kind)
        known = decision if render.decision == decision.decision else None
        found = judge(render, known, edits=lists.ALLOW)
        assert set(found.kinds) == {kind}, (decision, render, found.kinds)
        assert found.state is (State.UNVERIFIABLE if kind == "unverifiable" else State.VIOLATED)
        assert lists.brute(render, known) == {kind}


def test_several_illegal_edits_at_once_are_named_as_a_judge_names_them_who_tries_every_reading():
    rng = Random(7)
    seen = Counter()
    for number in range(4_000):
        decision = lists.decide(rng, number)
        # Any ids in any order, some twice, some foreign: nothing here was made to be one kind.
        pool = [*decision.items[: rng.randint(2, 8)], "from elsewhere"]
        render = Render(
            id="r",
            decision=decision.decision,
            shown=tuple(Shown(id=rng.choice(pool)) for _ in range(rng.randint(0, 6))),
            offset=rng.randint(0, 2),
            complete=rng.random() < 0.8,
        )
        found = {kind.value for kind in judge(render, decision, edits=lists.ALLOW).kinds}
        assert found == lists.brute(render, decision), (decision, render)
        seen[frozenset(found)] += 1
    assert len(seen) > 10


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("", set()),
        ("abc", set()),
        ("abcdefghij", set()),
        ("ab", set()),
        ("ba", {"reorder"}),
        ("abe", {"drop"}),
        ("jabc", {"reorder"}),  # pinned from below the fold: those between were cut off, not dropped
        ("abxc", {"foreign"}),
        ("axc", {"foreign", "drop"}),
        ("abca", {"duplicate"}),
        ("adbcd", {"duplicate"}),  # one of the two d is where it belongs
        ("dabdc", {"duplicate", "reorder"}),  # neither is
    ],
)
def test_small_lists_are_read_as_people_read_them(names, expected):
    assert kinds(names) == expected


def test_a_page_starts_where_the_one_before_ended():
    assert kinds("def", offset=3) == set()
    assert kinds("ef", offset=3) == {"drop"}
    assert kinds("cde", offset=3) == {"reorder"}


def test_what_is_still_loading_dropped_nothing_but_can_be_out_of_order():
    assert kinds("ad", complete=False) == set()
    assert kinds("da", complete=False) == {"reorder"}


def test_a_reason_that_is_not_declared_excuses_nothing():
    drop = read_edits([{"op": "drop", "reasons": ["deleted"]}])
    for reason, expected in (("deleted", {}), ("ugly", {Kind.DROP: "'b' is missing before 'c'"})):
        render = shown("ac", dropped=(Dropped(id="b", reason=reason),))
        assert judge(render, SEALED, edits=drop).kinds == expected


def test_one_said_to_be_dropped_and_shown_all_the_same_was_shown():
    drop = read_edits([{"op": "drop", "reasons": ["deleted"]}])
    found = judge(shown("abc", dropped=(Dropped(id="b", reason="deleted"),)), SEALED, edits=drop)
    assert (found.kinds, found.dropped) == ({}, 0)
    assert found.places == ((1, 1, 1), (2, 2, 2), (3, 3, 3))


def test_a_list_is_good_until_its_last_moment():
    assert kinds("ab", at=1000) == set()
    assert kinds("ab", at=1001) == {"stale"}


def test_a_list_under_no_decision_is_foreign_and_one_under_an_unknown_decision_cannot_be_judged():
    fallback = judge(shown("abc", decision=None), None)
    assert (fallback.state, list(fallback.kinds)) == (State.VIOLATED, [Kind.FOREIGN])
    unknown = judge(shown("abc", decision="elsewhere"), None)
    assert (unknown.state, list(unknown.kinds)) == (State.UNVERIFIABLE, [Kind.UNVERIFIABLE])


def test_an_ad_over_the_declared_number_is_an_insert():
    ad = Shown(id="x", kind="ad")
    items = [Shown(id=each) for each in "abcd"]
    once = Render(id="r", decision="d", shown=(ad, *items))
    twice = Render(id="r", decision="d", shown=(ad, *items[:3], ad))
    assert judge(once, SEALED, edits=ADS).kinds == {}
    assert judge(twice, SEALED, edits=ADS).kinds == {Kind.INSERT: "2 of 'ad', at most 1 are declared"}


def test_where_each_item_was_due_and_shown_knows_of_ads_drops_and_pages():
    drop = read_edits([{"op": "drop", "reasons": ["deleted"]}, {"op": "insert", "kind": "ad", "slots": [1], "max": 1}])
    page = Render(
        id="r",
        decision="d",
        offset=2,
        shown=(Shown(id="x", kind="ad"), Shown(id="f"), Shown(id="c"), Shown(id="e")),
        dropped=(Dropped(id="d", reason="deleted"),),
    )
    # The ad holds the first slot of the page; c, e, f were due behind it, each slot counted through the pages.
    assert judge(page, SEALED, edits=drop).places == ((3, 4, 5), (5, 5, 6), (6, 6, 4))


def sparse(**at):
    return Render(
        id="r", decision="d", sparse=True, shown=tuple(Shown(id=each, slot=slot) for each, slot in at.items())
    )


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ({"a": 1, "c": 3, "j": 10}, set()),
        ({"c": 1, "a": 3}, {"reorder"}),
        ({"b": 1, "d": 3}, {"drop"}),
        ({"a": 1, "c": 5}, {"insert"}),
        ({"a": 1, "x": 2}, {"foreign"}),
        ({"a": 1, "b": 1}, {"reorder"}),
    ],
)
def test_places_of_some_items_are_enough_to_see_what_moved(places, expected):
    assert {kind.value for kind in judge(sparse(**places), SEALED).kinds} == expected


def test_a_declared_ad_may_stand_unseen_between_two_known_places():
    assert judge(sparse(a=2, b=3, d=5), SEALED, edits=ADS).kinds == {}
    assert list(judge(sparse(a=3), SEALED, edits=ADS).kinds) == [Kind.INSERT]
