"""What the labels mean: many answers to one label per unit, with how far annotators agree and how good they are.

The science is `martello.stats`'; the answers come as rows, as a table, or from any file that `exchange` reads. Printing
and the choice of columns are the command's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa

from martello.errors import DataError, nearest
from martello.label.aggregation_report import (
    Aggregation,
    AggregationReport,
    AnnotatorResult,
    Ceiling,
    Method,
    Refusals,
    SuspectUnit,
)
from martello.label.answer_row import AnswerRow, RefusedRow
from martello.label.coded import CodedAnswers, code_answers
from martello.label.exchange import read_answers
from martello.records import Measure
from martello.stats.aggregation_choice import AggregationChoice, choose_aggregation
from martello.stats.agreement import (
    annotator_agreements,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    pairwise_agreement,
)
from martello.stats.annotators import (
    DawidSkene,
    MajorityVote,
    annotator_accuracies,
    annotator_confusion,
    dawid_skene,
    majority_vote,
)
from martello.stats.checks import Ints, check_level
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import proportion_interval
from martello.stats.noise_ceiling import ceiling_from_agreement, ceiling_from_confusion
from martello.stats.suspects import find_suspects

__all__ = ["aggregate_answers", "aggregate_file"]

Asked = Literal["auto", "majority", "dawid-skene"]
#: Refused rows and suspects that the report names; all are counted.
_NAMED = 20
#: With more classes the confusion of each annotator is too big to be read.
_MOST_CLASSES = 20
#: A label is worth a second look when its posterior leaves more than this.
_DOUBT = 0.2


def aggregate_answers(
    answers: pa.Table | Iterable[tuple[str, str, str | None]],
    *,
    checks: Mapping[str, str] | None = None,
    method: Asked = "auto",
    level: float = 0.95,
) -> Aggregation:
    """Aggregate answers to labels.

    Parameters
    ----------
    answers
        Rows of unit, annotator and answer, or a table of these three columns; an answer that is None is "unsure".
    checks
        Known answers of some of the units; neither way of aggregating sees them.
    method
        How labels are made; auto lets the check units decide, and takes the majority where they do not.
    level
        Confidence of each interval by itself.

    Raises
    ------
    DataError
        What `code_answers` refuses, ``label.unknown-unit`` for a check of a unit nobody was asked about, or
        ``label.no-such-class`` when no check names a class that was answered.
    """
    check_level(level)
    return _aggregate(code_answers(answers), checks or {}, method, level, Refusals(n=0, by_code={}, first=()))


def aggregate_file(
    path: Path | str,
    *,
    unit: str = "unit",
    annotator: str = "annotator",
    label: str = "answer",
    checks: Path | str | None = None,
    truth: str | None = None,
    method: Asked = "auto",
    level: float = 0.95,
    strict: bool = False,
    advanced: Callable[[int, int], None] | None = None,
) -> Aggregation:
    """Aggregate the answers of a file.

    Parameters
    ----------
    path
        A file that `read_answers` reads.
    unit, annotator, label
        Columns.
    checks
        File of known answers, with a column named as `unit` is.
    truth
        Its column of answers; when None, the one named as `label` is, or else "truth".
    method, level
        As for `aggregate_answers`.
    strict
        Raise the first row that cannot be taken, in place of leaving it out by name.
    advanced
        Told how many bytes of how many are read.

    Raises
    ------
    DataError
        ``data.empty``; as `read_answers` and `aggregate_answers`; the first refusal when no row can be taken.
    """
    check_level(level)
    _check_not_empty(path, checks)
    refused = _Refused()
    columns = {"unit": unit, "annotator": annotator, "answer": label}
    rows = refused.sift(read_answers(path, columns=columns, strict=strict, advanced=advanced))
    coded = code_answers(((row.unit, _who(row), row.answer) for row in rows), where=Path(path).name)
    n_repeated = refused.n_repeated
    known: dict[str, str] = {}
    if checks is not None:
        found = _read_checks(checks, unit, [truth] if truth else [label, "truth"], set(coded.units), strict)
        known = {row.unit: row.answer for row in refused.sift(found) if row.answer is not None}
        refused.check_some(known, Path(checks).name)
    return _aggregate(msgspec.structs.replace(coded, n_repeated=n_repeated), known, method, level, refused.said())


def _check_not_empty(*paths: Path | str | None) -> None:
    for path in paths:
        if path is not None and Path(path).is_file() and not Path(path).stat().st_size:
            name = Path(path).name
            raise DataError("data.empty", f"{name} is empty", where=str(path), expected="a header and rows")


class _Refused:
    """Keep count of the rows that could not be taken, and the first of each kind."""

    def __init__(self) -> None:
        self._first: list[RefusedRow] = []
        self._counts: dict[str, int] = {}
        self.n_repeated = 0

    def sift(self, rows: Iterable[AnswerRow | RefusedRow]) -> Iterator[AnswerRow]:
        """Give the good rows; when there is none, raise the first refusal."""
        n_good = 0
        mine: RefusedRow | None = None
        for row in rows:
            if isinstance(row, AnswerRow):
                n_good += 1
                yield row
                continue
            if row.code == "label.duplicate-row":
                self.n_repeated += 1  # nothing is lost: the answer stands already
                continue
            mine = mine or row
            self._counts[row.code] = self._counts.get(row.code, 0) + 1
            if self._counts[row.code] <= _NAMED:
                self._first.append(row)
        if mine is not None and not n_good:
            raise mine.error()

    def check_some(self, known: Mapping[str, str], file: str) -> None:
        """Refuse checks of which none can be used."""
        if not known:
            raise DataError(
                "data.no-rows", f"{file} holds no known answer", where=file, expected="a row per check unit"
            )

    def said(self) -> Refusals:
        """Give them as a value."""
        return Refusals(n=sum(self._counts.values()), by_code=self._counts, first=tuple(self._first))


def _who(row: AnswerRow) -> str:
    return f"model:{row.annotator}" if row.author == "model" else row.annotator


def _read_checks(
    path: Path | str, unit: str, columns: list[str], units: set[str], strict: bool
) -> list[AnswerRow | RefusedRow]:
    """Read known answers from the first of the columns that the file has."""
    first: DataError | None = None
    for column in columns:
        named = {"unit": unit, "answer": column}
        try:
            return list(read_answers(path, columns=named, author="truth", units=units.__contains__, strict=strict))
        except DataError as err:
            if err.code != "data.no-such-column":
                raise
            first = first or err
    assert first is not None
    raise first


def _aggregate(
    coded: CodedAnswers, checks: Mapping[str, str], method: Asked, level: float, refused: Refusals
) -> Aggregation:
    table = coded.annotations
    votes, model = majority_vote(table), dawid_skene(table)
    checked, truth = _checked(checks, coded)
    choice = choose_aggregation(votes.label[checked], model.label[checked], truth, level=level) if len(truth) else None
    used, reason = _method(method, choice)
    label = votes.label if used == "majority" else model.label
    agreement = pairwise_agreement(table, level=level)
    ceiling = Ceiling(
        from_agreement=ceiling_from_agreement(agreement, table.n_classes),
        from_confusion=ceiling_from_confusion(table, model, level=level),
        of_labels=_of_labels(choice, used),
    )
    suspects = find_suspects(label, posterior=model.posterior, doubt=_DOUBT)
    report = AggregationReport(
        n_answers=len(table.unit),
        n_unsure=coded.n_unsure,
        n_repeated=coded.n_repeated,
        n_units=len(coded.units),
        n_annotators=len(coded.annotators),
        classes=coded.classes,
        level=level,
        agreement=agreement,
        alpha=krippendorff_alpha(table, level=level),
        fleiss_kappa=fleiss_kappa(table, level=level),
        cohen_kappa=_cohen(coded, level),
        annotators=_annotators(coded, model, checked, truth, level),
        ceiling=ceiling,
        n_checks=len(truth),
        choice=choice,
        method=used,
        reason=reason,
        n_labeled=int(np.sum(label >= 0)),
        n_unknown=int(np.sum(label < 0)),
        n_differ=int(np.sum((votes.label != model.label) & (votes.label >= 0) & (model.label >= 0))),
        shares=dict(zip(coded.classes, model.prior.tolist(), strict=True)),
        rounds=model.rounds,
        is_converged=model.is_converged,
        n_suspects=len(suspects),
        suspects=tuple(
            SuspectUnit(
                unit=coded.units[one.unit],
                label=coded.classes[one.label],
                instead=coded.classes[one.instead],
                doubt=one.doubt,
                reason=one.reason,
            )
            for one in suspects[:_NAMED]
        ),
        refused=refused,
        notes=tuple(_notes(ceiling, model)),
    )
    return Aggregation(labels=_labels(coded, votes, model, label), report=report)


def _checked(checks: Mapping[str, str], coded: CodedAnswers) -> tuple[Ints, Ints]:
    """Give check units and their truth as codes; a class that nobody answered is -2, which no label is."""
    units = {unit: code for code, unit in enumerate(coded.units)}
    classes = {name: code for code, name in enumerate(coded.classes)}
    for unit in checks:
        if unit not in units:
            raise DataError(
                "label.unknown-unit",
                f"check unit {unit!r} is no unit that was answered",
                where="checks",
                expected="known answers of units that annotators answered",
            )
    truth = [classes.get(answer, -2) for answer in checks.values()]
    if truth and max(truth) < 0:
        answer = next(iter(checks.values()))
        close = nearest(answer, coded.classes)
        raise DataError(
            "label.no-such-class",
            f"no check names a class that was answered; the first says {answer!r}",
            where="checks",
            expected="one of " + ", ".join(coded.classes[:10]),
            fix=f"write {close}" if close else "",
        )
    return np.array([units[unit] for unit in checks], dtype=np.intp), np.array(truth, dtype=np.intp)


def _method(asked: Asked, choice: AggregationChoice | None) -> tuple[Method, str]:
    if asked != "auto":
        return asked, "asked for"
    if choice is None:
        return "majority", "there are no check units to show that anything else is better"
    return choice.use, choice.reason


def _of_labels(choice: AggregationChoice | None, used: Method) -> Measure:
    if choice is None:
        return NotEstimable(reason="no unit has a known answer", needs="check units")
    return choice.majority if used == "majority" else choice.dawid_skene


def _cohen(coded: CodedAnswers, level: float) -> Measure:
    table = coded.annotations
    if table.n_annotators != 2:
        return NotEstimable(
            reason=f"Cohen's kappa is of two annotators, and there are {table.n_annotators}",
            needs="two; Krippendorff's alpha takes any number",
        )
    answers = np.full((2, table.n_units), -1, dtype=np.intp)
    answers[table.annotator, table.unit] = table.answer
    both = (answers >= 0).all(axis=0)
    if not both.any():
        return NotEstimable(reason="no unit has two answers", needs="units answered by both")
    return cohen_kappa(answers[0, both], answers[1, both], n_classes=table.n_classes, level=level)


def _annotators(
    coded: CodedAnswers, model: DawidSkene, checked: Ints, truth: Ints, level: float
) -> tuple[AnnotatorResult, ...]:
    """Give every annotator, who answered most first."""
    table = coded.annotations
    n = np.bincount(table.annotator, minlength=table.n_annotators)
    known = np.full(table.n_units, -1, dtype=np.intp)
    known[checked] = truth
    asked = known[table.unit] != -1
    n_checked = np.bincount(table.annotator[asked], minlength=table.n_annotators)
    right = asked & (known[table.unit] == table.answer)
    n_right = np.bincount(table.annotator[right], minlength=table.n_annotators)
    agreements = annotator_agreements(table, level=level)
    accuracies = annotator_accuracies(table, model, level=level)
    is_small = len(coded.classes) <= _MOST_CLASSES
    return tuple(
        AnnotatorResult(
            name=coded.annotators[i],
            n_answers=int(n[i]),
            agreement=agreements[i],
            accuracy=accuracies[i],
            checks=proportion_interval(int(n_right[i]), int(n_checked[i]), level=level),
            by_class=_by_class(coded, model, i, level) if is_small else {},
            confusion=tuple(map(tuple, model.confusion[i].tolist())) if is_small else (),
        )
        for i in np.argsort(-n, kind="stable").tolist()
    )


def _by_class(coded: CodedAnswers, model: DawidSkene, annotator: int, level: float) -> dict[str, Measure]:
    cells = annotator_confusion(coded.annotations, model, annotator, level=level)
    return {name: cells[code][code] for code, name in enumerate(coded.classes)}


def _notes(ceiling: Ceiling, model: DawidSkene) -> Iterator[str]:
    of_labels, seen = ceiling.of_labels, ceiling.from_agreement
    if isinstance(of_labels, Estimate) and isinstance(seen, Estimate) and of_labels.high < seen.low:
        yield (
            "Annotators agree more than they are right: on check units the labels are worse than independent errors "
            "allow. Either annotators err alike, which neither agreement nor Dawid–Skene can see, or the check units "
            "are harder than the rest. Look at the guidelines, and at how answers and check units came about."
        )
    if not model.is_converged:
        yield f"Dawid–Skene had not come to rest after {model.rounds} rounds; its numbers are where it stopped."


def _labels(coded: CodedAnswers, votes: MajorityVote, model: DawidSkene, label: Ints) -> pa.Table:
    table = coded.annotations
    names = np.array([*coded.classes, None], dtype=object)  # the code -1 takes the last
    rows, known = np.arange(table.n_units), np.maximum(label, 0)
    agree = table.votes()[rows, known].astype(np.int64)
    return pa.table(
        {
            "unit": pa.array(coded.units, pa.string()),
            "label": pa.array(names[label], pa.string()),
            "majority": pa.array(names[votes.label], pa.string()),
            "dawid_skene": pa.array(names[model.label], pa.string()),
            "probability": pa.array(model.posterior[rows, known], mask=label < 0),
            "n_answers": pa.array(table.per_unit()),
            "n_agree": pa.array(agree, mask=label < 0),
        }
    )
