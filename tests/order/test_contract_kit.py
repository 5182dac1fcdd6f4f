"""The test kit passes pages that keep the order and fails every order that pages fall into by accident."""

from __future__ import annotations

import pytest

from martello.order.edits import read_edits
from martello.order.facts import Dropped, Shown
from martello.testing.order import check_order, example_decision

IDS = example_decision(12).items


def whole_numbers_first(ids):
    """What a JavaScript object makes of its keys."""
    numbers = [each for each in ids if each.isdigit() and str(int(each)) == each and int(each) < 2**32 - 1]
    return sorted(numbers, key=int) + [each for each in ids if each not in numbers]


@pytest.mark.parametrize(
    "accident",
    [
        sorted,
        lambda ids: sorted(ids, key=str.lower),
        lambda ids: sorted(ids, reverse=True),
        lambda ids: sorted(ids, key=len),
        lambda ids: list(ids)[::-1],
        lambda ids: [*ids[1:], ids[0]],
        whole_numbers_first,
        lambda ids: list(ids)[1:],
        lambda ids: [],
    ],
)
@pytest.mark.parametrize("n", [4, 8, 12])
def test_every_usual_accident_changes_the_example(accident, n):
    decision = example_decision(n)
    with pytest.raises(AssertionError, match="the order is not kept"):
        check_order(decision, accident(decision.items))


def test_whole_lists_beginnings_and_pages_pass():
    decision = example_decision(12)
    check_order(decision, IDS)
    check_order(decision, IDS[:3])
    check_order(decision, IDS[5:9], offset=5)


def test_declared_edits_pass_and_the_message_names_those_that_are_not():
    decision = example_decision(4)
    shown = [Shown(id="x", kind="ad"), *IDS[:2], IDS[3]]
    edits = read_edits([{"op": "insert", "kind": "ad", "slots": [1]}, {"op": "drop", "reasons": ["deleted"]}])
    check_order(decision, shown, edits=edits, dropped=[Dropped(id=IDS[2], reason="deleted")])
    with pytest.raises(AssertionError) as failed:
        check_order(decision, shown)
    assert "insert: 'ad' in slot 1 is not declared" in str(failed.value)
    assert "drop: '9' is missing before '103'" in str(failed.value)


def test_a_long_example_has_as_many_different_ids_as_asked_for():
    assert len(set(example_decision(500).items)) == 500
