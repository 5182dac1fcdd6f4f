"""Simulated companies with a known truth: 28 days, judged at the end of each by the same rules as real ones.

A thousand users a day at a click rate of 10 %, in two arms, unless a test says otherwise. Every repeat goes through
`judge_experiment` itself.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from martello.experiment.contract import Contract, Guardrail
from martello.experiment.history import ArmTotals, Checkpoint, History
from martello.experiment.plan import Baseline, plan_experiment
from martello.experiment.rules import Call
from martello.experiment.verdict import judge_experiment
from martello.stats.estimate import Estimate
from martello.stats.sample_ratio import watch_sample_ratio
from martello.stats.sums import Sums

pytestmark = pytest.mark.guarantee

DAYS, DAILY, RATE = 28, 1000, 0.1
REPEATS = 4000


def contract(**changes):
    agreed = {"metric": "click", "shares": {"old": 0.5, "new": 0.5}, "control": "old", "treatment": "new"}
    return Contract(**{**agreed, "looks": (7, 14, 21, 28), "minimum_effect": 0.1, **changes})


def sums(columns, n):
    """The running sums of click (y), page views (d) and earlier clicks (x) of one arm's users, by day."""
    y, d, x = columns
    at = np.concatenate([[0], n.cumsum()])

    def total(values):
        return np.concatenate([[0.0], values.cumsum()])[at[1:]]

    moments = {"y": y, "yy": y * y, "d": d, "dd": d * d, "yd": y * d, "x": x, "xx": x * x, "xy": x * y, "xd": x * d}
    return {name: total(values) for name, values in moments.items()}


def simple(rng, lift, agreed, *, days=DAYS, daily=DAILY, hurt=None):
    """A company that counts users who click; with `hurt`, a guardrail of users who complain, 5 % of them before."""
    n = rng.multinomial(daily, [0.5, 0.5], size=days)
    totals = n.cumsum(axis=0)
    rates = {"click": (RATE, RATE * (1 + lift))} | ({} if hurt is None else {"complain": (0.05, 0.05 * (1 + hurt))})
    hits = {name: rng.binomial(n, pair).cumsum(axis=0) for name, pair in rates.items()}
    points = []
    for day in range(days):
        arms = {}
        for k, arm in enumerate(("old", "new")):
            units = int(totals[day, k])
            metrics = {name: float(hit[day, k]) for name, hit in hits.items()}
            arms[arm] = ArmTotals(n=units, metrics={name: Sums(n=units, y=y, yy=y) for name, y in metrics.items()})
        points.append(Checkpoint(day=day + 1, arms=arms))
    return History(contract=agreed, checkpoints=tuple(points))


def rich(rng, lift, agreed, *, days=DAYS, daily=200):
    """A company of heavy and light users: clicks per page view, with clicks of the month before as a covariate."""
    n = rng.multinomial(daily, [0.5, 0.5], size=days)
    arms = []
    for k in range(2):
        size = int(n[:, k].sum())
        taste = rng.beta(2, 18, size) * (1 + lift * k)
        views = 1.0 + rng.poisson(rng.gamma(2.0, 3.0, size))
        before = rng.binomial(20, np.minimum(taste / (1 + lift * k), 1)).astype(float)
        arms.append(sums((rng.binomial(views.astype(int), np.minimum(taste, 1)).astype(float), views, before), n[:, k]))
    totals = n.cumsum(axis=0)
    points = [
        Checkpoint(
            day=day + 1,
            arms={
                arm: ArmTotals(
                    n=int(totals[day, k]),
                    metrics={"click": Sums(n=int(totals[day, k]), **{name: v[day] for name, v in arms[k].items()})},
                )
                for k, arm in enumerate(("old", "new"))
            },
        )
        for day in range(days)
    ]
    return History(contract=agreed, checkpoints=tuple(points))


def run(repeats, make, seed):
    """Judge so many companies; give the share of each call, and the verdicts."""
    rng = np.random.default_rng(seed)
    found = [judge_experiment(make(rng)) for _ in range(repeats)]
    shares = Counter(one.call for one in found)
    return {call: shares[call] / repeats for call in Call}, found


def most(chance, repeats):
    """The largest share that a chance gives, but for one run in a thousand."""
    return chance + 3.1 * np.sqrt(chance * (1 - chance) / repeats)


@pytest.mark.parametrize("world", ["simple", "rich"])
def test_without_an_effect_28_daily_looks_rarely_ship_or_roll_back(world):
    repeats = REPEATS if world == "simple" else 1500
    make = simple if world == "simple" else rich
    share, _ = run(repeats, lambda rng: make(rng, 0.0, contract()), 1)
    print(f"no effect, {world}: " + ", ".join(f"{call} {value:.4f}" for call, value in share.items()))
    assert share[Call.SHIP] <= most(0.025, repeats)
    assert share[Call.ROLL_BACK] <= most(0.025, repeats)
    assert share[Call.INVALID] <= most(0.002, repeats)


@pytest.mark.parametrize(("effect", "daily"), [(0.10, 1030), (0.15, 640), (0.08, 1400)])
def test_the_power_is_that_of_the_plan(effect, daily):
    base = Baseline(mean=RATE, variance=RATE * (1 - RATE), daily_units=daily)
    plan = plan_experiment(base, effect, min_days=7)
    assert plan.weeks is not None
    agreed = contract(looks=plan.looks, minimum_effect=effect)
    share, found = run(2500, lambda rng: simple(rng, effect, agreed, days=7 * plan.weeks, daily=daily), 2)
    day = np.mean([one.day for one in found])
    print(f"+{effect:.0%}: planned {plan.power:.3f} in {plan.weeks} weeks, got {share[Call.SHIP]:.3f} on day {day:.1f}")
    assert share[Call.SHIP] == pytest.approx(plan.power, abs=0.03)


def test_harm_is_rolled_back_long_before_the_end():
    share, found = run(800, lambda rng: simple(rng, -0.25, contract()), 3)
    day = np.mean([one.day for one in found if one.call is Call.ROLL_BACK])
    print(f"-25 %: rolled back {share[Call.ROLL_BACK]:.3f}, on day {day:.1f} on average")
    assert share[Call.SHIP] == 0
    assert share[Call.ROLL_BACK] + share[Call.STOP] > 0.995
    assert share[Call.ROLL_BACK] > 0.85
    assert day < 7


def test_a_guardrail_at_its_margin_rarely_lets_a_better_metric_ship_and_is_rarely_rolled_back():
    agreed = contract(guardrails=(Guardrail(metric="complain", margin=0.1, direction="down"),))
    share, _ = run(2000, lambda rng: simple(rng, 0.25, agreed, hurt=0.1), 4)
    print("guardrail at its margin: " + ", ".join(f"{call} {value:.4f}" for call, value in share.items()))
    assert share[Call.SHIP] <= most(0.025, 2000)
    assert share[Call.ROLL_BACK] <= most(0.025, 2000)
    assert share[Call.DISCUSS] > 0.9


def test_a_guardrail_far_beyond_its_margin_is_rolled_back_though_the_metric_is_up():
    agreed = contract(guardrails=(Guardrail(metric="complain", margin=0.1, direction="down"),))
    share, _ = run(400, lambda rng: simple(rng, 0.1, agreed, hurt=0.6), 5)
    assert share[Call.ROLL_BACK] > 0.9


def test_no_harm_ships_only_what_does_none():
    agreed = contract(no_harm=0.1)
    worse, _ = run(2000, lambda rng: simple(rng, -0.1, agreed), 6)
    same, _ = run(400, lambda rng: simple(rng, 0.0, agreed), 7)
    print(f"no harm: at the margin {worse[Call.SHIP_NO_HARM]:.4f}, without an effect {same[Call.SHIP_NO_HARM]:.3f}")
    assert worse[Call.SHIP_NO_HARM] + worse[Call.SHIP] <= most(0.025, 2000)
    assert same[Call.SHIP_NO_HARM] > 0.7


@pytest.mark.parametrize("lift", [0.0, 0.06, 0.1, 0.2])
def test_the_reported_effect_covers_the_truth_however_the_run_ended(lift):
    _, found = run(1500, lambda rng: simple(rng, lift, contract()), 8)
    held = [one.effect.low <= RATE * lift <= one.effect.high for one in found if isinstance(one.effect, Estimate)]
    shipped = [one for one in found if one.call is Call.SHIP]
    print(f"+{lift:.0%}: the reported interval holds in {np.mean(held):.4f} of {len(held)}")
    if lift >= 0.1:
        raw = np.mean([one.treatment_mean - one.control_mean for one in shipped]) / (RATE * lift)
        less = np.mean([one.shrunken.value for one in shipped if isinstance(one.shrunken, Estimate)]) / (RATE * lift)
        print(f"  of those shipped, raw {raw:.2f} times the truth, {less:.2f} less what choosing added")
        assert abs(less - 1) < abs(raw - 1)
    assert np.mean(held) >= 0.935


def test_the_fan_of_all_days_holds_the_truth_in_most_companies():
    held = []
    for lift, seed in ((0.0, 9), (0.1, 10)):
        _, found = run(1000, lambda rng, lift=lift: simple(rng, lift, contract()), seed)
        held.append(
            np.mean(
                [
                    all(day.effect.low <= RATE * lift <= day.effect.high for day in one.days)
                    for one in found
                    if all(isinstance(day.effect, Estimate) for day in one.days)
                ]
            )
        )
    print(f"all 28 days at once: {held[0]:.4f} without, {held[1]:.4f} with an effect")
    assert min(held) >= 0.95


def test_a_sound_assignment_is_rarely_called_broken():
    rng = np.random.default_rng(11)
    for shares in ([0.5, 0.5], [0.9, 0.1], [0.4, 0.3, 0.3]):
        alarms = [
            watch_sample_ratio(rng.multinomial(DAILY, shares, size=DAYS), shares).broken_on is not None
            for _ in range(20_000)
        ]
        print(f"sound {shares}: called broken {np.mean(alarms):.5f}")
        assert np.mean(alarms) <= 0.002


def _lost(rng, share, days=slice(None)):
    """A part of the second arm's users never arrives."""
    n = rng.multinomial(DAILY, [0.5, 0.5], size=DAYS)
    n[days, 1] = rng.binomial(n[days, 1], 1 - share)
    return n


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("47.5 to 52.5 instead of halves", lambda rng: rng.multinomial(DAILY, [0.475, 0.525], size=DAYS)),
        ("8 % of an arm lost", lambda rng: _lost(rng, 0.08)),
        ("half of an arm lost on one day", lambda rng: _lost(rng, 0.5, slice(13, 14))),
        ("a fifth of an arm lost from day 15", lambda rng: _lost(rng, 0.2, slice(14, None))),
    ],
)
def test_a_broken_assignment_is_found(name, make):
    rng = np.random.default_rng(12)
    found = [watch_sample_ratio(make(rng), [0.5, 0.5]).broken_on is not None for _ in range(2000)]
    print(f"{name}: found {np.mean(found):.4f}")
    assert np.mean(found) >= 0.99


def test_a_broken_assignment_is_invalid_whatever_the_metric_says():
    rng = np.random.default_rng(13)
    calls = []
    for _ in range(300):
        history = simple(rng, 0.2, contract())
        points = []
        for point in history.checkpoints:
            new = point.arms["new"]
            kept = round(new.n * 0.9)
            click = new.metrics["click"]
            lost = Sums(n=kept, y=min(click.y, kept), yy=min(click.yy, kept))
            points.append(
                Checkpoint(day=point.day, arms={**point.arms, "new": ArmTotals(n=kept, metrics={"click": lost})})
            )
        calls.append(judge_experiment(History(contract=history.contract, checkpoints=tuple(points))).call)
    assert np.mean([call is Call.INVALID for call in calls]) >= 0.99
