from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.sample.split import divide_units, retire_shown


def units(
    n: int,
    *,
    group: list[str | None] | None = None,
    content: list[str] | None = None,
    time: list[int | None] | None = None,
) -> pa.Table:
    return pa.table(
        {
            "unit": [f"u{i:05d}" for i in range(n)],
            "group": pa.array(group or [None] * n, pa.string()),
            "content": content or [f"c{i}" for i in range(n)],
            "time": pa.array(time or [None] * n, pa.int64()),
        }
    )


def sides_of(keys: list[str | None], split: list[str]) -> dict[str, set[str]]:
    sides = defaultdict(set)
    for key, side in zip(keys, split, strict=True):
        if key is not None and side != "aside":
            sides[key].add(side)
    return sides


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60)), min_size=40, max_size=150))
@settings(max_examples=60, deadline=None)
def test_no_group_and_no_copy_lies_on_two_sides(pairs: list[tuple[int, int]]) -> None:
    # Contents are mostly distinct, as records are; some are copied across groups.
    group = [f"g{g}" for g, _ in pairs]
    content = [f"c{c}" if c < 10 else f"own{i}" for i, (_, c) in enumerate(pairs)]
    found = divide_units(units(len(pairs), group=group, content=content), dev=0.25, gold=0.25, seed=1)
    assert all(len(sides) == 1 for sides in sides_of(group, found.split).values())
    if not any(finding.code == "sample.inputs-are-types" for finding in found.findings):
        assert all(len(sides) == 1 for sides in sides_of(content, found.split).values())


def test_a_copy_ties_two_groups_together() -> None:
    group = ["a", "a", "b", "b", *(f"g{i}" for i in range(200))]
    content = ["1", "same", "same", "2", *(f"c{i}" for i in range(200))]
    found = divide_units(units(204, group=group, content=content), dev=0.3, gold=0.3, seed=5)
    assert len(set(found.split[:4])) == 1
    assert set(found.cluster[:4]) == {"u00000"}


def test_shares_are_met_within_sampling_error() -> None:
    found = divide_units(units(20_000), dev=0.2, gold=0.3, seed=9)
    assert found.split.count("gold") / 20_000 == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 20_000) ** 0.5)
    assert found.split.count("dev") / 20_000 == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / 20_000) ** 0.5)
    assert not found.is_clustered


def test_with_a_time_gold_is_later_than_dev_and_dev_later_than_train() -> None:
    time = [(i * 7919) % 5000 for i in range(5000)]
    found = divide_units(units(5000, time=time), dev=0.2, gold=0.2, seed=0)
    when = {side: [t for t, s in zip(time, found.split, strict=True) if s == side] for side in ("train", "dev", "gold")}
    assert max(when["train"]) < min(when["dev"])
    assert max(when["dev"]) < min(when["gold"])
    assert len(when["gold"]) == pytest.approx(1000, abs=2)


def test_earlier_units_of_a_group_that_judges_are_set_aside() -> None:
    time = list(range(100))
    group = [f"g{i}" for i in range(100)]
    group[3] = "late"
    group[99] = "late"
    found = divide_units(units(100, time=time, group=group), dev=0.2, gold=0.2, seed=0)
    assert found.split[3] == "aside"
    assert found.split[99] == "gold"
    assert "sample.set-aside" in [finding.code for finding in found.findings]


def test_when_inputs_are_types_of_unit_they_may_lie_on_two_sides() -> None:
    found = divide_units(units(400, content=[f"c{i % 8}" for i in range(400)]), dev=0.25, gold=0.25, seed=0)
    assert "sample.inputs-are-types" in [finding.code for finding in found.findings]
    assert {"train", "dev", "gold"} == set(found.split)


def test_another_seed_divides_differently_and_the_same_seed_the_same() -> None:
    one, again, other = (divide_units(units(300), dev=0.2, gold=0.2, seed=seed).split for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_what_belongs_to_a_shown_unit_leaves_gold_and_nothing_else_moves() -> None:
    content = [f"c{i}" for i in range(400)]
    content[1] = content[0]
    table = units(400, content=content)
    found = divide_units(table, dev=0.2, gold=0.4, seed=3)
    gold = [key for key, side in zip(table["unit"].to_pylist(), found.split, strict=True) if side == "gold"]
    retired = retire_shown(found, table["unit"].to_pylist(), frozenset(gold[:5]), is_timed=False)
    moved = [(was, now) for was, now in zip(found.split, retired.split, strict=True) if was != now]
    assert set(moved) == {("gold", "dev")}
    together = [
        cluster for key, cluster in zip(table["unit"].to_pylist(), found.cluster, strict=True) if key in gold[:5]
    ]
    assert len(moved) == sum(cluster in together for cluster in found.cluster)
    assert retire_shown(found, table["unit"].to_pylist(), frozenset(["no such unit"]), is_timed=False) is found
