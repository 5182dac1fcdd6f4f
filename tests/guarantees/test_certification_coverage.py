"""Confidence sequences hold the truth at every number of labels at once.

The interval of a certification keeps only what was never rejected: if it holds the truth at the end, it did all along.
A case fails when more runs miss than an interval that errs in exactly .05 of runs would show once in a thousand.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from martello.stats.certification import Certification
from martello.stats.evalues import count_confidence_sequence, count_evidence

pytestmark = pytest.mark.guarantee

RUNS, N = 150, 2000


def _missed(misses, runs):
    assert misses <= binom.ppf(0.999, runs, 0.05), f"{misses} of {runs} intervals missed the truth"


@pytest.mark.parametrize("how", ["calibrated", "useless"])
@pytest.mark.parametrize("sampler", ["weighted", "random"])
def test_precision_and_recall_of_a_certification(sampler, how):
    misses = {"precision": 0, "recall": 0}
    for seed in range(RUNS):
        rng = np.random.default_rng([11, seed])
        scores = rng.beta(0.7, 1.5, N)
        truth = (rng.random(N) < scores).astype(int)
        flags = scores >= 0.5
        values = {"precision": truth[flags].mean(), "recall": truth[flags].sum() / truth.sum()}
        given = scores if how == "calibrated" else rng.permutation(scores)
        settings = {"precision": values["precision"], "recall": values["recall"], "flagged": flags}
        process = Certification(given, seed=seed, sampler=sampler, **settings)
        while process.n_labeled < 300 and len(positions := process.next(25).position):
            process.observe(positions, truth[positions])
        for name, found in process.interval.items():
            misses[name] += not found.low <= values[name] <= found.high
    for count in misses.values():
        _missed(count, RUNS)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8, 0.97])
@pytest.mark.parametrize("pool_size", [None, 600])
def test_a_share_after_every_label(share, pool_size):
    """The interval leaves a share out only where its e-value is at the bar, so the bar is watched at every label."""
    bar, n = np.log(2 / 0.05), np.arange(1, 501)
    truth = share if pool_size is None else round(share * pool_size) / pool_size
    misses = 0
    for seed in range(RUNS):
        rng = np.random.default_rng([12, seed])
        if pool_size is None:
            labels = rng.random(500) < share
        else:
            labels = rng.permutation(np.arange(pool_size) < round(share * pool_size))[:500]
        yes = np.cumsum(labels)
        paths = [count_evidence(yes, n, truth, side=side, pool_size=pool_size) for side in ("ship", "refuse")]
        missed = np.any(np.array(paths) >= bar, axis=0)
        misses += missed.any()
        for look in rng.integers(500, size=3):
            found = count_confidence_sequence(int(yes[look]), int(n[look]), pool_size=pool_size)
            assert found.low <= truth <= found.high or missed[look]
    _missed(misses, RUNS)
