from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score

from martello.errors import DataError
from martello.label.aggregate import aggregate_answers, aggregate_file
from martello.label.coded import code_answers
from martello.stats.estimate import Estimate, NotEstimable

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def people(n: int = 120, seed: int = 3) -> tuple[list[tuple[str, str, str | None]], dict[str, str]]:
    """Give answers of two good annotators and three who say nearly always the same, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(["ham", "spam"], n)
    rows: list[tuple[str, str, str | None]] = []
    for i, true in enumerate(truth.tolist()):
        other = "ham" if true == "spam" else "spam"
        said = [true if rng.random() < 0.95 else other for _ in range(2)]
        said += ["ham" if rng.random() < 0.85 else true for _ in range(3)]
        rows += [(f"u{i}", name, answer) for name, answer in zip(("ann", "bob", "cy", "dee", "eve"), said, strict=True)]
    return rows, {f"u{i}": true for i, true in enumerate(truth.tolist())}


def column(found: pa.Table, name: str) -> dict[str, object]:
    return dict(zip(found["unit"].to_pylist(), found[name].to_pylist(), strict=True))


def test_check_units_decide_which_way_the_labels_are_made():
    rows, truth = people()
    checks = {unit: truth[unit] for unit in list(truth)[:60]}
    found = aggregate_answers(rows, checks=checks)
    report = found.report
    assert (report.method, report.n_checks, report.n_units, report.n_answers) == ("dawid-skene", 60, 120, 600)
    assert column(found.labels, "label") == column(found.labels, "dawid_skene")
    units = list(checks)
    model = column(found.labels, "dawid_skene")
    assert report.choice.dawid_skene.value == accuracy_score([checks[u] for u in units], [model[u] for u in units])
    assert report.ceiling.of_labels == report.choice.dawid_skene
    by_name = {one.name: one for one in report.annotators}
    assert by_name["ann"].checks.low > by_name["cy"].checks.value
    assert by_name["cy"].by_class["spam"].high < by_name["ann"].by_class["spam"].low


def test_without_check_units_the_majority_is_used_and_nothing_is_said_of_how_often_it_is_right():
    rows, _ = people()
    found = aggregate_answers(rows)
    assert found.report.method == "majority"
    assert found.report.choice is None
    assert isinstance(found.report.ceiling.of_labels, NotEstimable)
    assert column(found.labels, "label") == column(found.labels, "majority")
    assert aggregate_answers(rows, method="dawid-skene").report.method == "dawid-skene"


def test_check_units_do_not_change_the_labels_of_either_way():
    rows, truth = people()
    one, two = aggregate_answers(rows), aggregate_answers(rows, checks=dict(list(truth.items())[:30]))
    for name in ("majority", "dawid_skene"):
        assert column(one.labels, name) == column(two.labels, name)


def test_a_table_and_rows_give_the_same():
    rows, _ = people()
    table = pa.table(dict(zip(("task", "worker", "label"), map(list, zip(*rows, strict=True)), strict=True)))
    assert aggregate_answers(table).report == aggregate_answers(iter(rows)).report


def test_ties_and_units_about_which_all_are_unsure_have_no_label():
    rows = [("a", "x", "1"), ("a", "y", "0"), ("b", "x", None), ("c", "x", "1"), ("c", "y", "1"), ("d", "y", "0")]
    found = aggregate_answers(rows)
    assert column(found.labels, "label") == {"a": None, "b": None, "c": "1", "d": "0"}
    assert column(found.labels, "n_answers") == {"a": 2, "b": 0, "c": 2, "d": 1}
    assert column(found.labels, "n_agree") == {"a": None, "b": None, "c": 2, "d": 1}
    assert (found.report.n_labeled, found.report.n_unknown, found.report.n_unsure) == (2, 2, 1)


def test_two_annotators_have_cohens_kappa_on_the_units_both_answered():
    rng = np.random.default_rng(0)
    first = rng.integers(2, size=50)
    second = np.where(rng.random(50) < 0.8, first, 1 - first)
    rows = [(str(i), "x", str(a)) for i, a in enumerate(first)] + [(str(i), "y", str(b)) for i, b in enumerate(second)]
    found = aggregate_answers([*rows, ("alone", "x", "1")]).report
    assert found.cohen_kappa.value == pytest.approx(cohen_kappa_score(first, second))
    assert isinstance(found.fleiss_kappa, NotEstimable)
    assert all(isinstance(one.accuracy, NotEstimable) for one in found.annotators)
    assert isinstance(aggregate_answers(people()[0]).report.cohen_kappa, NotEstimable)


def test_units_worth_a_second_look_are_named_with_what_they_may_be():
    rows, truth = people()
    report = aggregate_answers(rows).report
    assert report.n_suspects > len(report.suspects) == 20
    assert np.mean([truth[one.unit] == one.instead for one in report.suspects]) > 0.6


def test_an_answer_that_comes_again_as_it_was_counts_once():
    rows, _ = people()
    once, twice = aggregate_answers(rows).report, aggregate_answers([*rows, *rows[:7]]).report
    assert (twice.n_answers, twice.n_repeated) == (once.n_answers, 7)
    assert twice.alpha == once.alpha


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        ([], "data.no-rows", "no answer"),
        ([("a", "x", None)], "label.no-labels", "names a class"),
        ([("a", "x", "1"), ("b", "x", "0")], "label.one-annotator", "'x'"),
        ([("a", "x", "1"), ("a", "y", "1")], "label.one-class", "'1'"),
        ([("a", "x", "1"), ("a", "y", "0"), ("a", "x", "0")], "label.conflicting-rows", "answered unit 'a' twice"),
    ],
)
def test_answers_that_mean_nothing_are_refused_by_name(rows, code, said):
    with pytest.raises(DataError) as err:
        aggregate_answers(rows)
    assert err.value.code == code
    assert said in err.value.what


def test_conflicting_answers_are_named_by_their_rows():
    with pytest.raises(DataError) as err:
        code_answers([("a", "x", "1"), ("a", "y", "0"), ("a", "x", "0")], where="answers.csv")
    assert err.value.where == "answers.csv, answers 1 and 3 (1 such rows)"


@pytest.mark.parametrize(
    ("checks", "code"),
    [({"nowhere": "ham"}, "label.unknown-unit"), ({"u0": "Ham", "u1": "Spam"}, "label.no-such-class")],
)
def test_checks_that_are_none_are_refused_by_name(checks, code):
    with pytest.raises(DataError) as err:
        aggregate_answers(people()[0], checks=checks)
    assert err.value.code == code


def write(folder: Path, rows: list[tuple[str, str, str | None]], name: str = "answers.csv") -> Path:
    path = folder / name
    table = pa.table(dict(zip(("task", "worker", "label"), map(list, zip(*rows, strict=True)), strict=True)))
    match path.suffix:
        case ".csv":
            pyarrow.csv.write_csv(table, path)
        case ".parquet":
            pq.write_table(table, path)
        case _:
            path.write_text("\n".join(str(row).replace("'", '"') for row in table.to_pylist()), encoding="utf-8")
    return path


NAMED = {"unit": "task", "annotator": "worker", "label": "label"}


@pytest.mark.parametrize("name", ["answers.csv", "answers.jsonl", "answers.parquet"])
def test_every_kind_of_file_gives_what_the_rows_give(tmp_path, name):
    rows, _ = people(40)
    found = aggregate_file(write(tmp_path, rows, name), **NAMED)
    assert found.report == aggregate_answers(rows).report


def test_rows_that_cannot_be_taken_are_left_out_by_name_and_hold_nothing_back(tmp_path):
    rows, truth = people(40)
    other = "ham" if rows[0][2] == "spam" else "spam"
    answers = write(tmp_path, [*rows, ("u0", "ann", other), ("u1", "ann", rows[5][2])])
    checks = tmp_path / "checks.csv"
    checks.write_text("task,truth\nu0,{u0}\nnowhere,ham\nu1,{u1}\n".format(**truth), encoding="utf-8")
    found = aggregate_file(answers, **NAMED, checks=checks).report
    assert found.refused.by_code == {"label.conflicting-rows": 1, "label.unknown-unit": 1}
    assert [(row.file, row.row) for row in found.refused.first] == [("answers.csv", 201), ("checks.csv", 2)]
    assert (found.n_answers, found.n_repeated, found.n_checks) == (200, 1, 2)
    with pytest.raises(DataError) as err:
        aggregate_file(answers, **NAMED, checks=checks, strict=True)
    assert err.value.code == "label.conflicting-rows"


def test_a_file_of_checks_of_which_none_is_known_is_refused(tmp_path):
    answers = write(tmp_path, people(40)[0])
    checks = tmp_path / "checks.csv"
    checks.write_text("task,truth\nnowhere,ham\n", encoding="utf-8")
    with pytest.raises(DataError) as err:
        aggregate_file(answers, **NAMED, checks=checks)
    assert err.value.code == "label.unknown-unit"
    with pytest.raises(DataError) as err:
        aggregate_file(answers, **NAMED, checks=checks, truth="nothing")
    assert err.value.code == "data.no-such-column"


# What crowd-kit 1.4.2 gives on these files stands in tests/stats/test_annotators.py.
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "method", "majority", "model", "n_checks"),
    [("crowd_bluebirds", "dawid-skene", 0.7593, 0.8981, 108), ("crowd_hitspam", "majority", 0.66, 0.66, 100)],
)
def test_real_crowds_are_decided_on_their_truth(name, method, majority, model, n_checks):
    folder = SHARED / name
    if not folder.exists():
        pytest.skip(f"{name} may not be carried in the repository and is not at {folder}")
    found = aggregate_file(folder / "answers.parquet", **NAMED, checks=folder / "truth.parquet").report
    assert (found.method, found.n_checks) == (method, n_checks)
    assert found.choice.majority.value == pytest.approx(majority, abs=0.003)
    assert found.choice.dawid_skene.value == pytest.approx(model, abs=0.003)


@pytest.mark.shared_data
def test_a_crowd_that_agrees_on_everything_and_errs_is_told_so():
    """Every unit of hitspam has one answer only, given by all; a third of them is wrong."""
    folder = SHARED / "crowd_hitspam"
    if not folder.exists():
        pytest.skip(f"crowd_hitspam may not be carried in the repository and is not at {folder}")
    found = aggregate_file(folder / "answers.parquet", **NAMED, checks=folder / "truth.parquet").report
    assert isinstance(found.alpha, Estimate)
    assert found.alpha.value == 1.0
    assert found.alpha.low < 1.0
    assert any("err alike" in note for note in found.notes)
    assert found.refused.by_code == {"label.unknown-unit": 1}
    assert found.n_repeated == 4169
