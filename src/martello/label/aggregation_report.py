"""What an aggregation of answers says: annotators, agreement, ceiling, the choice, what to look at again.

Values only; `aggregate` makes them.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import pyarrow as pa

from martello.label.answer_row import RefusedRow
from martello.records import Measure
from martello.stats.aggregation_choice import AggregationChoice

__all__ = [
    "Aggregation",
    "AggregationReport",
    "AnnotatorResult",
    "Ceiling",
    "Method",
    "Refusals",
    "SuspectUnit",
]

Method = Literal["majority", "dawid-skene"]


class AnnotatorResult(msgspec.Struct, frozen=True, kw_only=True):
    """One annotator.

    Attributes
    ----------
    agreement
        With the others on shared units.
    accuracy
        As Dawid–Skene sees it.
    checks
        On check units, whose truth is known.
    by_class
        Accuracy on units of each class, as Dawid–Skene sees it; empty with more than 20 classes.
    confusion
        Rows are truths, columns answers, shrunk toward what all annotators do; empty with more than 20 classes.
    """

    name: str
    n_answers: int
    agreement: Measure
    accuracy: Measure
    checks: Measure
    by_class: dict[str, Measure]
    confusion: tuple[tuple[float, ...], ...]


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy that a model which is always right would show.

    Attributes
    ----------
    from_agreement, from_confusion
        Against one annotator's answers, by two ways.
    of_labels
        Against the labels given here: how often those are right on check units.
    """

    from_agreement: Measure
    from_confusion: Measure
    of_labels: Measure


class SuspectUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit worth a second look; `doubt` ranks, and is a probability only as far as the model holds."""

    unit: str
    label: str
    instead: str
    doubt: float
    reason: str


class Refusals(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that could not be taken: how many of each code, and the first of them."""

    n: int
    by_code: dict[str, int]
    first: tuple[RefusedRow, ...]


class AggregationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers say of annotators and labels.

    Attributes
    ----------
    n_answers, n_unsure, n_repeated
        Answers that name a class, that name none, and that came again as they were.
    method, reason
        How the labels were made, and why so.
    n_labeled, n_unknown
        Units with a label, and those where the answers tie or nobody answered.
    n_differ
        Units on which both ways give a label, and not the same.
    shares
        Share of each class among the units, as Dawid–Skene sees it.
    rounds, is_converged
        Of Dawid–Skene.
    choice
        Of the check units; None without.
    notes
        What a reader has to know to take the numbers for what they are.
    """

    n_answers: int
    n_unsure: int
    n_repeated: int
    n_units: int
    n_annotators: int
    classes: tuple[str, ...]
    level: float
    agreement: Measure
    alpha: Measure
    fleiss_kappa: Measure
    cohen_kappa: Measure
    annotators: tuple[AnnotatorResult, ...]
    ceiling: Ceiling
    n_checks: int
    choice: AggregationChoice | None
    method: Method
    reason: str
    n_labeled: int
    n_unknown: int
    n_differ: int
    shares: dict[str, float]
    rounds: int
    is_converged: bool
    n_suspects: int
    suspects: tuple[SuspectUnit, ...]
    refused: Refusals
    notes: tuple[str, ...]


class Aggregation(msgspec.Struct, frozen=True, kw_only=True):
    """The labels, one row per unit, and the report on them.

    `labels` has the columns unit, label (null where unknown), majority, dawid_skene, probability (of the label, by
    Dawid–Skene), n_answers and n_agree (answers equal to the label).
    """

    labels: pa.Table
    report: AggregationReport
