from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running_server import SCRIPT, ids_on_disk, lines_on_disk
from tiny_server import TOKEN

from martello.errors import DataError, EnvironmentFault, IntegrityError
from martello.serve import rehearse

ROWS = [{"age": age % 100} for age in range(250)]
UNITS = [f"u{place * 7 % 250:03d}" for place in range(250)]
OUTCOMES = ["yes" if place % 3 == 0 else "no" if place % 3 == 1 else None for place in range(250)]


def command(log_dir):
    return [sys.executable, str(SCRIPT), str(log_dir)]


def test_what_was_sent_lies_in_the_log_and_comes_back_in_order_of_unit(tmp_path):
    seen = []
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    done = rehearse(command(tmp_path), ROWS, UNITS, OUTCOMES, token=TOKEN, log_dir=tmp_path, progress=progress)
    known = sum(outcome is not None for outcome in OUTCOMES)
    assert (done.n_sent, done.n_decisions, done.n_outcomes, done.n_torn) == (250, 250, known, 0)
    expected = sorted((unit, row["age"] / 100, out) for unit, row, out in zip(UNITS, ROWS, OUTCOMES, strict=True))
    assert [(row.unit, row.scores[1], row.outcome) for row in done.units] == expected
    assert all(row.output == ("yes" if row.scores[1] >= 0.5 else "no") for row in done.units)
    assert len(ids_on_disk(tmp_path, "decision")) == 250
    assert len(ids_on_disk(tmp_path, "outcome")) == known
    assert seen[-1] == (250, 250)
    assert [step for step, _ in seen] == sorted({step for step, _ in seen})


def test_an_earlier_rehearsal_in_the_same_log_does_not_count(tmp_path):
    for _ in range(2):
        done = rehearse(command(tmp_path), ROWS[:3], UNITS[:3], OUTCOMES[:3], token=TOKEN, log_dir=tmp_path)
        assert (done.n_sent, done.n_decisions, done.n_outcomes) == (3, 3, 2)
    assert len(ids_on_disk(tmp_path, "decision")) == 6


def test_long_texts_are_sent_in_smaller_batches(tmp_path):
    rows = [{"age": 1, "note": "n" * 100_000} for _ in range(12)]
    done = rehearse(command(tmp_path), rows, UNITS[:12], [None] * 12, token=TOKEN, log_dir=tmp_path)
    assert done.n_decisions == 12
    assert all(len(entry["values"]["note"]) == 100_000 for entry in lines_on_disk(tmp_path) if "values" in entry)


def test_no_rows_are_no_fault(tmp_path):
    assert rehearse(command(tmp_path), [], [], [], token=TOKEN, log_dir=tmp_path).n_sent == 0


def test_what_the_server_refuses_is_raised_as_it_said_it(tmp_path):
    with pytest.raises(DataError) as refused:
        rehearse(command(tmp_path), [{"age": "old"}], ["u"], [None], token=TOKEN, log_dir=tmp_path)
    assert refused.value.code == "features.wrong-type"


def test_an_outcome_outside_the_classes_is_refused(tmp_path):
    with pytest.raises(IntegrityError) as refused:
        rehearse(command(tmp_path), ROWS[:1], ["u"], ["perhaps"], token=TOKEN, log_dir=tmp_path)
    assert refused.value.code == "serve.outcome-refused"
    assert "'perhaps'" in refused.value.where


def test_a_server_that_dies_is_reported_with_its_last_words(tmp_path):
    with pytest.raises(EnvironmentFault) as refused:
        rehearse(
            command(tmp_path), [*ROWS[:150], {"age": 668}], UNITS[:151], [None] * 151, token=TOKEN, log_dir=tmp_path
        )
    assert refused.value.code == "serve.died"
    assert "exit code 9" in refused.value.what
    assert "the model takes the process down" in refused.value.what


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit('no model here')", "no model here"),
        ("print('hello'); import time; time.sleep(60)", ""),
        ("import time; time.sleep(60)", ""),
    ],
)
def test_a_server_that_does_not_come_up_is_reported_in_time(tmp_path, code, said):
    wrong = [sys.executable, "-c", code]
    with pytest.raises(EnvironmentFault) as refused:
        rehearse(wrong, ROWS, UNITS, OUTCOMES, token="t", log_dir=tmp_path, start_seconds=0.5 if not said else 20)
    assert refused.value.code == "serve.did-not-start"
    assert said in refused.value.what


def test_a_server_that_loses_its_log_is_found_out(tmp_path):
    with pytest.raises(IntegrityError) as refused:
        rehearse(command(tmp_path / "a"), ROWS[:5], UNITS[:5], [None] * 5, token=TOKEN, log_dir=make(tmp_path / "b"))
    assert refused.value.code == "serve.rehearsal-lost"


def make(directory: Path) -> Path:
    directory.mkdir()
    return directory


def test_interrupted_it_leaves_no_server_behind(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
from pathlib import Path
from martello.serve import rehearse
rows = [{{"age": 1}}] * 1_000_000
tell = lambda done, total: print(done, flush=True)
rehearse({command(tmp_path)!r}, rows, ["u"] * len(rows), [None] * len(rows), token={TOKEN!r},
         log_dir=Path({str(tmp_path)!r}), progress=tell)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert process.stdout.readline() == b"100\n"
        (child,) = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(20) != 0
    assert not is_alive(child)
    assert len(ids_on_disk(tmp_path, "decision")) >= 100


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
