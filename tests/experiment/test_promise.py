from __future__ import annotations

import msgspec
import numpy as np
import pytest

from martello.experiment import compare_with_promise
from martello.records import Evaluation, Experiment, FileRef, Rehearsal, TableRef
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.stats.intervals import proportion_interval


def evaluation(hits: int, n: int) -> Evaluation:
    return Evaluation(
        parents=(),
        n_gold=n,
        look=1,
        looks_left=4,
        level=0.95,
        level_of_look=0.975,
        metrics={"precision": proportion_interval(hits, n)},
        classes=(),
        slices=(),
        calibration=(),
        curve=None,
        confusion=(),
        gain_over_constant=NotEstimable(reason="not asked", needs="nothing"),
        claims=(),
        verdict=Verdict.MET,
    )


REHEARSAL = Rehearsal(
    parents=(),
    n_sent=1000,
    n_decisions=1000,
    n_outcomes=1000,
    n_score_differences=0,
    rows_from="reserve",
    table=TableRef(file=FileRef(blob="", size=0, format="parquet"), rows=0, columns=()),
)


def compare(right: int, flagged: int, promised: tuple[int, int], rehearsal: Rehearsal = REHEARSAL) -> Experiment:
    outcome = np.array([1] * right + [0] * (flagged - right) + [0] * 500)
    output = np.array([1] * flagged + [0] * 500)
    return compare_with_promise(
        outcome,
        output,
        n_classes=2,
        metric="precision",
        evaluation=evaluation(*promised),
        rehearsal=rehearsal,
        seed=0,
        parents=(),
    )


@pytest.mark.parametrize(
    ("right", "verdict"), [(400, "as promised"), (300, "worse than promised"), (480, "better than promised")]
)
def test_the_verdict_follows_the_interval_of_the_difference(right: int, verdict: str) -> None:
    found = compare(right, 500, (1640, 2000))
    assert found.verdict == verdict
    assert isinstance(found.online, Estimate)
    assert found.online.value == right / 500


def test_golds_own_rows_are_not_compared_with_gold() -> None:
    found = compare(400, 500, (1640, 2000), msgspec.structs.replace(REHEARSAL, rows_from="gold"))
    assert isinstance(found.difference, NotEstimable)
    assert found.verdict == "undecided"


def test_nothing_flagged_is_said_and_not_counted_as_zero() -> None:
    found = compare(0, 0, (1640, 2000))
    assert isinstance(found.online, NotEstimable)
    assert found.verdict == "undecided"
