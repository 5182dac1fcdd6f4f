"""Wrong verdicts of a certification that is looked at after every label, however wrong its scores are.

Each case is a pool whose claim is false (or true) by as little as one unit, so the chance of a wrong verdict is as
large as it can be. A case fails when more runs err than a rule with an error of exactly .05 would show once in a
thousand.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binom

from martello.stats.certification import Certification
from martello.stats.claims import f_beta
from martello.stats.estimate import Verdict

pytestmark = pytest.mark.guarantee

RUNS, LABELS, N = 250, 400, 3000
DISTORTIONS = {
    "learned": lambda s, rng: s,
    "overconfident": lambda s, rng: expit(2 * logit(s) + 1),
    "useless": lambda s, rng: rng.permutation(s),
    "inverted": lambda s, rng: 1 - s,
    "folded": lambda s, rng: expit(-np.abs(logit(s) - np.median(logit(s)))),
}


def _scores(seed, n=N):
    rng = np.random.default_rng([20_261_123, seed])
    return np.clip(rng.beta(1.2, 1.2, n), 0.001, 0.999), rng


def _pool(seed, n_yes):
    """A pool of flagged units with exactly so many yes, likelier where the score is high."""
    scores, rng = _scores(seed)
    order = np.argsort(-(logit(scores) + rng.logistic(size=N)))
    truth = np.zeros(N, dtype=int)
    truth[order[:n_yes]] = 1
    return scores, truth, rng


def _errors(make, wrong, runs=RUNS):
    found = 0
    for seed in range(runs):
        process, truth = make(seed)
        while process.verdict is Verdict.UNDECIDED and process.n_labeled < LABELS:
            positions, _ = process.next(max(5, process.n_labeled // 20))
            if not len(positions):
                break
            process.observe(positions, truth[positions])
        found += process.verdict is wrong
    assert found <= binom.ppf(0.999, runs, 0.05), f"{found} of {runs} runs said {wrong}"


@pytest.mark.parametrize("how", DISTORTIONS)
@pytest.mark.parametrize(("n_yes", "wrong"), [(1799, Verdict.MET), (1800, Verdict.NOT_MET)])
def test_precision_off_by_one_unit(how, n_yes, wrong):
    def make(seed):
        scores, truth, rng = _pool(seed, n_yes)
        scores = DISTORTIONS[how](scores, rng)
        return Certification(scores, precision=0.6, flagged=np.ones(N, bool), seed=seed), truth

    _errors(make, wrong)


@pytest.mark.parametrize("budget", [None, LABELS])
@pytest.mark.parametrize(("n_yes", "wrong"), [(1799, Verdict.MET), (1800, Verdict.NOT_MET)])
def test_precision_off_by_one_unit_drawn_at_random(n_yes, wrong, budget):
    def make(seed):
        scores, truth, _ = _pool(seed, n_yes)
        settings = {"flagged": np.ones(N, bool), "sampler": "random", "budget": budget}
        return Certification(scores, precision=0.6, seed=seed, **settings), truth

    _errors(make, wrong)


@pytest.mark.parametrize("sampler", ["weighted", "random"])
@pytest.mark.parametrize("how", ["learned", "overconfident", "useless"])
@pytest.mark.parametrize(("shift", "wrong"), [(1e-6, Verdict.MET), (0.0, Verdict.NOT_MET)])
def test_recall_at_its_exact_value(sampler, how, shift, wrong):
    def make(seed):
        scores, truth, rng = _pool(seed, 700)
        flags = scores >= 0.7
        recall = truth[flags].sum() / truth.sum() + shift
        scores = DISTORTIONS[how](scores, rng)
        return Certification(scores, recall=recall, flagged=flags, seed=seed, sampler=sampler), truth

    _errors(make, wrong)


@pytest.mark.parametrize(("shifts", "wrong"), [((-0.1, 1e-6), Verdict.MET), ((0.0, 0.0), Verdict.NOT_MET)])
def test_precision_and_recall_together(shifts, wrong):
    def make(seed):
        scores, truth, _ = _pool(seed, 900)
        flags = scores >= 0.6
        precision, recall = truth[flags].mean(), truth[flags].sum() / truth.sum()
        claims = {"precision": precision + shifts[0], "recall": recall + shifts[1]}
        return Certification(scores, flagged=flags, seed=seed, **claims), truth

    _errors(make, wrong)


@pytest.mark.parametrize(("shift", "wrong"), [(1e-6, Verdict.MET), (0.0, Verdict.NOT_MET)])
def test_a_linear_fractional_metric(shift, wrong):
    def make(seed):
        scores, truth, _ = _pool(seed, 900)
        flags = scores >= 0.6
        hits, extra, missed = truth[flags].sum(), (1 - truth[flags]).sum(), truth[~flags].sum()
        value = 5 * hits / (5 * hits + extra + 4 * missed)
        return Certification(scores, [f_beta(value + shift, beta=2)], flagged=flags, seed=seed), truth

    _errors(make, wrong)


@pytest.mark.parametrize("worst", [True, False])
def test_slices(worst):
    """False in one slice by a hair must not ship; true in all by a hair must not be refused."""

    def make(seed):
        scores, truth, rng = _pool(seed, 1950)
        slices = np.array(["a", "b", "c"])[rng.integers(3, size=N)]
        shares = [truth[slices == name].mean() for name in "abc"]
        requirement = min(shares) + (1e-6 if worst else 0.0)
        settings = {"flagged": np.ones(N, bool), "slices": {"of": slices}}
        return Certification(scores, precision=requirement, seed=seed, **settings), truth

    _errors(make, Verdict.MET if worst else Verdict.NOT_MET)


def test_a_sequence_of_thresholds_certifies_no_false_one():
    """Ordered from strict to loose; the second is false by a hair and everything after it, too."""
    found = 0
    for seed in range(RUNS):
        scores, truth, _ = _pool(seed, 1500)
        thresholds = [0.8, 0.6, 0.4, 0.2]
        requirement = truth[scores >= 0.6].mean() + 1e-6
        process = Certification(scores, precision=requirement, threshold=thresholds, seed=seed)
        while process.n_labeled < LABELS and len(positions := process.next(20).position):
            process.observe(positions, truth[positions])
        found += len(process.certified_thresholds) > 1
    assert found <= binom.ppf(0.999, RUNS, 0.05)


def test_a_restart_after_a_changed_model_keeps_the_error():
    """Labels from before are facts; the new evidence starts at one and the claim is false by one unit."""

    def make(seed):
        scores, truth, rng = _pool(seed, 1799)
        first = Certification(scores, precision=0.6, flagged=np.ones(N, bool), seed=seed)
        positions = first.next(150).position
        first.observe(positions, truth[positions])
        changed = expit(logit(scores) + rng.normal(0, 0.5, N))
        return Certification.from_json(first.to_json(), changed, flagged=np.ones(N, bool)), truth

    _errors(make, Verdict.MET)
