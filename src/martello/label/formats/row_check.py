"""Whether a row of a file is an answer to this task: its types, its class, its unit, and that it comes once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from martello.errors import nearest
from martello.label.answer_row import AnswerRow, RefusedRow
from martello.label.formats.raw import RawRow, shortened
from martello.label.formats.seen import Seen

__all__ = ["MODEL", "RowCheck"]

#: What the name of a model begins with, wherever people and models share a column.
MODEL = "model:"
_MOST_CHARACTERS = 10_000  # of a name; keys and classes are short, and what is longer is a text in the wrong column
_MOST_SUGGESTED = 1000
_ACTS = ("label", "unsure", "skip")
_AUTHORS = ("person", "model")
_PURPOSES = ("training", "gold")


class _Refusal(Exception):
    """Why a row is none; caught where the row is known."""

    def __init__(self, code: str, why: str, fix: str = "") -> None:
        super().__init__(code)
        self.code, self.why, self.fix = code, why, fix


class RowCheck:
    """Turn raw rows into answers, or into refusals that say why.

    Parameters
    ----------
    file
        The file's name, for refusals.
    classes
        The possible answers; any text when None.
    units
        Whether a key is a unit of the pool; any key when None.
    author
        Who answered every row of the file, whatever its rows say: "model:NAME" or a person's name.
    """

    def __init__(
        self,
        file: str,
        *,
        classes: Iterable[str] | None = None,
        units: Callable[[str], bool] | None = None,
        author: str | None = None,
    ) -> None:
        self._file = file
        self._classes = None if classes is None else dict.fromkeys(classes)
        self._units = units
        self._author = author
        self._seen = Seen()
        self._n_unknown = 0

    def __call__(self, raw: RawRow) -> AnswerRow | RefusedRow | None:
        """Judge one row; None for one that names a unit nobody has answered."""
        try:
            return self._answer(raw)
        except _Refusal as err:
            return RefusedRow(file=self._file, row=raw.row, place=raw.place, code=err.code, why=err.why, fix=err.fix)

    def _answer(self, raw: RawRow) -> AnswerRow | None:
        values = raw.values
        said = values.get("answer")
        if self._author is None and said is None and "annotator" in values and values["annotator"] is None:
            return None  # tools export the units that wait, too
        unit = _name("unit", values.get("unit"))
        annotator, author = self._who(values)
        act = _one_of("act", values.get("act"), _ACTS) or "label"
        answer = self._class(said, act)
        if self._units is not None and not self._units(unit):
            raise _Refusal("label.unknown-unit", f"the pool has no unit {shortened(unit)}", "name the unit as the pool")
        row = AnswerRow(
            unit=unit,
            annotator=annotator,
            answer=answer,
            act=act,  # type: ignore[arg-type]
            author=author,  # type: ignore[arg-type]
            at=_moment(values.get("at")),
            seconds=_number("seconds", values.get("seconds")),
            purpose=_one_of("purpose", values.get("purpose"), _PURPOSES),  # type: ignore[arg-type]
            probability=_probability(values.get("probability")),
            draw=_integer("draw", values.get("draw")),
            sampler=_text("sampler", values.get("sampler")),
            seed=_integer("seed", values.get("seed")),
        )
        self._once(row, raw)
        return row

    def _who(self, values: Any) -> tuple[str, str]:
        """Give the annotator's name, and whether it is a person or a model."""
        name = self._author or _name("annotator", values.get("annotator"))
        author = "person" if self._author else _one_of("author", values.get("author"), _AUTHORS) or "person"
        if name.startswith(MODEL):
            name, author = name.removeprefix(MODEL), "model"
            if not name:
                raise _Refusal("label.missing-value", "the model has no name", "write model:NAME")
        return name, author

    def _class(self, said: Any, act: str) -> str | None:
        if act != "label":
            if said is not None:
                raise _Refusal("label.bad-value", f"act is {act!r}, and yet there is an answer {shortened(said)}")
            return None
        if said is None:
            raise _Refusal("label.missing-value", "the row has no answer", "write the class, or act unsure or skip")
        answer = _name("answer", said)
        if self._classes is not None and answer not in self._classes:
            self._n_unknown += 1  # near names are dear among many classes, and a wrong column has a million of them
            near = nearest(answer[:100], self._classes) if self._n_unknown <= _MOST_SUGGESTED else None
            fix = f"write {near!r}" if near else "write one of " + ", ".join(list(self._classes)[:12])
            raise _Refusal("label.unknown-class", f"{shortened(answer)} is no class of this task", fix)
        return answer

    def _once(self, row: AnswerRow, raw: RawRow) -> None:
        before = self._seen.before((row.unit, row.annotator, row.author), (row.act, row.answer), raw.row)
        if before is None:
            return
        first, is_same = before
        who = f"{shortened(row.annotator)} has answered unit {shortened(row.unit)} in row {first}"
        if is_same:
            raise _Refusal("label.duplicate-row", f"{who} already, with the same answer", "leave one of the two")
        said = shortened(row.answer) if row.answer is not None else row.act
        raise _Refusal("label.conflicting-rows", f"{who}, and not with {said}", "keep the answer that holds")


def _name(field: str, value: Any) -> str:
    """Read a name: text, or a whole number or truth value as JSON writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value is None or value == "":
        raise _Refusal("label.missing-value", f"the row has no {field}", f"name the column with --{_option(field)}")
    if not isinstance(value, str):
        raise _Refusal("label.bad-value", f"{field} is {shortened(value)}, not text or a whole number")
    if len(value) > _MOST_CHARACTERS:
        raise _Refusal(
            "label.too-long", f"{field} has {len(value):,} characters, {shortened(value, 20)}: no name is that long"
        )
    if not value.isascii():
        _check_text(field, value)
    return value


def _option(field: str) -> str:
    return "label" if field == "answer" else field


def _check_text(field: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as err:
        raise _Refusal("data.not-utf8", f"{field} holds bytes that are not UTF-8", "convert the file to UTF-8") from err


def _text(field: str, value: Any) -> str | None:
    return None if value is None else _name(field, value)


def _one_of(field: str, value: Any, known: tuple[str, ...]) -> str | None:
    if value is None or value in known:
        return value  # type: ignore[no-any-return]
    raise _Refusal("label.bad-value", f"{field} is {shortened(value)}", "write " + " or ".join(known))


def _number(field: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, float) and math.isnan(value):
        return None  # so pandas writes "no value"
    if not 0 <= number < math.inf or isinstance(value, bool):
        raise _Refusal("label.bad-value", f"{field} is {shortened(value)}, not a number of at least 0")
    return number


def _probability(value: Any) -> float | None:
    number = _number("probability", value)
    if number is not None and not 0 < number <= 1:
        raise _Refusal("label.bad-value", f"probability is {shortened(value)}", "write a number above 0, at most 1")
    return number


def _integer(field: str, value: Any) -> int | None:
    if value is None:
        return None
    try:
        number = int(value)
        is_whole = not isinstance(value, bool) and (isinstance(value, str) or number == value)
    except (TypeError, ValueError, OverflowError):
        number, is_whole = 0, False
    if not is_whole:
        raise _Refusal("label.bad-value", f"{field} is {shortened(value)}, not a whole number")
    return number


def _moment(value: Any) -> str | None:
    """Read a moment; one without an offset is UTC. Text that is UTC already stays as it was written."""
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as err:
        fix = "write it as 2026-11-24T09:30:00Z"
        raise _Refusal("label.bad-value", f"at is {shortened(value)}, not a moment", fix) from err
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    elif isinstance(value, str) and not moment.utcoffset():
        return value
    return moment.astimezone(UTC).isoformat()
