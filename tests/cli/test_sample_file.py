from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from martello.cli import main

ROWS = {"id": list(range(400)), "kind": ["a", "b", "b", "c"] * 100, "house": [i // 8 for i in range(400)]}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({**ROWS, "score": [float(i % 37) for i in range(400)]}), path)
    return path


def told(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> dict[str, Any]:
    assert main(["sample", *map(str, words), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_strata_go_into_a_parquet_file_with_their_chances(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sample.parquet"
    said = told(capsys, table, "--n", 80, "--by", "kind", "--unit", "id", "--out", out)
    assert (said["drawn"], said["of"]) == (80, 400)
    assert said["strata"] == [
        {"stratum": "a", "n": 20, "of": 100},
        {"stratum": "b", "n": 40, "of": 200},
        {"stratum": "c", "n": 20, "of": 100},
    ]
    rows = pq.read_table(out)
    assert rows.column_names == ["id", "kind", "house", "score", "inclusion_probability", "stratum"]
    assert rows["inclusion_probability"].to_pylist() == [0.2] * 80
    assert rows["stratum"].to_pylist() == rows["kind"].to_pylist()


def test_the_same_command_draws_the_same_file(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one.parquet", "two.parquet"):
        told(capsys, table, "--n", 80, "--seed", 5, "--out", tmp_path / name)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    told(capsys, table, "--n", 80, "--seed", 6, "--out", tmp_path / "three.parquet")
    assert pq.read_table(tmp_path / "one.parquet") != pq.read_table(tmp_path / "three.parquet")


def test_groups_go_into_csv_with_what_they_cost_and_an_estimate(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sample.csv"
    words = (table, "--cluster", "house", "--clusters", 12, "--estimate", "score", "--out", out)
    said = told(capsys, *words)
    assert (said["groups"]["drawn"], said["groups"]["of"], said["drawn"]) == (12, 50, 96)
    assert said["groups"]["design_effect"] == {"correlation": 0.05, "expected": pytest.approx(1 + 7 * 0.05)}
    mean = said["estimate"]["mean"]
    assert mean["low"] < mean["value"] < mean["high"]
    assert said["estimate"]["effective_n"] == pytest.approx(96 / said["estimate"]["design_effect"])
    assert pa.csv.read_csv(out).num_rows == 96
    assert main(["sample", *map(str, words), "--force"]) == 0
    page = capsys.readouterr().out
    assert "96 of 400 rows" in page
    assert "design effect" in page


def test_two_stages_spread_n_over_groups(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--cluster", "house", "--per-cluster", 4, "--n", 80)
    said = told(capsys, table, *words, "--out", tmp_path / "s.parquet")
    assert (said["drawn"], said["groups"]["drawn"]) == (80, 20)
    assert pq.read_table(tmp_path / "s.parquet")["inclusion_probability"].to_pylist() == [20 / 50 * 0.5] * 80


def test_a_condition_cuts_the_population(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, table, "--n", 10, "--where", "kind = 'a'", "--out", tmp_path / "s.parquet")
    assert said["of"] == 100


def test_a_file_that_is_there_is_left_alone_unless_forced(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.csv"
    out.write_text("mine", encoding="utf-8")
    assert told(capsys, table, "--n", 9, "--out", out, code=2)["error"]["code"] == "sample.exists"
    assert out.read_text() == "mine"
    told(capsys, table, "--n", 9, "--out", out, "--force")
    assert out.read_text().startswith('"id"')
    before = table.read_bytes()
    assert told(capsys, table, "--n", 9, "--out", table, "--force", code=2)["error"]["code"] == "sample.exists"
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--n", "9"], "sample.no-out"),
        (["--n", "9", "--out", "x.xlsx"], "sample.unknown-format"),
        (["--n", "9", "--out", "nowhere/x.csv"], "sample.no-directory"),
        (["--n", "0", "--out", "x.csv"], "sample.bad-option"),
        (["--out", "x.csv"], "spec.design-needs"),
        (["--n", "9", "--size", "score", "--by", "kind", "--out", "x.csv"], "spec.design-ignores"),
        (["--n", "9", "--size", "score", "--out", "x.csv"], "sample.size-not-positive"),
        (["--n", "401", "--out", "x.csv"], "sample.too-many"),
        (["--n", "9", "--estimate", "kind", "--out", "x.csv"], "data.wrong-type"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    words: list[str],
    code: str,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told(capsys, table, *words, code=2)["error"]["code"] == code
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


def test_a_rule_names_the_option_and_not_the_key_of_a_spec(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--design", "two_stage", "--out", tmp_path / "x.csv")
    error = told(capsys, table, *words, code=2)["error"]
    assert [error["what"].split()[0], *(other["what"].split()[0] for other in error["others"])] == [
        "--clusters",
        "--per-cluster",
        "--cluster",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = told(capsys, tmp_path / "no.csv", "--n", 9, "--out", tmp_path / "x.csv", code=2)["error"]
    assert error["code"] == "data.not-found"


def test_without_a_file_it_is_the_word_of_the_loop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--project", tmp_path, code=2)["error"]["code"] == "spec.not-found"
    assert told(capsys, "--n", 9, "--project", tmp_path, code=2)["error"]["code"] == "sample.no-table"
