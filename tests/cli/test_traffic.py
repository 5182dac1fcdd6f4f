from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from martello.cli import main
from martello.serve.entries import Decision, Outcome, Segment, encode_line


def write_log(directory: Path, rows: list[dict]) -> Path:
    directory.mkdir(parents=True)
    lines = [encode_line(Segment(format=1, session="5e55", opened_at=0, releases={}))]
    for number, values in enumerate(rows):
        lines.append(
            encode_line(
                Decision(id=f"d{number}", unit=None, at=0, release="r", values=values, scores=(0.5, 0.5), output="no")
            )
        )
        lines.append(
            encode_line(
                Outcome(id=f"o{number}", source="s", decision=None, unit=None, outcome="no", at=None, received_at=0)
            )
        )
    (directory / "1-5e55-1.log").write_bytes(b"".join(lines))
    return directory


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=900)
    table = pa.table(
        {
            "x": x,
            "job": rng.choice(["clerk", "cook"], 900),
            "right": rng.uniform(size=900) < 0.8,
            "w": np.ones(900),
            "id": [f"u{i}" for i in range(900)],
        }
    )
    pq.write_table(table, tmp_path / "sample.parquet")
    return tmp_path / "sample.parquet"


def traffic_rows(shift: float) -> list[dict]:
    rng = np.random.default_rng(1)
    jobs = rng.choice(["clerk", "cook"], 700).tolist()
    return [{"x": x, "job": job} for x, job in zip(rng.normal(shift, 1, 700).tolist(), jobs, strict=True)]


def test_a_shift_is_told_in_a_sentence_first_and_exits_1(
    tmp_path: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_log(tmp_path / "log", traffic_rows(0.8))
    assert main(["traffic", str(sample), str(log), "--loss", "right", "--weight", "w"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Traffic has shifted by at least 5 % of rows in x (900 sampled")
    table = [line.split()[0] for line in lines if line.startswith("  ")]
    assert table == ["column", "x", "job", "together"]
    text = " ".join(lines)
    assert "Expected change of the mean of right:" in text
    assert "Left out: id (only in the sample)." in text
    assert "label them and evaluate again" in text


def test_csv_traffic_gives_the_same_answer_as_the_log(
    tmp_path: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = traffic_rows(0.3)
    log = write_log(tmp_path / "log", rows)
    pyarrow.csv.write_csv(pa.Table.from_pylist(rows), tmp_path / "traffic.csv")
    told = []
    for traffic in (log, tmp_path / "traffic.csv"):
        main(["traffic", str(sample), str(traffic), "--columns", "x, job", "--json"])
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1]
    assert told[0]["n_traffic"] == 700
    assert told[0]["change"] is None
    assert told[0]["left_out"] == {}


def test_too_few_rows_are_undecided_exit_0_and_say_how_many_decide(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["traffic", str(sample), str(sample), "--columns", "x,job"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("Undecided whether traffic differs")
    assert "rows on each side" in text


def test_inside_a_project_train_and_dev_are_compared_with_the_log(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = data / "german_credit.parquet"
    project = ["--project", str(tmp_path)]
    main(["spec", "init", str(source), "--label", "credit_risk", *project])
    main(["features", *project])
    capsys.readouterr()
    assert main(["traffic", *project, "--json"]) == 3  # no log yet
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "serve.no-log"
    rows = pq.read_table(source).drop_columns(["credit_risk"]).to_pylist()
    write_log(tmp_path / ".martello" / "log", [{**row, "age_in_years": 20} for row in rows])
    assert main(["traffic", *project, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["column"] for one in told["effects"] if one["verdict"] == "shifted"] == ["age_in_years"]
    assert 700 < told["n_sample"] < 900  # train and dev of 1,000
    assert not told["left_out"]


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["{sample}"], "sample.no-traffic", 2),
        (["{sample}", "nowhere.csv"], "data.not-found", 2),
        (["{sample}", "{sample}", "--columns", "xx"], "data.no-such-column", 2),
        (["{sample}", "{sample}", "--weight", "job"], "data.wrong-type", 2),
        (["{sample}", "{sample}", "--loss", "rihgt"], "data.no-such-column", 2),
        (["{sample}", "{empty}"], "sample.no-traffic", 2),
        (["{sample}", "{sample}", "--material", "2"], "stats.material-size", 2),
    ],
)
def test_wrong_input_is_refused_by_name(
    tmp_path: Path, sample: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: str, exit_code: int
) -> None:
    (tmp_path / "empty").mkdir()
    filled = [word.format(sample=sample, empty=tmp_path / "empty") for word in words]
    assert main(["traffic", *filled, "--json"]) == exit_code
    assert json.loads(capsys.readouterr().out)["error"]["code"] == code
