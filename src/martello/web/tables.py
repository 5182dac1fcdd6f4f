"""The evidence of the report as tables: records in, cells out; how a cell looks is the template's matter.

Every estimate stands with its interval; what is not known says why. Names from the data stay plain text until the
template escapes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from martello.records import (
    AnyRecord,
    Candidate,
    Claim,
    ClassResult,
    Evaluation,
    FeatureSet,
    Finding,
    Gate,
    Labels,
    Measure,
    Model,
    Record,
    Sample,
    SliceResult,
    WorstSlice,
    record_id,
)
from martello.ship.asked import asked_rows, asked_sentences, gain_is_of_dev
from martello.ship.gate import NOTES
from martello.ship.words import count, meaning, name_of, percent, say_between, say_short
from martello.stats.estimate import Estimate

__all__ = ["Cell", "Line", "Table", "evidence", "measure_cell"]

Kind = Literal["text", "name", "number", "verdict", "id"]
#: More classes than this make a confusion table that nobody reads; then the most confused pairs are shown.
_MOST_CLASSES = 8
_MOST_PAIRS = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `note` stands smaller beside or below the text."""

    text: str
    kind: Kind = "text"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: `lead` is the sentence above it; the first cell of each row heads the row."""

    name: str
    title: str
    lead: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Line(Protocol):
    """What the report reads of a ledger line."""

    @property
    def at(self) -> str:
        """When, in UTC."""

    @property
    def who(self) -> str:
        """By whom."""

    @property
    def word(self) -> str:
        """Which stage."""

    @property
    def records(self) -> Sequence[str]:
        """Ids of what it made."""

    @property
    def seconds(self) -> float:
        """How long it took."""


def measure_cell(measure: Measure, metric: str = "precision", digits: int = 1) -> Cell:
    """Give a number with its interval, or why there is none."""
    if not isinstance(measure, Estimate):
        return Cell("not known", "number", measure.reason)
    between = say_between(measure, metric, digits).removeprefix("between ").replace(" and ", " to ")
    return Cell(say_short(measure, metric, digits), "number", between)


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _number(n: int) -> Cell:
    return Cell(count(n), "number")


def evidence(records: Mapping[str, AnyRecord], known: Mapping[str, AnyRecord], lines: Sequence[Line]) -> list[Table]:
    """Give every table that the records allow, in the order a doubter would ask.

    Parameters
    ----------
    records
        All records of the round.
    known
        The same by kind.
    lines
        Ledger lines: who made what, when.
    """
    tables: list[Table | None] = []
    if isinstance(gate := known.get("gate"), Gate):
        tables.append(_gate_table(gate))
    if isinstance(evaluation := known.get("evaluation"), Evaluation):
        labels = known.get("labels")
        names = labels.classes if isinstance(labels, Labels) else tuple(each.name for each in evaluation.classes)
        tables += [
            _claim_table(evaluation),
            _asked_table(evaluation),
            _metric_table(evaluation),
            _slice_table(evaluation.slices),
            _worst_table(evaluation.worst_slices),
            _class_table(evaluation.classes),
            _confusion_table(evaluation.confusion, names),
        ]
    if isinstance(model := known.get("model"), Model):
        tables.append(_candidate_table(model))
    if isinstance(sample := known.get("sample"), Sample):
        tables.append(_sample_table(sample))
    if isinstance(labels := known.get("labels"), Labels):
        tables.append(_label_table(labels))
    if isinstance(features := known.get("features"), FeatureSet):
        tables.append(_input_table(features))
    tables += [_finding_table(records.values()), _lineage_table(records, lines)]
    return [table for table in tables if table is not None and table.rows]


def _gate_table(gate: Gate) -> Table:
    return Table(
        name="gate",
        title="The gate",
        lead="It may ship only when every condition is met; a note is said but does not keep the gate shut.",
        head=("Condition", "Verdict", "Why"),
        rows=tuple(
            (
                Cell(c.name[:1].upper() + c.name[1:], note="note" if c.name in NOTES else ""),
                Cell(c.verdict.value, "verdict"),
                Cell(c.because),
            )
            for c in gate.conditions
        ),
    )


def _claim_table(evaluation: Evaluation) -> Table:
    return Table(
        name="claims",
        title="What was agreed, and what gold says",
        lead=_how_sure(evaluation),
        head=("For", "Measure", "Agreed", "Measured", "Surely at least", "Verdict"),
        rows=tuple(_claim_row(claim) for claim in evaluation.claims),
    )


def _how_sure(evaluation: Evaluation) -> str:
    if evaluation.level_of_look >= 1:
        return "Gold was asked more often than agreed, so nothing may be judged on it any more."
    sure = f"{100 * evaluation.level_of_look:.4g} %"
    return (
        f"Judged at {sure} certainty: look {evaluation.look} at gold, {evaluation.looks_left} left. The bound counts."
    )


def _claim_row(claim: Claim) -> tuple[Cell, ...]:
    bound = Cell("not known", "number") if claim.low is None else Cell(percent(claim.low, 1), "number")
    return (
        Cell(claim.population, "name"),
        Cell(name_of(claim.metric)),
        Cell(percent(claim.floor, 1), "number"),
        measure_cell(claim.estimate, claim.metric),
        bound,
        Cell(claim.verdict.value, "verdict"),
    )


def _asked_table(evaluation: Evaluation) -> Table | None:
    if (bought := evaluation.bought) is None:
        return None
    return Table(
        name="asked",
        title="How gold was asked",
        lead=" ".join(asked_sentences(bought)),
        head=("What", "Value"),
        rows=tuple((Cell(name), Cell(value)) for name, value in asked_rows(bought)),
    )


def _metric_table(evaluation: Evaluation) -> Table:
    metrics = {**evaluation.metrics, "gain_over_constant": evaluation.gain_over_constant}
    of_dev = {"gain_over_constant"} if gain_is_of_dev(evaluation) else set()
    return Table(
        name="metrics",
        title="All numbers on gold",
        lead=f"{count(evaluation.n_gold, 'unit')} that no choice has seen; intervals at {percent(evaluation.level)}.",
        head=("Measure", "Value", "What it means"),
        rows=tuple(
            (Cell(name_of(m), note="on dev" if m in of_dev else ""), measure_cell(value, m), Cell(meaning(m)))
            for m, value in metrics.items()
        ),
    )


def _slice_table(slices: Sequence[SliceResult]) -> Table:
    metrics = list(dict.fromkeys(metric for each in slices for metric in each.metrics))
    return Table(
        name="slices-all",
        title="Every slice",
        lead="As they were declared, smallest slices with the widest intervals.",
        head=("Slice", "Units", *(_upper(name_of(metric)) for metric in metrics)),
        rows=tuple(
            (
                Cell(f"{each.column} = {each.value}", "name"),
                _number(each.n),
                *(measure_cell(each.metrics[m], m) if m in each.metrics else Cell("not asked") for m in metrics),
            )
            for each in slices
        ),
    )


def _worst_table(worst: Sequence[WorstSlice]) -> Table:
    return Table(
        name="worst-slices",
        title="Where it errs most (dev)",
        lead="Parts of dev with surely higher log loss than the rest, corrected for all that were looked at. "
        "A suggestion: declare such a slice, and gold will judge it.",
        head=("Part of dev", "Units", "Log loss", "More than the rest", "Share of all loss"),
        rows=tuple(
            (
                Cell(" and ".join(f"{column} = {value}" for column, value in each.columns), "name"),
                _number(each.n),
                measure_cell(each.loss, "log_loss"),
                measure_cell(each.excess, "log_loss"),
                measure_cell(each.share_of_loss),
            )
            for each in worst
        ),
    )


def _class_table(classes: Sequence[ClassResult]) -> Table:
    return Table(
        name="classes-all",
        title="Every class",
        lead="Precision: of the answers that name it, the share that is right. Recall: of the class, the share found.",
        head=("Class", "Units in gold", "Precision", "Recall"),
        rows=tuple(
            (Cell(c.name, "name"), _number(c.n), measure_cell(c.precision), measure_cell(c.recall)) for c in classes
        ),
    )


def _confusion_table(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> Table | None:
    if not confusion or len(confusion) != len(names):
        return None
    if len(names) <= _MOST_CLASSES:
        rows = tuple((Cell(name, "name"), *map(_number, row)) for name, row in zip(names, confusion, strict=True))
        lead = "Rows are what is true, columns are what it said; counts of gold units."
        head = ("True answer", *(f"said {name}" for name in names))
        return Table(name="confusion", title="Right and wrong, counted", lead=lead, head=head, rows=rows)
    pairs = [(n, i, j) for i, row in enumerate(confusion) for j, n in enumerate(row) if i != j and n]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    return Table(
        name="confusion",
        title="What is confused most",
        lead=f"The {min(len(pairs), _MOST_PAIRS)} most frequent of {count(len(pairs), 'pair')}; counts of gold units.",
        head=("True answer", "It said", "Units"),
        rows=tuple((Cell(names[i], "name"), Cell(names[j], "name"), _number(n)) for n, i, j in pairs[:_MOST_PAIRS]),
    )


def _candidate_table(model: Model) -> Table:
    metrics = list(dict.fromkeys(metric for each in model.candidates for metric in each.metrics))
    return Table(
        name="candidates",
        title="What was tried",
        lead=f"{model.learner} won on dev ({count(model.n_dev, 'unit')}): {model.chosen_by}. "
        f"All were trained on {count(model.n_train, 'unit')}.",
        head=("Learner", "Log loss on dev", *(f"{_upper(name_of(metric))} on dev" for metric in metrics), "Settings"),
        rows=tuple(_candidate_row(each, metrics, each.learner == model.learner) for each in model.candidates),
    )


def _candidate_row(candidate: Candidate, metrics: Sequence[str], is_winner: bool) -> tuple[Cell, ...]:
    settings = ", ".join(f"{name} {value}" for name, value in candidate.settings.items()) or "none"
    values = (measure_cell(candidate.metrics[m], m) if m in candidate.metrics else Cell("not asked") for m in metrics)
    winner = Cell(candidate.learner, "name", "winner" if is_winner else "")
    return (winner, measure_cell(candidate.log_loss, "log_loss"), *values, Cell(settings))


_SIDES = {
    "train": "learns",
    "dev": "chooses model and threshold",
    "gold": "judges",
    "aside": "drawn, would lie on two sides, not used",
    "reserve": "not drawn, kept for a rehearsal",
}


def _sample_table(sample: Sample) -> Table:
    how = "by time" if sample.split_by == "time" else "by hash"
    return Table(
        name="sample",
        title="How units were chosen",
        lead=f"{sample.design}. Every unit carries its inclusion probability; sides were divided {how}.",
        head=("Side", "Units", "Clusters", "What for"),
        rows=tuple(
            (Cell(s.split), _number(s.n_units), _number(s.n_clusters), Cell(_SIDES[s.split])) for s in sample.splits
        ),
    )


def _label_table(labels: Labels) -> Table:
    return Table(
        name="labels",
        title="The answers",
        lead=f"{count(labels.n_labeled, 'unit')} have an answer, {count(labels.n_missing)} have none. "
        "Shares are of the population.",
        head=("Answer", "Share"),
        rows=tuple(
            (Cell(name, "name", "counts as yes" if name == labels.positive else ""), measure_cell(share))
            for name, share in zip(labels.classes, labels.shares, strict=True)
        ),
    )


def _input_table(features: FeatureSet) -> Table:
    warned = {name: f.severity for f in features.findings for name in f.columns}
    return Table(
        name="inputs",
        title="What goes in",
        lead="AUC alone is what the input would reach by itself on dev: 0.5 is a coin; close to 1 looks like a leak.",
        head=("Input", "Type", "Missing", "Different values", "AUC alone"),
        rows=tuple(
            (
                Cell(c.name, "name", warned.get(c.name, "")),
                Cell(f"{c.type}{', optional' if c.optional else ''}"),
                Cell(percent(c.missing_share, 1), "number"),
                _number(c.n_distinct),
                measure_cell(c.alone, "roc_auc"),
            )
            for c in features.columns
        ),
    )


def _finding_table(records: Iterable[AnyRecord]) -> Table:
    findings: list[Finding] = [f for record in records for f in getattr(record, "findings", ())]
    findings.sort(key=lambda finding: finding.severity != "warning")
    return Table(
        name="findings",
        title="What somebody should know",
        lead="Found by the checks along the way; warnings first.",
        head=("Kind", "What", "Code"),
        rows=tuple(
            (Cell(f.severity, note="!" if f.severity == "warning" else ""), Cell(f.what), Cell(f.code, "id"))
            for f in findings
        ),
    )


def _lineage_table(records: Mapping[str, AnyRecord], lines: Sequence[Line]) -> Table:
    made = {made_id: line for line in reversed(lines) for made_id in line.records}
    return Table(
        name="lineage",
        title="What was made from what",
        lead="An id is the hash of the content and of what it was made from: equal ids are equal facts.",
        head=("Record", "Made from", "When", "By", "Took"),
        rows=tuple(_lineage_row(record, made.get(record_id(record))) for record in records.values()),
    )


def _lineage_row(record: Record, line: Line | None) -> tuple[Cell, ...]:
    parents = Cell("\n".join(record.parents), "id")
    if line is None:
        return Cell(record_id(record), "id"), parents, Cell("not in the ledger"), Cell(""), Cell("")
    when = line.at[:16].replace("T", " ") + " UTC"
    return (
        Cell(record_id(record), "id"),
        parents,
        Cell(when),
        Cell(line.who, "name"),
        Cell(f"{line.seconds:.1f} s", "number"),
    )
