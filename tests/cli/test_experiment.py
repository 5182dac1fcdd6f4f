from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martello.cli import experiment
from martello.errors import DataError


def martello(*options: object) -> int:
    """Run the command as the table of commands does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--project", default=".")
    experiment.add_options(parser)
    return experiment.run(parser.parse_args([str(one) for one in options]))


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two weeks of users; those of the new arm click half as often again."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    n = 9000
    is_new, day = rng.integers(0, 2, n), np.sort(rng.integers(0, 14, n))
    table = {
        "user": np.arange(n),
        "group": np.where(is_new == 1, "new", "old"),
        "at": (np.datetime64("2026-05-04") + day).astype("datetime64[us]"),
        "click": (rng.random(n) < 0.1 * (1 + 0.5 * is_new)).astype(float),
        "shown": np.ones(n),
        "hide": (rng.random(n) < 0.05).astype(float),
    }
    pq.write_table(pa.table(table), tmp_path / "events.parquet")
    return tmp_path / "events.parquet"


COLUMNS = ("--unit", "user", "--arm", "group", "--time", "at")
AGREED = ("--metric", "click", "--shares", "old=0.5,new=0.5")


def test_events_are_judged_in_a_sentence_with_intervals_and_no_p_value(
    events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = martello("analyze", events, *COLUMNS, *AGREED, "--effect", "10%", "--looks", "7,14", "--secondary", "shown")
    told = capsys.readouterr().out
    assert code == 0
    assert told.startswith("SHIP: click got better (day 7).\n")
    assert "between +" in told
    assert " p " not in told
    assert "p-value" not in told


def test_json_is_one_object_and_sums_written_down_are_judged_the_same(
    events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (*COLUMNS, *AGREED, "--effect", "10%", "--looks", "7,14", "--history", "sums.json")
    martello("--json", "analyze", events, *options)
    first = capsys.readouterr().out
    assert martello("analyze", "sums.json", "--json") == 0
    assert capsys.readouterr().out == first
    found = json.loads(first)
    assert found["call"] == "SHIP"
    assert len(found["days"]) == 14
    assert found["effect"]["low"] > 0
    assert found["inputs"].startswith("history-")


def test_a_guardrail_that_is_unsure_is_not_shipped(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert martello("analyze", events, *COLUMNS, *AGREED, "--looks", "7,14", "--guardrail", "hide:down:5%") == 1
    told = capsys.readouterr().out
    assert told.startswith("DISCUSS: ")
    assert "guardrail hide  unsure" in told


def test_without_looks_the_last_day_is_the_only_one(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert martello("--json", "analyze", events, *COLUMNS, *AGREED) == 0
    assert json.loads(capsys.readouterr().out)["contract"]["looks"] == [14]


def test_a_plan_writes_the_contract_that_analyze_reads(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = ("plan", events, "--unit", "user", "--time", "at", "--metric", "click", "--effect", "20%", "--out", "c.json")
    assert martello(*plan) == 0
    told = capsys.readouterr().out
    assert "weeks (" in told
    assert "looks at the end of day" in told
    contract = json.loads(Path("c.json").read_text())
    contract["shares"] = {"old": 0.5, "new": 0.5}
    contract |= {"control": "old", "treatment": "new"}
    Path("c.json").write_text(json.dumps(contract))
    assert martello("analyze", events, *COLUMNS, "--contract", "c.json") in (0, 1)
    assert "click" in capsys.readouterr().out


def test_what_cannot_be_decided_is_refused_with_alternatives(capsys: pytest.CaptureFixture[str]) -> None:
    assert martello("plan", "--metric", "click", "--mean", 0.02, "--daily", 1000, "--effect", "2%") == 1
    told = capsys.readouterr().out
    assert told.startswith("No: 8 weeks do not show an effect of 2 %")
    assert "Instead:" in told


def test_another_policy_is_valued_from_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    action = rng.integers(0, 2, 4000)
    table = {
        "click": (rng.random(4000) < np.where(action, 0.3, 0.1)).astype(float),
        "p": np.full(4000, 0.5),
        "q": np.where(action, 0.9, 0.1),
        "never": np.zeros(4000),
    }
    pq.write_table(pa.table(table), tmp_path / "log.parquet")
    log = ("offpolicy", tmp_path / "log.parquet", "--reward", "click", "--propensity", "p")
    assert martello(*log, "--target", "q", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["values"]["ips"]["low"] < 0.28 < found["values"]["ips"]["high"]
    assert martello(*log, "--target", "never") == 1
    assert "cannot say" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        AGREED,
        (*COLUMNS, "--metric", "click"),
        (*COLUMNS, "--metric", "click", "--shares", "old=1"),
        (*COLUMNS, "--metric", "click", "--shares", "old:new"),
        (*COLUMNS, *AGREED, "--effect", "much"),
        (*COLUMNS, *AGREED, "--guardrail", "hide"),
    ],
)
def test_options_that_do_not_fit_are_named(events: Path, options: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="options-disagree"):
        martello("analyze", events, *options)
    with pytest.raises(DataError, match="options-disagree"):
        martello("plan", "--metric", "click", "--effect", "2%")


def test_files_that_are_not_there_or_no_contract_are_named(events: Path) -> None:
    with pytest.raises(DataError, match="not-found"):
        martello("analyze", "none.json")
    Path("c.json").write_text("{}")
    with pytest.raises(DataError, match="contract-unclear"):
        martello("analyze", events, *COLUMNS, "--contract", "c.json")
