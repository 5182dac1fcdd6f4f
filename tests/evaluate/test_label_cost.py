"""The count of labels speaks of these units, for twenty draws, and says what they say in full."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from martello.evaluate import label_cost as module
from martello.evaluate.label_cost import label_cost
from martello.evaluate.units import GoldUnits
from martello.records import LabelCost
from martello.spec.schema import Requirement
from martello.stats.estimate import Verdict


def gold(n: int = 1500, seed: int = 0) -> GoldUnits:
    rng = np.random.default_rng(seed)
    yes = 1 / (1 + np.exp(-rng.normal(-1, 2, n)))
    truth = (rng.random(n) < yes).astype(np.int64)
    scores = np.column_stack([1 - yes, yes])
    return GoldUnits(truth=truth, scores=scores, weight=np.ones(n), cluster=None, slices={}, constant=scores * 0)


def cost(units: GoldUnits, **settings: Any) -> LabelCost:
    found = label_cost(
        units,
        **{"threshold": 0.5, "requirement": Requirement(precision=0.7), "error": 0.05, "seed": 1} | settings,
    )
    assert found is not None
    return found


def precision(units: GoldUnits, threshold: float = 0.5) -> float:
    return float(units.truth[units.scores[:, 1] >= threshold].mean())


@pytest.mark.parametrize(("away", "verdict"), [(-0.08, Verdict.MET), (0.08, Verdict.NOT_MET)])
def test_it_comes_to_what_a_full_count_of_gold_says(away: float, verdict: Verdict) -> None:
    units = gold()
    found = cost(units, requirement=Requirement(precision=precision(units) + away))
    assert found.verdict is verdict
    assert found.n_draws == 20
    assert 19 <= len(found.labels) <= 20
    assert list(found.labels) == sorted(found.labels)
    assert found.labels[-1] <= np.sum(units.scores[:, 1] >= 0.5)


def test_as_many_draws_may_err_as_the_error_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an error of 5%, one draw of twenty may come to the other verdict; two leave it undecided."""
    for n_wrong, expected, n_labels in ((1, Verdict.MET, 19), (2, Verdict.UNDECIDED, 0)):
        verdicts = iter([Verdict.NOT_MET] * n_wrong + [Verdict.MET] * (20 - n_wrong))
        monkeypatch.setattr(module, "_run", lambda process, units, verdicts=verdicts: next(verdicts))
        found = cost(gold(100))
        assert (found.verdict, len(found.labels)) == (expected, n_labels)


def test_without_a_floor_a_threshold_or_error_to_spend_there_is_nothing_to_count() -> None:
    for settings in ({"requirement": Requirement()}, {"threshold": None}, {"error": None}):
        with_all = {"threshold": 0.5, "requirement": Requirement(precision=0.7), "error": 0.05, "seed": 1}
        assert label_cost(gold(50), **with_all | settings) is None
