"""Hard units come back late: the verdict's error keeps its level, since evidence is taken in the order of the draw.

Five people put aside what is hard (here: the answer no) and answer what is easy first; a share of units is seen by
two. A rule that takes answers as they arrive is run on the same answers, to show that there is something to get wrong.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from martello.label.campaign import Campaign
from martello.label.choose_gold import GoldChooser, GoldPlan
from martello.label.entries import Act
from martello.label.plan import RoomPlan
from martello.stats.certification import Certification
from martello.stats.estimate import Verdict

pytestmark = pytest.mark.guarantee

N = 400
HANDS = 8  # units a person keeps at hand, the hard ones among them
RUNS = 200
POSITION = {f"u{i}": i for i in range(N)}
UNITS = list(POSITION)


def pool(seed, share):
    rng = np.random.default_rng([seed, 1])
    scores = rng.uniform(0.5, 1.0, N)
    yes = np.zeros(N, dtype=bool)
    yes[rng.choice(N, round(share * N), replace=False, p=scores / scores.sum())] = True
    return scores, yes


def run(seed, share, sampler):
    """Let five people label until the verdict; give it and the answers in the order in which they came."""
    scores, yes = pool(seed, share)
    clock = [0.0]
    plan = GoldPlan(scores=scores, threshold=0.5, precision=0.80, sampler=sampler)
    chooser = GoldChooser(plan, UNITS, positive="yes", seed=seed, now=lambda: "now")
    rules = RoomPlan(
        name="order", question="?", classes=("no", "yes"), positive="yes", purpose="gold", overlap=0.2,
        check_share=0.0, lease_seconds=1e9, seed=seed,
    )  # fmt: skip
    campaign = Campaign(UNITS, POSITION, chooser, rules, target=None, clock=lambda: clock[0])
    campaign.load([], [])
    rng, arrived = np.random.default_rng([seed, 2]), []
    hands = {f"a{i}": [] for i in range(5)}
    idle = 0
    while not campaign.is_done and idle < 50:
        who = f"a{rng.integers(5)}"
        campaign.arrive(who)
        campaign.top_up(HANDS)
        hands[who] += [held.position for held in campaign.take(who, HANDS - len(hands[who]), [])]
        if not hands[who]:
            idle += 1
            continue
        idle = 0
        easy = [position for position in hands[who] if yes[position]]
        position = (easy or hands[who])[0]
        hands[who].remove(position)
        arrived.append(position)
        clock[0] += 1.0
        campaign.act(
            Act(submit_id=str(len(arrived)), unit=UNITS[position], annotator=who, act="label",
                answer="yes" if yes[position] else "no", author="person", seconds=None, at=None)
        )  # fmt: skip
        campaign.drain()
    return chooser.certification.verdict, list(dict.fromkeys(arrived)), scores, yes


def as_it_arrives(seed, arrived, scores, yes):
    """The wrong rule: the same test on a plain draw, fed in the order of arrival as if that were the draw."""
    process = Certification(scores, precision=0.80, threshold=0.5, sampler="random", seed=seed)
    drawn = process.next(len(arrived)).position  # places in the order; what comes back is what arrived
    for place, position in zip(drawn, arrived, strict=True):
        process.observe([place], [yes[position]])
        if process.verdict is not Verdict.UNDECIDED:
            return process.verdict
    return process.verdict


@pytest.mark.parametrize("sampler", ["weighted", "random"])
def test_late_answers_to_hard_units_do_not_let_a_false_claim_pass(sampler):
    found = [run(seed, 0.7975, sampler) for seed in range(RUNS)]
    wrong = sum(verdict is Verdict.MET for verdict, *_ in found)
    most = int(binom.ppf(0.999, RUNS, 0.05))
    print(f"{sampler}: met though false {wrong}/{RUNS}, at most {most} in one of a thousand such runs at the level")
    assert wrong <= most
    if sampler == "random":
        naive = sum(as_it_arrives(seed, *rest) is Verdict.MET for seed, (_, *rest) in enumerate(found))
        print(f"taken as they arrive: {naive}/{RUNS}")
        assert naive > most


def test_late_answers_do_not_let_a_true_claim_fail():
    wrong = sum(run(seed, 0.805, "weighted")[0] is Verdict.NOT_MET for seed in range(RUNS))
    most = int(binom.ppf(0.999, RUNS, 0.05))
    print(f"not met though true {wrong}/{RUNS}, at most {most}")
    assert wrong <= most
