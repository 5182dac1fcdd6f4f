"""A gold set asked a hundred times by a team that keeps whatever scores higher.

Every proposal is as good as the first model, and differs from the present one on a tenth of the units. What the team
reports after the last round is compared with the truth: the mean difference is the optimism.
"""

from __future__ import annotations

import numpy as np
import pytest

from martello.stats.gold_ledger import alpha_for_question, decide_paired

pytestmark = pytest.mark.guarantee

ACCURACY, CHURN, ROUNDS, TEAMS = 0.80, 0.10, 100, 200


def _optimism(n, accept, seed):
    """Reported minus true accuracy after all rounds; no proposal changes the truth."""
    rng = np.random.default_rng([14, seed])
    right = rng.random(n) < ACCURACY
    for k in range(1, ROUNDS + 1):
        redone = rng.random(n) < CHURN
        proposal = np.where(redone, rng.random(n) < ACCURACY, right)
        if accept(int((proposal & ~right).sum()), int((right & ~proposal).sum()), k):
            right = proposal
    return right.mean() - ACCURACY


def _by_ledger(new, old, k):
    return decide_paired(new, old, alpha=alpha_for_question(k, planned=ROUNDS)).accepted


@pytest.mark.parametrize("n", [500, 2000])
def test_the_ledger_keeps_the_reported_score_honest(n):
    optimism = [_optimism(n, _by_ledger, seed) for seed in range(TEAMS)]
    assert np.mean(optimism) <= 0.005


@pytest.mark.parametrize("n", [500, 2000])
def test_without_it_the_same_team_fools_itself(n):
    """The simulation can fail: keeping whatever scores higher is optimistic by points, not thousandths."""
    optimism = [_optimism(n, lambda new, old, _: new > old, seed) for seed in range(40)]
    assert np.mean(optimism) > 0.03


def test_a_false_gain_is_accepted_in_at_most_a_twentieth_of_all_series():
    fooled = 0
    for seed in range(TEAMS):
        rng = np.random.default_rng([15, seed])
        accepted = False
        for k in range(1, ROUNDS + 1):
            differ = rng.binomial(1000, 0.04)
            accepted |= _by_ledger(new := int(rng.binomial(differ, 0.5)), differ - new, k)
        fooled += accepted
    assert fooled / TEAMS <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / TEAMS)
