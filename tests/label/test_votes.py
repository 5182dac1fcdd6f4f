from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from martello.label.votes import count_votes, is_check_moment, is_shared, order_of

votes = st.lists(st.sampled_from(["a", "b", "c", None]), max_size=6)


@given(votes, st.booleans(), st.integers(0, 3))
def test_the_order_of_the_votes_does_not_matter(cast, shared, can_ask):
    def told(order):
        found = count_votes(order, shared=shared, can_ask=can_ask)
        return found.state, found.answer, found.wants

    assert told(cast) == told(sorted(cast, key=str)) == told(cast[::-1])


@given(votes, st.booleans(), st.integers(0, 3))
def test_what_is_settled_has_more_than_half_of_the_votes(cast, shared, can_ask):
    found = count_votes(cast, shared=shared, can_ask=can_ask)
    if found.state == "settled":
        assert 2 * Counter(cast)[found.answer] > len(cast)


@given(votes, st.booleans())
def test_nobody_is_asked_who_is_not_there(cast, shared):
    assert count_votes(cast, shared=shared, can_ask=0).wants == 0


@given(votes, st.booleans(), st.integers(0, 3))
def test_a_third_vote_is_asked_only_on_disagreement(cast, shared, can_ask):
    found = count_votes(cast, shared=shared, can_ask=can_ask)
    if len(cast) == 2 and found.wants:
        assert cast[0] != cast[1]
    if len(cast) >= 3:
        assert found.wants == 0


def test_every_way_three_people_can_vote_on_a_shared_unit():
    outcomes = Counter()
    for cast in itertools.product(["yes", "no", None], repeat=3):
        found = count_votes(cast, shared=True, can_ask=5)
        outcomes[found.state, found.how if found.state == "settled" else None] += 1
    # 27 ways: 3 unanimous, 18 two against one, 6 all different
    assert outcomes == {("settled", "agreed"): 3, ("settled", "majority"): 18, ("split", None): 6}


def test_one_vote_settles_a_unit_of_its_own_but_an_unsure_one_takes_a_second_opinion():
    assert count_votes(["yes"], shared=False, can_ask=1).state == "settled"
    assert count_votes([None], shared=False, can_ask=1).wants == 1
    assert count_votes([None], shared=False, can_ask=0).state == "settled"
    assert count_votes([None, None], shared=False, can_ask=1).answer is None


def test_a_unit_everybody_skipped_is_for_the_owner():
    assert count_votes([], shared=False, can_ask=0).state == "split"


def test_the_shared_units_are_a_share_and_no_matter_of_order():
    chosen = [is_shared(f"unit {i}", seed=3, share=0.1) for i in range(20_000)]
    assert 1800 < sum(chosen) < 2200  # ten standard deviations are 424
    assert not any(is_shared(f"unit {i}", seed=3, share=0.0) for i in range(100))
    assert all(is_shared(f"unit {i}", seed=3, share=1.0) for i in range(100))
    assert chosen != [is_shared(f"unit {i}", seed=4, share=0.1) for i in range(20_000)]


def test_checks_come_at_moments_of_each_annotators_own():
    moments = {who: [n for n in range(5000) if is_check_moment(who, n, seed=1, share=0.05)] for who in ("ann", "bob")}
    assert all(150 < len(found) < 350 for found in moments.values())
    assert len(set(moments["ann"]) & set(moments["bob"])) < 60
    orders = [sorted(range(20), key=lambda i: order_of(who, f"u{i}", seed=1)) for who in ("ann", "bob")]
    assert orders[0] != orders[1]
