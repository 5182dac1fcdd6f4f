from __future__ import annotations

import pyarrow as pa
import pytest

from martello.sample.audit import audit_sides


def table(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def test_a_sound_division_has_no_finding() -> None:
    units = table(unit=["a", "b", "c"], group=["g", "g", None], content=["1", "2", "1"], split=["dev", "dev", "dev"])
    assert audit_sides(units) == ()


@pytest.mark.parametrize("name", ["unit", "group", "cluster", "content"])
def test_what_lies_on_two_sides_is_counted_and_named(name: str) -> None:
    columns = {"unit": ["a", "b", "c", "d", "e"], name: ["x", "x", "y", "y", "z"]}
    (finding,) = audit_sides(table(**columns, split=["train", "gold", "dev", "gold", "gold"]))
    assert finding.code == "sample.on-two-sides"
    assert finding.what == f"2 {name}s on two sides, for example 'x'"


@pytest.mark.parametrize(
    ("split", "is_leak"),
    [
        (["aside", "gold"], False),  # used nowhere
        (["reserve", "gold"], False),  # nobody learns from either
        (["reserve", "train"], True),
        (["dev", "train"], True),
    ],
)
def test_which_pairs_of_sides_leak(split: list[str | None], is_leak: bool) -> None:
    assert bool(audit_sides(table(unit=["a", "b"], content=["1", "1"], split=split))) == is_leak


def test_units_without_a_group_have_none_in_common() -> None:
    assert audit_sides(table(unit=["a", "b"], group=[None, None], split=["train", "gold"])) == ()
