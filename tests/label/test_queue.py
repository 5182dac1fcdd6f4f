from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from martello.label.queue import RESUME_SECONDS, Queue


def queue_of(n, *, wants=1, lease=100.0, check=None):
    seen = defaultdict(set)
    queue = Queue(
        lease_seconds=lease,
        has_seen=lambda who, position: position in seen[who],
        check=lambda who: check(who) if check else None,
    )
    for position in range(n):
        queue.want(position, order=position, wants=wants, why=f"why {position}")
    return queue, seen


def positions(taken):
    return [held.position for held in taken[0]]


def test_units_come_in_the_order_of_the_draw_and_to_one_person_each():
    queue, _ = queue_of(5)
    assert positions(queue.take("ann", 2, [], 0.0)) == [0, 1]
    assert positions(queue.take("bob", 2, [], 0.0)) == [2, 3]
    assert positions(queue.take("ann", 2, [], 0.0)) == [4]
    assert positions(queue.take("bob", 2, [], 0.0)) == []


def test_a_shared_unit_goes_to_two_people_and_never_twice_to_one():
    queue, _ = queue_of(1, wants=2)
    assert positions(queue.take("ann", 3, [], 0.0)) == [0]
    assert positions(queue.take("bob", 3, [], 0.0)) == [0]
    assert positions(queue.take("cy", 3, [], 0.0)) == []


def test_a_lease_that_ends_returns_the_unit_to_others():
    queue, _ = queue_of(2, lease=10.0)
    first = queue.take("ann", 1, [], 0.0)[0][0]
    assert positions(queue.take("bob", 1, [], 9.0)) == [1]
    taken, ended = queue.take("bob", 1, [], 10.0)
    assert [held.position for held in taken] == [0]
    assert ended == [first.assignment]


def test_two_tabs_hold_different_units_and_what_lies_idle_is_given_again():
    queue, _ = queue_of(9, lease=1000.0)
    tab = queue.take("ann", 2, [], 0.0)[0]
    other = queue.take("ann", 2, [], 1.0)[0]
    assert {h.position for h in tab} & {h.position for h in other} == set()
    later = RESUME_SECONDS + 0.5
    # The first tab was closed and the second goes on: it is handed what the first left.
    assert positions(queue.take("ann", 2, [h.assignment for h in other], later)) == [h.position for h in tab]
    # And a tab that names what it holds is not handed it again.
    assert positions(queue.take("ann", 4, [h.assignment for h in (*tab, *other)], 3 * later)) == [4, 5, 6, 7]


def test_a_check_takes_the_place_of_a_unit_which_comes_afterwards():
    moments = iter([None, 77, None])
    queue, _ = queue_of(3, check=lambda who: next(moments, None))
    taken = queue.take("ann", 3, [], 0.0)[0]
    assert [held.position for held in taken] == [0, 77, 1]
    assert [held.is_check for held in taken] == [False, True, False]
    assert taken[1].why == "why 1"  # nothing tells it from the others
    assert len({len(held.assignment) for held in taken}) == 1


def test_a_settled_unit_is_handed_to_nobody_else():
    queue, _ = queue_of(3)
    queue.want(0, order=0, wants=0, why="")
    queue.want(1, order=1, wants=0, why="")
    assert positions(queue.take("ann", 3, [], 0.0)) == [2]
    assert queue.n_open == 1


class Labelling(RuleBasedStateMachine):
    """People come, answer, wander off; a brute-force count says what may happen."""

    def __init__(self):
        super().__init__()
        self.queue, self.seen = queue_of(0, lease=50.0)
        self.now, self.n, self.missing = 0.0, 0, {}
        self.leases = {}

    @rule(wants=st.integers(1, 3))
    def draw(self, wants):
        self.queue.want(self.n, order=self.n, wants=wants, why="w")
        self.missing[self.n] = wants
        self.n += 1

    @rule(who=st.sampled_from("abc"), k=st.integers(1, 3))
    def take(self, who, k):
        taken, ended = self.queue.take(who, k, [key for key, (name, _) in self.leases.items() if name == who], self.now)
        for assignment in ended:
            self.leases.pop(assignment)
        free = [
            p for p in sorted(self.missing)
            if p not in self.seen[who] and who not in self.takers(p) and self.missing[p] > len(self.takers(p))
        ]  # fmt: skip
        assert [held.position for held in taken] == free[:k]
        self.leases |= {held.assignment: (who, held.position) for held in taken}

    def takers(self, position):
        return [who for who, p in self.leases.values() if p == position]

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def answer(self, data):
        assignment = data.draw(st.sampled_from(sorted(self.leases, key=self.leases.__getitem__)))  # tokens are random
        who, position = self.leases.pop(assignment)
        self.seen[who].add(position)
        assert self.queue.end(who, position) == [assignment]
        if position in self.missing:
            self.missing[position] -= 1
            if self.missing[position] == 0:
                del self.missing[position]
            self.queue.want(position, order=position, wants=self.missing.get(position, 0), why="w")

    @rule(by=st.floats(1, 40))
    def wait(self, by):
        self.now += by

    @invariant()
    def open_units_are_those_that_want_votes(self):
        assert self.queue.n_open == len(self.missing)


Labelling.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLabelling = Labelling.TestCase
