"""Bad input through the real command: a named error, the right exit code, and nothing lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from martello.cli import main

SPEC = """
[task]
name = "buys"
question = "Will they buy?"
[population]
source = "people.csv"
unit = ["id"]
[input]
age = "integer"
pay = "number"
job = "category"
[output]
column = "buys"
positive = "yes"
[requirement]
precision = 0.6
"""


def people(n: int = 300) -> list[list[str]]:
    """Rows of people whose answer depends on age, with some noise."""
    jobs = ("clerk", "smith", "cook")
    return [
        [
            str(i),
            str(18 + (i * 37) % 60),
            f"{(i * 7919) % 1000 / 10}",
            jobs[i % 3],
            "yes" if (i * 37) % 60 + i % 11 > 35 else "no",
        ]
        for i in range(n)
    ]


def write(directory: Path, rows: list[list[str]], *, header: str = "id,age,pay,job,buys", spec: str = SPEC) -> None:
    text = "\n".join([header, *(",".join(row) for row in rows)]) + "\n"
    (directory / "people.csv").write_text(text, encoding="utf-8")
    (directory / "martello.toml").write_text(spec, encoding="utf-8")


def run(directory: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main([*(words or ("run",)), "--project", str(directory), "--json"])
    out, _ = capsys.readouterr()
    return code, json.loads(out)


def change(column: int, value: str, *, rows: range = range(1)) -> Callable[[list[list[str]]], list[list[str]]]:
    def changed(table: list[list[str]]) -> list[list[str]]:
        return [[*row[:column], value, *row[column + 1 :]] if i in rows else row for i, row in enumerate(table)]

    return changed


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        ("sample.too-small", lambda rows: rows[:3]),
        ("data.no-rows", lambda rows: []),
        ("sample.duplicate-key", lambda rows: [*rows, rows[0]]),
        ("sample.missing-key", change(0, "")),
        ("data.wrong-type", change(1, "thirty")),
        ("data.wrong-type", change(1, "30.5")),
        ("data.wrong-type", change(2, "inf")),
        ("features.missing-field", change(3, "")),
        ("label.one-class", change(4, "yes", rows=range(300))),
        ("label.no-labels", change(4, "", rows=range(300))),
        ("label.no-such-class", change(4, "nope", rows=range(300))),
    ],
)
def test_bad_rows_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, mend: Callable[[list[list[str]]], list[list[str]]]
) -> None:
    rows = mend(people())
    if code == "label.no-such-class":
        rows[0][4] = "maybe"
    write(tmp_path, rows)
    exit_code, printed = run(tmp_path, capsys)
    assert (exit_code, printed["error"]["code"]) == (2, code)
    assert set(printed["error"]) == {"code", "what", "where", "expected", "try", "others"}
    assert printed["error"]["what"]


def test_a_mended_file_goes_through_after_a_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, change(1, "thirty")(people()))
    assert run(tmp_path, capsys)[0] == 2
    write(tmp_path, people())
    code, printed = run(tmp_path, capsys, "evaluate")
    assert code == 0
    assert printed["state"]["state"] == "done"


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("data.no-such-column", "age = ", "agee = "),
        ("data.no-such-column", 'column = "buys"', 'column = "bought"'),
        ("data.not-found", "people.csv", "peoples.csv"),
        ("sample.bad-condition", 'unit = ["id"]', 'unit = ["id"]\nwhere = "nonsense >"'),
        ("spec.unknown-key", "precision", "precison"),
        ("spec.not-a-probability", "0.6", "60"),
        ("spec.syntax", "[input]", "[input"),
    ],
)
def test_a_bad_agreement_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, old: str, new: str
) -> None:
    write(tmp_path, people(), spec=SPEC.replace(old, new))
    exit_code, printed = run(tmp_path, capsys)
    assert (exit_code, printed["error"]["code"]) == (2, code)


def test_no_agreement_at_all_says_how_to_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, printed = run(tmp_path, capsys)
    assert (exit_code, printed["error"]["code"]) == (2, "spec.not-found")
    assert "martello spec init" in printed["error"]["try"]


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, people())
    text = (tmp_path / "people.csv").read_bytes().replace(b"smith", b"f\xe8vre")
    (tmp_path / "people.csv").write_bytes(text)
    exit_code, printed = run(tmp_path, capsys)
    assert (exit_code, printed["error"]["code"]) == (2, "data.not-utf8")


def test_an_error_on_a_terminal_has_what_where_expected_and_try(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, change(1, "thirty")(people()))
    assert main(["run", "--project", str(tmp_path)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].endswith("[data.wrong-type]")
    assert [line.split()[0] for line in told[1:4]] == ["where", "expected", "try"]


def test_a_directory_that_cannot_be_written_is_an_environment_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, people())
    (tmp_path / ".martello").write_text("in the way", encoding="utf-8")
    exit_code, printed = run(tmp_path, capsys)
    assert (exit_code, printed["error"]["code"]) == (3, "project.not-writable")


def test_an_unknown_word_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, people())
    exit_code, printed = run(tmp_path, capsys, "run", "--until", "trian")
    assert (exit_code, printed["error"]["code"]) == (2, "project.no-such-word")
    assert "'train'" in printed["error"]["try"]
