"""The rows that SQL draws are those that `martello.stats` draws from the same hashes, on one engine and on another."""

from __future__ import annotations

import hashlib
import sqlite3
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martello.engines.base import Engine
from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.records import Frame
from martello.sample.lot import cast_lots
from martello.sample.source import Source, open_source
from martello.spec.schema import Output, Population, SampleDesign
from martello.stats.allocation import allocate_equal, allocate_neyman, allocate_proportional
from martello.stats.design import (
    Selection,
    draw_clusters,
    draw_simple,
    draw_stratified,
    draw_two_stage,
    hash_order,
)
from martello.stats.pps import draw_pps

N = 3000
SEED = 11
RNG = np.random.default_rng(4)
HOUSE = [f"h{house:03d}" for house in RNG.integers(0, 250, N)]
OF_HOUSE = {house: ("south", "it's north", "east")[int(house[1:]) % 7 % 3] for house in HOUSE}
KIND = [OF_HOUSE[house] for house in HOUSE]
SIZE = RNG.exponential(10, N).round(3) + 0.001
CHANCE = RNG.beta(1, 3, N)
SCORE = (RNG.normal(size=N) * [{"south": 1, "it's north": 4, "east": 0.5}[kind] for kind in KIND]).round(6)
TABLE = pa.table({"id": list(range(N)), "house": HOUSE, "kind": KIND, "size": SIZE, "score": SCORE, "chance": CHANCE})
KEYS = sorted(str(i) for i in range(N))  # in the order in which rows come back
ROW = [int(key) for key in KEYS]


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


class Spread:
    """The standard deviation of a population, for SQLite, which has none."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, value: float | None) -> None:
        if value is not None:
            self.values.append(value)

    def finalize(self) -> float | None:
        return statistics.pstdev(self.values) if self.values else None


class SQLite:
    """A second engine: the same SQL on SQLite, which has neither our code nor DuckDB's."""

    def __init__(self, has_group: bool, has_strata: bool, size: Any = SIZE) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.create_function("md5", 1, md5, deterministic=True)
        self.connection.create_aggregate("stddev_pop", 1, Spread)  # type: ignore[arg-type]
        self.connection.execute("CREATE TABLE units (_unit TEXT, _group TEXT, _stratum TEXT, _size REAL, _spread REAL)")
        rows = [
            (str(i), HOUSE[i] if has_group else None, KIND[i] if has_strata else None, float(size[i]), float(SCORE[i]))
            for i in reversed(range(N))
        ]
        self.connection.executemany("INSERT INTO units VALUES (?, ?, ?, ?, ?)", rows)

    def arrow(self, sql: str) -> pa.Table:
        cursor = self.connection.execute(sql)
        names = [each[0] for each in cursor.description]
        return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in cursor])

    def relation(self, source: str) -> str:
        raise NotImplementedError

    def columns(self, relation: str) -> dict[str, str]:
        raise NotImplementedError


@pytest.fixture(params=["duckdb", "sqlite"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(name: str, directory: Path, design: SampleDesign, group: tuple[str, ...]) -> tuple[Engine, Source]:
    if name == "sqlite":
        engine: Any = SQLite(bool(group), bool(design.by), CHANCE if design.score else SIZE)
        return engine, Source(
            typed="units", content="''", has_group=bool(group), has_time=False, has_strata=bool(design.by)
        )
    pq.write_table(TABLE, directory / "units.parquet")
    duck = DuckDBEngine(directory)
    population = Population(source="units.parquet", unit=("id",), group=group)
    return duck, open_source(duck, population, (), Output(), (), design)


def drawn(name: str, directory: Path, group: tuple[str, ...], **keys: Any) -> dict[str, float]:
    """Give the drawn units with their probabilities, as the engine has them."""
    design = SampleDesign(seed=SEED, **keys)
    engine, source = opened(name, directory, design, group)
    n_groups = len(set(HOUSE)) if group else None
    frame = Frame(parents=(), source="", fingerprint="", n_units=N, n_groups=n_groups, unit=("id",), findings=())
    lot = cast_lots(engine, source, frame, design)
    table = engine.arrow(f"SELECT _unit, _pi * _pi_within AS pi FROM {lot.drawn} AS drawn ORDER BY _unit")
    return dict(zip(table["_unit"].to_pylist(), table["pi"].to_pylist(), strict=True))


def expected(selection: Selection) -> dict[str, float]:
    return {KEYS[place]: pi for place, pi in zip(selection.positions.tolist(), selection.pi, strict=True)}


def same(found: dict[str, float], wanted: dict[str, float]) -> None:
    assert sorted(found) == sorted(wanted)
    assert found == pytest.approx(wanted, rel=1e-14)


UNITS = hash_order(KEYS, f"{SEED}|draw")
HOUSES = [HOUSE[i] for i in ROW]
KINDS = [KIND[i] for i in ROW]
OF_HOUSES = hash_order(HOUSES, f"{SEED}|draw")
COUNTS = {kind: KIND.count(kind) for kind in sorted(set(KIND))}


def test_a_bernoulli_draw_is_a_threshold_on_the_hash(engine_name: str, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, (), n=300)
    below = {str(i) for i in range(N) if int(md5(f"{SEED}|draw|{i}")[:16], 16) / 16**16 < 300 / N}
    assert set(found) == below
    assert set(found.values()) == {0.1}


@pytest.mark.parametrize("n", [1, 7, 300, 2999, 3000])
def test_a_simple_draw_is_exactly_n_and_that_of_the_statistics(engine_name: str, n: int, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, (), design="simple", n=n)
    assert len(found) == n
    same(found, expected(draw_simple(UNITS, n)))


def test_a_proportional_draw_is_that_of_the_statistics(engine_name: str, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, (), design="stratified", by=("kind",), n=200)
    same(found, expected(draw_stratified(UNITS, KINDS, allocate_proportional(COUNTS, 200))))


def test_an_equal_draw_takes_a_small_stratum_whole(engine_name: str, tmp_path: Path) -> None:
    each = max(COUNTS.values()) - 5
    keys = {"design": "stratified", "by": ("kind",), "allocation": "equal", "per_stratum": each}
    found = drawn(engine_name, tmp_path, (), **keys)
    same(found, expected(draw_stratified(UNITS, KINDS, allocate_equal(COUNTS, each))))
    assert 1.0 in found.values()


def test_a_neyman_draw_shares_by_spread(engine_name: str, tmp_path: Path) -> None:
    spread = {kind: float(np.std([SCORE[i] for i in range(N) if KIND[i] == kind])) for kind in COUNTS}
    keys = {"design": "stratified", "by": ("kind",), "allocation": "neyman", "spread": "score", "n": 200}
    found = drawn(engine_name, tmp_path, (), **keys)
    sizes = allocate_neyman(COUNTS, spread, 200)
    assert sizes["it's north"] > 2 * allocate_proportional(COUNTS, 200)["it's north"] * 0.9
    same(found, expected(draw_stratified(UNITS, KINDS, sizes)))


def test_a_draw_by_size_is_that_of_the_statistics(engine_name: str, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, (), design="pps", size="size", n=150)
    same(found, expected(draw_pps(UNITS, SIZE[ROW], 150)))


def test_a_draw_by_doubt_is_that_of_the_statistics(engine_name: str, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, (), design="score_weighted", score="chance", n=150)
    spread = np.sqrt(CHANCE * (1 - CHANCE))
    same(found, expected(draw_pps(UNITS, (spread + spread.mean() / 2)[ROW], 150)))


def test_a_cluster_draw_is_that_of_the_statistics(engine_name: str, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, ("house",), design="cluster", clusters=20)
    same(found, expected(draw_clusters(OF_HOUSES, HOUSES, 20)))


def test_a_two_stage_draw_is_that_of_the_statistics(engine_name: str, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, ("house",), design="two_stage", clusters=40, per_cluster=10)
    within = hash_order(KEYS, f"{SEED}|within")
    same(found, expected(draw_two_stage(OF_HOUSES, within, HOUSES, 40, 10)))
    assert len(set(found.values())) > 1  # some houses hold fewer than ten


def test_a_simple_draw_of_groups_takes_as_many_as_hold_about_n_units(engine_name: str, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, ("house",), design="simple", n=300)
    same(found, expected(draw_clusters(OF_HOUSES, HOUSES, round(300 * len(set(HOUSE)) / N))))


def test_groups_are_drawn_whole_within_strata(engine_name: str, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, ("house",), design="stratified", by=("kind",), n=600)
    houses = sorted(set(HOUSE))
    counts = {kind: sum(OF_HOUSE[house] == kind for house in houses) for kind in COUNTS}
    sizes = allocate_proportional(counts, round(600 * len(houses) / N))
    order = hash_order(houses, f"{SEED}|draw")
    chosen = draw_stratified(order, [OF_HOUSE[house] for house in houses], sizes)
    wanted = {houses[place]: pi for place, pi in zip(chosen.positions.tolist(), chosen.pi, strict=True)}
    same(found, {str(i): wanted[HOUSE[i]] for i in range(N) if HOUSE[i] in wanted})


def test_groups_are_drawn_by_the_sum_of_their_sizes(engine_name: str, tmp_path: Path) -> None:
    found = drawn(engine_name, tmp_path, ("house",), design="pps", size="size", n=300)
    houses = sorted(set(HOUSE))
    sums = [float(sum(SIZE[i] for i in range(N) if HOUSE[i] == house)) for house in houses]
    chosen = draw_pps(hash_order(houses, f"{SEED}|draw"), sums, round(300 * len(houses) / N))
    wanted = {houses[place]: pi for place, pi in zip(chosen.positions.tolist(), chosen.pi, strict=True)}
    found_houses = {HOUSE[int(unit)] for unit in found}
    assert found_houses == set(wanted)
    assert all(found[str(i)] == pytest.approx(wanted[HOUSE[i]], rel=1e-9) for i in range(N) if str(i) in found)


def test_weights_of_many_draws_add_up_to_the_population_on_average(tmp_path: Path) -> None:
    """The sum of 1/π estimates N: exactly where sizes are fixed, without bias where groups or sizes vary."""
    totals = []
    design = {"design": "two_stage", "clusters": 60, "per_cluster": 5}
    engine, source = opened("duckdb", tmp_path, SampleDesign(**design), ("house",))
    frame = Frame(parents=(), source="", fingerprint="", n_units=N, n_groups=len(set(HOUSE)), unit=("id",), findings=())
    for seed in range(40):
        lot = cast_lots(engine, source, frame, SampleDesign(seed=seed, **design))
        totals.append(engine.arrow(f"SELECT sum(1 / (_pi * _pi_within)) AS s FROM {lot.drawn} AS d")["s"][0].as_py())
    assert np.mean(totals) == pytest.approx(N, abs=4 * np.std(totals) / 40**0.5)


@pytest.mark.parametrize(
    ("keys", "group", "code"),
    [
        ({"design": "simple", "n": N + 1}, (), "sample.too-many"),
        ({"design": "cluster", "clusters": 251}, ("house",), "sample.too-many"),
        ({"design": "stratified", "by": ("kind",), "n": 5}, (), "sample.too-few-for-strata"),
        ({"design": "stratified", "by": ("id",), "n": 300}, ("house",), "sample.group-in-two-strata"),
        (
            {"design": "stratified", "by": ("kind",), "n": 90, "allocation": "neyman", "spread": "house"},
            (),
            "sample.no-spread",
        ),
        ({"design": "pps", "size": "score", "n": 90}, (), "sample.size-not-positive"),
        ({"design": "pps", "size": "kind", "n": 90}, (), "sample.size-not-positive"),
        ({"design": "stratified", "by": ("size",), "n": 90}, (), "data.float-key"),
        ({"design": "stratified", "by": ("sort",), "n": 90}, (), "data.no-such-column"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(
    keys: dict[str, Any], group: tuple[str, ...], code: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        drawn("duckdb", tmp_path, group, **keys)
    assert caught.value.code == code


def test_units_without_a_value_make_a_stratum_of_their_own(tmp_path: Path) -> None:
    kinds = [None if i % 10 == 0 else "a" for i in range(400)]
    pq.write_table(pa.table({"id": list(range(400)), "kind": kinds}), tmp_path / "units.parquet")
    design = SampleDesign(design="stratified", by=("kind",), allocation="equal", per_stratum=20)
    population = Population(source="units.parquet", unit=("id",))
    with DuckDBEngine(tmp_path) as engine:
        source = open_source(engine, population, (), Output(), (), design)
        frame = Frame(parents=(), source="", fingerprint="", n_units=400, n_groups=None, unit=("id",), findings=())
        quotas = cast_lots(engine, source, frame, design).quotas
    assert [(quota.stratum, quota.n, quota.of) for quota in quotas] == [("(missing)", 20, 40), ("a", 20, 360)]
