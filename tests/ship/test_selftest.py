from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.errors import DataError, IntegrityError
from martello.ship.selftest import SELFTEST_ROWS, SelftestRow, decode_selftest, encode_selftest, run_selftest

ROWS = (
    SelftestRow(record={"age": 39, "note": "a", "score": 0.1, "here": True, "gone": None}, scores=(0.1, 0.9)),
    SelftestRow(record={"age": 40}, scores=(1 / 3, 2 / 3)),
)


def answers(rows):
    by_age = {row.record["age"]: row.scores for row in rows}
    return lambda record: by_age[record["age"]]


def test_rows_survive_the_round_trip_with_their_types():
    read = decode_selftest(encode_selftest(ROWS))
    assert read == ROWS
    assert type(read[0].record["age"]) is int
    assert read[0].record["here"] is True


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_every_float_survives_bit_for_bit(scores):
    row = SelftestRow(record={}, scores=tuple(scores))
    read = decode_selftest(encode_selftest([row]))[0].scores
    assert [score.hex() for score in read] == [score.hex() for score in scores]


def test_equal_scores_pass():
    run_selftest(ROWS, answers(ROWS))


def test_one_bit_of_difference_is_found_and_its_row_named():
    moved = SelftestRow(record=ROWS[1].record, scores=(ROWS[1].scores[0], math.nextafter(ROWS[1].scores[1], 1)))
    with pytest.raises(IntegrityError) as caught:
        run_selftest(ROWS, answers([ROWS[0], moved]))
    assert caught.value.code == "ship.selftest-differs"
    assert caught.value.what.startswith("1 of 2")
    assert "row 1" in caught.value.where


def test_another_number_of_scores_is_a_difference():
    with pytest.raises(IntegrityError):
        run_selftest(ROWS[:1], lambda record: (0.1,))


def test_at_most_fifty_rows_are_kept():
    many = [SelftestRow(record={"age": i}, scores=(0.5,)) for i in range(80)]
    assert decode_selftest(encode_selftest(many)) == tuple(many[:SELFTEST_ROWS])


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_refused(score):
    with pytest.raises(DataError, match=r"ship\.selftest-not-finite"):
        encode_selftest([SelftestRow(record={}, scores=(score,))])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'[{"record": {}}]', b'[{"record": {}, "scores": [null]}]'])
def test_a_file_that_proves_nothing_is_refused(content):
    with pytest.raises(IntegrityError, match=r"ship\.selftest-unusable"):
        decode_selftest(content)
