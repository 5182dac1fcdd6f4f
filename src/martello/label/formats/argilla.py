"""Answers as Argilla's client keeps them: an array of records, each with `responses` and `suggestions` by question.

Held against records of the client 2.8 (tests/data/argilla). A response is a person's answer, a suggestion its agent's;
a discarded response is a skip. A record holds one suggestion a question, so a second model needs a second record.
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

__all__ = ["read_argilla", "write_argilla"]

_QUESTION = "answer"
_PERSON = "person:"


def read_argilla(file: BinaryIO, name: str, columns: Mapping[str, str]) -> Iterator[RawRow | RefusedRow]:
    """Give every response and suggestion of a file of records.

    Parameters
    ----------
    file
        What `dataset.records.to_json` wrote.
    name
        Its name, for refusals.
    columns
        `unit`: a key of the metadata or fields that names the unit, in place of the record's id. `answer`: the name of
        the question, where there are several.
    """
    skip_blank(file)
    for piece in array_elements(file):
        place = f"record {piece.number}"
        record = decoded(piece, name, place)
        if isinstance(record, RefusedRow):
            yield record
        else:
            yield from _record(record, name, piece.number, columns)


def _record(
    record: dict[str, Any], file: str, number: int, columns: Mapping[str, str]
) -> Iterator[RawRow | RefusedRow]:
    place = f"record {number}"
    responses, suggestions, metadata, fields = (
        _dict(record.get(key)) for key in ("responses", "suggestions", "metadata", "fields")
    )
    question = columns.get("answer") or _only_question(responses, suggestions)
    if question is None:
        why = f"{place} answers several questions"
        fix = "name the question with --label"
        yield RefusedRow(file=file, row=number, place=place, code="label.several-answers", why=why, fix=fix)
        return
    unit = record.get("id") if "unit" not in columns else (fields | metadata | record).get(columns["unit"])
    extras = _kept_extras(metadata)
    for count, response in enumerate(_list(responses.get(question)), 1):
        values = {"unit": unit, "annotator": response.get("user_id"), **_said(response)}
        kept = extras.get(f"{_PERSON}{response.get('user_id')}")
        yield RawRow(number, f"{place}, response {count}", with_extras(values, kept))
    if suggestion := _dict(suggestions.get(question)):
        agent = f"{MODEL}{suggestion.get('agent') or ''}"
        values = {"unit": unit, "annotator": agent, "answer": suggestion.get("value")}
        yield RawRow(number, f"{place}, suggestion", with_extras(values, extras.get(agent)))


def _said(response: dict[str, Any]) -> dict[str, Any]:
    status, value = response.get("status"), response.get("value")
    if status == "discarded":
        return {"act": "skip", "answer": None}
    return {"act": "draft" if status == "draft" else None, "answer": value}  # a draft is no answer, and is refused


def _only_question(responses: dict[str, Any], suggestions: dict[str, Any]) -> str | None:
    names = {*responses, *suggestions}
    return next(iter(names), "") if len(names) <= 1 else None


def _kept_extras(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        return _dict(msgspec.json.decode(metadata.get(EXTRA_KEY, "{}")))
    except (msgspec.DecodeError, TypeError):
        return {}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def write_argilla(
    rows: Iterable[AnswerRow], file: BinaryIO, inputs: Callable[[str], Mapping[str, Any]] | None = None
) -> None:
    """Write rows as records, one a unit, and one more for each further model that answered it."""
    encode = msgspec.json.Encoder().encode
    separator = b"[\n"
    for unit, answers in by_unit(rows):
        for group in _one_suggestion_each(answers):
            file.write(separator + encode(_written(unit, group, inputs)))
            separator = b",\n"
    file.write(b"\n]\n" if separator == b",\n" else b"[]\n")


def _one_suggestion_each(answers: Iterable[AnswerRow]) -> Iterator[list[AnswerRow]]:
    group: list[AnswerRow] = []
    has_model = False
    for row in answers:
        if row.author == "model":
            if has_model:
                yield group
                group = []
            has_model = True
        group.append(row)
    yield group


def _written(unit: str, answers: list[AnswerRow], inputs: Callable[[str], Mapping[str, Any]] | None) -> dict[str, Any]:
    people = [row for row in answers if row.author == "person"]
    models = [row for row in answers if row.author == "model"]
    extras = {(MODEL if row.author == "model" else _PERSON) + row.annotator: extras_of(row) for row in answers}
    status = {"label": "submitted", "unsure": "draft", "skip": "discarded"}
    responses = [{"value": row.answer, "user_id": row.annotator, "status": status[row.act]} for row in people]
    suggestions = [{"value": row.answer, "score": None, "agent": row.annotator} for row in models]
    return {
        "id": unit,
        "fields": dict(inputs(unit)) if inputs else {},
        "metadata": {EXTRA_KEY: msgspec.json.encode(extras).decode()},
        "suggestions": {_QUESTION: suggestions[0]} if suggestions else {},
        "responses": {_QUESTION: responses} if responses else {},
    }
