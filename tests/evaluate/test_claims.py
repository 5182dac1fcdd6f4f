from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from martello.evaluate.assess import error_of_look
from martello.evaluate.claims import Asked, judge_claims, overall_verdict
from martello.records import Measure
from martello.spec.schema import Requirement
from martello.stats.estimate import Verdict
from martello.stats.intervals import proportion_interval


def asked(hits: int, n: int, floor: float, name: str = "everyone") -> Asked:
    def estimate(rows: NDArray[np.bool_], level: float) -> Measure:
        return proportion_interval(hits, n, level=level)

    return Asked(metric="precision", floor=floor, population=name, rows=np.ones(n, dtype=bool), estimator=estimate)


def test_met_is_exactly_when_the_one_sided_binomial_test_rejects_at_the_error_of_the_look() -> None:
    requirement = Requirement(precision=0.8, level=0.95)
    error = error_of_look(requirement, 1)
    for hits in range(400, 470):
        (claim,) = judge_claims([asked(hits, 500, 0.8)], level=0.95, error=error)
        # P(X >= hits) at p = 0.8, the exact one-sided test, at half of alpha on the first look.
        assert (claim.verdict is Verdict.MET) == (binom.sf(hits - 1, 500, 0.8) <= 0.025)


def test_the_refuting_side_shares_its_error_among_the_claims() -> None:
    one = judge_claims([asked(378, 500, 0.8)], level=0.95, error=0.025)
    many = judge_claims([asked(378, 500, 0.8)] * 20, level=0.95, error=0.025)
    assert binom.cdf(378, 500, 0.8) < 0.025
    assert binom.cdf(378, 500, 0.8) > 0.025 / 20
    assert [claim.verdict for claim in one] == [Verdict.NOT_MET]
    assert {claim.verdict for claim in many} == {Verdict.UNDECIDED}


def test_one_refuted_slice_refutes_and_one_open_slice_leaves_open() -> None:
    good, open_, bad = asked(495, 500, 0.8), asked(16, 20, 0.8), asked(250, 500, 0.8)
    for claims, verdict in (
        ([good, good], Verdict.MET),
        ([good, open_], Verdict.UNDECIDED),
        ([good, open_, bad], Verdict.NOT_MET),
    ):
        assert overall_verdict(judge_claims(claims, level=0.95, error=0.025)) is verdict


def test_a_slice_without_a_flagged_unit_is_undecided() -> None:
    (claim,) = judge_claims([asked(0, 0, 0.8)], level=0.95, error=0.025)
    assert claim.verdict is Verdict.UNDECIDED
    assert claim.low is None


def test_when_gold_is_used_up_nothing_is_judged() -> None:
    requirement = Requirement(precision=0.8, gold_looks=2)
    assert error_of_look(requirement, 3) is None
    (claim,) = judge_claims([asked(500, 500, 0.8)], level=0.95, error=None)
    assert claim.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("looks", [1, 3, 5, 20])
def test_all_looks_together_spend_less_than_alpha(looks: int) -> None:
    requirement = Requirement(level=0.95, gold_looks=looks)
    spent = [error_of_look(requirement, look) or 0.0 for look in range(1, looks + 1)]
    assert 0 < sum(spent) <= 0.05 + 1e-12
    assert all(spent)
