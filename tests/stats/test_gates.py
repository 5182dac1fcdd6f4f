"""Claims over thresholds and slices are laid out as a direct count over units would have it."""

import numpy as np
import pytest

from martello.errors import DataError
from martello.stats.claims import precision, recall
from martello.stats.gates import lay_out

RNG = np.random.default_rng(5)
SCORES = RNG.random(300).round(2)
SEX = RNG.choice(["F", "M"], 300)
TRUTH = (RNG.random(300) < SCORES).astype(float)


def _means(gates):
    gain, offset = gates.terms()
    return gain[:, gates.kind] @ TRUTH + offset[:, gates.kind].sum(axis=1)


def test_rows_equal_direct_counts_at_every_threshold_and_slice():
    thresholds = [0.9, 0.3, 0.6]
    gates = lay_out(SCORES, [precision(0.7), recall(0.4)], thresholds=thresholds, flagged=None, slices={"sex": SEX})
    assert len(gates.rows) == 3 * 2 * 3
    for row, mean in zip(gates.rows, _means(gates), strict=True):
        flags = thresholds[row.gate] <= SCORES
        member = np.ones(300, bool) if row.slice_name is None else row.slice_name.removeprefix("sex=") == SEX
        hits = TRUTH[flags & member].sum()
        whole = (flags & member).sum() if row.claim.name == "precision" else TRUTH[member].sum()
        assert mean == pytest.approx(hits - row.claim.at_least * whole, abs=1e-9)


def test_a_unit_exactly_at_the_threshold_is_flagged():
    gates = lay_out(np.array([0.5, 0.49]), [precision(0.8)], thresholds=[0.5], flagged=None, slices=None)
    assert gates.rows[0].flagged[gates.kind].tolist() == [True, False]


def test_flags_given_directly_need_no_scores():
    flags = RNG.random(300) < 0.2
    gates = lay_out(SCORES, [precision(0.7)], thresholds=None, flagged=flags, slices=None)
    assert _means(gates)[0] == pytest.approx(TRUTH[flags].sum() - 0.7 * flags.sum())


@pytest.mark.parametrize(
    "both", [{"thresholds": None, "flagged": None}, {"thresholds": [0.5], "flagged": SCORES > 0.5}]
)
def test_an_unclear_flag_rule_is_refused_by_name(both):
    with pytest.raises(DataError, match=r"stats\.flag-rule-unclear"):
        lay_out(SCORES, [precision(0.7)], slices=None, **both)


def test_columns_of_another_length_are_refused_by_name():
    with pytest.raises(DataError, match=r"stats\.length-mismatch"):
        lay_out(SCORES, [precision(0.7)], thresholds=None, flagged=[True], slices=None)
    with pytest.raises(DataError, match=r"stats\.length-mismatch"):
        lay_out(SCORES, [precision(0.7)], thresholds=[0.5], flagged=None, slices={"sex": ["F"]})
