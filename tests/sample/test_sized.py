"""Draws by doubt: the size, the draw from a file, and what no score may be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martello.cli import main
from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.sample.file import FileDraw, draw_from_file, estimate_column
from martello.sample.sized import doubt_sizes
from martello.spec.lint import design_faults
from martello.spec.schema import Population, SampleDesign
from martello.stats.estimate import Estimate
from martello.stats.pps import inclusion_pps

N = 4000
RNG = np.random.default_rng(12)
SCORE = RNG.beta(0.4, 1.2, N)
ANSWER = (RNG.random(N) < SCORE).astype(float)


def drawn(directory: Path, score: Any = SCORE, group: tuple[str, ...] = (), **keys: Any) -> FileDraw:
    house = [f"h{i % 500}" for i in range(N)]
    table = pa.table({"id": list(range(N)), "s": pa.array(score), "answer": ANSWER, "house": house})
    pq.write_table(table, directory / "units.parquet")
    with DuckDBEngine(directory) as engine:
        population = Population(source="units.parquet", unit=("id",), group=group)
        return draw_from_file(engine, population, SampleDesign(design="score_weighted", score="s", **keys))


def test_the_probability_is_that_of_the_spread_and_half_of_its_mean(tmp_path: Path) -> None:
    draw = drawn(tmp_path, n=400)
    spread = [math.sqrt(s * (1 - s)) for s in SCORE]
    size = [one + 0.5 * sum(spread) / N for one in spread]
    wanted = [400 * one / sum(size) for one in size]  # no unit is large enough to be certain
    assert max(wanted) < 1
    assert draw.rows.num_rows == 400
    found = dict(zip(draw.rows["id"].to_pylist(), draw.rows["inclusion_probability"].to_pylist(), strict=True))
    assert found == pytest.approx({unit: wanted[unit] for unit in found}, rel=1e-12)


def test_no_unit_counts_more_than_three_times_as_in_a_simple_draw() -> None:
    for score in (SCORE, np.array([0.0] * 999 + [0.5]), np.array([0.0, 1.0, 0.5])):
        pi = inclusion_pps(doubt_sizes(score), 1)
        assert (1 / (pi * score.size)).max() <= 3 + 1e-12


def test_a_sure_score_that_is_wrong_costs_width_and_not_truth(tmp_path: Path) -> None:
    held = []
    for score in (SCORE, SCORE[::-1].copy()):
        for seed in range(40):
            mean = estimate_column(drawn(tmp_path, score, n=300, seed=seed), "answer").mean
            assert isinstance(mean, Estimate)
            held.append(mean.low <= ANSWER.mean() <= mean.high)
    assert sum(held) >= 67  # binomial(80, 0.95): 66 or fewer has chance under 1e-4


def test_the_mean_of_the_answer_is_known_better_than_from_a_simple_draw() -> None:
    """Expected variance of the Hájek mean, π small: the sum of s (1 - s) / π, by the true chances."""
    n = 300
    pi = inclusion_pps(doubt_sizes(SCORE), n)
    rest = SCORE * (1 - SCORE)
    assert (rest / pi).sum() < 0.9 * (rest / (n / N)).sum()


def test_groups_are_drawn_by_the_sum_of_their_doubt(tmp_path: Path) -> None:
    draw = drawn(tmp_path, n=400, group=("house",))
    sizes = doubt_sizes(SCORE)
    sums = {f"h{k}": math.fsum(sizes[k::500]) for k in range(500)}
    wanted = dict(zip(sorted(sums), inclusion_pps([sums[name] for name in sorted(sums)], 50), strict=True))
    for house, pi in zip(draw.rows["house"].to_pylist(), draw.rows["inclusion_probability"].to_pylist(), strict=True):
        assert pi == pytest.approx(wanted[house], rel=1e-14)


@pytest.mark.parametrize(
    ("score", "code", "what"),
    [
        ([None, *SCORE[1:]], "sample.score-missing", f"1 of {N}"),
        ([math.nan, None, *SCORE[2:]], "sample.score-missing", f"2 of {N}"),
        ([1.2, -0.5, *SCORE[2:]], "sample.score-not-a-chance", "-0.5"),
        ([math.inf, *SCORE[1:]], "sample.score-not-a-chance", "inf"),
        (["high"] * N, "sample.score-missing", f"{N} of {N}"),
        ((SCORE > 0.5).astype(float), "sample.no-doubt", "0 or 1"),
    ],
)
def test_what_is_no_score_is_refused_by_name(score: Any, code: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        drawn(tmp_path, score, n=100)
    assert caught.value.code == code
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("design", "code", "key"),
    [
        (SampleDesign(design="score_weighted", n=100), "spec.design-needs", "score"),
        (SampleDesign(design="score_weighted", score="s"), "spec.design-needs", "n"),
        (SampleDesign(design="pps", n=100, size="x", score="s"), "spec.design-ignores", "score"),
        (SampleDesign(design="score_weighted", n=100, score="s", size="x"), "spec.design-ignores", "size"),
    ],
)
def test_the_design_needs_its_score_and_nothing_else(design: SampleDesign, code: str, key: str) -> None:
    assert [(fault.code, fault.path[-1]) for fault in design_faults(design, has_group=False)] == [(code, key)]


@pytest.mark.parametrize("more", [["--design", "score_weighted"], []])
def test_the_command_draws_by_a_score(more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = drawn(tmp_path, n=200)
    options = ["--n", "200", "--score", "s", "--unit", "id", "--out", "drawn.parquet", "--json", *more]
    assert main(["sample", "units.parquet", *options]) == 0
    assert pq.read_table("drawn.parquet")["id"].to_pylist() == here.rows["id"].to_pylist()
