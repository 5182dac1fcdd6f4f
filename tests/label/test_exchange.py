"""Answers go out and come back the same, and what is no answer is refused with its row named."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from martello.errors import DataError
from martello.label.answer_row import AnswerRow, RefusedRow
from martello.label.exchange import FORMATS, read_answers, write_answers

DATA = Path(__file__).resolve().parents[1] / "data"

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    [
        'He said "no"',
        "two\nlines",
        "\r\n",
        "שלום",
        "كتاب \u202e!",
        "👩‍👩‍👧 é",
        "=SUM(A1)",
        " spaced ",
        "None",
        "null",
        ",;\t",
        "\\",
        "0",
    ]
)
people = names.filter(lambda name: not name.startswith("model:"))
numbers = st.floats(0, 1e9, allow_nan=False)


@st.composite
def answer_rows(draw: st.DrawFn) -> AnswerRow:
    act = draw(st.sampled_from(["label", "label", "unsure", "skip"]))
    return AnswerRow(
        unit=draw(names),
        annotator=draw(people),
        answer=draw(names) if act == "label" else None,
        act=act,
        author=draw(st.sampled_from(["person", "model"])),
        at=draw(st.none() | st.datetimes().map(lambda at: at.isoformat() + "+00:00")),
        seconds=draw(st.none() | numbers),
        purpose=draw(st.sampled_from([None, "training", "gold"])),
        probability=draw(st.none() | st.floats(0, 1, exclude_min=True)),
        draw=draw(st.none() | st.integers(0, 2**62)),
        sampler=draw(st.none() | names),
        seed=draw(st.none() | st.integers(-(2**62), 2**62)),
    )


batches = st.lists(answer_rows(), max_size=12, unique_by=lambda row: (row.unit, row.annotator, row.author))


@pytest.mark.parametrize("format", FORMATS)
@given(rows=batches)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back_the_same(tmp_path: Path, format: Any, rows: list[AnswerRow]) -> None:
    path = tmp_path / "answers"
    assert write_answers(rows, path, format, force=True) == len(rows)
    back = list(read_answers(path, format=format))
    assert Counter(back) == Counter(rows)
    if format in ("csv", "jsonl", "parquet"):
        assert back == rows


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_name_says_the_format(tmp_path: Path, suffix: str) -> None:
    rows = [AnswerRow(unit="u", annotator="a", answer="yes")]
    write_answers(rows, tmp_path / f"out{suffix}")
    assert list(read_answers(tmp_path / f"out{suffix}")) == rows


@pytest.mark.parametrize("format", FORMATS[1:])
def test_the_content_says_the_format_where_the_name_does_not(tmp_path: Path, format: Any) -> None:
    rows = [AnswerRow(unit="u", annotator="a", answer="yes")]
    write_answers(rows, tmp_path / "out.json", format)
    assert list(read_answers(tmp_path / "out.json")) == rows


def test_answers_are_as_pandas_reads_them(tmp_path: Path) -> None:
    rows = [
        AnswerRow(unit="ü,1", annotator='a"b', answer="two\nlines", seconds=0.1),
        AnswerRow(unit="2", annotator="c", act="skip"),
    ]
    write_answers(rows, tmp_path / "a.csv")
    write_answers(rows, tmp_path / "a.parquet")
    for table in (pd.read_csv(tmp_path / "a.csv", dtype={"unit": str}), pd.read_parquet(tmp_path / "a.parquet")):
        assert table["unit"].tolist() == ["ü,1", "2"]
        assert table["annotator"].tolist() == ['a"b', "c"]
        assert table["answer"][0] == "two\nlines"
        assert pd.isna(table["answer"][1])
        assert table["seconds"][0] == 0.1


def test_a_unit_is_one_task_of_label_studio_and_carries_what_it_looks_like(tmp_path: Path) -> None:
    rows = [
        AnswerRow(unit="u1", annotator="ann", answer="yes"),
        AnswerRow(unit="u2", annotator="ann", act="skip"),
        AnswerRow(unit="u1", annotator="gpt", answer="no", author="model"),
    ]
    write_answers(rows, tmp_path / "t.json", "label-studio", inputs=lambda unit: {"text": f"text of {unit}"})
    tasks = json.loads((tmp_path / "t.json").read_text())
    assert [task["data"] for task in tasks] == [
        {"text": "text of u1", "unit": "u1"},
        {"text": "text of u2", "unit": "u2"},
    ]
    assert tasks[0]["predictions"][0]["model_version"] == "gpt"
    assert tasks[1]["annotations"][0]["was_cancelled"] is True


GOOD = "unit,annotator,answer\nu1,ann,yes\nu2,ann,no\n"


def refused(path: Path, text: str | bytes, **options: Any) -> RefusedRow:
    """Give the one refusal of a file, in which u1 and u2 are good."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = list(read_answers(path, **options))
    assert [row.unit for row in found if isinstance(row, AnswerRow)] == ["u1", "u2"]
    (refusal,) = [row for row in found if isinstance(row, RefusedRow)]
    with pytest.raises(DataError) as caught:
        list(read_answers(path, strict=True, **options))
    assert caught.value.code == refusal.code
    assert refusal.place in str(caught.value)
    return refusal


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        ("u3,ann,yess", "label.unknown-class", "'yes'"),
        ("zz,ann,yes", "label.unknown-unit", "'zz'"),
        ("u1,ann,yes", "label.duplicate-row", "row 1"),
        ("u1,ann,no", "label.conflicting-rows", "row 1"),
        ("u3,ann,", "label.missing-value", "answer"),
        ("u3,,yes", "label.missing-value", "annotator"),
        (",ann,yes", "label.missing-value", "unit"),
        ("u3,ann", "label.broken-csv", "2 cells"),
        ("u3,ann,yes,more", "label.broken-csv", "4 cells"),
        ('u3,"ann,yes', "label.truncated", "never closed"),
        ("u3,ann," + "x" * 20_000, "label.too-long", "20,000"),
        ("u3,model:,yes", "label.missing-value", "no name"),
    ],
)
def test_a_bad_row_of_csv_is_named_and_the_good_ones_come(tmp_path: Path, row: str, code: str, said: str) -> None:
    found = refused(
        tmp_path / "a.csv", GOOD + row + "\n", classes=("yes", "no"), units=lambda unit: unit.startswith("u")
    )
    assert (found.code, found.row, found.place) == (code, 3, "row 3 (line 4)")
    assert said in found.why + found.fix


def test_a_cell_of_fifty_megabytes_is_refused_and_the_row_after_it_read(tmp_path: Path) -> None:
    huge = 'u3,ann,"' + ("x" * 999 + "\n") * 50_000 + '"\n'
    text = "unit,annotator,answer\nu1,ann,yes\n" + huge + "u2,ann,no\n"
    found = refused(tmp_path / "a.csv", text)
    assert (found.code, found.place) == ("label.too-long", "row 2 (line 3)")


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        ('{"unit": "u3", "annotator": "a", "answer": ', "label.broken-json", "truncated"),
        ('{"unit": "u3", "annotator": "a", "answer": "yes"} x', "label.broken-json", "line 3"),
        ("[1]", "label.broken-json", "no JSON object"),
        (b'{"unit": "u3", "annotator": "a", "answer": "\xff"}', "data.not-utf8", "line 3"),
        ('{"unit": "u3", "annotator": "a", "answer": ["yes"]}', "label.bad-value", "answer"),
        ('{"unit": "u3", "annotator": "a", "answer": "yes", "act": "skip"}', "label.bad-value", "skip"),
        ('{"unit": "u3", "annotator": "a", "answer": "yes", "act": "draft"}', "label.bad-value", "draft"),
        ('{"unit": "u3", "annotator": "a", "answer": "yes", "at": "yesterday"}', "label.bad-value", "moment"),
        ('{"unit": "u3", "annotator": "a", "answer": "yes", "seconds": -1}', "label.bad-value", "seconds"),
        ('{"unit": "u3", "annotator": "a", "answer": "yes", "probability": 0}', "label.bad-value", "probability"),
        ('{"unit": "u3", "annotator": "a", "answer": "yes", "draw": 1.5}', "label.bad-value", "draw"),
        ('{"unit": "u3", "annotator": "a"}', "label.missing-value", "answer"),
        ('{"annotator": "a", "answer": "yes"}', "label.missing-value", "unit"),
    ],
)
def test_a_bad_line_of_json_is_named_and_the_good_ones_come(
    tmp_path: Path, row: str | bytes, code: str, said: str
) -> None:
    good = '{"unit": "u1", "annotator": "a", "answer": "yes"}\n\n'
    last = '{"unit": "u2", "annotator": "a", "answer": "no"}\n'
    row = row if isinstance(row, bytes) else row.encode()
    found = refused(tmp_path / "a.jsonl", good.encode() + row + b"\n" + last.encode())
    assert (found.code, found.place) == (code, "line 3")
    assert said in found.why


def test_bytes_that_are_not_utf8_are_refused_row_by_row_and_in_the_header_at_once(tmp_path: Path) -> None:
    found = refused(tmp_path / "a.csv", GOOD.encode() + "u3,ann,café\n".encode("latin-1"))
    assert (found.code, found.place) == ("data.not-utf8", "row 3 (line 4)")
    (tmp_path / "b.csv").write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(DataError, match=r"data\.not-utf8"):
        list(read_answers(tmp_path / "b.csv"))


def test_a_missing_column_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("unit,annotators,answer\nu1,ann,yes\n")
    pq.write_table(pa.table({"unit": ["u"], "annotators": ["ann"], "answer": ["yes"]}), tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        with pytest.raises(DataError, match=r"data\.no-such-column") as caught:
            list(read_answers(tmp_path / name))
        assert caught.value.fix == "--annotator annotators"
        assert len(list(read_answers(tmp_path / name, columns={"annotator": "annotators"}))) == 1


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_parquet_that_is_none_or_not_whole_is_refused(tmp_path: Path, cut: int) -> None:
    write_answers([AnswerRow(unit="u", annotator="a", answer="yes")], tmp_path / "whole.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "whole.parquet").read_bytes()[:cut])
    with pytest.raises(DataError, match=r"data\.unreadable"):
        list(read_answers(tmp_path / "cut.parquet"))


@pytest.mark.parametrize("format", ["label-studio", "argilla"])
def test_an_array_cut_short_gives_its_whole_tasks_and_names_the_one_that_is_not(tmp_path: Path, format: Any) -> None:
    path = tmp_path / "a.json"
    write_answers([AnswerRow(unit=f"u{n}", annotator="ann", answer="yes") for n in range(3)], path, format)
    path.write_bytes(path.read_bytes()[:-30])
    *whole, last = read_answers(path)
    assert [row.unit for row in whole] == ["u0", "u1"]
    assert isinstance(last, RefusedRow)
    assert (last.code, last.row) == ("label.truncated", 3)


def test_parquet_of_pandas_with_numbers_and_gaps_is_read(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "task": [1, 2],
            "worker": pd.Categorical(["a", "b"]),
            "answer": [True, False],
            "seconds": [1.5, None],
            "at": pd.to_datetime(["2026-01-02T03:04:05.123456789", None]),
        }
    )
    table.to_parquet(tmp_path / "a.parquet")
    found = list(read_answers(tmp_path / "a.parquet", columns={"unit": "task", "annotator": "worker"}))
    assert found == [
        AnswerRow(unit="1", annotator="a", answer="true", seconds=1.5, at="2026-01-02T03:04:05.123456+00:00"),
        AnswerRow(unit="2", annotator="b", answer="false"),
    ]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_csv_of_other_marks_and_with_a_byte_order_mark_is_read(tmp_path: Path, mark: str) -> None:
    (tmp_path / "a.csv").write_text(GOOD.replace(",", mark).replace("\n", "\r\n"), encoding="utf-8-sig", newline="")
    assert [row.answer for row in read_answers(tmp_path / "a.csv")] == ["yes", "no"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05+00:00"),
        ("2026-01-02 03:04:05", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05.120Z", "2026-01-02T03:04:05.120Z"),
    ],
)
def test_moments_become_utc_and_those_that_are_stay_as_written(tmp_path: Path, written: str, read: str) -> None:
    (tmp_path / "a.csv").write_text(f"unit,annotator,answer,at\nu,a,yes,{written}\n")
    (row,) = read_answers(tmp_path / "a.csv")
    assert isinstance(row, AnswerRow)
    assert row.at == read


def test_a_number_that_is_none_was_not_said(tmp_path: Path) -> None:
    columns = {"unit": ["u"], "annotator": ["a"], "answer": ["yes"], "seconds": [math.nan]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert list(read_answers(tmp_path / "a.parquet")) == [AnswerRow(unit="u", annotator="a", answer="yes")]


def test_the_author_of_a_file_stands_for_all_its_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("unit,answer\nu1,yes\nu2,no\n")
    found = list(read_answers(tmp_path / "a.csv", author="model:gpt"))
    assert {(row.annotator, row.author) for row in found} == {("gpt", "model")}


def test_a_model_is_known_by_its_name_in_the_annotators_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("unit,annotator,answer,author\nu1,model:gpt,yes,person\n")
    (row,) = read_answers(tmp_path / "a.csv")
    assert (row.annotator, row.author) == ("gpt", "model")


def test_a_model_and_a_person_of_one_name_are_two(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("unit,annotator,answer\nu1,model:kim,yes\nu1,kim,no\n")
    assert all(isinstance(row, AnswerRow) for row in read_answers(tmp_path / "a.csv"))


def test_a_file_that_is_there_is_kept_and_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(DataError, match=r"label\.file-exists"):
        write_answers([], path)

    def failing() -> Any:
        yield AnswerRow(unit="u", annotator="a", answer="yes")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_answers(failing(), path, force=True)
    assert [found.name for found in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "mine"


def test_what_cannot_be_opened_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.not-found"):
        list(read_answers(tmp_path / "none.csv"))
    (tmp_path / "a.dat").write_text("hello")
    with pytest.raises(DataError, match=r"data\.unknown-format"):
        list(read_answers(tmp_path / "a.dat"))
    with pytest.raises(DataError, match=r"data\.unknown-format"):
        write_answers([], tmp_path / "a.json")
    with pytest.raises(DataError, match=r"label\.no-directory"):
        write_answers([], tmp_path / "no" / "a.csv")


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    write_answers([AnswerRow(unit=str(n), annotator="a", answer="yes") for n in range(3000)], tmp_path / "a.csv")
    told: list[tuple[int, int]] = []
    list(read_answers(tmp_path / "a.csv", advanced=lambda done, of: told.append((done, of))))
    assert len(told) == 3
    assert all(0 < done <= of == (tmp_path / "a.csv").stat().st_size for done, of in told)


CLASSES = ("positive", "neutral", "négatif 😞")


def plain(name: str) -> list[tuple[str, str, str, str]]:
    """Give the answers of the CSV export by the csv module, as an independent reading."""
    with (DATA / "label_studio" / name).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["annotator"]]
    return sorted((row["unit"], row["annotator"], row["sentiment"], row["lead_time"]) for row in rows)


def test_an_export_of_label_studio_holds_every_annotation() -> None:
    found = list(read_answers(DATA / "label_studio" / "export.json", classes=CLASSES))
    people = [row for row in found if isinstance(row, AnswerRow) and row.author == "person"]
    assert sorted((row.unit, row.annotator, row.answer or "", str(row.seconds)) for row in people) == sorted(
        [*plain("export.csv"), ("u11", "2", "", "1.0")]  # the CSV leaves what was skipped out
    )
    assert [(row.unit, row.annotator) for row in people if row.act == "skip"] == [("u11", "2")]
    assert [(row.unit, row.annotator) for row in people if row.act == "unsure"] == [("u10", "2")]


def test_predictions_come_as_answers_of_the_model() -> None:
    whole = list(read_answers(DATA / "label_studio" / "export_snapshot.json", classes=CLASSES))
    models = [row for row in whole if isinstance(row, AnswerRow) and row.author == "model"]
    assert [(row.unit, row.answer) for row in models] == [(f"u{n:02}", CLASSES[n % 3]) for n in range(1, 13)]
    assert {row.annotator for row in models} == {"small-1"}
    # The plain export names predictions by number; of a task nobody annotated there is no more than that.
    plain_export = list(read_answers(DATA / "label_studio" / "export.json", classes=CLASSES))
    assert [row for row in plain_export if isinstance(row, AnswerRow) and row.author == "model"] == models[:11]
    assert [row.place for row in plain_export if isinstance(row, RefusedRow)] == ["task 12, prediction 1"]


def test_a_snapshot_names_its_annotators() -> None:
    found = read_answers(DATA / "label_studio" / "export_snapshot.json")
    assert {row.annotator for row in found if isinstance(row, AnswerRow)} == {
        "ann@example.test",
        "bea@example.test",
        "small-1",
    }


@pytest.mark.parametrize("name", ["export.csv", "export_min.json"])
def test_the_flat_exports_of_label_studio_are_read_and_an_empty_answer_is_refused(name: str) -> None:
    found = list(read_answers(DATA / "label_studio" / name, columns={"answer": "sentiment"}, classes=CLASSES))
    good = [row for row in found if isinstance(row, AnswerRow)]
    assert sorted((row.unit, row.annotator, row.answer, str(row.seconds)) for row in good) == [
        row for row in plain("export.csv") if row[2]
    ]
    (empty,) = [row for row in found if isinstance(row, RefusedRow)]
    assert empty.code == "label.missing-value"


def test_what_label_studio_gives_back_of_our_export_are_the_same_answers() -> None:
    found = read_answers(DATA / "label_studio" / "returned.json")
    people = {(row.unit, row.annotator, row.act, row.answer) for row in found if isinstance(row, AnswerRow)}
    assert people == {("u1", "1", "label", "yes"), ("u1", "2", "skip", None), ("ü2", "2", "unsure", None)}


def test_several_choices_or_questions_are_refused_until_one_is_named(tmp_path: Path) -> None:
    def region(name: str, *choices: str) -> dict[str, Any]:
        return {"from_name": name, "to_name": "t", "type": "choices", "value": {"choices": list(choices)}}

    annotation = {"completed_by": 1, "result": [region("mood", "good"), region("topic", "sport")]}
    many = {"completed_by": 2, "result": [region("mood", "good", "bad")]}
    (tmp_path / "a.json").write_text(json.dumps([{"data": {"unit": 1}, "annotations": [annotation, many]}]))
    found = list(read_answers(tmp_path / "a.json"))
    assert [row.code for row in found if isinstance(row, RefusedRow)] == ["label.several-answers"] * 2
    first, second = read_answers(tmp_path / "a.json", columns={"answer": "topic"})
    assert isinstance(first, AnswerRow)
    assert first.answer == "sport"
    assert isinstance(second, RefusedRow)


def test_records_of_the_argilla_client_are_read() -> None:
    records = json.loads((DATA / "argilla" / "records.json").read_text())
    expected = Counter()
    for record in records:
        for response in record["responses"].get("sentiment", []):
            expected[record["id"], response["user_id"], response["value"], "person"] += 1
        for suggestion in record["suggestions"].values():
            expected[record["id"], suggestion["agent"], suggestion["value"], "model"] += 1
    found = list(read_answers(DATA / "argilla" / "records.json", classes=CLASSES))
    assert Counter((row.unit, row.annotator, row.answer, row.author) for row in found) == expected
    assert len(found) == 15


def test_an_answer_given_after_our_export_stands_against_the_act_kept_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_answers([AnswerRow(unit="u", annotator="ann", act="unsure", probability=0.5)], path, "argilla")
    records = json.loads(path.read_text())
    records[0]["responses"]["answer"][0].update(value="yes", status="submitted")
    path.write_text(json.dumps(records))
    assert list(read_answers(path)) == [AnswerRow(unit="u", annotator="ann", answer="yes", probability=0.5)]
