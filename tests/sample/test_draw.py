from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.sample.draw import Draw, draw_units
from martello.sample.frame import count_frame
from martello.sample.lot import hash_threshold
from martello.sample.source import open_source
from martello.spec.schema import Field, Output, Population, SampleDesign

FIELDS = (Field(name="x", type="integer"),)


def drawn(
    directory: Path, table: pa.Table, *, seed: int = 3, group: tuple[str, ...] = (), n_reserve: int = 0, **design: Any
) -> Draw:
    pq.write_table(table, directory / "units.parquet")
    population = Population(source="units.parquet", unit=("id",), group=group)
    how = SampleDesign(seed=seed, **design)
    with DuckDBEngine(directory) as engine:
        source = open_source(engine, population, FIELDS, Output(column="y"), (), how)
        frame = count_frame(engine, source, population, "spec-1")
        return draw_units(engine, source, frame, FIELDS, Output(column="y"), (), design=how, n_reserve=n_reserve)


def table(n: int, **more: list[object]) -> pa.Table:
    return pa.table({"id": list(range(n)), "x": [i % 97 for i in range(n)], "y": ["a"] * n, **more})


def test_the_draw_is_the_md5_of_salt_and_key_as_hashlib_computes_it(tmp_path: Path) -> None:
    threshold, probability = hash_threshold(600 / 2000)
    expected = sorted(str(i) for i in range(2000) if hashlib.md5(f"3|draw|{i}".encode()).hexdigest()[:16] < threshold)
    draw = drawn(tmp_path, table(2000), n=600)
    assert draw.units["unit"].to_pylist() == expected
    assert set(draw.units["inclusion_probability"].to_pylist()) == {probability}
    assert probability == pytest.approx(0.3, abs=1e-15)


def test_the_draw_does_not_depend_on_the_order_of_the_source(tmp_path: Path) -> None:
    straight = table(500)
    turned = straight.take(list(reversed(range(500))))
    assert drawn(tmp_path, straight, n=100).units.equals(drawn(tmp_path, turned, n=100).units)


def test_the_expected_size_is_met_within_sampling_error(tmp_path: Path) -> None:
    sizes = [drawn(tmp_path, table(2000), n=500, seed=seed).units.num_rows for seed in range(12)]
    # Binomial(2000, 1/4): sd 19.4, so the mean of 12 has sd 5.6.
    assert sum(sizes) / len(sizes) == pytest.approx(500, abs=4 * 5.6)


def test_groups_are_drawn_whole(tmp_path: Path) -> None:
    households = [i // 4 for i in range(400)]
    units = drawn(tmp_path, table(400, house=households), n=100, group=("house",)).units
    assert 0 < units.num_rows < 400
    assert all(count == 4 for count in units.group_by("group").aggregate([("unit", "count")])["unit_count"].to_pylist())


def test_the_reserve_was_not_drawn(tmp_path: Path) -> None:
    draw = drawn(tmp_path, table(300), n=100, n_reserve=50)
    assert draw.reserve.num_rows == 50
    assert not set(draw.reserve["unit"].to_pylist()) & set(draw.units["unit"].to_pylist())


def test_without_a_size_every_unit_is_taken_with_certainty(tmp_path: Path) -> None:
    draw = drawn(tmp_path, table(60), n=None, n_reserve=10)
    assert draw.units.num_rows == 60
    assert set(draw.units["inclusion_probability"].to_pylist()) == {1.0}
    assert draw.reserve.num_rows == 0


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        drawn(tmp_path, pa.table({"id": [1, 2, 2, 3], "x": [1, 2, 3, 4], "y": ["a"] * 4}), n=None)
    assert caught.value.code == "sample.duplicate-key"
    assert "'2' stands 2 times" in caught.value.where


def test_a_row_without_a_key_is_counted(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        drawn(tmp_path, pa.table({"id": [1, None, 3], "x": [1, 2, 3], "y": ["a"] * 3}), n=None)
    assert caught.value.code == "sample.missing-key"
    assert "1 of 3" in caught.value.what


def test_more_units_than_there_are_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        drawn(tmp_path, table(60), n=61)
    assert caught.value.code == "sample.too-many"


def test_every_design_puts_its_probability_on_every_row(tmp_path: Path) -> None:
    units = table(1000, house=[i // 5 for i in range(1000)], kind=["a" if i % 4 else "b" for i in range(1000)])
    stratified = drawn(tmp_path, units, design="stratified", by=("kind",), n=100).units.to_pydict()
    assert set(zip(stratified["stratum"], stratified["inclusion_probability"], strict=True)) == {
        ("a", 75 / 750),
        ("b", 25 / 250),
    }
    whole = drawn(tmp_path, units, design="cluster", clusters=30, group=("house",)).units
    assert whole.num_rows == 30 * 5
    assert set(whole["inclusion_probability"].to_pylist()) == {30 / 200}
    inside = drawn(tmp_path, units, design="two_stage", clusters=30, per_cluster=2, group=("house",)).units
    assert inside.num_rows == 30 * 2
    assert inside["inclusion_probability"].to_pylist() == pytest.approx([30 / 200 * 2 / 5] * 60, rel=1e-15)
    assert inside["stratum"].null_count == 60


@pytest.mark.parametrize(
    "design",
    [
        {"design": "simple", "n": 200},
        {"design": "stratified", "by": ("kind",), "n": 200},
        {"design": "pps", "size": "id1", "n": 200},
        {"design": "cluster", "clusters": 40},
        {"design": "two_stage", "clusters": 40, "per_cluster": 2},
    ],
)
def test_the_reserve_of_every_design_has_no_group_in_common_with_it(tmp_path: Path, design: dict[str, Any]) -> None:
    more = {
        "house": [i // 5 for i in range(1000)],
        "kind": ["a" if i // 5 % 4 else "b" for i in range(1000)],
        "id1": [i + 1 for i in range(1000)],
    }
    draw = drawn(tmp_path, table(1000, **more), group=("house",), n_reserve=60, **design)
    assert draw.reserve.num_rows == 60
    assert not set(draw.reserve["group"].to_pylist()) & set(draw.units["group"].to_pylist())
