"""Rows that come twice are found, against a dictionary that holds everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from martello.label.formats.seen import Seen


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2)), max_size=2000))
def test_every_key_is_found_again_with_its_first_row_and_answer(rows: list[tuple[int, int]]) -> None:
    seen, known = Seen(), {}
    for number, (key, answer) in enumerate(rows, 1):
        before = known.get(key)
        expected = None if before is None else (before[0], before[1] == answer)
        assert seen.before(("u", key), ("label", str(answer)), number) == expected
        known.setdefault(key, (number, answer))


def test_what_is_kept_stays_when_the_table_grows() -> None:
    seen = Seen()
    for number in range(50_000):
        assert seen.before(("unit", number), "yes", number) is None
    for number in range(0, 50_000, 97):
        assert seen.before(("unit", number), "yes", 0) == (number, True)
