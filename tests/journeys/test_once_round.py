"""Once round the loop on real customers, through the real command and the real server."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import log_loss, roc_auc_score

from journeys.conftest import SPEC, martello, martello_json
from martello.corridor.project import open_project
from martello.records import Evaluation, Labels, Model, Rehearsal, Sample
from martello.serve.entries import Decision, Outcome
from martello.serve.reading import read_log
from martello.stats.estimate import Estimate


@pytest.fixture(scope="module")
def finished(make_project: Callable[..., Path]) -> tuple[Path, dict[str, Any]]:
    directory = make_project()
    return directory, martello_json("run", "--project", str(directory))


def releases(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted((directory / "releases").rglob("*"))
        if path.is_file()
    }


def ids(done: dict[str, Any]) -> dict[str, str]:
    return {kind: record["id"] for kind, record in done["records"].items()}


def test_the_loop_ends_with_every_word_done(finished: tuple[Path, dict[str, Any]]) -> None:
    _, done = finished
    assert done["verdict"] == "met"
    assert {state["word"]: state["state"] for state in done["states"]} == dict.fromkeys(
        ("spec", "sample", "label", "features", "train", "evaluate", "ship", "serve", "experiment", "iterate"), "done"
    )


def test_no_unit_and_no_copy_lies_on_two_sides_of_the_real_sample(finished: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = finished
    with open_project(directory) as project:
        sample = project.records()["sample"]
        assert isinstance(sample, Sample)
        units = project.store.get_table(sample.units)
    inputs = [name for name in units.column_names if name.startswith("input.")]
    rows = units.select([*inputs, "split", "unit"]).to_pylist()
    sides: dict[str, set[str]] = {}
    for row in rows:
        if row["split"] != "reserve":
            sides.setdefault(json.dumps([row[name] for name in inputs]), set()).add(row["split"])
    assert all(len(found) == 1 for found in sides.values())
    assert len({row["unit"] for row in rows}) == len(rows)
    trained = {json.dumps([row[name] for name in inputs]) for row in rows if row["split"] == "train"}
    assert not [
        row for row in rows if row["split"] == "reserve" and json.dumps([row[name] for name in inputs]) in trained
    ]


def test_the_numbers_on_gold_are_those_of_scikit_learn(finished: tuple[Path, dict[str, Any]]) -> None:
    from martello.corridor.learning import scorer_of
    from martello.corridor.units import units_of

    directory, _ = finished
    with open_project(directory) as project:
        records = project.records()
        sample, labels, model = records["sample"], records["labels"], records["model"]
        evaluation = records["evaluation"]
        assert isinstance(sample, Sample)
        assert isinstance(labels, Labels)
        assert isinstance(model, Model)
        assert isinstance(evaluation, Evaluation)
        gold = units_of(project.store, sample, labels, records["features"], "gold")  # type: ignore[arg-type]
        scores = scorer_of(project.store, project.spec, model, model.learner).scores(gold.columns)[:, 1]
        threshold = records["operating_point"].threshold  # type: ignore[union-attr]
    flagged = scores >= threshold
    expected = {
        "roc_auc": roc_auc_score(gold.codes, scores),
        "log_loss": log_loss(gold.codes, scores),
        "precision": gold.codes[flagged].mean(),
        "recall": flagged[gold.codes == 1].mean(),
    }
    measures = {name: evaluation.metrics[name] for name in expected}
    found = {name: measure.value for name, measure in measures.items() if isinstance(measure, Estimate)}
    assert found == pytest.approx(expected, abs=1e-9)
    assert all(measure.low < found[name] < measure.high for name, measure in measures.items())


def test_every_rehearsed_decision_and_outcome_is_on_disk_once_with_the_offline_score(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    directory, done = finished
    entries = list(read_log(directory / ".martello" / "log" / "rehearsal"))
    decisions = [entry for entry in entries if isinstance(entry, Decision)]
    outcomes = [entry for entry in entries if isinstance(entry, Outcome)]
    assert len(decisions) == len({entry.unit for entry in decisions}) == 300
    assert len(outcomes) == 300
    assert done["records"]["rehearsal"]["n_score_differences"] == 0
    assert done["records"]["rehearsal"]["rows_from"] == "reserve"
    assert {entry.release for entry in decisions} == {(directory / "releases" / "current").read_text()}


def test_the_online_metric_is_recomputed_from_the_log_by_hand(finished: tuple[Path, dict[str, Any]]) -> None:
    directory, done = finished
    entries = list(read_log(directory / ".martello" / "log" / "rehearsal"))
    output = {entry.id: entry.output for entry in entries if isinstance(entry, Decision)}
    outcome = {entry.decision: entry.outcome for entry in entries if isinstance(entry, Outcome)}
    flagged = [outcome[id] for id, said in output.items() if said == "Yes"]
    assert done["records"]["experiment"]["online"]["value"] == pytest.approx(flagged.count("Yes") / len(flagged))


def test_the_labels_it_would_have_taken_are_fewer_than_gold_holds(finished: tuple[Path, dict[str, Any]]) -> None:
    _, done = finished
    cost = done["records"]["evaluation"]["label_cost"]
    assert 0.95 * cost["n_draws"] <= len(cost["labels"]) <= cost["n_draws"] == 20
    assert cost["labels"][-1] < cost["n_gold"] == done["records"]["evaluation"]["n_gold"]


def test_a_second_run_repeats_nothing(finished: tuple[Path, dict[str, Any]]) -> None:
    directory, done = finished
    again = martello_json("run", "--project", str(directory))
    assert again["repeated"] == []
    assert ids(again) == ids(done)


def test_another_run_elsewhere_gives_the_same_ids_and_byte_equal_releases(
    finished: tuple[Path, dict[str, Any]], make_project: Callable[..., Path]
) -> None:
    directory, done = finished
    elsewhere = make_project("elsewhere")
    other = martello_json("run", "--project", str(elsewhere))
    assert ids(other) == ids(done)
    assert releases(elsewhere) == releases(directory)


def test_a_changed_requirement_repeats_only_what_depends_on_it_and_counts_as_a_look(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    directory, _ = finished
    copy = shutil.copytree(directory, tmp_path / "copy")
    (copy / "martello.toml").write_text(SPEC.replace("precision = 0.55", "precision = 0.5"), encoding="utf-8")
    done = martello_json("run", "--project", str(copy))
    assert done["repeated"] == ["evaluate", "ship", "serve", "experiment", "iterate"]
    assert done["records"]["evaluation"]["look"] == 2
    assert done["records"]["evaluation"]["level_of_look"] == pytest.approx(1 - 0.05 / 4)
    beside = done["records"]["evaluation"]["against_shipped"]
    assert beside["release"] == finished[1]["records"]["release"]["id"]
    # The same model at a looser threshold: what only one of them gets right is what lies between the thresholds.
    assert beside["only_new_right"] + beside["only_shipped_right"] > 0
    assert beside["difference"]["low"] <= beside["difference"]["value"] <= beside["difference"]["high"]


def test_a_requirement_that_is_not_met_is_a_refusal_and_not_an_error(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    directory, _ = finished
    copy = shutil.copytree(directory, tmp_path / "copy")
    (copy / "martello.toml").write_text(
        SPEC.replace("precision = 0.55", "precision = 0.97").replace("recall = 0.20", "recall = 0.6"), encoding="utf-8"
    )
    done = martello_json("run", "--project", str(copy), check=1)
    assert done["verdict"] in ("not met", "undecided")
    states = {state["word"]: state["state"] for state in done["states"]}
    assert (states["ship"], states["serve"], states["iterate"]) == ("refused", "waiting", "done")
    assert "release" not in done["records"]
    text = martello("run", "--project", str(copy), check=1).stdout
    assert "Report:" in text


def test_a_lost_blob_is_made_again_and_has_the_same_id(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    directory, done = finished
    copy = shutil.copytree(directory, tmp_path / "copy")
    blob = done["records"]["sample"]["units"]["file"]["blob"]
    (copy / ".martello" / "blobs" / blob[:2] / blob).unlink()
    again = martello_json("run", "--project", str(copy))
    assert again["repeated"] == ["sample"]
    assert ids(again) == ids(done)


def test_a_lost_release_is_written_again_byte_for_byte(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    directory, _ = finished
    copy = shutil.copytree(directory, tmp_path / "copy")
    shutil.rmtree(copy / "releases")
    martello_json("run", "--project", str(copy))
    assert releases(copy) == releases(directory)


def test_a_run_killed_at_any_moment_goes_on_where_it_stopped(make_project: Callable[..., Path]) -> None:
    directory = make_project("killed")
    command = [sys.executable, "-m", "martello", "run", "--json", "--project", str(directory)]
    kept: list[str] = []
    for after in ("labels", "model"):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda kind=after: any((directory / ".martello" / "records").glob(f"{kind}-*.json")), process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kept.append(after)
    done = martello_json("run", "--project", str(directory))
    assert done["verdict"] == "met"
    assert "sample" not in done["repeated"]
    assert "label" not in done["repeated"]


def test_ctrl_c_says_what_is_kept_and_a_second_run_is_kept_out(make_project: Callable[..., Path]) -> None:
    directory = make_project("stopped")
    command = [sys.executable, "-m", "martello", "run", "--project", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any((directory / ".martello" / "records").glob("sample-*.json")), process)
    second = martello_json("run", "--project", str(directory), check=3)
    assert second["error"]["code"] == "project.busy"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on from there" in told
    assert "Traceback" not in told
    states = martello_json("status", "--project", str(directory))["states"]
    assert next(state for state in states if state["word"] == "sample")["state"] == "done"


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "the run ended before the moment it was to be stopped at"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_tampered_release_is_not_served(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    directory, _ = finished
    copy = shutil.copytree(directory, tmp_path / "copy")
    (release,) = (copy / "releases").glob("release-*")
    (model,) = release.glob("model-*.txt") if list(release.glob("model-*.txt")) else release.glob("model-weights.npz")
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(bytes(data))
    error = martello_json("serve", "--project", str(copy), "--port", "0", check=2)["error"]
    assert error["code"] == "ship.tampered"


def test_the_report_is_one_page_that_opens_with_the_sentence(finished: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = finished
    page = (directory / "report.html").read_text(encoding="utf-8")
    assert "Ready to ship" in page
    assert "<svg" in page
    assert 'src="http' not in page


def test_the_release_holds_the_cards_and_fifty_selftest_rows(finished: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = finished
    (release,) = (directory / "releases").glob("release-*")
    names = {path.name for path in release.iterdir()}
    assert {"MODEL_CARD.md", "DATASHEET.md", "RUNBOOK.md", "manifest.json", "spec.toml", "evaluation.json"} <= names
    assert len(json.loads((release / "selftest.json").read_bytes())) == 50


def test_log_names_what_was_made_from_what_and_by_whom(finished: tuple[Path, dict[str, Any]]) -> None:
    directory, done = finished
    lines = martello_json("log", "--project", str(directory))["lines"]
    train = next(line for line in lines if line["word"] == "train")
    assert train["records"] == [done["records"]["model"]["id"]]
    assert done["records"]["features"]["id"] in train["parents"]
    assert {line["who"] for line in lines} == {"tester"}
    text = martello("log", "--project", str(directory)).stdout
    assert done["records"]["model"]["id"] in text


@pytest.mark.parametrize("word", ["sample", "label", "features", "train", "evaluate", "ship", "experiment", "iterate"])
def test_each_word_shows_what_it_made(finished: tuple[Path, dict[str, Any]], word: str) -> None:
    directory, done = finished
    shown = martello_json(word, "--project", str(directory))
    made = {record["id"] for record in shown["records"]}
    assert made <= set(ids(done).values())
    assert made
    assert all(id in martello(word, "--project", str(directory)).stdout for id in made)


def test_the_python_api_gives_the_same_loop(finished: tuple[Path, dict[str, Any]]) -> None:
    import martello as public

    directory, done = finished
    with public.open(directory) as project:
        run = project.run()
        records = project.records()
    assert run.verdict is public.Verdict.MET
    assert str(run.verdict) == "met"
    rehearsal = records["rehearsal"]
    assert isinstance(rehearsal, Rehearsal)
    assert rehearsal.n_sent == done["records"]["rehearsal"]["n_sent"] == 300


@pytest.fixture(scope="module")
def served(finished: tuple[Path, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """A real server on the release, as an operator starts it."""
    directory, _ = finished
    command = [sys.executable, "-m", "martello", "serve", "--json", "--port", "0", "--project", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    yield url, (directory / ".martello" / "token").read_text()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0


CUSTOMER = {
    "tenure": 2,
    "contract": "Month-to-month",
    "internet_service": "Fiber optic",
    "monthly_charges": 95.5,
    "payment_method": "Electronic check",
    "online_security": "No",
}


def test_the_served_release_decides_and_remembers(served: tuple[str, str]) -> None:
    from martello import Client

    with Client(*served) as client:
        answer = client.decide(CUSTOMER, unit="someone")
        assert answer.output in ("Yes", "No")
        assert client.decision(answer.id).unit == "someone"
        (receipt,) = client.post_outcomes([{"source": "test", "id": "1", "decision": answer.id, "outcome": "Yes"}])
        assert receipt.status == "accepted"


def test_an_unknown_category_is_scored_like_a_missing_one_and_never_refused(served: tuple[str, str]) -> None:
    from martello import Client

    with Client(*served) as client:
        unknown = client.decide({**CUSTOMER, "contract": "Ten years"})
        other = client.decide({**CUSTOMER, "contract": "Eleven years"})
    assert unknown.scores == other.scores


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tenure": None}, "features.missing-field"),
        ({"tenure": "two"}, "features.wrong-type"),
        ({"tenure": 2.5}, "features.wrong-type"),
        ({"tenur": 2}, "features.unknown-field"),
    ],
)
def test_a_faulty_request_names_the_field(served: tuple[str, str], change: dict[str, object], code: str) -> None:
    from martello import Client, MartelloError

    with Client(*served) as client, pytest.raises(MartelloError) as caught:
        client.decide({**CUSTOMER, **change})
    assert caught.value.code == code
    assert "tenur" in str(caught.value)


def test_the_serving_process_holds_no_database_no_data_frame_and_no_training_library(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    directory, _ = finished
    (release,) = (directory / "releases").glob("release-*")
    code = (
        "import sys; from pathlib import Path; import martello.serve.transport;"
        "from martello.corridor.opened import open_served;"
        f"open_served(Path({str(release)!r})); print(' '.join(sorted(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlalchemy", "pandas", "sklearn", "duckdb", "pyarrow", "lightgbm", "scipy"} & set(loaded)


def test_gold_that_is_shown_is_a_random_tenth_and_judges_no_more(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    directory, done = finished
    copy = shutil.copytree(directory, tmp_path / "copy")
    before = done["records"]["evaluation"]
    shown = martello_json("evaluate", "--show-gold", "5", "--project", str(copy))["shown"]
    assert len(shown) == 5
    assert [each["loss"] for each in shown] == sorted((each["loss"] for each in shown), reverse=True)
    again = martello_json("run", "--project", str(copy), check=None)
    after = again["records"]["evaluation"]
    assert 0.85 < after["n_gold"] / before["n_gold"] < 0.95
    assert after["look"] == 2
    # What is left is as it was, not kinder: the log loss moves by less than its own interval.
    was, now = before["metrics"]["log_loss"], after["metrics"]["log_loss"]
    assert was["low"] < now["value"] < was["high"]
    with open_project(copy) as project:
        sample = project.records()["sample"]
        assert isinstance(sample, Sample)
        units = project.store.get_table(sample.units).to_pylist()
        opened = set(project.ledger.shown_units())
    assert opened >= {each["unit"] for each in shown}
    assert {row["split"] for row in units if row["unit"] in opened} == {"dev"}
