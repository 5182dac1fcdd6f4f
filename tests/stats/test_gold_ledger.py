"""Error spent on gold adds up, answers cost what they reveal, and a paired win must be more than luck."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from martello.errors import DataError
from martello.stats.estimate import NotEstimable
from martello.stats.gold_ledger import (
    GoldQuestion,
    alpha_for_question,
    answer_bits,
    decide_paired,
    gold_budget,
    labels_for_questions,
)

FAIL, PASS, NUMBER = (
    GoldQuestion(revealed="bit", passed=False),
    GoldQuestion(revealed="bit", passed=True),
    GoldQuestion(revealed="number"),
)


def _left(size, history):
    return gold_budget(size, history, rate=0.86, floor=0.80).questions_left


def test_the_open_schedule_never_spends_more_than_alpha():
    assert sum(alpha_for_question(k) for k in range(1, 6)) < 0.05
    assert isinstance(alpha_for_question(6), NotEstimable)


def test_a_planned_series_spends_alpha_exactly():
    assert sum(alpha_for_question(k, planned=32) for k in range(1, 33)) == pytest.approx(0.05)
    assert isinstance(alpha_for_question(33, planned=32), NotEstimable)


@pytest.mark.parametrize(("questions", "bits"), [(1, 0), (8, 0), (32, 0), (1, 8)])
def test_labels_needed_have_the_power_by_direct_summation(questions, bits):
    n = labels_for_questions(questions, rate=0.90, floor=0.80, revealed_bits=bits)
    alpha = 0.05 / (questions * 2**bits)
    powers = []
    for size in (n - 1, n, n + 1, n + 40):
        critical = next(c for c in range(size + 2) if binom.sf(c - 1, size, 0.80) <= alpha)
        powers.append(binom.sf(critical - 1, size, 0.90))
    assert powers[0] < 0.8 <= min(powers[1:])


def test_a_bit_is_one_and_two_decimals_are_seven():
    assert (answer_bits(FAIL), answer_bits(NUMBER)) == (1, 7)
    assert answer_bits(GoldQuestion(revealed="number", digits=1)) == 4


def test_questions_left_are_the_most_the_set_can_bear():
    left = _left(600, [])
    assert labels_for_questions(left, rate=0.86, floor=0.80) <= 600
    assert labels_for_questions(left + 1, rate=0.86, floor=0.80) > 600


def test_each_fail_takes_one_question_and_a_number_takes_more_than_seven():
    fresh = _left(900, [])
    assert _left(900, [FAIL] * 3) == fresh - 3
    assert _left(900, [NUMBER]) < fresh / 100
    assert _left(900, [PASS]) < _left(900, [FAIL])


def test_shown_rows_leave_the_gold_set():
    found = gold_budget(600, [GoldQuestion(revealed="rows", rows=200)], rate=0.86, floor=0.80)
    assert found.size == 400
    assert found.questions_left == _left(400, [])


def test_a_revealed_number_halves_the_error_of_the_next_question_seven_times():
    plain = gold_budget(600, [FAIL], rate=0.86, floor=0.80, planned=10).alpha_next
    after = gold_budget(600, [NUMBER], rate=0.86, floor=0.80, planned=10).alpha_next
    assert after == pytest.approx(plain / 2**7)


@pytest.mark.parametrize(("new", "old"), [(9, 3), (0, 0), (1, 0), (30, 12)])
def test_paired_p_value_is_the_one_sided_sign_test(new, old):
    expected = binomtest(new, new + old, alternative="greater").pvalue if new + old else 1.0
    found = decide_paired(new, old, alpha=0.05)
    assert found.p_value == pytest.approx(expected)
    assert found.accepted == (expected <= 0.05)


@pytest.mark.parametrize("differ", [5, 40, 200])
def test_a_proposal_that_is_no_better_is_accepted_at_most_at_alpha_exactly(differ):
    wins = np.arange(differ + 1)
    accepted = [decide_paired(int(w), int(differ - w), alpha=0.0005).accepted for w in wins]
    assert binom.pmf(wins, differ, 0.5) @ np.array(accepted) <= 0.0005


def test_questions_are_counted_from_one():
    with pytest.raises(DataError, match=r"stats\.question-not-counted"):
        alpha_for_question(0)
