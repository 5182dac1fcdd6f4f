from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.interleaving import balanced_credit, balanced_lists, preference, team_draft

SEEN = [1.0, 0.6, 0.4, 0.3]


def test_a_draft_gives_both_teams_each_position_as_often() -> None:
    drafts = [team_draft("abcd", "wxyz", size=4, seed=seed) for seed in range(2000)]
    share = np.array([draft.teams for draft in drafts]).mean(axis=0)
    assert share == pytest.approx([0.5] * 4, abs=0.04)
    assert all(sum(draft.teams) == 2 for draft in drafts)


def test_rankings_that_agree_are_shown_as_they_are() -> None:
    for seed in range(50):
        assert team_draft("abcde", "abcde", size=3, seed=seed).items == ("a", "b", "c")
    assert balanced_lists("abcde", "abcde", size=3) == (("a", "b", "c"), ("a", "b", "c"))


def test_a_draft_holds_each_item_once_and_all_when_there_is_room() -> None:
    draft = team_draft("abc", "cde", size=9, seed=4)
    assert sorted(map(str, draft.items)) == list("abcde")


def test_the_top_of_a_balanced_list_is_fair_to_both() -> None:
    """Joachims (2002), theorem 1: each top is the union of the tops of both rankings, of lengths that differ by one."""
    for a, b in itertools.product(itertools.permutations("abcd"), repeat=2):
        for shown in balanced_lists(a, b, size=4):
            for cut in range(1, 5):
                tops = [(i, j) for i in range(5) for j in range(5) if set(a[:i]) | set(b[:j]) == set(shown[:cut])]
                assert min(abs(i - j) for i, j in tops) <= 1


@pytest.mark.parametrize(("a", "b"), [("abcd", "bcda"), ("abcd", "dcba"), ("abcd", "befc"), ("abcd", "abdc")])
def test_a_random_clicker_prefers_neither_ranking(a: str, b: str) -> None:
    """Clicks by position alone: over the coin, both rankings have the same credit, for items both lists reach."""
    credit = np.zeros(2)
    for shown in balanced_lists(a, b, size=4):
        for position, item in enumerate(shown):
            credit += SEEN[position] * np.array(balanced_credit(a, b, [item], SEEN)) / 2
    reached = set().union(*balanced_lists(a, b, size=4))
    missing = [sum(SEEN[k] for k, item in enumerate(one[:4]) if item not in reached) for one in (a, b)]
    assert credit + missing == pytest.approx([sum(SEEN)] * 2)


def test_credit_is_the_clicks_the_ranking_would_have_had_alone() -> None:
    attraction = {"a": 0.1, "b": 0.9, "c": 0.3, "d": 0.5}
    credit = np.zeros(2)
    for shown in balanced_lists("abcd", "bdca", size=4):
        for position, item in enumerate(shown):
            credit += SEEN[position] * attraction[item] * np.array(balanced_credit("abcd", "bdca", [item], SEEN)) / 2
    alone = [sum(s * attraction[item] for s, item in zip(SEEN, one, strict=True)) for one in ("abcd", "bdca")]
    assert credit == pytest.approx(alone)


def test_every_user_counts_once_however_many_lists_they_saw() -> None:
    a, b = [1, 0, 0, 2, 0, 1], [0, 3, 1, 2, 0, 0]
    user = ["u", "v", "v", "w", "x", "y"]
    found = preference(a, b, user)
    lead = [-1.0, 1.0, 0.0, 0.0, -1.0]
    assert isinstance(found.lead, Estimate)
    assert isinstance(found.share, Estimate)
    assert (found.n_users, found.n_ties) == (5, 2)
    assert found.lead.value == pytest.approx(np.mean(lead))
    assert found.share.value == pytest.approx((1 + 2 * 0.5) / 5)
    half = stats.t.ppf(0.975, 4) * np.std(lead, ddof=1) / np.sqrt(5)
    assert found.lead.high - found.lead.value == pytest.approx(half)


def test_users_without_a_preference_give_no_interval() -> None:
    assert isinstance(preference([0, 0], [0, 0], [1, 2]).lead, NotEstimable)
    with pytest.raises(DataError, match="length-mismatch"):
        preference([0], [0, 1], [1, 2])
    with pytest.raises(DataError, match="examination-out-of-range"):
        balanced_credit("ab", "ba", ["a"], [1.0, 0.0])
