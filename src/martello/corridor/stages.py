"""The table of stages, and what each room is handed: part of the corridor, with no stage's logic in it.

A stage says which parts of the spec it reads and which records it stands on; a change of anything else does not repeat
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from martello.label.contract import Purpose
from martello.records import AnyRecord, Gate, Model, Rehearsal, Sample, the
from martello.settings import Settings
from martello.spec.schema import Spec
from martello.stats.estimate import Verdict
from martello.store import Store
from martello.store.ledger import Ledger

__all__ = ["STAGES", "Listener", "Stage", "StageContext", "Waiting"]

Records = Mapping[str, AnyRecord]


class Listener(Protocol):
    """Told how a run goes on."""

    def started(self, word: str) -> None:
        """A stage begins."""

    def advanced(self, done: int, total: int) -> None:
        """The stage has done some of its steps."""

    def finished(self, word: str, seconds: float, *, was_kept: bool) -> None:
        """The stage is done, or stood already."""


class StageContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the corridor hands to a stage beside the records."""

    directory: Path
    store: Store
    ledger: Ledger
    settings: Settings
    spec: Spec
    spec_id: str  # id of the parts of the spec that the stage reads
    tick: Callable[[int, int], None]


class Waiting(NamedTuple):
    """A stage that cannot go on by itself."""

    what_to_do: str


def _always(directory: Path, spec: Spec, records: Records) -> Waiting | None:
    return None


def _nothing(directory: Path, spec: Spec, ledger: Ledger) -> tuple[str, ...]:
    return ()


def _untouched(directory: Path, made: Sequence[AnyRecord]) -> bool:
    return True


class Stage(NamedTuple):
    """One stage of the loop.

    `reads` gives the parts of the spec it depends on; `inputs` and `makes` are kinds of record; `run` is called with a
    context and the records; `ready` may say that it waits for a person; `stands` checks what it left outside the store;
    `watches` gives what else, in the ledger or among the answers, would change what it makes.
    """

    word: str
    reads: Callable[[Spec], tuple[object, ...]]
    inputs: tuple[str, ...]
    makes: tuple[str, ...]
    run: Callable[[StageContext, Records], Sequence[AnyRecord]]
    ready: Callable[[Path, Spec, Records], Waiting | None] = _always
    stands: Callable[[Path, Sequence[AnyRecord]], bool] = _untouched
    watches: Callable[[Path, Spec, Ledger], tuple[str, ...]] = _nothing


# The rooms are imported when their stage runs, so that a command pays only for what it uses.


def _sample(context: StageContext, records: Records) -> Sequence[AnyRecord]:
    from martello.engines import open_engine
    from martello.sample import draw_sample

    spec = context.spec
    with open_engine(spec.population.source, context.directory, context.settings) as engine:
        return draw_sample(
            context.store,
            engine,
            population=spec.population,
            fields=spec.input,
            output=spec.output,
            slices=spec.requirement.slices,
            design=spec.sample,
            n_reserve=spec.serve.rehearsal,
            spec_id=context.spec_id,
            shown=frozenset(context.ledger.shown_units()),
        )


def _label(context: StageContext, records: Records) -> Sequence[AnyRecord]:
    from martello.label import label_from_column

    spec = context.spec
    if spec.output.source == "annotators":
        from martello.corridor.labeling import training_answers
        from martello.label.answered import label_from_answers

        answers = training_answers(context.directory)
        kind, level = spec.task.kind, spec.requirement.level
        sample = the(Sample, records)
        return (label_from_answers(context.store, sample, answers, output=spec.output, kind=kind, level=level),)
    labels = label_from_column(
        context.store,
        the(Sample, records),
        output=spec.output,
        kind=spec.task.kind,
        missing=spec.population.missing,
        level=spec.requirement.level,
    )
    return (labels,)


def _features(context: StageContext, records: Records) -> Sequence[AnyRecord]:
    from martello.corridor.learning import features_of

    return (features_of(context.store, context.spec, context.directory, context.settings, records),)


def _train(context: StageContext, records: Records) -> Sequence[AnyRecord]:
    from martello.corridor.learning import model_of

    return (model_of(context.store, context.spec, context.directory, records, context.tick),)


def _evaluate(context: StageContext, records: Records) -> Sequence[AnyRecord]:
    from martello.corridor.judging import evaluation_of

    answered = None
    if context.spec.output.source == "annotators":
        from martello.corridor.labeling import answered_gold

        answered = answered_gold(context.directory, context.spec, the(Model, records).learner)
    return evaluation_of(context.store, context.ledger, context.spec, records, answered)


def _ship(context: StageContext, records: Records) -> Sequence[AnyRecord]:
    from martello.corridor.releasing import gate_and_release

    return gate_and_release(context.store, context.directory, context.settings, context.spec, records)


def _serve(context: StageContext, records: Records) -> Sequence[AnyRecord]:
    from martello.corridor.releasing import rehearsal_of

    return (rehearsal_of(context.store, context.directory, context.settings, context.spec, records, context.tick),)


def _experiment(context: StageContext, records: Records) -> Sequence[AnyRecord]:
    from martello.corridor.learning import experiment_of

    return (experiment_of(context.store, context.spec, records),)


def _iterate(context: StageContext, records: Records) -> Sequence[AnyRecord]:
    from martello.corridor.learning import advice_of

    return (advice_of(context.store, context.spec, context.directory, records, context.tick),)


def _answers(purpose: Purpose) -> Callable[[Path, Spec, Ledger], tuple[str, ...]]:
    """Watch the answers people give for a purpose."""

    def digest(directory: Path, spec: Spec, ledger: Ledger) -> tuple[str, ...]:
        if spec.output.source != "annotators":
            return ()
        from martello.corridor.labeling import label_directory
        from martello.label.room import answers_digest

        return (answers_digest(label_directory(directory), purpose),)

    return digest


def _enough_answers(directory: Path, spec: Spec, records: Records) -> Waiting | None:
    """Wait until people have answered enough to learn from."""
    if spec.output.source != "annotators":
        return None
    from martello.corridor.labeling import training_answers

    n = len(training_answers(directory))
    if n >= spec.label.start:
        return None
    return Waiting(f"{n} of {spec.label.start} answers are there: `martello label` opens the page to answer on")


def _gold_answered(directory: Path, spec: Spec, records: Records) -> Waiting | None:
    """Wait until people have begun to answer gold; for several classes, until all that was declared is there."""
    if spec.output.source != "annotators":
        return None
    from martello.corridor.fixed_gold import what_is_missing
    from martello.corridor.labeling import label_directory
    from martello.label.room import settled_answers

    model = records.get("model")
    if isinstance(model, Model) and len(model.classes) > 2:
        missing = what_is_missing(label_directory(directory), Store(directory / ".martello"), spec, records)
        return Waiting(missing) if missing else None
    if settled_answers(label_directory(directory), "gold"):
        return None
    return Waiting("a model waits for its verdict: `martello label` asks people about gold, until the answer is known")


def _disagreeing(directory: Path, spec: Spec, ledger: Ledger) -> tuple[str, ...]:
    """Watch for features that disagreed in the last check of the log; agreement repeats nothing."""
    if not spec.feature:
        return ()
    from martello.corridor.parity import disagreeing

    return disagreeing(directory, spec)


def _features_agree(directory: Path, spec: Spec, records: Records) -> Waiting | None:
    """Keep features away from training that serving saw otherwise than a backfill computes them."""
    if not spec.feature:
        return None
    from martello.corridor.parity import disagreeing

    names = disagreeing(directory, spec)
    if not names:
        return None
    return Waiting(
        f"serving saw other values than a backfill gives, and so may not be trained on: {', '.join(names)}. "
        "`martello features check` shows them; say when events become known (known_at), mend the events, or leave the "
        "feature out"
    )


def _has_outcomes(directory: Path, spec: Spec, records: Records) -> Waiting | None:
    rehearsal = records.get("rehearsal")
    if isinstance(rehearsal, Rehearsal) and rehearsal.n_outcomes == 0:
        return Waiting("no outcome is known yet: start `martello serve`, send real traffic, and report what happened")
    return _passed(directory, spec, records)


def _passed(directory: Path, spec: Spec, records: Records) -> Waiting | None:
    gate = records.get("gate")
    if isinstance(gate, Gate) and gate.verdict is not Verdict.MET:
        return Waiting("the gate has not let a release through; see what ship says")
    if spec.serve.rehearsal == 0:
        return Waiting("serve.rehearsal is 0: start `martello serve` and send real traffic")
    return None


def _release_stands(directory: Path, made: Sequence[AnyRecord]) -> bool:
    from martello.corridor.releasing import release_stands

    return release_stands(directory, made)


STAGES: tuple[Stage, ...] = (
    Stage(
        word="sample",
        reads=lambda spec: (
            spec.population,
            spec.input,
            (spec.output.column, spec.output.author),
            spec.requirement.slices,
            spec.sample,
            spec.serve.rehearsal,
        ),
        inputs=(),
        makes=("frame", "sample"),
        run=_sample,
        watches=lambda directory, spec, ledger: ledger.shown_units(),
    ),
    Stage(
        word="label",
        reads=lambda spec: (spec.output, spec.task.kind, spec.population.missing, spec.requirement.level),
        inputs=("sample",),
        makes=("labels",),
        run=_label,
        ready=_enough_answers,
        watches=_answers("training"),
    ),
    Stage(
        word="features",
        reads=lambda spec: (
            spec.input,
            spec.population.missing,
            spec.sample.seed,
            *((spec.source, spec.feature) if spec.feature else ()),
        ),
        inputs=("sample", "labels"),
        makes=("features",),
        run=_features,
        ready=_features_agree,
        watches=_disagreeing,
    ),
    Stage(
        word="train",
        reads=lambda spec: (spec.train, spec.metric.offline, spec.sample.seed),
        inputs=("sample", "labels", "features"),
        makes=("model",),
        run=_train,
    ),
    Stage(
        word="evaluate",
        reads=lambda spec: (spec.requirement, spec.label.sampler, spec.sample.seed),
        inputs=("frame", "sample", "labels", "features", "model"),
        makes=("operating_point", "evaluation"),
        run=_evaluate,
        ready=_gold_answered,
        watches=_answers("gold"),
    ),
    Stage(
        word="ship",
        reads=lambda spec: (spec,),
        inputs=("frame", "sample", "labels", "features", "model", "operating_point", "evaluation"),
        makes=("gate",),
        run=_ship,
        stands=_release_stands,
    ),
    Stage(
        word="serve",
        reads=lambda spec: (spec.serve,),
        inputs=("sample", "labels", "features", "release"),
        makes=("rehearsal",),
        run=_serve,
        ready=_passed,
    ),
    Stage(
        word="experiment",
        reads=lambda spec: (spec.metric.online, spec.sample.seed),
        inputs=("labels", "evaluation", "rehearsal"),
        makes=("experiment",),
        run=_experiment,
        ready=_has_outcomes,
    ),
    Stage(
        word="iterate",
        reads=lambda spec: (spec.train, spec.input, spec.sample.seed, spec.requirement.level),
        inputs=("sample", "labels", "features", "model", "evaluation", "gate"),
        makes=("advice",),
        run=_iterate,
    ),
)
