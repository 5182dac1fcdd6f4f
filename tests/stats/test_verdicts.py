"""Gates open when all claims are shown, close on the mean of the refutations, and are tried in order."""

import numpy as np
import pytest

from martello.stats.claims import precision, recall
from martello.stats.estimate import Verdict
from martello.stats.gates import lay_out
from martello.stats.martingale import Evidence
from martello.stats.verdicts import GateWatch

BAR = np.log(20)


def _watch(thresholds=(0.5,)):
    scores = np.array([0.1, 0.6, 0.9])
    gates = lay_out(scores, [precision(0.8), recall(0.3)], thresholds=list(thresholds), flagged=None, slices=None)
    return GateWatch(gates, 0.95)


def _evidence(ship, refuse=None):
    ship = np.array(ship, dtype=float)
    return Evidence(ship, np.zeros_like(ship) if refuse is None else np.array(refuse, dtype=float))


def test_a_gate_opens_when_both_claims_have_been_shown_at_some_time():
    watch = _watch()
    watch.watch(_evidence([[0, 4, 0], [0, 0, 3.1]]))
    assert watch.own == [Verdict.MET]
    assert watch.decided_at == [3]


def test_shown_once_is_shown_across_calls():
    watch = _watch()
    watch.watch(_evidence([[4.0], [0.0]]))
    watch.watch(_evidence([[0.0], [4.0]]))
    assert watch.own == [Verdict.MET]
    assert watch.decided_at == [2]


@pytest.mark.parametrize(("against", "verdict"), [(40.1, Verdict.NOT_MET), (39.0, Verdict.UNDECIDED)])
def test_a_gate_closes_when_the_mean_refuting_e_value_reaches_the_bar(against, verdict):
    watch = _watch()
    watch.watch(_evidence([[0.0], [0.0]], [[np.log(against)], [-np.inf]]))
    assert watch.own == [verdict]


def test_a_verdict_stays():
    watch = _watch()
    watch.watch(_evidence([[9.0], [9.0]]))
    watch.watch(_evidence([[0.0], [0.0]], [[99.0], [99.0]]))
    assert watch.own == [Verdict.MET]


def test_a_looser_threshold_counts_only_after_the_stricter_ones():
    watch = _watch((0.8, 0.5))
    watch.watch(_evidence([[0.0], [9.0], [9.0], [9.0]]))
    assert (watch.certified, watch.open_gate) == (0, 0)
    watch.watch(_evidence([[9.0], [0.0], [0.0], [0.0]]))
    assert (watch.certified, watch.open_gate) == (2, None)


def test_draws_go_to_the_claims_that_are_not_shown_yet():
    watch = _watch()
    watch.watch(_evidence([[9.0], [0.5]]))
    need = watch.needs(np.array([0.1, 0.1]), np.ones(2))
    assert need[0] == 0
    assert need[1] > 0


def test_draws_go_to_the_claim_that_is_refuted_soonest_when_one_looks_false():
    watch = _watch()
    watch.watch(_evidence([[0.0], [0.0]]))
    need = watch.needs(np.array([0.2, -0.1]), np.ones(2))
    assert need[0] == 0
    assert need[1] > 0
