from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from martello.errors import EnvironmentFault, PluginError, SpecError
from martello.testing.learners import check_learner, example_rows
from martello.train import fit_model, load_model
from martello.train.endpoint import Endpoint
from martello.train.endpoint_prompt import Prompt

ROWS = example_rows(60, 2, seed=3)
ASKED = ROWS.take(range(40, 60))


@pytest.fixture(scope="module")
def server():
    program = Path(__file__).with_name("endpoint_server.py")
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.kill()


@pytest.fixture
def asking(server, tmp_path):
    """Give a way to make a scorer of an endpoint with a planted fault."""

    def make(fault, **options):
        declared = {
            "url": f"{server}/{fault}/v1",
            "model": "small",
            "question": "Is it dear?",
            "calibrate": 0,
            "pause": 0.001,
            "cache": str(tmp_path / "answers"),
        } | options
        files = fit_model("endpoint", ROWS, seed=0, options=declared).files
        return load_model("endpoint", classes=ROWS.classes, fields=ROWS.fields, files=files)

    return make


def seen(server, fault):
    with urllib.request.urlopen(f"{server}/seen") as answer:
        return json.loads(answer.read()).get(fault, [])


def sound(rows=ASKED):
    """Say which class the server means by each row."""
    return np.array([(size or 80.0) > 80.0 for size in rows.columns["size"]])


def test_the_endpoint_keeps_the_contract_of_every_learner(server, tmp_path):
    options = {"url": f"{server}/ok/v1", "model": "small", "question": "Is it dear?", "cache": str(tmp_path)}
    check_learner(Endpoint(**options), n_classes=(2, 3))


def test_scores_are_the_chances_of_the_letters_in_the_log_probabilities(asking):
    scorer = asking("ok")
    gap = np.array([((size or 80.0) - 80.0) / 20.0 for size in ASKED.columns["size"]])
    chance = 0.5 + np.minimum(0.48, np.abs(gap) / 4)
    rest = np.maximum(1e-12, 0.99 - chance)
    expected = np.where(sound(), chance, rest) / (chance + rest)
    assert scorer.scores(ASKED.columns)[:, 1] == pytest.approx(expected, abs=2e-6)
    assert scorer.usage.calls == 20
    assert scorer.usage.prompt_tokens == 2000


def test_what_is_asked_has_the_task_the_schema_and_examples_with_their_own_labels_only(asking, server):
    asking("ok", shots=3).scores(ASKED.columns)
    body = [call["body"] for call in seen(server, "ok") if len(call["body"]["messages"]) == 14][-1]
    system, *shots, row = body["messages"]
    assert "Is it dear?" in system["content"]
    assert "- B: 1" in system["content"]
    assert body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"] == ["A", "B"]
    assert body["response_format"]["json_schema"]["strict"] is True
    assert set(json.loads(row["content"])) == {field.name for field in ROWS.fields}
    for asked, told in zip(shots[::2], shots[1::2], strict=True):
        example = json.loads(asked["content"])
        (place,) = [i for i in range(60) if all(ROWS.columns[name][i] == example[name] for name in ("size", "note"))]
        assert json.loads(told["content"]) == {"answer": "AB"[ROWS.codes[place]]}


@pytest.mark.parametrize("fault", ["broken-twice", "busy-once", "cut-once"])
def test_a_fault_that_passes_is_waited_out_and_nothing_is_lost(asking, fault, monkeypatch):
    waits = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)
    scorer = asking(fault)
    assert np.array_equal(scorer.scores(ASKED.columns)[:, 1] > 0.5, sound())
    assert scorer.usage.retries == {"broken-twice": 40, "busy-once": 20, "cut-once": 20}[fault]
    if fault == "busy-once":
        assert waits == [7] * 20
    if fault == "broken-twice":
        assert all(0.0005 <= wait <= 0.002 for wait in waits)


@pytest.mark.parametrize(
    ("fault", "options", "error", "code"),
    [
        ("broken", {"retries": 1}, EnvironmentFault, "train.endpoint-down"),
        ("slow", {"retries": 0, "timeout": 0.1}, EnvironmentFault, "train.endpoint-down"),
        ("refused", {}, PluginError, "train.endpoint-refused"),
        ("moved", {}, PluginError, "train.endpoint-refused"),
        ("chatty", {}, PluginError, "train.endpoint-nonsense"),
        ("stranger", {}, PluginError, "train.endpoint-nonsense"),
        ("wordy", {}, PluginError, "train.endpoint-nonsense"),
        ("empty", {}, PluginError, "train.endpoint-nonsense"),
        ("page", {}, PluginError, "train.endpoint-nonsense"),
        ("shy", {}, PluginError, "train.endpoint-nonsense"),
        ("cut-short", {}, PluginError, "train.endpoint-nonsense"),
    ],
)
def test_a_fault_that_stays_is_named_and_never_becomes_a_score(asking, fault, options, error, code):
    with pytest.raises(error) as caught:
        asking(fault, **options).scores(ASKED.columns)
    assert caught.value.code == code


def test_nobody_listens(asking):
    with pytest.raises(EnvironmentFault, match="endpoint-down"):
        asking("ok", url="http://127.0.0.1:9/v1", retries=1).scores(ASKED.columns)


def test_nonsense_is_counted_by_kind_asked_for_again_and_not_kept(asking, server):
    scorer = asking("chatty", reask=2)
    with pytest.raises(PluginError, match=r"20 of 20 rows .* 20 not the JSON asked for"):
        scorer.scores(ASKED.columns)
    assert scorer.usage.nonsense == {"not the JSON asked for": 60}
    once = asking("chatty-once")
    assert np.array_equal(once.scores(ASKED.columns)[:, 1] > 0.5, sound())
    assert once.usage.nonsense == {"not the JSON asked for": 20}


def test_a_question_is_paid_for_once_also_by_another_scorer(asking, server, tmp_path):
    first = asking("no-logprobs", prompt_price=2.0, completion_price=8.0)
    scores = first.scores(ASKED.columns)
    assert first.usage.cost == pytest.approx(20 * (100 * 2.0 + 5 * 8.0) / 1e6)
    calls = len(seen(server, "no-logprobs"))
    second = asking("no-logprobs", prompt_price=2.0, completion_price=8.0)
    assert np.array_equal(second.scores(ASKED.columns), scores)
    assert (second.usage.cached, second.usage.calls, second.usage.cost) == (20, 0, 0.0)
    assert second.usage.worth == pytest.approx(first.usage.cost)
    damaged = next((tmp_path / "answers").rglob("*.json"))
    damaged.write_bytes(b'{"choices": [')
    third = asking("no-logprobs")
    assert np.array_equal(third.scores(ASKED.columns), scores)
    assert (third.usage.cached, third.usage.calls) == (19, 1)
    assert len(seen(server, "no-logprobs")) == calls + 1
    assert not list((tmp_path / "answers").rglob("*.part"))


def test_what_a_row_costs_stands_in_the_settings_whether_it_was_paid_for_or_kept(server, tmp_path):
    options = {
        "url": f"{server}/ok/v1",
        "model": "small",
        "question": "Is it dear?",
        "calibrate": 30,
        "cache": str(tmp_path),
        "prompt_price": 2.0,
        "completion_price": 8.0,
    }
    for _ in range(2):
        settings = fit_model("endpoint", ROWS, seed=0, options=options).settings
        assert settings["cost_of_1000_rows"] == pytest.approx(1000 * (100 * 2.0 + 5 * 8.0) / 1e6)


def test_equal_rows_are_asked_about_once(asking):
    scorer = asking("ok", cache="")
    scores = scorer.scores(ASKED.take([0, 1, 0, 1, 0]).columns)
    assert scorer.usage.calls == 2
    assert np.array_equal(scores[:2], scores[2:4])


def test_no_call_is_sent_that_could_break_the_budget(asking, server):
    scorer = asking("uncounted", prompt_price=1000.0, budget=3.0, concurrency=3, shots=0)
    with pytest.raises(SpecError) as caught:
        scorer.scores(ASKED.columns)
    assert caught.value.code == "train.endpoint-budget"
    assert 0 < scorer.usage.calls < 20
    assert scorer.usage.uncounted == scorer.usage.calls
    assert 0 < scorer.usage.cost <= 3.0


def test_without_log_probabilities_scores_are_shares_of_votes(asking):
    scores = asking("voter", votes=4).scores(ASKED.columns)[:, 1]
    assert scores == pytest.approx(np.where(sound(), 3.5 / 5, 0.5 / 5))


def test_calibration_on_training_rows_makes_votes_into_chances(server, asking):
    plain = asking("no-logprobs").scores(ROWS.columns)[:, 1]
    trusted = asking("no-logprobs", calibrate=58, shots=1).scores(ROWS.columns)[:, 1]
    says_yes = sound(ROWS)
    assert set(np.round(plain, 3)) == {0.25, 0.75}
    assert trusted[says_yes][0] == pytest.approx(ROWS.codes[says_yes].mean(), abs=0.12)
    assert trusted[~says_yes][0] == pytest.approx(ROWS.codes[~says_yes].mean(), abs=0.12)


def test_the_key_comes_from_the_environment_only_and_is_never_stored(asking, server, monkeypatch, tmp_path):
    with pytest.raises(EnvironmentFault, match="MY_KEY is not set") as caught:
        asking("keyed", key_env="MY_KEY").scores(ASKED.columns)
    assert caught.value.code == "train.endpoint-no-key"
    monkeypatch.setenv("MY_KEY", "sesame")
    asking("keyed", key_env="MY_KEY").scores(ASKED.columns)
    assert {call["key"] for call in seen(server, "keyed")} == {"Bearer sesame"}
    assert not any(b"sesame" in path.read_bytes() for path in tmp_path.rglob("*.json"))


GOOD = {"url": "http://127.0.0.1:9/v1", "model": "m", "question": "Is it?"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"url": GOOD["url"], "model": "m"},
        GOOD | {"question": 3},
        GOOD | {"url": "host/v1"},
        GOOD | {"concurrency": 0},
        GOOD | {"heat": 0},
        GOOD | {"url": "http://example.com/v1", "key_env": "MY_KEY"},
    ],
)
def test_what_is_not_declared_is_named(options):
    with pytest.raises(SpecError) as caught:
        fit_model("endpoint", ROWS, seed=0, options=options)
    assert caught.value.code == "train.endpoint-options"


def test_more_classes_than_letters_are_answered_by_name():
    classes = tuple(f"intent {i}" for i in range(30))
    prompt = Prompt("Which?", ROWS.fields, classes)
    assert prompt.codes == classes
    assert prompt.response_format()["json_schema"]["schema"]["properties"]["answer"]["enum"] == list(classes)


def test_a_body_may_be_changed_and_names_taken_out(asking, server):
    asking("changed", body={"max_tokens": None, "max_completion_tokens": 9}).scores(ASKED.columns)
    body = seen(server, "changed")[-1]["body"]
    assert body["max_completion_tokens"] == 9
    assert "max_tokens" not in body
