"""The frozen facts that flow between stages: this file is the map of the data.

Each record is a value: keyword-only, immutable, with the ids of its `parents`. Its own id is the hash of its content,
parents included, so two honest runs give the same ids. Who made it, when and how long it took stand in the ledger line,
not here. Tables and files are held by reference (`TableRef`, `FileRef`). Records have no methods that look anything up.

    Spec > Frame > Sample > Labels > FeatureSet > Model > OperatingPoint > Evaluation > Gate > Release > Rehearsal >
    Experiment > Advice
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, TypeVar

import msgspec

from martello.stats.estimate import Estimate, NotEstimable, Verdict

__all__ = [
    "Advice",
    "AnyRecord",
    "Arm",
    "BoughtGold",
    "CalibrationPoint",
    "Candidate",
    "Claim",
    "ClassResult",
    "Column",
    "Condition",
    "Curve",
    "CurvePoint",
    "Evaluation",
    "Experiment",
    "FeatureSet",
    "FileRef",
    "Finding",
    "Frame",
    "Gate",
    "LabelCost",
    "Labels",
    "Measure",
    "Model",
    "OperatingPoint",
    "Record",
    "Rehearsal",
    "Release",
    "Sample",
    "ShippedComparison",
    "SliceResult",
    "SplitCount",
    "TableRef",
    "WorstSlice",
    "content_id",
    "decode_record",
    "encode_record",
    "kind_of",
    "record_id",
    "the",
]

#: A number that always says how sure it is, or why there is none.
Measure = Estimate | NotEstimable


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen part of a record."""


class FileRef(_Value, frozen=True, kw_only=True):
    """A file in the store, by the SHA-256 of its bytes."""

    blob: str
    size: int
    format: Literal["json", "parquet", "npz", "lightgbm-text", "markdown"]


class TableRef(_Value, frozen=True, kw_only=True):
    """A table in the store: a Parquet file with its row count and column names."""

    file: FileRef
    rows: int
    columns: tuple[str, ...]


class Finding(_Value, frozen=True, kw_only=True):
    """Something a person should know about the data, named so that it can be looked up in the docs."""

    code: str
    what: str
    severity: Literal["note", "warning"]
    columns: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="record"):
    """The base of all records: where it came from."""

    parents: tuple[str, ...]


class Frame(Record, frozen=True, kw_only=True, tag="frame"):
    """The countable list that stands for the population."""

    source: str
    fingerprint: str  # engine and version, and the sum of that engine's hashes of every unit key and its content
    n_units: int
    n_groups: int | None  # None where no group is declared
    unit: tuple[str, ...]  # empty: units are named by the content of their row
    findings: tuple[Finding, ...]  # known coverage errors


class SplitCount(_Value, frozen=True, kw_only=True):
    """How many units and clusters of a sample lie on one side."""

    split: Literal["train", "dev", "gold", "aside", "reserve"]
    n_units: int
    n_clusters: int


class Sample(Record, frozen=True, kw_only=True, tag="sample"):
    """Units drawn with known inclusion probability, divided without leakage.

    `units` holds a row per drawn unit: `unit`, `inclusion_probability`, `stratum`, `split`, `cluster`, `time` (int64
    microseconds, UTC, or null), the declared inputs, `label` with its `author`, and the slice columns. `aside` are
    drawn units that would straddle a side; `reserve` are units outside the sample, kept for a rehearsal.
    """

    design: str
    seed: int
    splits: tuple[SplitCount, ...]
    units: TableRef
    is_clustered: bool
    split_by: Literal["hash", "time"]
    findings: tuple[Finding, ...]


class Labels(Record, frozen=True, kw_only=True, tag="labels"):
    """The answer for each unit: `table` holds `unit` and `code` (index into `classes`, null when missing)."""

    source: Literal["column", "annotators", "outcomes"]
    classes: tuple[str, ...]
    positive: str | None  # binary only; then it is classes[1]
    shares: tuple[Measure, ...]  # share of each class in the population, in the order of `classes`
    n_labeled: int
    n_missing: int
    table: TableRef


class Column(_Value, frozen=True, kw_only=True):
    """One declared input and what was seen of it in training."""

    name: str
    type: Literal["number", "integer", "category", "text", "boolean", "time"]
    optional: bool
    missing_share: float
    n_distinct: int
    alone: Measure  # AUC of this column by itself on dev (binary), or why there is none


class FeatureSet(Record, frozen=True, kw_only=True, tag="features"):
    """The declared inputs as typed values: `table` holds `unit` and a column per input."""

    columns: tuple[Column, ...]
    definition: str  # hash of the declarations and of the rules that turn a raw value into a typed one
    missing: tuple[str, ...]  # texts that mean "no value"
    table: TableRef
    findings: tuple[Finding, ...]


class Candidate(_Value, frozen=True, kw_only=True):
    """One learner as trained, kept for comparison whether it won or not."""

    learner: str
    settings: dict[str, str | int | float | bool]
    files: dict[str, FileRef]
    log_loss: Measure  # on dev
    metrics: dict[str, Measure]  # on dev


class Model(Record, frozen=True, kw_only=True, tag="model"):
    """The winner by dev score, with the losers beside it; `scores` holds dev scores of every candidate."""

    learner: str
    classes: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    chosen_by: str
    scores: TableRef
    n_train: int
    n_dev: int


class CurvePoint(_Value, frozen=True, kw_only=True):
    """Precision and recall at one threshold, with their bands."""

    threshold: float
    flagged_share: float
    precision: float
    precision_low: float
    precision_high: float
    recall: float
    recall_low: float
    recall_high: float


class Curve(_Value, frozen=True, kw_only=True):
    """A precision–recall curve from the strictest to the loosest threshold."""

    points: tuple[CurvePoint, ...]
    level: float


class OperatingPoint(Record, frozen=True, kw_only=True, tag="operating_point"):
    """The threshold chosen on dev, before gold is asked."""

    threshold: float | None  # None: the class with the highest score is the output
    chance: float | None  # predicted chance that gold certifies the requirement
    precision: Measure  # on dev; optimistic, since dev chose it
    recall: Measure
    because: str
    curve: Curve | None


class Claim(_Value, frozen=True, kw_only=True):
    """One floor of the requirement and where it stands on gold."""

    metric: str
    floor: float
    population: str  # "everyone", or a slice such as "sex = Female"
    estimate: Measure  # two-sided at the requirement's level, for reading
    low: float | None  # one-sided lower bound at the level this look spends, for judging
    high: float | None
    verdict: Verdict


class SliceResult(_Value, frozen=True, kw_only=True):
    """The numbers of one named part of the population."""

    column: str
    value: str
    n: int
    metrics: dict[str, Measure]


class ClassResult(_Value, frozen=True, kw_only=True):
    """The numbers of one class."""

    name: str
    n: int
    precision: Measure
    recall: Measure


class CalibrationPoint(_Value, frozen=True, kw_only=True):
    """One bin of the reliability diagram."""

    mean_score: float
    observed: Measure
    n: int


class WorstSlice(_Value, frozen=True, kw_only=True):
    """A part of dev, by one input or two, on which the winner's log loss is higher than on the rest."""

    columns: tuple[tuple[str, str], ...]  # input and its value or range
    n: int
    loss: Measure  # mean log loss in it
    excess: Measure  # minus that of all other units
    share_of_loss: Measure  # of the log loss of all units


class LabelCost(_Value, frozen=True, kw_only=True):
    """After how many labels the certification engine knew about these very gold units, in several draws.

    It speaks of the units themselves, not of the population they stand for; `labels` is empty when it did not decide,
    or decided differently in more draws than its error allows.
    """

    verdict: Verdict
    n_gold: int
    n_draws: int
    labels: tuple[int, ...]  # of the draws that came to the verdict, sorted


class BoughtGold(_Value, frozen=True, kw_only=True):
    """How gold was asked when labels cost something: one by one until the answer is known, or a number fixed before.

    `floors` are what had to be shown of the pool, by claim: higher than agreed where the verdict is about the
    population the pool was drawn from.
    """

    n_pool: int
    n_labels: int
    n_unsure: int
    budget: int | None
    sampler: Literal["weighted", "random"]
    seed: int
    restarts: int  # how often a changed model made the evidence begin anew
    holds_for: Literal["population", "pool"]
    floors: dict[str, float]
    is_fixed: bool = False  # drawn plainly at random, all of `budget` answered, then judged once


class ShippedComparison(_Value, frozen=True, kw_only=True):
    """The model beside the one that was shipped before it, on the same gold units: pairs, not two averages."""

    release: str
    only_new_right: int
    only_shipped_right: int
    difference: Measure  # share of right outputs, new minus shipped
    is_better: bool  # at the error of this look


class Evaluation(Record, frozen=True, kw_only=True, tag="evaluation"):
    """How good on gold, with what certainty, overall and per slice, and what the requirement says to it."""

    n_gold: int
    look: int  # which look at this gold set this was, from 1
    looks_left: int
    level: float
    level_of_look: float  # after the looks before it have spent their share
    metrics: dict[str, Measure]
    classes: tuple[ClassResult, ...]
    slices: tuple[SliceResult, ...]
    calibration: tuple[CalibrationPoint, ...]
    curve: Curve | None
    confusion: tuple[tuple[int, ...], ...]  # rows: truth; columns: output
    gain_over_constant: Measure  # log loss of the constant rule minus ours, paired
    claims: tuple[Claim, ...]
    verdict: Verdict
    label_cost: LabelCost | None = None  # None where labels were bought: then it is no thought experiment
    bought: BoughtGold | None = None
    against_shipped: ShippedComparison | None = None  # None when nothing was shipped on this gold
    worst_slices: tuple[WorstSlice, ...] = ()  # from dev, worst first: rows of gold are not shown


class Condition(_Value, frozen=True, kw_only=True):
    """One condition of the gate."""

    name: str
    verdict: Verdict
    because: str


class Gate(Record, frozen=True, kw_only=True, tag="gate"):
    """May it ship? Every condition with its reason; `verdict` is met only when all that can keep the gate shut are."""

    conditions: tuple[Condition, ...]
    verdict: Verdict


class Release(Record, frozen=True, kw_only=True, tag="release"):
    """A sealed directory that serves: `files` gives the SHA-256 of each; `digest` is the hash of the manifest."""

    digest: str
    files: dict[str, str]
    n_selftest: int


class Rehearsal(Record, frozen=True, kw_only=True, tag="rehearsal"):
    """Rows outside training sent through the real server, with what happened; the log itself lies beside the release.

    `table` holds `unit`, `score`, `flagged` (or `output`) and `outcome` as read back from the log on disk, in order of
    unit.
    """

    n_sent: int
    n_decisions: int  # on disk
    n_outcomes: int  # on disk
    n_score_differences: int  # decisions whose logged score is not bit-equal to the offline score
    rows_from: Literal["reserve", "gold"]
    table: TableRef


class Experiment(Record, frozen=True, kw_only=True, tag="experiment"):
    """The online metric over decisions and outcomes, beside what gold promised."""

    metric: str
    online: Measure
    promised: Measure
    difference: Measure  # online minus promised
    verdict: Literal["as promised", "better than promised", "worse than promised", "undecided"]
    n_decisions: int
    n_outcomes: int
    is_rehearsal: bool


class Arm(_Value, frozen=True, kw_only=True):
    """One thing that could be done next, with what it was measured to gain on dev (log loss, positive is better)."""

    kind: Literal["more labels", "other features", "another algorithm"]
    what: str
    gain: Measure
    detail: tuple[tuple[str, Measure], ...]  # the measured points behind it: (name, value)


class Advice(Record, frozen=True, kw_only=True, tag="advice"):
    """What next, in a sentence, with the measured arms behind it."""

    next_step: str
    is_plateau: bool
    arms: tuple[Arm, ...]
    findings: tuple[Finding, ...]


AnyRecord = (
    Frame
    | Sample
    | Labels
    | FeatureSet
    | Model
    | OperatingPoint
    | Evaluation
    | Gate
    | Release
    | Rehearsal
    | Experiment
    | Advice
)

OneKind = TypeVar("OneKind", bound=Record)

# Keys of dictionaries keep the order they were made in: it is the order people read them in, and survives decoding.
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(AnyRecord)


def encode_record(record: Record) -> bytes:
    """Give the one canonical JSON form of a record: UTF-8, fields and keys in their own order, no spaces."""
    return _ENCODER.encode(record)


def decode_record(data: bytes) -> AnyRecord:
    """Read a record back from its canonical JSON.

    Raises
    ------
    msgspec.ValidationError
        When the bytes are not a record of this version.
    """
    record: AnyRecord = _DECODER.decode(data)
    return record


def content_id(kind: str, content: bytes) -> str:
    """Name some content by kind and hash.

    Examples
    --------
    >>> content_id("spec", b"{}")
    'spec-44136fa355b3'
    """
    return f"{kind}-{hashlib.sha256(content).hexdigest()[:12]}"


def record_id(record: Record) -> str:
    """Give a record's id: its kind and the hash of its content, parents included.

    Examples
    --------
    >>> gate = Gate(parents=("evaluation-1",), conditions=(), verdict=Verdict.MET)
    >>> record_id(gate) == record_id(decode_record(encode_record(gate)))
    True
    """
    return content_id(kind_of(record), encode_record(record))


def kind_of(record: Record) -> str:
    """Give a record's kind, the name it goes by in ids and in the ledger.

    Examples
    --------
    >>> kind_of(Gate(parents=(), conditions=(), verdict=Verdict.MET))
    'gate'
    """
    return str(record.__struct_config__.tag)


def the(kind: type[OneKind], records: Mapping[str, Record]) -> OneKind:
    """Give the record of a kind from a loop's records, keyed by kind.

    Raises
    ------
    KeyError
        When the loop has not made one.
    """
    record = records[str(kind.__struct_config__.tag)]
    assert isinstance(record, kind)
    return record
