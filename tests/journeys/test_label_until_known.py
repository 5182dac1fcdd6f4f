"""People label in real browsers until the answer is known: a project from nothing to a verdict, with planted errors."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import martello as api
from journeys.conftest import martello
from martello.corridor.judging import gold_question
from martello.stats.certification import Certification
from martello.stats.estimate import Verdict

pytestmark = pytest.mark.browser

SPEC = """
[task]
name = "spam"
question = "Is this message spam?"

[population]
source = "messages.parquet"
unit = ["id"]

[input]
text = "text"

[output]
from = "annotators"
classes = ["ham", "spam"]
positive = "spam"

[requirement]
precision = 0.88
holds_for = "pool"

[label]
start = 200
overlap = 0.1

[sample]
dev = 0.15
gold = 0.6
seed = 2

[serve]
rehearsal = 20
"""
#: Share of their answers that each annotator gets wrong.
ERRORS = {"Ada": 0.0, "Bo": 0.01, "Cy": 0.03}


class Answering:
    """The server process of `martello label`, as a user starts it."""

    def __init__(self, project: Path) -> None:
        command = [sys.executable, "-m", "martello", "label", "--json", "--port", "0", "--project", str(project)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"NO_COLOR": "1"})
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server did not say where it listens"
        said = json.loads(line)
        self.owner, self.purpose = said["url"], said["purpose"]
        self.base = self.owner.partition("/enter/")[0]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) in (0, 130)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def messages(shared) -> tuple[pa.Table, dict[str, str]]:
    """The texts, and the answers, which the project never sees."""
    table = pq.read_table(shared("sms_spam"))
    ids = [f"m{row}" for row in range(table.num_rows)]
    return pa.table({"id": ids, "text": table["text"]}), dict(zip(ids, table["label"].to_pylist(), strict=True))


def plain(text: str) -> str:
    """A text as a browser shows it: runs of space are one."""
    return " ".join(text.split())


def answer_all(project: Path, chromium: Any, server: Answering, of_text: dict[str, str], given: Counter) -> Any:
    """Let three people answer in turn, each in a browser of their own, until the page says it is done."""
    rng = random.Random(7)
    pages = {}
    for name in ERRORS:
        invited = martello("label", "invite", name, "--url", server.base, "--json", "--project", str(project))
        page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(20_000)
        page.goto(json.loads(invited.stdout)["link"])
        page.wait_for_url("**/label")  # the link leads there by a page of its own
        page.wait_for_load_state()
        pages[name] = page
    key = {"ham": "1", "spam": "2"}
    other = {"ham": "spam", "spam": "ham"}
    for _ in range(5000):
        for name, page in pages.items():
            if page.query_selector("#answers.is-done"):
                return pages
            seen = page.evaluate(
                """() => {
                  const stage = document.querySelector('#stage[data-assignment]');
                  return stage && [stage.dataset.assignment, stage.querySelector('.long').innerText];
                }"""
            )
            if seen is None:  # all there is lies with the others just now
                page.wait_for_timeout(30)
                continue
            before, text = seen
            right = of_text[plain(text)]
            answer = right if rng.random() >= ERRORS[name] else other[right]
            given[name, plain(text), answer] += 1
            page.keyboard.press(key[answer])
            page.wait_for_function(
                "before => document.querySelector('#stage').dataset.assignment !== before",
                arg=before,
            )
    raise AssertionError("the page never said it was done")


@pytest.fixture(scope="module")
def labeled(tmp_path_factory, messages, chromium) -> dict[str, Any]:
    """Label train and dev, train, label gold, judge: everything through the pages and the command line."""
    project = tmp_path_factory.mktemp("spam")
    table, truth = messages
    pq.write_table(table, project / "messages.parquet")
    (project / "martello.toml").write_text(SPEC)
    of_text = {plain(text): truth[id] for id, text in zip(*table.to_pydict().values(), strict=True)}
    given: Counter[tuple[str, str, str]] = Counter()
    purposes = []
    for _ in range(2):
        server = Answering(project)
        purposes.append(server.purpose)
        try:
            pages = answer_all(project, chromium, server, of_text, given)
            done = next(iter(pages.values())).inner_text("main")
            shots = Path(os.environ.get("MARTELLO_SCREENSHOTS", project))
            for width in (1440, 390):
                page = pages["Ada"]
                page.set_viewport_size({"width": width, "height": 900})
                page.screenshot(path=str(shots / f"label-{server.purpose}-{width}.png"), full_page=True)
        finally:
            server.stop()
        martello("run", "--json", "--project", str(project), check=None)
    return {"project": project, "given": given, "purposes": purposes, "done": done, "truth": truth}


def test_training_is_due_first_and_gold_when_a_model_waits(labeled):
    assert labeled["purposes"] == ["training", "gold"]


def test_the_page_stops_and_says_that_the_answer_is_known(labeled):
    assert "Done" in labeled["done"]
    assert "95" in labeled["done"]


def test_the_verdict_is_right(labeled):
    """Right of the pool with its true answers, which nobody was asked for in full."""
    with api.open(labeled["project"]) as project:
        records = project.records()
        question = gold_question(project.store, project.ledger, project.spec, records)
        flagged = question.pool.scores >= question.point.threshold
        truth = np.asarray([labeled["truth"][unit] == "spam" for unit in question.unit])
        evaluation = records["evaluation"]
    is_met = truth[flagged].mean() > 0.88
    assert evaluation.verdict is (Verdict.MET if is_met else Verdict.NOT_MET)


def test_it_took_no_more_labels_than_the_engine_takes_on_such_a_pool(labeled):
    """Other draws from the same pool, answered without error, say what to expect; planted errors cost a little."""
    with api.open(labeled["project"]) as project:
        records = project.records()
        question = gold_question(project.store, project.ledger, project.spec, records)
        truth = np.asarray([labeled["truth"][unit] == "spam" for unit in question.unit], dtype=int)
        counts = []
        for seed in range(100, 130):
            process = Certification(
                question.pool.scores, precision=0.88, threshold=question.point.threshold, level=0.975, seed=seed
            )
            while process.verdict is Verdict.UNDECIDED and len(asked := process.next(5).position):
                process.observe(asked, truth[asked])
            counts.append(process.n_labeled)
        assert records["evaluation"].bought.n_labels <= 1.3 * max(counts)
        assert records["evaluation"].bought.n_labels < len(question.unit) / 3


def test_the_export_holds_every_answer_once(labeled, messages):
    text_of = dict(zip(*messages[0].to_pydict().values(), strict=True))
    found: Counter[tuple[str, str, str]] = Counter()
    seen = set()
    for purpose in ("training", "gold"):
        out = labeled["project"] / f"{purpose}.jsonl"
        martello("label", "export", str(out), "--for", purpose, "--json", "--project", str(labeled["project"]))
        for line in out.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            assert (row["unit"], row["annotator"]) not in seen
            seen.add((row["unit"], row["annotator"]))
            found[row["annotator"], plain(text_of[row["unit"]]), row["answer"]] += 1
    assert not found - labeled["given"]
    # a key pressed in the moment in which a page learns that all is known answers nothing
    assert (labeled["given"] - found).total() <= len(ERRORS)
