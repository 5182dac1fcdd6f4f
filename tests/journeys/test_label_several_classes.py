"""Three classes and answers from people: a project from nothing to the gate, with scripted answers through the room."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import precision_score, recall_score

import martello as api
from martello.corridor.fixed_gold import fixed_plan
from martello.corridor.judging import all_gold
from martello.corridor.labeling import open_labeling
from martello.corridor.learning import scorer_of
from martello.label.contract import Submission
from martello.stats.estimate import Verdict

SPEC = """
[task]
name = "department"
question = "Which department does this review belong to?"
kind = "multiclass"

[population]
source = "reviews.parquet"
unit = ["id"]

[input]
text = "text"

[output]
from = "annotators"
classes = ["Bottoms", "Dresses", "Tops"]

[requirement]
recall = 0.60
precision = 0.60
label_budget = 250

[label]
start = 260
overlap = 0.05
choose = "random"

[train]
learners = ["logistic"]

[sample]
dev = 0.2
gold = 0.3
seed = 3

[serve]
rehearsal = 0
"""
_numbers = itertools.count()


def answer_until_done(room: Any, truth: dict[str, str], given: Counter[tuple[str, str, str]]) -> None:
    """Let two people answer in turn; one errs on every fortieth unit."""
    wrong = {"Bottoms": "Tops", "Dresses": "Tops", "Tops": "Dresses"}
    while True:
        handed = [(name, each) for name in ("Ada", "Bo") for each in room.next(name, 1)]
        if not handed:
            break
        for name, each in handed:
            unit, n = each.view.unit, next(_numbers)
            answer = wrong[truth[unit]] if name == "Bo" and n % 40 == 0 else truth[unit]
            sent = Submission(submit_id=f"s{n}", assignment=each.assignment, unit=unit, act="label", answer=answer)
            room.submit(name, sent)
            given[unit, name, answer] += 1
    for each in room.disagreements()[1]:
        room.adjudicate(each.view.unit, truth[each.view.unit], owner="lead")


@pytest.fixture(scope="module")
def judged(tmp_path_factory, data) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("department")
    table = pq.read_table(data / "womens_clothing_reviews_sample.parquet")
    rows = [
        (f"r{i}", text, department)
        for i, (text, department) in enumerate(
            zip(table["Review Text"].to_pylist(), table["Department Name"].to_pylist(), strict=True)
        )
        if text and department in ("Bottoms", "Dresses", "Tops")
    ]
    ids, texts, departments = zip(*rows, strict=True)
    pq.write_table(pa.table({"id": ids, "text": texts}), directory / "reviews.parquet")
    (directory / "martello.toml").write_text(SPEC)
    truth = dict(zip(ids, departments, strict=True))
    given: Counter[tuple[str, str, str]] = Counter()
    said = []
    with api.open(directory) as project:
        for purpose in ("training", "gold"):
            with open_labeling(project) as room:
                assert room.purpose == purpose
                answer_until_done(room, truth, given)
                said.append(room.meter())
                rows = list(room.rows())
                assert all(given[row.unit, row.annotator, row.answer] == 1 for row in rows)
            if purpose == "training":
                project.run()
                waiting = next(state for state in project.states() if state.word == "evaluate")
        run = project.run()
    return {"directory": directory, "truth": truth, "given": given, "said": said, "run": run, "waiting": waiting}


def test_gold_is_waited_for_until_all_of_it_is_there(judged):
    assert judged["waiting"].state == "waiting"
    assert "martello label" in judged["waiting"].why


def test_the_meter_names_a_size_and_no_verdict(judged):
    meter = judged["said"][1]
    assert (meter.is_done, meter.n_labels, meter.verdict, meter.next_step) == (True, 250, None, "martello run")
    assert {claim.name for claim in meter.claims} == {"mean precision of classes", "mean recall of classes"}


def test_the_gate_judges_all_answers_together_as_scikit_learn_counts_them(judged):
    with api.open(judged["directory"]) as project:
        records = project.records()
        evaluation, model = records["evaluation"], records["model"]
        pool = all_gold(project.store, records)
        scores = scorer_of(project.store, project.spec, model, model.learner).scores(pool.columns)
    asked = {unit for unit, _, _ in judged["given"]} & set(pool.unit)
    rows = [i for i, unit in enumerate(pool.unit) if unit in asked]
    assert evaluation.n_gold == evaluation.bought.n_labels == len(rows) == 250
    assert evaluation.bought.is_fixed
    assert evaluation.bought.n_pool == len(pool.unit) > 500
    truth = [model.classes.index(judged["truth"][pool.unit[i]]) for i in rows]
    output = scores[rows].argmax(axis=1)
    # A few planted errors were not outvoted, so the figures differ by at most those.
    for name, score in (("macro_recall", recall_score), ("macro_precision", precision_score)):
        assert abs(evaluation.metrics[name].value - score(truth, output, average="macro")) < 0.03
    assert sum(map(sum, evaluation.confusion)) == 250
    everyone = {claim.metric: claim for claim in evaluation.claims}
    assert set(everyone) == {"macro_precision", "macro_recall"}
    assert judged["run"].verdict is evaluation.verdict is Verdict.MET
    assert everyone["macro_recall"].low > 0.60


def test_the_meters_last_reading_is_the_gates(judged):
    with api.open(judged["directory"]) as project:
        claims = {claim.metric: claim for claim in project.records()["evaluation"].claims}
    read = {claim.name: claim.estimate for claim in judged["said"][1].claims}
    assert np.isclose(read["mean recall of classes"].low, claims["macro_recall"].low)


def test_the_same_question_is_one_look_however_often_the_page_is_opened(judged):
    with api.open(judged["directory"]) as project:
        assert project.records()["evaluation"].look == 1
        fixed_plan(project.store, project.ledger, project.spec, project.records())
        assert project.run().repeated == ()


def test_a_larger_budget_waits_for_the_rest(judged, tmp_path):
    directory = shutil.copytree(judged["directory"], tmp_path / "larger")
    (directory / "martello.toml").write_text(SPEC.replace("label_budget = 250", "label_budget = 300"))
    with api.open(directory) as project:
        project.run()
        state = next(state for state in project.states() if state.word == "evaluate")
        assert state.why.startswith("250 of 300 gold answers are there")
