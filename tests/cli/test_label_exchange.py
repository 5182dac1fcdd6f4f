"""`martello label import` and `export`: what is said, what is given as JSON, and that good rows are in all the same."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from martello.cli.label_exchange import add_export_options, add_import_options, run_export, run_import
from martello.errors import DataError
from martello.label.answer_row import AnswerRow
from martello.label.room import TakenRows


class Campaign:
    """A campaign that takes no answer of a model, as gold does not."""

    def __init__(self) -> None:
        self.kept: list[AnswerRow] = []

    def take_rows(self, rows: Iterable[AnswerRow], *, all_or_nothing: bool = False) -> TakenRows:
        rows = list(rows)
        known = [row for row in rows if row in self.kept]
        bad = [row for row in rows if row.author == "model"]
        faults = tuple(DataError("label.gold-by-model", "a model answered", where=f"unit {row.unit}") for row in bad)
        good = [] if bad and all_or_nothing else [row for row in rows if row not in known and row not in bad]
        self.kept += good
        return TakenRows(n_taken=len(good), n_known=len(known), n_refused=len(bad), faults=faults)

    def rows(self) -> Iterator[AnswerRow]:
        return iter(self.kept)


def bring_in(store: Campaign, *words: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    add_import_options(parser)
    return run_import(parser.parse_args(words), store, classes=("yes", "no"), units=lambda unit: unit.startswith("u"))


def take_out(store: Campaign, *words: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    add_export_options(parser)
    return run_export(parser.parse_args(words), store, inputs=lambda unit: {"text": unit})


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    path.write_text("task,worker,label\nu1,ann,yes\nu2,ann,maybe\nzz,ann,no\nu3,ann,no\n")
    return path


NAMES = ("--unit", "task", "--annotator", "worker", "--label", "label")


def test_good_rows_are_taken_and_the_others_named(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Campaign()
    assert bring_in(store, str(answers), *NAMES) == 1
    assert [row.unit for row in store.kept] == ["u1", "u3"]
    said = capsys.readouterr().out
    assert "2 answers taken from answers.csv, 2 rows refused" in said
    for word in ("label.unknown-class", "line 3", "label.unknown-unit", "line 4"):
        assert word in said


def test_the_same_file_again_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("unit,annotator,answer\nu1,ann,yes\n")
    store = Campaign()
    assert [bring_in(store, str(tmp_path / "a.csv")) for _ in range(2)] == [0, 0]
    assert len(store.kept) == 1
    assert "0 answers taken from a.csv, 1 were there already, none refused" in capsys.readouterr().out


def test_strict_takes_none_and_raises_all_refusals_together(answers: Path) -> None:
    store = Campaign()
    with pytest.raises(DataError) as caught:
        bring_in(store, str(answers), *NAMES, "--strict")
    assert caught.value.code == "label.unknown-class"
    assert [other.code for other in caught.value.others] == ["label.unknown-unit"]
    assert store.kept == []


def test_strict_holds_for_what_the_campaign_refuses_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("unit,annotator,answer\nu1,ann,yes\nu2,model:gpt,no\n")
    store = Campaign()
    with pytest.raises(DataError, match=r"label\.gold-by-model"):
        bring_in(store, str(tmp_path / "a.csv"), "--strict")
    assert store.kept == []


def test_json_is_one_object_that_counts_and_names(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bring_in(Campaign(), str(answers), *NAMES, "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["taken"], said["known"], said["refused"]) == (2, 0, 2)
    assert [one["where"] for one in said["refusals"]] == ["answers.csv, row 2 (line 3)", "answers.csv, row 3 (line 4)"]


def test_a_model_named_as_author_needs_no_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("unit,answer\nu1,yes\n")
    assert bring_in(Campaign(), str(tmp_path / "a.csv"), "--author", "model:gpt", "--json") == 1
    assert json.loads(capsys.readouterr().out)["refusals"][0]["code"] == "label.gold-by-model"


@pytest.mark.parametrize(
    "words",
    [("out.csv",), ("out.parquet",), ("out.json", "--format", "label-studio"), ("out.json", "--format", "argilla")],
)
def test_what_is_exported_can_be_imported(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = Campaign(), Campaign()
    first.kept = [AnswerRow(unit=f"u{n % 2}", annotator=f"a{n}", answer="yes") for n in range(4)]
    out = str(tmp_path / words[0])
    assert take_out(first, out, *words[1:], "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"out": out, "answers": 4}
    assert bring_in(second, out) == 0
    assert sorted(second.kept, key=str) == sorted(first.kept, key=str)


def test_an_export_replaces_a_file_only_when_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.csv"
    assert take_out(Campaign(), str(out)) == 0
    with pytest.raises(DataError, match=r"label\.file-exists"):
        take_out(Campaign(), str(out))
    assert take_out(Campaign(), str(out), "--force") == 0
    assert f"0 answers written to {out}." in capsys.readouterr().out
