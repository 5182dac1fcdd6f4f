"""Designs: oracles are hashlib, SQL's own md5 ordering, and enumeration of every possible draw."""

import hashlib
import itertools

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.errors import DataError
from martello.stats.design import (
    draw_clusters,
    draw_simple,
    draw_stratified,
    draw_two_stage,
    hash_order,
)


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(), st.text()), min_size=1, max_size=30), st.text(max_size=5))
def test_the_hash_orders_keys_as_their_hex_text_does(keys, salt):
    keys = list(dict.fromkeys(map(str, keys)))
    hexes = [hashlib.md5(f"{salt}|{key}".encode()).hexdigest() for key in keys]
    order = np.argsort(hash_order(keys, salt), kind="stable")
    assert [hexes[i] for i in order] == sorted(hexes)


def test_a_database_draws_the_same_rows_in_the_same_order():
    sql = "select k from range(5000) t(k) order by md5('pilot|' || k::varchar) limit 50"
    expected = [k for (k,) in duckdb.sql(sql).fetchall()]
    assert draw_simple(hash_order(range(5000), "pilot"), 50).positions.tolist() == expected


def test_hashed_numbers_are_uniform():
    u = hash_order(range(20_000), "x")
    assert u.min() > 0
    assert u.max() < 1
    counts = np.histogram(u, 20, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-squared with 19 df at 0.001


@pytest.mark.parametrize("key", [1.0, None, True, b"a"])
def test_a_key_that_prints_differently_by_engine_is_refused(key):
    with pytest.raises(DataError, match="key-not-portable"):
        hash_order([key], "s")


def test_a_larger_simple_draw_holds_the_smaller_one():
    u = hash_order(range(100), "s")
    assert draw_simple(u, 30).positions[:10].tolist() == draw_simple(u, 10).positions.tolist()


def enumerated_pi(draw, n_units):
    """Average the draw over all orders of distinct uniforms: every order is equally likely."""
    values = (np.arange(n_units) + 0.5) / n_units
    hits = np.zeros(n_units)
    orders = list(itertools.permutations(values))
    for order in orders:
        hits[draw(np.array(order)).positions] += 1
    return hits / len(orders)


def test_simple_inclusion_probability_is_exact():
    assert enumerated_pi(lambda u: draw_simple(u, 2), 5) == pytest.approx([0.4] * 5)


def test_stratified_inclusion_probability_is_exact():
    strata = ["a", "a", "a", "b", "b", "c"]
    recorded = draw_stratified(np.linspace(0.1, 0.9, 6), strata, {"a": 3, "b": 2, "c": 1})
    assert recorded.pi.tolist() == [1.0] * 6
    sizes = {"a": 1, "b": 1, "c": 1}
    assert enumerated_pi(lambda u: draw_stratified(u, strata, sizes), 6) == pytest.approx([1 / 3] * 3 + [0.5, 0.5, 1])


def test_cluster_inclusion_probabilities_are_exact():
    clusters = np.array(["a", "a", "b", "b", "b", "c"])
    codes = np.unique(clusters, return_inverse=True)[1]
    pi = np.zeros(6)
    for order in itertools.permutations([0.2, 0.5, 0.8]):
        cluster_u = np.array(order)[codes]
        pi[draw_clusters(cluster_u, clusters, 2).positions] += 1 / 6
    assert pi == pytest.approx([2 / 3] * 6)
    second = np.zeros(6)
    for order in itertools.permutations([0.2, 0.5, 0.8]):
        for units in itertools.permutations(np.linspace(0.1, 0.9, 6)):
            drawn = draw_two_stage(np.array(order)[codes], np.array(units), clusters, 2, 2)
            second[drawn.positions] += 1 / (6 * 720)
            expected = np.array([2 / 3, 2 / 3, 4 / 9, 4 / 9, 4 / 9, 2 / 3])[drawn.positions]
            assert drawn.pi == pytest.approx(expected)
    assert second == pytest.approx([2 / 3, 2 / 3, 4 / 9, 4 / 9, 4 / 9, 2 / 3])


U4 = [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: draw_simple(U4, 5), "stats.sample-size"),
        (lambda: draw_simple(U4, 0), "stats.sample-size"),
        (lambda: draw_simple([0.1, float("nan")], 1), "stats.uniform-out-of-range"),
        (lambda: draw_simple([0.1, 1.0], 1), "stats.uniform-out-of-range"),
        (lambda: draw_stratified(U4, ["a", "a", "b", "b"], {"a": 1}), "stats.stratum-without-draw"),
        (lambda: draw_stratified(U4, ["a", "a", "b", "b"], {"a": 1, "b": 0}), "stats.stratum-without-draw"),
        (lambda: draw_stratified(U4, ["a", "a", "b", "b"], {"a": 1, "b": 3}), "stats.sample-size"),
        (lambda: draw_stratified(U4, ["a"] * 4, {"a": 1, "z": 3}), "stats.unknown-stratum"),
        (lambda: draw_stratified(U4, ["a", None, "b", "b"], {"a": 1, "b": 1}), "stats.label-missing"),
        (lambda: draw_clusters(U4, ["a", "a", "b", "b"], 1), "stats.cluster-uniform-varies"),
        (lambda: draw_clusters([0.1, 0.1, 0.2, 0.2], ["a", "a", "b", "b"], 3), "stats.sample-size"),
    ],
)
def test_impossible_draws_are_refused_by_name(call, code):
    with pytest.raises(DataError) as fault:
        call()
    assert fault.value.code == code
