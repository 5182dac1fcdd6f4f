"""The model card: what the model does, how good it is, for whom, and what it must not be used for.

Its reader did not make the model. Every number stands with its interval, or with the reason why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping

from martello.records import AnyRecord, Evaluation, Measure
from martello.ship.asked import asked_sentences, gain_is_of_dev
from martello.ship.gate import floors
from martello.ship.known import Known
from martello.ship.markdown import (
    SIGNS,
    bullets,
    code,
    document,
    finding_lines,
    owner_lines,
    plain,
    population_of,
    table,
)
from martello.ship.sentence import headline
from martello.ship.words import count, join, meaning, name_of, percent, say
from martello.spec.schema import Spec

__all__ = ["model_card"]


def model_card(spec: Spec, records: Mapping[str, AnyRecord]) -> str:
    """Write what the model does, how good it is, for whom, and what it must not be used for.

    Parameters
    ----------
    spec
        The agreement.
    records
        What is known so far, by any key; what is missing is said to be missing.

    Returns
    -------
    str
        Markdown; equal input gives equal bytes.
    """
    known = Known.of(spec, records)
    return document(
        [f"# Model card: {plain(spec.task.name)}", "", f"**{plain(headline(known))}**", ""],
        _what_it_does(known),
        _use(spec),
        _how_good(known),
        _gate(known),
        _limits(known),
        ["## Owners", "", *bullets(owner_lines(spec.owners))],
    )


def _what_it_does(known: Known) -> list[str]:
    spec = known.spec
    lines = ["## What it decides", "", plain(spec.task.question), ""]
    lines += [f"It takes {count(len(spec.input), 'input')}: {join(code(field.name) for field in spec.input)}.", ""]
    if known.labels is not None:
        lines += [f"It answers with one of: {join(code(name) for name in known.labels.classes)}.", ""]
    if known.model is not None:
        losers = [c.learner for c in known.model.candidates if c.learner != known.model.learner]
        beside = (
            f" {join(map(plain, losers))} {'was' if len(losers) == 1 else 'were'} tried beside it." if losers else ""
        )
        lines += [
            f"The learner is {plain(known.model.learner)}, trained on {count(known.model.n_train, 'unit')} "
            f"and chosen on {count(known.model.n_dev, 'unit')} of dev: {plain(known.model.chosen_by)}.{beside}",
            "",
        ]
    return [*lines, *_threshold(known)]


def _threshold(known: Known) -> list[str]:
    point = known.operating_point
    if point is None:
        return []
    if point.threshold is None:
        return ["The class with the highest score is the answer; there is no threshold.", ""]
    return [
        f"It says {code(_positive(known))} when the score is at least {point.threshold:.6g}: "
        f"{plain(point.because.rstrip('.'))}. The threshold was chosen on dev, before gold was asked.",
        "",
    ]


def _positive(known: Known) -> str:
    positive = known.labels.positive if known.labels else known.spec.output.positive
    return positive or "yes"


def _use(spec: Spec) -> list[str]:
    return [
        "## What it is for, and what it is not for",
        "",
        f"It was judged on {population_of(spec)}. It may be used for units like these, and for this question.",
        "",
        "It must not be used for:",
        "",
        *bullets(
            (
                "units outside that population: nothing was measured there, so nothing is promised there;",
                "another question, even one that sounds alike;",
                "inputs that are known only after the decision, or that mean something else than they did in training.",
            )
        ),
    ]


def _how_good(known: Known) -> list[str]:
    evaluation = known.evaluation
    if evaluation is None:
        return ["## How good it is", "", "Not judged yet: gold has not been asked.", ""]
    intro = (
        f"Measured on {count(evaluation.n_gold, 'unit')} of gold that no choice has seen, look {evaluation.look} at it "
        f"({evaluation.looks_left} left). Intervals hold at {percent(evaluation.level)} each."
    )
    lines = ["## How good it is", "", intro, ""]
    if evaluation.bought is not None:
        lines += [" ".join(asked_sentences(evaluation.bought)), ""]
    lines += table(("Measure", "Meaning", "Value"), _measure_rows(evaluation.metrics))
    gain = say(evaluation.gain_over_constant, "gain_over_constant")
    where = "Against the constant rule on dev" if gain_is_of_dev(evaluation) else "Against the constant rule"
    lines += [f"{where}, log loss is lower by {plain(gain)}.", ""]
    return [*lines, *_slices(evaluation), *_classes(evaluation)]


def _slices(evaluation: Evaluation) -> list[str]:
    if not evaluation.slices:
        return ["No slice was declared, so nothing is promised for any part of the population by itself.", ""]
    names = list(dict.fromkeys(name for each in evaluation.slices for name in each.metrics))
    rows = [
        (
            plain(f"{each.column} = {each.value}"),
            count(each.n),
            *(
                plain(say(each.metrics[name], name, digits=1)) if name in each.metrics else "not asked"
                for name in names
            ),
        )
        for each in evaluation.slices
    ]
    return ["### By slice", "", *table(("Slice", "Units", *map(name_of, names)), rows)]


def _classes(evaluation: Evaluation) -> list[str]:
    if len(evaluation.classes) <= 2:
        return []
    rows = [
        (plain(c.name), count(c.n), plain(say(c.precision, digits=1)), plain(say(c.recall, digits=1)))
        for c in evaluation.classes
    ]
    return ["### By class", "", *table(("Class", "Units", "precision", "recall"), rows)]


def _gate(known: Known) -> list[str]:
    if known.gate is None:
        return ["## May it ship?", "", "The gate has not been asked yet.", ""]
    rows = [(SIGNS[c.verdict], c.name, plain(c.because)) for c in known.gate.conditions]
    return [
        "## May it ship?",
        "",
        f"The gate says: {SIGNS[known.gate.verdict]}.",
        "",
        *table(("Verdict", "Condition", "Why"), rows),
    ]


def _limits(known: Known) -> list[str]:
    agreed = floors(known.spec.requirement, len(known.labels.classes) if known.labels else 2)
    said = join(f"{name_of(metric)} of at least {percent(floor)}" for metric, floor in agreed.items())
    lines = [
        f"Agreed: {said}. Nothing else is promised." if said else "No floor was agreed, so no number is promised.",
        "The numbers describe the population as it was when it was listed. When it changes, measure again.",
        "Labels count as the truth. Where they are wrong, so are the numbers.",
    ]
    if known.features is not None:
        lines += finding_lines(known.features.findings)
    if known.advice is not None:
        lines += finding_lines(known.advice.findings)
    return ["## Limits", "", *bullets(lines)]


def _measure_rows(metrics: Mapping[str, Measure]) -> list[tuple[str, str, str]]:
    return [(name_of(name), meaning(name), plain(say(measure, name, digits=1))) for name, measure in metrics.items()]
