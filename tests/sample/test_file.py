"""A draw from a file by itself: its rows, and estimates held against formulas of the books and the whole file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy import stats

from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.records import Measure
from martello.sample.file import FileDraw, draw_from_file, estimate_column, expected_design_effect
from martello.spec.schema import Population, SampleDesign
from martello.stats.estimate import Estimate

N = 900
RNG = np.random.default_rng(8)
DISTRICT = RNG.integers(0, 60, N)
LEVEL = np.asarray(["E", "H", "M"])[DISTRICT % 3]
SCORE = np.round(600 + 4 * (DISTRICT % 3) * 20 + RNG.normal(0, 40, N), 1)
TABLE = pa.table(
    {"school": list(range(N)), "district": DISTRICT, "level": LEVEL, "score": SCORE, "pupils": 50 + DISTRICT * 9}
)


def drawn(directory: Path, group: tuple[str, ...] = (), table: pa.Table = TABLE, **keys: Any) -> FileDraw:
    pq.write_table(table, directory / "schools.parquet")
    with DuckDBEngine(directory) as engine:
        population = Population(source="schools.parquet", unit=("school",), group=group)
        return draw_from_file(engine, population, SampleDesign(seed=2, **keys))


def matches(found: Measure, value: float, error: float, df: float) -> None:
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, df) * error, rel=1e-9)


def test_a_simple_draw_estimates_by_the_formula_of_cochran(tmp_path: Path) -> None:
    draw = drawn(tmp_path, design="simple", n=120)
    y = draw.rows["score"].to_numpy()
    error = y.std(ddof=1) / 120**0.5 * (1 - 120 / N) ** 0.5
    found = estimate_column(draw, "score")
    matches(found.mean, y.mean(), error, 119)
    matches(found.total, N * y.mean(), N * error, 119)
    assert found.design_effect == pytest.approx(1 - 120 / N, rel=1e-9)
    assert found.effective_n == pytest.approx(120 / (1 - 120 / N), rel=1e-9)


def test_a_stratified_draw_estimates_by_the_formula_of_cochran(tmp_path: Path) -> None:
    draw = drawn(tmp_path, design="stratified", by=("level",), allocation="equal", per_stratum=40)
    level, y = np.asarray(draw.rows["level"].to_pylist()), draw.rows["score"].to_numpy()
    mean = error = 0.0
    for name in "EHM":
        n_h, in_h = int(np.sum(name == LEVEL)), y[level == name]
        mean += n_h / N * in_h.mean()
        error += (n_h / N) ** 2 * in_h.var(ddof=1) / 40 * (1 - 40 / n_h)
    matches(estimate_column(draw, "score").mean, mean, error**0.5, 117)


def test_a_cluster_draw_estimates_the_total_by_the_formula_of_cochran(tmp_path: Path) -> None:
    draw = drawn(tmp_path, ("district",), design="cluster", clusters=15)
    district, y = draw.rows["district"].to_numpy(), draw.rows["score"].to_numpy()
    totals = np.asarray([y[district == each].sum() for each in np.unique(district)])
    m, of = 15, len(set(DISTRICT.tolist()))
    error = of * totals.std(ddof=1) / m**0.5 * (1 - m / of) ** 0.5
    matches(estimate_column(draw, "score").total, of * totals.mean(), error, m - 1)


@pytest.mark.parametrize(
    ("group", "keys"),
    [
        ((), {"n": 200}),
        (("district",), {"n": 200}),
        ((), {"design": "pps", "size": "pupils", "n": 200}),
        (("district",), {"design": "two_stage", "clusters": 25, "per_cluster": 6}),
        (("district",), {"design": "stratified", "by": ("level",), "n": 300}),
    ],
)
def test_the_interval_holds_the_truth_in_most_draws(
    group: tuple[str, ...], keys: dict[str, Any], tmp_path: Path
) -> None:
    pq.write_table(TABLE, tmp_path / "schools.parquet")
    held = []
    with DuckDBEngine(tmp_path) as engine:
        population = Population(source="schools.parquet", unit=("school",), group=group)
        for seed in range(40):
            mean = estimate_column(draw_from_file(engine, population, SampleDesign(seed=seed, **keys)), "score").mean
            assert isinstance(mean, Estimate)
            held.append(mean.low <= SCORE.mean() <= mean.high)
    assert sum(held) >= 32  # binomial(40, 0.95): 31 or fewer has chance under 1e-4


def test_rows_keep_their_columns_and_types(tmp_path: Path) -> None:
    draw = drawn(tmp_path, design="stratified", by=("level", "district"), n=300)
    assert draw.rows.column_names == [*TABLE.column_names, "inclusion_probability", "stratum"]
    assert draw.rows.schema.field("score").type == pa.float64()
    by_school = {row["school"]: row for row in TABLE.to_pylist()}
    for row in draw.rows.to_pylist():
        assert by_school[row["school"]].items() <= row.items()
        assert row["stratum"] == f"{row['level']}|{row['district']}"


def test_a_stratum_column_that_is_the_strata_is_not_written_twice(tmp_path: Path) -> None:
    renamed = TABLE.rename_columns(["school", "district", "stratum", "score", "pupils"])
    draw = drawn(tmp_path, table=renamed, design="stratified", by=("stratum",), n=90)
    assert draw.rows.column_names == [*renamed.column_names, "inclusion_probability"]


def test_a_file_that_was_drawn_already_is_refused(tmp_path: Path) -> None:
    again = drawn(tmp_path, design="simple", n=90).rows
    with pytest.raises(DataError) as caught:
        drawn(tmp_path, table=again, design="simple", n=9)
    assert caught.value.code == "sample.column-taken"


def test_rows_without_a_value_are_a_domain_and_counted(tmp_path: Path) -> None:
    holes = [None if i % 4 == 0 else value for i, value in enumerate(SCORE.tolist())]
    draw = drawn(tmp_path, table=TABLE.set_column(3, "score", pa.array(holes)), design="simple", n=200)
    found = estimate_column(draw, "score")
    y = np.asarray([value for value in draw.rows["score"].to_pylist() if value is not None])
    assert found.n_without_value == 200 - y.size
    assert isinstance(found.mean, Estimate)
    assert found.mean.value == pytest.approx(y.mean(), rel=1e-12)


def test_numbers_of_a_csv_are_read_and_texts_refused(tmp_path: Path) -> None:
    pa.csv.write_csv(TABLE, tmp_path / "schools.csv")
    with DuckDBEngine(tmp_path) as engine:
        population = Population(source="schools.csv", unit=("school",))
        draw = draw_from_file(engine, population, SampleDesign(seed=2, design="pps", size="pupils", n=90))
    other = drawn(tmp_path, design="pps", size="pupils", n=90)
    assert draw.rows["school"].to_pylist() == [str(key) for key in other.rows["school"].to_pylist()]
    assert estimate_column(draw, "score") == estimate_column(other, "score")
    for column, code in (("level", "data.wrong-type"), ("scor", "data.no-such-column")):
        with pytest.raises(DataError) as caught:
            estimate_column(draw, column)
        assert caught.value.code == code


def test_the_expected_design_effect_is_that_of_kish(tmp_path: Path) -> None:
    draw = drawn(tmp_path, ("district",), design="cluster", clusters=20)
    held = np.unique(draw.rows["district"].to_numpy(), return_counts=True)[1]
    assert expected_design_effect(draw, 0.0) == pytest.approx(1.0, rel=1e-12)
    assert expected_design_effect(draw, 0.1) == pytest.approx(1 + 0.1 * ((held**2).sum() / held.sum() - 1), rel=1e-12)
    uneven = drawn(tmp_path, design="pps", size="pupils", n=100)
    w = 1 / uneven.rows["inclusion_probability"].to_numpy()
    assert expected_design_effect(uneven, 0.5) == pytest.approx(100 * (w**2).sum() / w.sum() ** 2, rel=1e-9)
