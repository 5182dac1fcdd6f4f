"""How gold is asked: all its labels at once where a column holds them, or one by one where they cost something.

Part of the corridor: it joins dev, the model and gold for `evaluate` to judge, and tells the ledger before gold is
asked. The same question keeps its number however often it is put.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from martello.corridor.learning import Records, model_fields, scorer_of, scores_of, side_of
from martello.corridor.units import Side, units_of
from martello.evaluate import GoldUnits, Shipped, choose_operating_point, evaluate_on_gold, worst_slices
from martello.evaluate.assess import error_of_look, output_of
from martello.evaluate.bought import DevTruth, GoldPool, Terms, begin, buy_labels, judge_bought, terms_of
from martello.evaluate.fixed import against_the_claim
from martello.label.settled import FixedAnswers
from martello.records import (
    BoughtGold,
    Evaluation,
    FeatureSet,
    Frame,
    Labels,
    Model,
    OperatingPoint,
    Release,
    Sample,
    WorstSlice,
    content_id,
    kind_of,
    record_id,
    the,
)
from martello.spec.schema import Spec
from martello.stats.certification import Certification
from martello.stats.compare import paired_difference, unit_losses
from martello.store import Store
from martello.store.ledger import Ledger

__all__ = [
    "GoldAnswers",
    "GoldQuestion",
    "all_gold",
    "ask_gold",
    "buys_labels",
    "evaluation_of",
    "gold_question",
    "operating_point_of",
]


def buys_labels(spec: Spec) -> bool:
    """Say whether gold labels are taken one by one: people give them, or a budget for them is agreed."""
    return spec.output.source == "annotators" or spec.requirement.label_budget is not None


class GoldQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to be asked of gold, fixed before the first answer.

    Attributes
    ----------
    point
        The operating point, from dev.
    look, error
        The number of this look, and the error it may spend; None when the declared looks are used up.
    unit
        Keys of the pool's units, in order.
    pool
        Their scores, weights and slices.
    terms
        What must be shown of them; None without floors, threshold or error.
    """

    point: OperatingPoint
    look: int
    error: float | None
    unit: list[str]
    pool: GoldPool
    terms: Terms | None


class GoldAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """What people have answered about gold.

    Attributes
    ----------
    certification
        Gives the certification of a question as far as people have answered; two classes.
    fixed
        Gives the answers over a pool of which a fixed number was asked for; several classes.
    """

    certification: Callable[[GoldQuestion], Certification]
    fixed: Callable[[Sequence[str]], FixedAnswers | None]


def evaluation_of(
    store: Store,
    ledger: Ledger,
    spec: Spec,
    records: Records,
    people: GoldAnswers | None = None,
) -> tuple[OperatingPoint, Evaluation]:
    """Choose the threshold on dev, write down that gold is asked, ask gold.

    Parameters
    ----------
    people
        What people have answered; None where a column holds the answers.
    """
    model = the(Model, records)
    if len(model.classes) == 2 and buys_labels(spec):
        question = gold_question(store, ledger, spec, records)
        if question.terms is not None:
            answered = people.certification if people else None
            return question.point, _judge_one_by_one(store, spec, records, question, answered)
    dev, bought = side_of(store, records, "dev"), None
    gold = side_of(store, records, "gold")
    if people is not None:
        gold, bought = _answered_gold(store, spec, records, people)
    point = operating_point_of(store, spec, records, dev, len(gold.unit))
    look = ask_gold(ledger, spec, records, point)
    scores = scorer_of(store, spec, model, model.learner).scores(gold.columns)
    evaluation = evaluate_on_gold(
        GoldUnits(
            truth=against_the_claim(gold.codes, scores),
            scores=scores,
            constant=scorer_of(store, spec, model, "constant").scores(gold.columns),
            weight=gold.weight,
            cluster=gold.cluster,
            slices=gold.slices,
        ),
        classes=model.classes,
        threshold=point.threshold,
        requirement=spec.requirement,
        look=look,
        seed=spec.sample.seed,
        parents=(record_id(point), record_id(model), record_id(the(Sample, records))),
        worst_slices=_worst(store, spec, records, dev),
        shipped=_shipped(store, ledger, spec, records, gold),
        bought=bought,
    )
    return point, evaluation


def all_gold(store: Store, records: Records) -> Side:
    """Give every gold unit, answered or not."""
    sample, labels, features = the(Sample, records), the(Labels, records), the(FeatureSet, records)
    return units_of(store, sample, labels, features, "gold", only_labeled=False)


def _answered_gold(store: Store, spec: Spec, records: Records, people: GoldAnswers) -> tuple[Side, BoughtGold]:
    """Give the gold units that people were asked about, in the pool's order, -1 for unsure."""
    pool = all_gold(store, records)
    found = people.fixed(pool.unit)
    assert found is not None  # the stage waits until all are there
    code = {name: number for number, name in enumerate(the(Model, records).classes)}
    rows = [i for i, unit in enumerate(pool.unit) if unit in found.answers]
    given = [found.answers[pool.unit[i]] for i in rows]
    side = Side(
        unit=[pool.unit[i] for i in rows],
        codes=np.asarray([-1 if answer is None else code[answer] for answer in given], dtype=np.int64),
        weight=pool.weight[rows],
        cluster=None if pool.cluster is None else pool.cluster[rows],
        columns={name: [values[i] for i in rows] for name, values in pool.columns.items()},
        slices={name: [values[i] for i in rows] for name, values in pool.slices.items()},
    )
    bought = BoughtGold(
        n_pool=len(pool.unit),
        n_labels=len(rows),
        n_unsure=given.count(None),
        budget=found.size,
        sampler="random",
        seed=spec.sample.seed,
        restarts=0,
        holds_for="population",
        floors={},
        is_fixed=True,
    )
    return side, bought


def gold_question(store: Store, ledger: Ledger, spec: Spec, records: Records) -> GoldQuestion:
    """Say what will be asked of gold, and write down that it is asked."""
    model = the(Model, records)
    dev = side_of(store, records, "dev")
    gold = all_gold(store, records)
    most = min(spec.requirement.label_budget or len(gold.unit), len(gold.unit))
    point = operating_point_of(store, spec, records, dev, most)
    look = ask_gold(ledger, spec, records, point)
    error = error_of_look(spec.requirement, look)
    pool = GoldPool(
        scores=scorer_of(store, spec, model, model.learner).scores(gold.columns)[:, 1],
        weight=gold.weight,
        cluster=gold.cluster,
        slices=gold.slices,
    )
    has_floor = spec.requirement.precision is not None or spec.requirement.recall is not None
    terms = None
    if error is not None and point.threshold is not None and has_floor:
        truth = DevTruth(truth=dev.codes == 1, weight=dev.weight, cluster=dev.cluster, slices=dev.slices)
        terms = terms_of(pool, truth, threshold=point.threshold, requirement=spec.requirement, error=error)
    return GoldQuestion(point=point, look=look, error=error, unit=gold.unit, pool=pool, terms=terms)


def _judge_one_by_one(
    store: Store,
    spec: Spec,
    records: Records,
    question: GoldQuestion,
    answered: Callable[[GoldQuestion], Certification] | None,
) -> Evaluation:
    model, dev = the(Model, records), side_of(store, records, "dev")
    point, terms, error = question.point, question.terms, question.error
    assert terms is not None
    assert point.threshold is not None
    assert error is not None
    if answered is not None:
        process = answered(question)
    else:
        process = begin(
            question.pool,
            terms,
            threshold=point.threshold,
            requirement=spec.requirement,
            sampler=spec.label.sampler,
            seed=spec.sample.seed,
        )
        buy_labels(process, terms, side_of(store, records, "gold").codes)
    table = store.get_table(model.scores)
    gain = paired_difference(
        unit_losses(dev.codes, scores_of(table, "constant", len(model.classes))),
        unit_losses(dev.codes, scores_of(table, model.learner, len(model.classes))),
        weight=dev.weight,
        cluster=dev.cluster,
        level=spec.requirement.level,
    )
    return judge_bought(
        process,
        terms,
        requirement=spec.requirement,
        look=question.look,
        error=error,
        gain_over_constant=gain,
        parents=(record_id(point), record_id(model), record_id(the(Sample, records))),
        worst_slices=_worst(store, spec, records, dev),
    )


def operating_point_of(store: Store, spec: Spec, records: Records, dev: Side, gold_n: int) -> OperatingPoint:
    """Choose the threshold on dev."""
    model = the(Model, records)
    first_error = error_of_look(spec.requirement, 1)
    assert first_error is not None
    return choose_operating_point(
        dev.codes,
        scores_of(store.get_table(model.scores), model.learner, len(model.classes)),
        requirement=spec.requirement,
        level=1 - first_error,
        weight=dev.weight,
        cluster=dev.cluster,
        slices=dev.slices,
        gold_n=gold_n,
        parents=(record_id(model),),
    )


def ask_gold(ledger: Ledger, spec: Spec, records: Records, point: OperatingPoint) -> int:
    """Write down that gold is asked and give the number of this look; the same question keeps its number."""
    asked_by = content_id("question", f"{record_id(point)} {spec.requirement}".encode())
    return ledger.look_at_gold(gold=gold_id(spec, the(Frame, records), the(Sample, records)), asked_by=asked_by)


def _worst(store: Store, spec: Spec, records: Records, dev: Side) -> tuple[WorstSlice, ...]:
    model = the(Model, records)
    scores = scores_of(store.get_table(model.scores), model.learner, len(model.classes))
    return worst_slices(
        unit_losses(dev.codes, scores),
        dev.columns,
        model_fields(spec, the(FeatureSet, records)),
        weight=dev.weight,
        cluster=dev.cluster,
        level=spec.requirement.level,
    )


def gold_id(spec: Spec, frame: Frame, sample: Sample) -> str:
    """Name a gold set by what decides which units are in it."""
    rule = [frame.source, frame.n_units, frame.unit, spec.population.where, sample.design, sample.seed]
    return content_id("gold", msgspec.json.encode([*rule, spec.sample.dev, spec.sample.gold]))


def _shipped(store: Store, ledger: Ledger, spec: Spec, records: Records, gold: Side) -> Shipped | None:
    """Give what was shipped last on the same gold set and inputs, with its outputs; None when nothing was."""
    gold_set = gold_id(spec, the(Frame, records), the(Sample, records))
    for line in ledger.lines(word="ship", limit=100):
        made = {kind_of(record): record for record in map(store.get_record, (*line.records, *line.parents))}
        if "release" not in made or gold_id(spec, the(Frame, made), the(Sample, made)) != gold_set:
            continue
        if the(FeatureSet, made).definition != the(FeatureSet, records).definition:
            continue
        model, point = the(Model, made), the(OperatingPoint, made)
        scores = scorer_of(store, spec, model, model.learner).scores(gold.columns)
        return Shipped(release=record_id(the(Release, made)), output=output_of(scores, point.threshold))
    return None
