"""Exact costs of the 0/1 rule against brute force, scipy and the published table of the design notes."""

import math
from itertools import product

import numpy as np
import pytest

from martello.errors import DataError
from martello.stats.evalues import count_evidence
from martello.stats.label_budget import Bars, calibrate_bars, rule_cost

# docs: notes on statistics, table A.2, gap mixture at 1/alpha, requirement .80: expected labels and 95th percentile.
TABLE = {0.74: (353, 869), 0.78: (2970, 7598), 0.82: (2849, 7132), 0.86: (308, 718), 0.90: (108, 236)}


@pytest.mark.parametrize("share", TABLE)
def test_expected_labels_are_those_of_the_table(share):
    cost = rule_cost(0.80, share, level=0.95, budget=40_000)
    expected, q95 = TABLE[share]
    assert cost.expected == pytest.approx(expected, rel=0.003)
    assert cost.q95 == pytest.approx(q95, rel=0.002)


def test_every_path_counted_by_hand_gives_the_same_cost():
    requirement, share, budget, bars = 0.6, 0.75, 11, Bars(ship=2.0, refuse=1.8)
    ship = refuse = labels = 0.0
    for path in product((0, 1), repeat=budget):
        chance = math.prod(share if y else 1 - share for y in path)
        n, yes = np.arange(1, budget + 1), np.cumsum(path)
        up = count_evidence(yes, n, requirement) >= math.log(2.0)
        down = count_evidence(yes, n, requirement, side="refuse") >= math.log(1.8)
        first = np.flatnonzero(up | down)
        labels += chance * (first[0] + 1 if len(first) else budget)
        if len(first):
            ship, refuse = ship + chance * up[first[0]], refuse + chance * (not up[first[0]])
    cost = rule_cost(requirement, share, level=0.5, budget=budget, bars=bars)
    assert cost.ship == pytest.approx(ship, abs=1e-12)
    assert cost.refuse == pytest.approx(refuse, abs=1e-12)
    assert cost.expected == pytest.approx(labels, abs=1e-10)


def test_a_pool_is_always_decided_and_never_dearer_than_independent_labels():
    pool = rule_cost(0.80, 0.82, level=0.95, budget=5_000, pool_size=5_000)
    assert pool.undecided < 1e-9
    assert pool.expected < rule_cost(0.80, 0.82, level=0.95, budget=40_000).expected


@pytest.mark.parametrize("pool_size", [None, 3_000])
def test_declared_budget_spends_at_most_alpha_and_lowers_both_bars(pool_size):
    bars = calibrate_bars(0.80, level=0.95, budget=2_000, pool_size=pool_size)
    edge = {"ship": 0.80 if pool_size is None else 2399 / 3000, "refuse": 0.80}
    cost = {
        side: rule_cost(0.80, edge[side], level=0.95, budget=2_000, pool_size=pool_size, bars=bars) for side in edge
    }
    assert cost["ship"].ship <= 0.05
    assert cost["refuse"].refuse <= 0.05
    assert 10 <= min(bars.ship, bars.refuse) <= max(bars.ship, bars.refuse) < 20


def test_declared_budget_of_the_table_gives_its_bars():
    bars = calibrate_bars(0.80, level=0.95, budget=12_000)
    assert bars.ship == pytest.approx(18.33, rel=0.01)
    assert bars.refuse == pytest.approx(16.93, rel=0.01)


def test_an_empty_budget_is_refused_by_name():
    with pytest.raises(DataError, match=r"stats\.budget-empty"):
        calibrate_bars(0.8, level=0.95, budget=0)
