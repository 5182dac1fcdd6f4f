"""The agreement as frozen types: what goes in and comes out, on which population, how good is good enough, who owns it.

Shapes and their documentation live here; reading a file is `load`, rules across fields are `lint`, a first draft is
`draft`. The attribute docs below are the single source of the JSON Schema for editors and of `docs/spec.md`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = [
    "AGGREGATES",
    "FIELD_TYPES",
    "Feature",
    "Field",
    "Label",
    "Metrics",
    "OfflineMetric",
    "OnlineMetric",
    "Output",
    "Owners",
    "Population",
    "Requirement",
    "SampleDesign",
    "Serve",
    "Source",
    "Spec",
    "Task",
    "Train",
]

FieldType = Literal["number", "integer", "category", "text", "boolean", "time"]
FIELD_TYPES: tuple[str, ...] = ("number", "integer", "category", "text", "boolean", "time")

Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
OpenProbability = Annotated[float, Meta(gt=0.0, lt=1.0)]
Share = Annotated[float, Meta(gt=0.0, lt=1.0)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of `martello.toml`: unknown keys are faults."""


class Task(_Part, frozen=True, kw_only=True):
    """What is decided."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$",
            description="short name of the task: letters, digits, - and _",
            examples=["churn"],
        ),
    ]
    question: Annotated[str, Meta(min_length=1, description="the question an annotator answers for one unit")]
    kind: Annotated[Literal["binary", "multiclass", "ranking"], Meta(description="binary, multiclass or ranking")] = (
        "binary"
    )


class Population(_Part, frozen=True, kw_only=True):
    """All units the product will meet, and the countable list that stands for them."""

    source: Annotated[
        str,
        Meta(
            min_length=1,
            description="file or glob (CSV, Parquet), relative to martello.toml; or warehouse:TABLE, a table of the "
            "database that MARTELLO_WAREHOUSE names",
        ),
    ]
    unit: Annotated[
        tuple[Name, ...],
        Meta(description="columns that name a unit uniquely; empty: a unit is named by the content of its row"),
    ] = ()
    group: Annotated[
        tuple[Name, ...], Meta(description="columns that tie units together; a group never straddles train, dev, gold")
    ] = ()
    time: Annotated[
        Name | None, Meta(description="column with the time of the unit; gold is then later than train")
    ] = None
    where: Annotated[str | None, Meta(description="SQL condition that cuts the source to the population")] = None
    missing: Annotated[tuple[str, ...], Meta(description='texts that mean "no value", such as "?" or "NA"')] = ()


class Field(_Part, frozen=True, kw_only=True):
    """One input, exactly as the API takes it."""

    name: Name
    type: Annotated[FieldType, Meta(description="what the values are")]
    optional: Annotated[bool, Meta(description="may be missing")] = False
    description: Annotated[str, Meta(description="what it says, for whoever calls the API")] = ""
    feature_only: Annotated[
        bool, Meta(description="taken for the features alone, such as a key; the model does not see it")
    ] = False

    @property
    def column(self) -> str:
        """Give the name of this input's column in stored tables, where it cannot collide with a table's own columns."""
        return f"input.{self.name}"


Aggregate = Literal["last", "first", "count", "sum", "mean", "distinct_count", "rate", "last_k"]
AGGREGATES: tuple[str, ...] = ("last", "first", "count", "sum", "mean", "distinct_count", "rate", "last_k")


class Source(_Part, frozen=True, kw_only=True):
    """A table of past events that features count, sum or look up: whom they concern, when they happened."""

    name: Name
    table: Annotated[
        str,
        Meta(
            min_length=1,
            description="file or glob (CSV, Parquet), or warehouse:TABLE, as population.source",
        ),
    ]
    id: Annotated[Name, Meta(description="column that names an event uniquely: what came twice counts once")]
    key: Annotated[
        tuple[Name, ...],
        Meta(description="columns that say whom an event concerns; inputs of the same names say it of a unit"),
    ]
    time: Annotated[Name, Meta(description="column with the time of the event")]
    known_at: Annotated[
        Name | None, Meta(description="column with the time it became known to us; an event counts from then on")
    ] = None
    columns: Annotated[dict[str, FieldType], Meta(description="every column in use with its type, as in [input]")]


class Feature(_Part, frozen=True, kw_only=True):
    """A value computed from inputs and past events, the same in training and in serving, as of the unit's time."""

    name: Name
    expression: Annotated[
        str | None, Meta(description="over inputs, other features and `now`, in SQL syntax", examples=["length(title)"])
    ] = None
    source: Annotated[
        Name | None, Meta(description="name of a [source]: the feature is an aggregate of its events")
    ] = msgspec.field(name="from", default=None)
    agg: Annotated[Aggregate | None, Meta(description="which aggregate of the events")] = None
    value: Annotated[Name | None, Meta(description="column of the events that is aggregated; count, rate: none")] = None
    window: (
        Annotated[
            str,
            Meta(
                pattern=r"^[1-9][0-9]{0,5}[smhdw]$",
                description="how far back events count; what is older is forgotten",
                examples=["30m", "7d"],
            ),
        ]
        | None
    ) = None
    where: Annotated[
        str | None,
        Meta(description="condition on the events; `file_id = :file_id` compares a column with an input"),
    ] = None
    k: Annotated[int, Meta(ge=1, le=100, description="last_k: how many events")] | None = None
    feature_only: Annotated[bool, Meta(description="used by other features alone; the model does not see it")] = False
    owner: Annotated[Name | None, Meta(description="who answers for it; none: the owner of the model")] = None


class Output(_Part, frozen=True, kw_only=True):
    """Where the answer for a unit comes from."""

    column: Annotated[Name | None, Meta(description="column of the source that holds the answer")] = None
    positive: Annotated[str | None, Meta(description="the answer that counts as yes (binary tasks)")] = None
    classes: Annotated[
        tuple[Name, ...], Meta(description="annotators: the possible answers, in the order of their keys")
    ] = ()
    author: Annotated[
        Name | None,
        Meta(description='column that says who gave the answer; "model" or "model:NAME" may train, never judge'),
    ] = None
    source: Annotated[
        Literal["column", "annotators", "outcomes"],
        Meta(description="where the answers come from: a column, annotators, or what happened later"),
    ] = msgspec.field(name="from", default="column")


class Requirement(_Part, frozen=True, kw_only=True):
    """How good is good enough: floors that the gate proves on gold."""

    precision: Annotated[OpenProbability | None, Meta(description="of what is flagged, the share that is right")] = None
    recall: Annotated[OpenProbability | None, Meta(description="of all cases, the share that is found")] = None
    level: Annotated[OpenProbability, Meta(description="confidence of the gate's verdict")] = 0.95
    slices: Annotated[tuple[Name, ...], Meta(description="columns; the requirement holds in each value of each")] = ()
    label_budget: (
        Annotated[
            int,
            Meta(
                gt=0,
                description="labels that may be spent on the verdict; they are then taken one by one, until the answer "
                "is known (several classes: a number fixed before)",
            ),
        ]
        | None
    ) = None
    holds_for: Annotated[
        Literal["population", "pool"],
        Meta(
            description="where labels are taken one by one: the verdict is about the population that the gold units "
            "were drawn from, or about these units themselves, a declared pool"
        ),
    ] = "population"
    gold_looks: Annotated[int, Meta(ge=1, le=100, description="how often gold may be asked before it is renewed")] = 5


class OfflineMetric(_Part, frozen=True, kw_only=True):
    """What evaluation optimizes."""

    name: Annotated[
        Literal["average_precision", "roc_auc", "log_loss", "brier_score"],
        Meta(description="computed on dev, to choose between models"),
    ] = "log_loss"


class OnlineMetric(_Part, frozen=True, kw_only=True):
    """What product agreed to move."""

    name: Annotated[
        Literal["precision", "recall", "positive_rate"], Meta(description="computed over decisions and outcomes")
    ] = "precision"
    window: Annotated[
        str,
        Meta(pattern=r"^[1-9][0-9]*[smhdw]$", description="how long an outcome may take", examples=["36h", "7d"]),
    ] = "7d"
    direction: Annotated[Literal["up", "down"], Meta(description="which way is better")] = "up"
    minimum_effect: Annotated[float, Meta(gt=0.0, description="smallest change worth seeing")] | None = None


class Metrics(_Part, frozen=True, kw_only=True):
    """The pair that ties data science to the product."""

    offline: OfflineMetric = OfflineMetric()
    online: OnlineMetric = OnlineMetric()


class SampleDesign(_Part, frozen=True, kw_only=True):
    """Which units are looked at, how many, and how they are divided.

    Where `population.group` is declared whole groups are drawn, unless the design is two_stage.
    """

    design: Annotated[
        Literal["bernoulli", "simple", "stratified", "pps", "score_weighted", "cluster", "two_stage"],
        Meta(
            description="how units are drawn: each by its own lot (bernoulli), exactly n of all (simple) or of each "
            "stratum (stratified), large ones more often (pps), those an earlier score is unsure of more often "
            "(score_weighted), whole groups (cluster), groups and then units in them (two_stage)"
        ),
    ] = "bernoulli"
    n: Annotated[int, Meta(ge=1, description="units drawn (bernoulli: expected); absent: all of them")] | None = None
    by: Annotated[tuple[Name, ...], Meta(description="stratified: columns whose values make the strata")] = ()
    allocation: Annotated[
        Literal["proportional", "neyman", "equal"],
        Meta(
            description="stratified: shares by size (proportional), by size and spread (neyman), or the same number "
            "from each (equal)"
        ),
    ] = "proportional"
    per_stratum: Annotated[int, Meta(ge=1, description="equal: units drawn from each stratum")] | None = None
    spread: Annotated[
        Name | None,
        Meta(description="neyman: number column that varies about as the answer does, such as an earlier score"),
    ] = None
    size: Annotated[Name | None, Meta(description="pps: number column; twice the size is drawn twice as often")] = None
    score: Annotated[
        Name | None, Meta(description="score_weighted: column with an earlier score, a chance in [0, 1]")
    ] = None
    clusters: Annotated[int, Meta(ge=1, description="cluster, two_stage: groups drawn")] | None = None
    per_cluster: Annotated[int, Meta(ge=1, description="two_stage: units drawn from each drawn group")] | None = None
    dev: Annotated[Share, Meta(description="share of the sample that chooses model and threshold")] = 0.2
    gold: Annotated[Share, Meta(description="share of the sample kept for judging")] = 0.2
    seed: Annotated[int, Meta(ge=0, description="salt of the draw and seed of every random choice")] = 0

    @property
    def needs(self) -> tuple[str, ...]:
        """Give the keys that the chosen design cannot do without."""
        match self.design:
            case "stratified":
                return {
                    "proportional": ("by", "n"),
                    "neyman": ("by", "n", "spread"),
                    "equal": ("by", "per_stratum"),
                }[self.allocation]
            case "simple":
                return ("n",)
            case "pps":
                return ("n", "size")
            case "score_weighted":
                return ("n", "score")
            case "cluster":
                return ("clusters",)
            case "two_stage":
                return ("clusters", "per_cluster")
            case _:
                return ()


Show = Literal["line", "text", "image", "pair", "candidates"]


class Label(_Part, frozen=True, kw_only=True):
    """How people answer: what they see, how many look at a unit, which units come first."""

    start: Annotated[int, Meta(ge=20, description="train and dev units answered before the first model is trained")] = (
        300
    )
    choose: Annotated[
        Literal["margin", "pps_margin", "random"],
        Meta(
            description="training units: those the model is least sure of (margin), such units by chance with known "
            "probability (pps_margin), or plainly at random"
        ),
    ] = "margin"
    sampler: Annotated[
        Literal["weighted", "random"],
        Meta(description="gold units: by score, needing the fewest labels, or plainly at random"),
    ] = "weighted"
    overlap: Annotated[float, Meta(ge=0.0, le=1.0, description="share of units that two people answer")] = 0.1
    checks: Annotated[
        str | None, Meta(description="CSV with unit and answer: units with known answers, handed out unseen")
    ] = None
    check_share: Annotated[float, Meta(ge=0.0, lt=1.0, description="share of what is handed out that is a check")] = (
        0.05
    )
    guidelines: Annotated[str, Meta(min_length=1, description="Markdown file shown beside the unit")] = "guidelines.md"
    show: Annotated[
        dict[str, Show],
        Meta(description="how an input is shown: line, text (long), image, pair (two texts) or candidates"),
    ] = {}
    images: Annotated[str | None, Meta(description="directory that image inputs are paths below")] = None


class Train(_Part, frozen=True, kw_only=True):
    """What may be bought."""

    learners: Annotated[
        tuple[str, ...], Meta(description="learners tried beside the constant rule, which is always tried")
    ] = ("logistic", "lightgbm")
    options: Annotated[
        dict[str, dict[str, str | int | float | bool]],
        Meta(description="by learner: what it needs, such as the file of a brought model or the URL of an endpoint"),
    ] = {}


class Serve(_Part, frozen=True, kw_only=True):
    """How the release is tried out before people meet it."""

    rehearsal: Annotated[
        int, Meta(ge=0, description="rows outside training sent through the real server; 0: no rehearsal")
    ] = 500


class Owners(_Part, frozen=True, kw_only=True):
    """Who answers for what; `second` can run it when `ml` is away."""

    ml: Annotated[str | None, Meta(description="builds the model and answers for it")] = None
    product_engineering: Annotated[str | None, Meta(description="puts the output in front of people")] = None
    product_management: Annotated[str | None, Meta(description="agreed to the requirement and the online metric")] = (
        None
    )
    second: Annotated[str | None, Meta(description="can run the task when `ml` is away; another person")] = None


class Spec(_Part, frozen=True, kw_only=True):
    """The whole agreement of one task."""

    task: Task
    population: Population
    input: tuple[Field, ...]
    output: Output
    source: tuple[Source, ...] = ()
    feature: tuple[Feature, ...] = ()
    requirement: Requirement = Requirement()
    metric: Metrics = Metrics()
    sample: SampleDesign = SampleDesign()
    label: Label = Label()
    train: Train = Train()
    serve: Serve = Serve()
    owners: Owners = Owners()
