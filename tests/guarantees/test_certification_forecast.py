"""Forecasts of the labels left hold their range in at least its level of runs, over near and far truths together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from martello.stats.certification import Certification
from martello.stats.estimate import Verdict
from martello.stats.labels_left import Forecast

pytestmark = pytest.mark.guarantee

MARKS = (30, 100, 300)


@pytest.mark.parametrize("shift", [-0.08, -0.04, 0.04, 0.08])
@pytest.mark.parametrize("how", ["calibrated", "overconfident"])
def test_the_range_holds(shift, how):
    held = []
    for seed in range(120):
        rng = np.random.default_rng([13, seed])
        scores = rng.beta(4, 1.2, 5000)
        truth = (rng.random(5000) < scores).astype(int)
        given = scores if how == "calibrated" else expit(2 * logit(np.clip(scores, 1e-6, 1 - 1e-6)) + 1)
        settings = {"precision": truth.mean() - shift, "flagged": np.ones(5000, bool)}
        process = Certification(given, seed=seed, **settings)
        forecasts = {}
        while process.verdict is Verdict.UNDECIDED:
            n = process.n_labeled
            if n in MARKS:
                forecasts[n] = process.labels_left
            step = min([max(5, n // 20), *(mark - n for mark in MARKS if mark > n)])
            positions = process.next(step).position
            process.observe(positions, truth[positions])
        held += [
            found.low <= process.decided_at - n <= found.high
            for n, found in forecasts.items()
            if isinstance(found, Forecast)
        ]
    assert len(held) > 100
    assert np.mean(held) >= 0.80 - 3 * np.sqrt(0.16 / len(held))
