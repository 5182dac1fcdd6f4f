from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, log_loss, precision_score, recall_score

from martello.cli import main

N = 1200
RNG = np.random.default_rng(5)
LOGIT = RNG.normal(size=N) * 2
SCORE = 1 / (1 + np.exp(-LOGIT))
TRUTH = (RNG.random(N) < SCORE).astype(np.int64)


def table(**changes: Any) -> pa.Table:
    columns = {
        "s": SCORE,
        "t": 1 / (1 + np.exp(-LOGIT - RNG.normal(size=N))),
        "y": TRUTH,
        "answer": np.where(TRUTH, "yes", "no"),
        "sex": np.where(np.arange(N) % 2, "f", "m"),
        "w": np.where(SCORE > 0.5, 1.0, 4.0),
        "pi": np.where(SCORE > 0.5, 1.0, 0.25),
        "h": np.where(SCORE > 0.5, "high", "low"),
        "c": np.arange(N) // 3,
    }
    return pa.table(columns | changes)


@pytest.fixture
def file(tmp_path: Path) -> str:
    pq.write_table(table(), tmp_path / "scores.parquet")
    return str(tmp_path / "scores.parquet")


class Told(dict[str, Any]):
    """What a command printed, with its exit code."""

    exit_code: int


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> Told:
        exit_code = main(["evaluate", *words, "--json"])
        told = Told(json.loads(capsys.readouterr().out))
        told.exit_code = exit_code
        return told

    return run


def test_a_file_of_scores_is_judged_without_a_project(file: str, tell: Any) -> None:
    told = tell(file, "--score", "s", "--label", "y", "--require", "precision=0.7,recall=0.5")
    flagged = SCORE >= 0.5
    values = {name: measure["value"] for name, measure in told["metrics"].items()}
    assert values["precision"] == pytest.approx(precision_score(TRUTH, flagged))
    assert values["recall"] == pytest.approx(recall_score(TRUTH, flagged))
    assert values["average_precision"] == pytest.approx(average_precision_score(TRUTH, SCORE))
    assert (told.exit_code, told["verdict"], told["threshold"]) == (0, "met", 0.5)
    assert any("No threshold was given" in note for note in told["notes"])


def test_the_verdict_is_the_exact_one_sided_test(file: str, tell: Any) -> None:
    flagged = SCORE >= 0.5
    hits, n = int((TRUTH & flagged).sum()), int(flagged.sum())
    for floor in np.arange(0.70, 0.86, 0.01).round(2):
        told = tell(file, "--score", "s", "--label", "y", "--require", f"precision={floor}")
        is_met = binomtest(hits, n, floor, alternative="greater").pvalue <= 0.05
        is_refuted = binomtest(hits, n, floor, alternative="less").pvalue < 0.05
        assert told["verdict"] == ("met" if is_met else "not met" if is_refuted else "undecided")
        assert told.exit_code == (0 if is_met else 1)


def test_without_a_requirement_nothing_is_judged(file: str, tell: Any) -> None:
    told = tell(file, "--score", "s", "--label", "y", "--threshold", "0.8")
    assert (told.exit_code, told["verdict"], told["claims"]) == (0, None, [])
    assert any("optimistic" in note for note in told["notes"])


def test_csv_and_parquet_say_the_same(file: str, tmp_path: Path, tell: Any) -> None:
    pyarrow.csv.write_csv(table(), tmp_path / "scores.csv")
    words = [
        "--score",
        "s",
        "--label",
        "answer",
        "--positive",
        "yes",
        "--slice",
        "sex",
        "--weight",
        "w",
        "--stratum",
        "h",
        "--cluster",
        "c",
    ]
    one, other = tell(file, *words), tell(str(tmp_path / "scores.csv"), *words)
    assert {**one, "file": ""} == {**other, "file": ""}
    assert "2 strata" in one["design"]


def test_inclusion_probabilities_are_weights(file: str, tell: Any) -> None:
    by_weight = tell(file, "--score", "s", "--label", "y", "--weight", "w")
    by_pi = tell(file, "--score", "s", "--label", "y", "--pi", "pi")
    assert by_weight["metrics"] == by_pi["metrics"]
    flagged = SCORE >= 0.3
    found = tell(file, "--score", "s", "--label", "y", "--pi", "pi", "--threshold", "0.3")["metrics"]
    weights = np.where(SCORE > 0.5, 1.0, 4.0)
    assert found["precision"]["value"] == pytest.approx(precision_score(TRUTH, flagged, sample_weight=weights))


def test_slices_must_hold_and_another_model_is_compared(file: str, tell: Any) -> None:
    told = tell(file, "--score", "s", "--label", "y", "--slice", "sex", "--require", "precision=0.6", "--against", "t")
    assert [claim["population"] for claim in told["claims"]] == ["everyone", "sex = f", "sex = m"]
    assert told["comparison"]["differences"]["log_loss"]["high"] < 0
    assert told["comparison"]["p_value"] < 0.05


def test_several_classes_are_those_of_scikit_learn(tmp_path: Path, tell: Any) -> None:
    scores = RNG.dirichlet(np.ones(3), size=N)
    truth = np.array([RNG.choice(3, p=row) for row in scores])
    columns = {f"s{k}": scores[:, k] for k in range(3)} | {"y": np.array(["cat", "dog", "eel"])[truth]}
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    words = ["--score", "s0,s1,s2", "--classes", "cat,dog,eel", "--label", "y", "--require", "precision=0.3"]
    told = tell(str(tmp_path / "m.parquet"), *words)
    expected = precision_score(truth, scores.argmax(axis=1), average="macro")
    assert told["metrics"]["macro_precision"]["value"] == pytest.approx(expected)
    assert told["metrics"]["log_loss"]["value"] == pytest.approx(log_loss(truth, scores))
    assert (told.exit_code, told["threshold"]) == (0, None)


def test_rankings_name_their_rules(tmp_path: Path, tell: Any) -> None:
    lists = {"q": np.repeat(np.arange(100), 12), "s": SCORE, "y": TRUTH}
    pq.write_table(pa.table(lists), tmp_path / "q.parquet")
    words = ["--query", "q", "--score", "s", "--label", "y", "--at", "10", "--empty", "zero", "--require", "ndcg=0.5"]
    told = tell(str(tmp_path / "q.parquet"), *words)
    assert told["rules"] == {"gain": "linear", "empty": "zero", "at": 10}
    assert (told["n_queries"], told["verdict"]) == (100, "met")


def test_one_class_only_is_not_estimable_and_no_error(tmp_path: Path, tell: Any) -> None:
    pq.write_table(table(y=np.zeros(N, dtype=int)), tmp_path / "one.parquet")
    told = tell(str(tmp_path / "one.parquet"), "--score", "s", "--label", "y", "--require", "recall=0.3")
    kinds = {name: measure["type"] for name, measure in told["metrics"].items()}
    assert {name for name, kind in kinds.items() if kind == "not_estimable"} == {
        "recall",
        "f1",
        "average_precision",
        "roc_auc",
    }
    assert (told.exit_code, told["verdict"]) == (1, "undecided")


def test_rows_without_a_label_are_counted_and_left_out(tmp_path: Path, tell: Any) -> None:
    some = [None if i < 200 else int(y) for i, y in enumerate(TRUTH)]
    pq.write_table(table(y=pa.array(some)), tmp_path / "some.parquet")
    told = tell(str(tmp_path / "some.parquet"), "--score", "s", "--label", "y")
    assert (told["n"], told["n_unlabeled"]) == (N - 200, 200)
    assert told["metrics"]["precision"]["value"] == pytest.approx(precision_score(TRUTH[200:], SCORE[200:] >= 0.5))


def broken(values: np.ndarray, row: int, value: object) -> pa.Array:
    changed = values.tolist()
    changed[row] = value
    return pa.array(changed)


WEIGHT = np.ones(N)
BAD: dict[str, tuple[dict[str, Any], list[str], str, str]] = {
    "a score that is NaN": ({"s": broken(SCORE, 7, float("nan"))}, [], "stats.score-not-finite", "row 7"),
    "a score that is missing": ({"s": broken(SCORE, 7, None)}, [], "stats.score-not-finite", "row 7"),
    "a score outside": ({"s": broken(SCORE, 9, 1.5)}, [], "stats.score-not-a-probability", "row 9"),
    "a score that is text": ({"s": ["x"] * N}, [], "data.wrong-type", "row 0"),
    "π of 0": ({"pi": broken(WEIGHT, 3, 0.0)}, ["--pi", "pi"], "stats.pi-out-of-range", "row 3"),
    "π missing": ({"pi": broken(WEIGHT, 3, None)}, ["--pi", "pi"], "stats.pi-out-of-range", "missing"),
    "a negative weight": ({"w": broken(WEIGHT, 3, -1.0)}, ["--weight", "w"], "stats.weight-negative", "row 3"),
    "a weight missing": ({"w": broken(WEIGHT, 3, None)}, ["--weight", "w"], "stats.weight-not-finite", "row 3"),
    "weights of 0": ({"w": np.zeros(N)}, ["--weight", "w"], "stats.weight-sums-to-zero", "sum to 0"),
    "a cluster missing": ({"c": broken(WEIGHT, 4, None)}, ["--cluster", "c"], "stats.cluster-missing", "row 4"),
    "a stratum missing": ({"h": broken(WEIGHT, 4, None)}, ["--stratum", "h"], "stats.label-missing", "row 4"),
    "a label that is no yes or no": ({"y": broken(TRUTH, 5, 2)}, [], "evaluate.label-not-binary", "row 5"),
    "no label at all": ({"y": pa.nulls(N)}, [], "evaluate.no-labels", "no row"),
    "a positive nobody has": ({}, ["--label", "answer", "--positive", "yess"], "label.no-such-class", "'yess'"),
    "a column that is not there": ({}, ["--weight", "w_column"], "data.no-such-column", "'w_column'"),
    "a metric nobody knows": ({}, ["--require", "precison=0.8"], "evaluate.requirement-unclear", "precison"),
    "a floor without a number": ({}, ["--require", "precision"], "evaluate.requirement-unclear", "precision"),
    "a floor in percent": ({}, ["--require", "precision=80"], "stats.floor-out-of-range", "80"),
    "a level in percent": ({}, ["--level", "95"], "stats.level-out-of-range", "95"),
    "weight and π": ({}, ["--weight", "w", "--pi", "pi"], "evaluate.options-disagree", "--weight"),
    "classes for one score": ({}, ["--classes", "a,b"], "evaluate.options-disagree", "2 classes"),
    "a guess where labels are": ({}, ["--expect", "0.9"], "evaluate.options-disagree", "--expect"),
    "a rule of rankings": ({}, ["--gain", "linear"], "evaluate.options-disagree", "--query"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name: str, tmp_path: Path, tell: Any) -> None:
    changes, words, code, says = BAD[name]
    pq.write_table(table(**changes), tmp_path / "bad.parquet")
    told = tell(str(tmp_path / "bad.parquet"), "--score", "s", "--label", "y", *words)
    assert (told.exit_code, told["error"]["code"]) == (2, code)
    assert says in told["error"]["what"] or says in told["error"]["expected"]


def test_the_nearest_column_is_offered(file: str, tell: Any) -> None:
    assert "answer" in tell(file, "--score", "s", "--label", "answers")["error"]["try"]


@pytest.mark.parametrize(("text", "code"), [("", "data.empty"), ("s,y\n", "data.no-rows"), (None, "data.not-found")])
def test_a_file_with_nothing_in_it_is_named(text: str | None, code: str, tmp_path: Path, tell: Any) -> None:
    if text is not None:
        (tmp_path / "empty.csv").write_text(text, encoding="utf-8")
    told = tell(str(tmp_path / "empty.csv"), "--score", "s", "--label", "y")
    assert (told.exit_code, told["error"]["code"]) == (2, code)
    assert "martello.toml" not in told["error"]["try"]


def test_a_plan_needs_no_file(tell: Any) -> None:
    told = tell("--plan", "--require", "precision=0.8", "--expect", "0.81", "--prevalence", "0.1")
    assert told.exit_code == 0
    assert "for under about" in told["plan"][0]["statement"]
    assert tell("--plan", "--require", "precision=0.8").exit_code == 2


def test_options_of_a_file_without_a_file_are_not_passed_over(tell: Any) -> None:
    told = tell("--require", "precision=0.8")
    assert (told.exit_code, told["error"]["code"]) == (2, "evaluate.options-disagree")


def test_without_a_file_it_is_the_projects_word(tmp_path: Path, tell: Any) -> None:
    told = tell("--project", str(tmp_path))
    assert told.exit_code == 2
    assert told["error"]["code"].startswith("spec.")


def test_the_text_says_the_verdict_first_and_fits_a_page(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--score",
        "s",
        "--label",
        "y",
        "--slice",
        "sex",
        "--require",
        "precision=0.7",
        "--against",
        "t",
        "--threshold",
        "0.5",
    ]
    assert main(["evaluate", file, *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Met: precision of everyone is")
    assert max(map(len, lines)) <= 100
    assert any("McNemar" in line for line in lines)
