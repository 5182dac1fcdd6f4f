"""The cost of changed order, against worlds in which it is known because both pages were simulated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from martello.order.book import Book
from martello.order.facts import Click, RankedDecision, Render, Shown
from martello.order.harm import Harm, harm_of
from martello.stats.estimate import Estimate, NotEstimable

K = 10
LOOKED_AT = 1 / np.arange(1, K + 1)


def permutation(edit, rng):
    order = np.arange(K)
    if edit == "shuffle":
        rng.shuffle(order)
    elif edit == "pin":
        order = np.roll(order, 1)
    elif edit == "swap":
        order[[0, 1]] = 1, 0
    elif edit == "drop":
        order = order[1:]
    return order


def world(edit: str, *, n: int, share: float, seed: int, noise: float = 0.3) -> tuple[Book, dict[str, float]]:
    """Rank with noise, break the order on a share of the pages, let people click; and what would have been."""
    rng = np.random.default_rng(seed)
    appeal = rng.beta(1, 3, (n, K))
    ranked = {}
    for name, spread in (("old", noise), ("new", noise / 2)):
        order = np.argsort(-(appeal + rng.normal(0, spread, appeal.shape)), axis=1)
        ranked[name] = np.take_along_axis(appeal, order, axis=1)
    book = Book()
    clicks_due = clicks_shown = 0.0
    effect = {"due": 0.0, "shown": 0.0}
    for k in range(n):
        broken = rng.random() < share
        order = permutation(edit if broken else "none", rng)
        drawn = ranked["old"][k]
        due, shown = float(drawn @ LOOKED_AT), float(drawn[order] @ LOOKED_AT[: len(order)])
        clicks_due, clicks_shown = clicks_due + due, clicks_shown + shown
        better = ranked["new"][k]
        effect["due"] += float(better @ LOOKED_AT) - due
        effect["shown"] += float(better[order] @ LOOKED_AT[: len(order)]) - shown
        items = tuple(f"{k}-{j}" for j in range(K))
        book.decide(RankedDecision(decision=str(k), items=items))
        book.take(Render(id=str(k), decision=str(k), shown=tuple(Shown(id=items[j]) for j in order)))
        for slot, j in enumerate(order):
            if rng.random() < drawn[j] * LOOKED_AT[slot]:
                book.take(Click(decision=str(k), item=items[j]))
    book.close()
    truth = {
        "lost_clicks": clicks_due - clicks_shown,
        "lost_share": 1 - clicks_shown / clicks_due,
        "effect_kept": effect["shown"] / effect["due"],
    }
    return book, truth


def measured(book: Book, **settings) -> Harm:
    return harm_of(book.lists.values(), book.decisions, book.clicks, **settings)


@pytest.mark.parametrize("edit", ["shuffle", "pin", "swap", "drop"])
def test_lost_clicks_are_near_those_of_the_page_that_kept_the_order(edit):
    book, truth = world(edit, n=4000, share=0.3, seed=11)
    harm = measured(book)
    for name in ("lost_clicks", "lost_share"):
        estimate = getattr(harm, name)
        assert estimate.low <= truth[name] <= estimate.high
        assert estimate.value == pytest.approx(truth[name], rel=0.35)


@pytest.mark.parametrize("edit", ["shuffle", "pin", "swap"])
def test_the_effect_that_is_kept_is_near_that_of_two_rankings_on_broken_pages(edit):
    book, truth = world(edit, n=4000, share=0.5, seed=12)
    harm = measured(book)
    assert harm.effect_kept.value == pytest.approx(truth["effect_kept"], abs=0.12)
    assert harm.sample_factor.value == pytest.approx(1 / harm.effect_kept.value**2)
    assert harm.sample_factor.low > 1


def test_intervals_of_lost_clicks_cover_what_was_lost():
    hits = 0
    for seed in range(25):
        book, truth = world("pin", n=300, share=0.3, seed=100 + seed)
        estimate = measured(book, seed=seed).lost_share
        hits += estimate.low <= truth["lost_share"] <= estimate.high
    assert hits >= 20  # of 25; fewer have a chance below 1% when 95% are covered


def test_disorder_is_kendalls_distance_and_displacement_counts_the_top_most():
    book = Book()
    rng = np.random.default_rng(4)
    expected, moved = [], []
    for k in range(60):
        n = int(rng.integers(2, 12))
        order = rng.permutation(n)
        items = tuple(f"{k}-{j}" for j in range(n))
        book.decide(RankedDecision(decision=str(k), items=items))
        book.take(Render(id=str(k), decision=str(k), shown=tuple(Shown(id=items[j]) for j in order)))
        if list(order) != sorted(order):
            expected.append((1 - kendalltau(np.arange(n), order).statistic) / 2)
            moved.append(sum(abs(1 / (slot + 1) - 1 / (j + 1)) for slot, j in enumerate(order)))
    book.close()
    harm = measured(book)
    assert harm.disorder.value == pytest.approx(np.mean(expected))
    assert harm.displacement.value == pytest.approx(np.mean(moved))


def test_without_clicks_or_without_change_nothing_is_made_up():
    kept, _ = world("none", n=60, share=0.0, seed=1)
    assert measured(kept).lost_clicks == NotEstimable(reason="no list was changed", needs="nothing: nothing was lost")
    broken, _ = world("swap", n=60, share=0.5, seed=1)
    broken.clicks.clear()
    assert "no click" in measured(broken).lost_clicks.reason


def test_what_is_never_shown_has_no_known_clicks():
    book, _ = world("drop", n=60, share=1.0, seed=1)
    assert "rank 1 is never shown" in measured(book).lost_clicks.reason


def test_a_click_on_what_the_page_did_not_show_says_nothing_of_the_page():
    book, _ = world("drop", n=200, share=0.5, seed=6)
    before = measured(book)
    hidden = [d for d, each in book.lists.items() if each.state.value == "violated"]
    for name, _page in hidden:
        book.clicks.setdefault(name, set()).add(f"{name}-0")
    assert measured(book) == before


def test_clicks_that_do_not_fall_with_the_rank_show_no_effect_to_keep():
    book, _ = world("swap", n=300, share=0.3, seed=3, noise=50.0)
    harm = measured(book)
    assert isinstance(harm.effect_kept, NotEstimable)
    assert isinstance(harm.sample_factor, NotEstimable)
    assert isinstance(harm.lost_clicks, Estimate)


def test_the_same_seed_gives_the_same_numbers_and_another_curve_of_attention_others():
    book, _ = world("swap", n=300, share=0.3, seed=5)
    assert measured(book) == measured(book)
    flat = measured(book, examination=[1.0] * K)
    assert isinstance(flat.lost_clicks, Estimate)
    assert flat.lost_clicks.value == pytest.approx(0)
