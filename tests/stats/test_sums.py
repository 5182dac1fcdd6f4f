from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.errors import DataError
from martello.stats.sums import Sums, merge_sums, sums_of

RNG = np.random.default_rng(4)
Y, D, X = RNG.exponential(size=60), RNG.integers(1, 9, 60).astype(float), RNG.normal(size=60)


def test_sums_are_those_of_the_moment_matrix() -> None:
    moments = np.column_stack([Y, D, X]).T @ np.column_stack([Y, D, X])
    found = sums_of(Y, d=D, x=X)
    assert (found.n, found.y, found.d, found.x) == pytest.approx((60, Y.sum(), D.sum(), X.sum()))
    assert [found.yy, found.dd, found.xx] == pytest.approx(np.diag(moments).tolist())
    assert [found.yd, found.xy, found.xd] == pytest.approx([moments[0, 1], moments[0, 2], moments[1, 2]])


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=40), st.integers(1, 3))
def test_parts_merged_in_any_order_are_the_whole(values: list[float], cut: int) -> None:
    parts = [sums_of(values[:cut]), sums_of(values[cut:]), sums_of([1.0])]
    whole = sums_of([*values, 1.0])
    merged = {merge_sums(order) for order in itertools.permutations(parts)}
    assert len(merged) == 1
    one = merged.pop()
    assert one.n == whole.n
    assert (one.y, one.yy) == pytest.approx((whole.y, whole.yy), rel=1e-12, abs=1e-6)


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2, "y": 4.0, "yy": 1.0},
        {"n": 2, "y": float("nan"), "yy": 1.0},
        {"n": 2, "y": 1.0, "yy": 1.0, "d": 2.0},
        {"n": 2, "y": 1.0, "yy": 1.0, "x": 1.0, "xx": 1.0, "xy": 1.0, "xd": 1.0},
    ],
)
def test_sums_that_no_units_have_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(DataError, match="sums-impossible"):
        Sums(**fields)  # type: ignore[arg-type]


def test_sums_of_different_quantities_do_not_merge() -> None:
    with pytest.raises(DataError, match="sums-differ"):
        merge_sums([sums_of(Y), sums_of(Y, x=X)])
    with pytest.raises(DataError, match="sums-differ"):
        merge_sums([])
