"""Answers by name as codes: what the aggregation computes on, and every way in which they cannot be aggregated, named.

Reading files is `exchange`'s, computing `aggregate`'s business.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import msgspec
import numpy as np
import pyarrow as pa

from martello.errors import DataError
from martello.stats.annotations import Annotations, check_annotations

__all__ = ["CodedAnswers", "code_answers"]


class CodedAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Answers as codes, with the names the codes stand for.

    Attributes
    ----------
    units, annotators
        In the order in which they first come.
    classes
        Sorted.
    n_unsure
        Answers that name no class.
    n_repeated
        Answers that came again as they were; each counts once.
    """

    annotations: Annotations
    units: list[str]
    annotators: list[str]
    classes: tuple[str, ...]
    n_unsure: int
    n_repeated: int


def code_answers(answers: pa.Table | Iterable[tuple[str, str, str | None]], *, where: str = "answers") -> CodedAnswers:
    """Code answers given as rows of unit, annotator and answer (None: unsure), or as a table of three such columns.

    Raises
    ------
    DataError
        ``data.no-rows``, ``label.no-labels``, ``label.one-class``, ``label.one-annotator`` or
        ``label.conflicting-rows``.
    """
    units: dict[str, int] = {}
    annotators: dict[str, int] = {}
    classes: dict[str, int] = {}
    codes = (array("q"), array("q"), array("q"))
    n_unsure = n_rows = 0
    for unit, annotator, answer in _rows(answers):
        n_rows += 1
        # A unit about which all are unsure is a unit nevertheless.
        unit_code = units.setdefault(unit, len(units))
        if answer is None:
            n_unsure += 1
            continue
        codes[0].append(unit_code)
        codes[1].append(annotators.setdefault(annotator, len(annotators)))
        codes[2].append(classes.setdefault(answer, len(classes)))
    if not n_rows:
        raise DataError(
            "data.no-rows", f"{where} holds no answer", where=where, expected="a row per unit and annotator"
        )
    _check_several(list(annotators), list(classes), where)
    names = sorted(classes)
    order = np.empty(len(names), dtype=np.int64)
    order[[classes[name] for name in names]] = np.arange(len(names))
    unit_codes, annotator_codes, answer_codes = (np.frombuffer(part, dtype=np.int64) for part in codes)
    kept = _once(unit_codes, annotator_codes, answer_codes, list(units), list(annotators), where)
    return CodedAnswers(
        annotations=check_annotations(
            unit_codes[kept],
            annotator_codes[kept],
            order[answer_codes[kept]],
            n_units=len(units),
            n_annotators=len(annotators),
            n_classes=len(names),
        ),
        units=list(units),
        annotators=list(annotators),
        classes=tuple(names),
        n_unsure=n_unsure,
        n_repeated=len(unit_codes) - len(kept),
    )


def _rows(answers: pa.Table | Iterable[tuple[str, str, str | None]]) -> Iterable[tuple[str, str, str | None]]:
    if not isinstance(answers, pa.Table):
        return answers
    texts = answers.cast(pa.schema([(name, pa.string()) for name in answers.column_names]))
    return (
        (str(unit), str(annotator), answer)
        for batch in texts.to_batches(max_chunksize=65_536)
        for unit, annotator, answer in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )


def _check_several(annotators: list[str], classes: list[str], where: str) -> None:
    if not classes:
        raise DataError("label.no-labels", f"no answer in {where} names a class", where=where, expected="answers")
    if len(annotators) == 1:
        raise DataError(
            "label.one-annotator",
            f"every answer is by {annotators[0]!r}: there is nobody to agree with",
            where=where,
            expected="at least two annotators, some of them on the same units",
            fix="have a share of the units answered by a second person",
        )
    if len(classes) == 1:
        raise DataError(
            "label.one-class",
            f"every answer is {classes[0]!r}: there is nothing to tell apart",
            where=where,
            expected="at least two different answers",
        )


def _once(
    unit: np.ndarray, annotator: np.ndarray, answer: np.ndarray, units: list[str], annotators: list[str], where: str
) -> np.ndarray:
    """Give the rows to keep, in order: the first of each unit and annotator; refuse those that contradict it."""
    pair = unit * len(annotators) + annotator
    _, first, which = np.unique(pair, return_index=True, return_inverse=True)
    wrong = np.flatnonzero(answer != answer[first[which]])
    if len(wrong):
        row, before = int(wrong[0]), int(first[which[wrong[0]]])
        raise DataError(
            "label.conflicting-rows",
            f"{annotators[annotator[row]]!r} answered unit {units[unit[row]]!r} twice, and not the same",
            where=f"{where}, answers {before + 1} and {row + 1} ({len(wrong)} such rows)",
            expected="one answer per unit and annotator",
            fix="keep the answer that holds",
        )
    return np.sort(first)
