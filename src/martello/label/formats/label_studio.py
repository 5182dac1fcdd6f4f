"""Answers as Label Studio keeps them: an array of tasks, each with its `annotations` and `predictions`.

Held against exports of Label Studio 1.23 (tests/data/label_studio). One question of kind Choices is read; an annotation
that was cancelled is a skip, one with an empty result is "unsure", and a prediction is a model's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from martello.label.answer_row import AnswerRow, RefusedRow
from martello.label.formats.by_unit import by_unit
from martello.label.formats.jsonl import skip_blank
from martello.label.formats.pieces import array_elements
from martello.label.formats.raw import EXTRA_KEY, RawRow, decoded, extras_of, with_extras
from martello.label.formats.row_check import MODEL

__all__ = ["read_label_studio", "write_label_studio"]

_FROM, _TO = "answer", "unit"  # names of the question and of what it is asked about, in what is written


def read_label_studio(file: BinaryIO, name: str, columns: Mapping[str, str]) -> Iterator[RawRow | RefusedRow]:
    """Give every annotation and prediction of an export.

    Parameters
    ----------
    file
        The export, kind JSON.
    name
        Its name, for refusals.
    columns
        `unit`: the key of the task's data that names the unit, or "id" for the task's own number. `answer`: the name of
        the question, where there are several.
    """
    skip_blank(file)
    for piece in array_elements(file):
        place = f"task {piece.number}"
        task = decoded(piece, name, place)
        if isinstance(task, RefusedRow):
            yield task
        else:
            yield from _Task(task, name, piece.number, columns).rows()


class _Task:
    """One task of an export."""

    def __init__(self, task: dict[str, Any], file: str, number: int, columns: Mapping[str, str]) -> None:
        data = task.get("data")
        self._unit = (data if isinstance(data, dict) else {}).get(columns.get("unit", "unit"))
        if self._unit is None and "unit" in columns:
            self._unit = task.get(columns["unit"])
        self._question = columns.get("answer")
        self._file, self._number = file, number
        self._annotations = [one for one in _list(task, "annotations") if isinstance(one, dict)]
        self._predictions = _list(task, "predictions")

    def rows(self) -> Iterator[RawRow | RefusedRow]:
        for count, annotation in enumerate(self._annotations, 1):
            yield self._row(annotation, _annotator(annotation), f"task {self._number}, annotation {count}")
        # The plain export gives predictions by number, and in full only inside the annotations made beside them.
        shown = (annotation.get("prediction") for annotation in self._annotations)
        known = {one["id"]: one for one in shown if isinstance(one, dict) and "id" in one}
        for count, given in enumerate(self._predictions, 1):
            place = f"task {self._number}, prediction {count}"
            prediction = given if isinstance(given, dict) else known.get(given)
            if prediction is None:
                fix = 'export a snapshot with "predictions": {"only_id": false}'
                yield self._refused(place, "label.missing-value", "the export has the prediction's number only", fix)
            else:
                yield self._row(prediction, f"{MODEL}{prediction.get('model_version') or ''}", place)

    def _row(self, said: dict[str, Any], annotator: str | None, place: str) -> RawRow | RefusedRow:
        choices = [
            choice
            for region in _list(said, "result")
            if isinstance(region, dict) and self._question in (None, region.get("from_name"))
            for choice in _choices(region)
        ]
        is_skip = bool(said.get("was_cancelled"))
        if len(choices) > 1 and not is_skip:
            fix = "name the question with --label" if self._question is None else "ask for a single choice"
            return self._refused(place, "label.several-answers", f"the answer has {len(choices)} choices, not one", fix)
        if not choices and _list(said, "result") and not is_skip:
            why = "its result holds no choice" + (f" of {self._question!r}" if self._question else "")
            return self._refused(place, "label.bad-value", why, "only questions of kind Choices are read")
        values = {
            "unit": self._unit,
            "annotator": annotator,
            "answer": choices[0] if choices and not is_skip else None,
            "act": "skip" if is_skip else "label" if choices else "unsure",
            "at": said.get("updated_at"),
            "seconds": said.get("lead_time"),
        }
        return RawRow(self._number, place, with_extras(values, said.get(EXTRA_KEY)))

    def _refused(self, place: str, code: str, why: str, fix: str) -> RefusedRow:
        return RefusedRow(file=self._file, row=self._number, place=place, code=code, why=why, fix=fix)


def _list(holder: dict[str, Any], key: str) -> list[Any]:
    found = holder.get(key)
    return found if isinstance(found, list) else []


def _choices(region: dict[str, Any]) -> list[Any]:
    value = region.get("value")
    return _list(value, "choices") if region.get("type") == "choices" and isinstance(value, dict) else []


def _annotator(annotation: dict[str, Any]) -> Any:
    """Give who made an annotation: a number, a user in full, or a name."""
    who = annotation.get("completed_by")
    return who.get("email") or who.get("id") if isinstance(who, dict) else who


def write_label_studio(
    rows: Iterable[AnswerRow], file: BinaryIO, inputs: Callable[[str], Mapping[str, Any]] | None = None
) -> None:
    """Write rows as tasks, one a unit.

    The unit's key is `unit` in the task's data; the question is named "answer", asked about "unit".
    """
    encode = msgspec.json.Encoder().encode
    separator = b"[\n"
    for unit, answers in by_unit(rows):
        task: dict[str, Any] = {"data": {**(inputs(unit) if inputs else {}), "unit": unit}}
        task |= {"annotations": [], "predictions": []}
        for row in answers:
            if row.author == "model":
                task["predictions"].append({"model_version": row.annotator, **_said(row)})
            else:
                more = {"was_cancelled": row.act == "skip", "lead_time": row.seconds}
                task["annotations"].append({"completed_by": {"email": row.annotator}, **_said(row), **more})
        file.write(separator + encode(task))
        separator = b",\n"
    file.write(b"\n]\n" if separator == b",\n" else b"[]\n")


def _said(row: AnswerRow) -> dict[str, Any]:
    region = {"from_name": _FROM, "to_name": _TO, "type": "choices", "value": {"choices": [row.answer]}}
    return {"result": [] if row.answer is None else [region], EXTRA_KEY: extras_of(row)}
