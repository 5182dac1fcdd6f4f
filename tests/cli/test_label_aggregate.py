from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from martello.cli import label_aggregate, main
from martello.errors import DataError

RNG = np.random.default_rng(5)
TRUTH = RNG.choice(["cat", "dog"], 100)
NAMES = ("ann", "bob", "cy")
SKILL = (0.95, 0.9, 0.6)
ROWS = [
    (f"u{i}", name, str(true) if RNG.random() < skill else ("dog" if true == "cat" else "cat"))
    for i, true in enumerate(TRUTH)
    for name, skill in zip(NAMES, SKILL, strict=True)
]


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")  # every command has it
    label_aggregate.add_options(parser)
    return label_aggregate.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    columns = map(list, zip(*ROWS, strict=True))
    pyarrow.csv.write_csv(pa.table(dict(zip(("task", "worker", "label"), columns, strict=True))), path)
    return path


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    pyarrow.csv.write_csv(pa.table({"task": [f"u{i}" for i in range(50)], "truth": TRUTH[:50].tolist()}), path)
    return path


COLUMNS = ("--unit", "task", "--annotator", "worker", "--label", "label")


def test_json_is_one_object_with_every_estimate_and_its_interval(
    answers: Path, checks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(answers, *COLUMNS, "--checks", checks, "--json") == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (said["n_units"], said["n_answers"], said["n_checks"]) == (100, 300, 50)
    assert said["classes"] == ["cat", "dog"]
    for name in ("agreement", "alpha", "fleiss_kappa"):
        assert said[name]["low"] < said[name]["value"] < said[name]["high"]
    assert said["cohen_kappa"]["type"] == "not_estimable"
    right = np.mean([answer == TRUTH[int(unit[1:])] for unit, name, answer in ROWS[:150] if name == "cy"])
    assert [one["checks"]["value"] for one in said["annotators"] if one["name"] == "cy"] == [right]
    assert said["choice"]["use"] == said["method"]


@pytest.mark.parametrize("name", ["labels.parquet", "labels.csv"])
def test_labels_are_written_one_row_per_unit(
    answers: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / name
    assert run(answers, *COLUMNS, "--out", out) == 0
    labels = pq.read_table(out) if out.suffix == ".parquet" else pyarrow.csv.read_csv(out)
    assert labels["unit"].to_pylist() == [f"u{i}" for i in range(100)]
    votes = {unit: [answer for u, _, answer in ROWS if u == unit] for unit in labels["unit"].to_pylist()}
    majority = [max(set(one), key=one.count) for one in votes.values()]
    assert labels["label"].to_pylist() == majority
    assert f"Labels are in {out}" in capsys.readouterr().out


def test_the_terminal_says_first_what_was_done_and_why_and_last_what_to_do(
    answers: Path, checks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(answers, *COLUMNS)
    plain = capsys.readouterr().out
    assert plain.startswith("100 units labeled by majority vote: there are no check units")
    for part in (
        "Krippendorff's alpha",
        "Fleiss' kappa",
        "annotators",
        "against one annotator",
        "Next: answer some 100",
    ):
        assert part in plain
    assert "on check units" not in plain.split("annotators")[1]
    run(answers, *COLUMNS, "--checks", checks)
    checked = capsys.readouterr().out
    assert "right on check units" in checked
    words = f"{answers} --unit task --annotator worker --label label --checks {checks} --out labels.parquet"
    assert checked.splitlines()[-1] == f"  martello label aggregate {words}"


def test_the_method_asked_for_is_used(answers: Path, checks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for method in ("majority", "dawid-skene"):
        run(answers, *COLUMNS, "--checks", checks, "--method", method, "--json")
        assert json.loads(capsys.readouterr().out)["method"] == method


def test_a_row_left_out_is_named_and_makes_the_exit_code_1(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with answers.open("a", encoding="utf-8") as file:
        file.write("u0,ann,bird\n")
    assert run(answers, *COLUMNS) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "left out: 1 row" in said
    assert "[label.conflicting-rows], first answers.csv" in said
    with pytest.raises(DataError) as err:
        run(answers, *COLUMNS, "--strict")
    assert err.value.code == "label.conflicting-rows"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--unit", "tusk", "--annotator", "worker", "--label", "label"), "data.no-such-column"),
        ((*COLUMNS, "--out", "labels.xlsx"), "data.unknown-format"),
        ((*COLUMNS, "--out", "nowhere/labels.csv"), "label.no-directory"),
        ((*COLUMNS, "--checks", "nowhere.csv"), "data.not-found"),
        ((*COLUMNS, "--level", "95"), "stats.level-out-of-range"),
    ],
)
def test_options_that_do_not_fit_are_refused_by_name(answers: Path, words: tuple[str, ...], code: str) -> None:
    with pytest.raises(DataError) as err:
        run(answers, *words)
    assert err.value.code == code


@pytest.mark.parametrize(("text", "code"), [("", "data.empty"), ("task,worker,label\n", "data.no-rows")])
def test_an_empty_file_is_refused(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as err:
        run(path, *COLUMNS)
    assert err.value.code == code


def test_a_file_is_replaced_only_when_asked_and_never_one_that_is_read(answers: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(DataError) as err:
        run(answers, *COLUMNS, "--out", out)
    assert (err.value.code, out.read_text(encoding="utf-8")) == ("label.file-exists", "mine")
    run(answers, *COLUMNS, "--out", out, "--force")
    assert pyarrow.csv.read_csv(out).num_rows == 100
    with pytest.raises(DataError) as err:
        run(answers, *COLUMNS, "--out", answers, "--force")
    assert err.value.code == "label.file-exists"


def test_a_fault_is_told_as_every_command_tells_it(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", "aggregate", str(answers), "--unit", "tusk", *COLUMNS[2:], "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "data.no-such-column"
    assert main(["label", "aggregate", str(answers), *COLUMNS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_units"] == 100
