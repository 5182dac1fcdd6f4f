"""The one sentence that a product manager can repeat in a meeting, for any state of the loop.

Report, cards and terminal open with it. It reads records and decides nothing: the gate has decided before.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from martello.records import Claim, Evaluation, Experiment, Gate
from martello.ship.asked import asked_sentences
from martello.ship.gate import NOTES, floors
from martello.ship.known import Known
from martello.ship.words import count, name_of, percent, say, say_between, say_short
from martello.stats.estimate import Estimate, Verdict

__all__ = ["headline", "supporting"]

_DOES = {
    "precision": ("at least {floor} of what it flags is right", "{value} of what it flags is right"),
    "recall": ("it finds at least {floor} of all cases", "it finds {value} of all cases"),
    "macro_precision": (
        "averaged over classes at least {floor} of its answers are right",
        "averaged over classes {value} of its answers are right",
    ),
    "macro_recall": ("on average it finds at least {floor} of each class", "on average it finds {value} of each class"),
}


def headline(known: Known) -> str:
    """Say in one sentence where the task stands.

    Examples
    --------
    >>> from martello.spec.schema import Field, Output, Population, Spec, Task
    >>> spec = Spec(task=Task(name="churn", question="Will they leave?"), population=Population(source="a.csv"),
    ...             input=(Field(name="age", type="integer"),), output=Output(column="left", positive="yes"))
    >>> headline(Known(spec=spec))
    'Not begun: the agreement is written; nothing has been drawn, trained or judged yet.'
    """
    if known.evaluation is None:
        return _before_gold(known)
    if known.gate is None:
        return f"Judged, not yet at the gate: {_numbers(known, known.evaluation)}."
    if known.gate.verdict is Verdict.MET:
        return f"Ready to ship: {_numbers(known, known.evaluation)}."
    return _not_ready(known, known.evaluation, known.gate)


def _before_gold(known: Known) -> str:
    if known.operating_point is not None:
        return "Not judged yet: model and threshold are chosen on dev; gold has not been asked."
    if known.model is not None:
        return "Not judged yet: a model is trained; the threshold is not chosen and gold has not been asked."
    if known.sample is not None:
        return f"Not trained yet: {count(_drawn(known), 'unit')} are drawn; no model has been trained."
    return "Not begun: the agreement is written; nothing has been drawn, trained or judged yet."


def _drawn(known: Known) -> int:
    splits = known.sample.splits if known.sample else ()
    return sum(s.n_units for s in splits if s.split in {"train", "dev", "gold"})


def _everyone(evaluation: Evaluation) -> list[Claim]:
    return [claim for claim in evaluation.claims if claim.population == "everyone"]


def _numbers(known: Known, evaluation: Evaluation) -> str:
    claims = _everyone(evaluation)
    said = [_floor_and_value(claim) for claim in claims]
    rest = [metric for metric in _DOES if metric not in {c.metric for c in claims} and metric in evaluation.metrics]
    said += [_value(metric, evaluation) for metric in rest]
    if not said:
        metric = known.spec.metric.offline.name
        if metric not in evaluation.metrics:
            return f"{count(evaluation.n_gold, 'unit')} of gold were asked"
        return _value(metric, evaluation)
    return ", and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _floor_and_value(claim: Claim) -> str:
    floor = percent(claim.floor, 0 if float(100 * claim.floor).is_integer() else 1)
    text = _DOES[claim.metric][0].format(floor=floor)
    if not isinstance(claim.estimate, Estimate):
        return f"{text} ({say(claim.estimate, claim.metric)})"
    value = say_short(claim.estimate, claim.metric, _digits(claim))
    return f"{text} ({value}, {say_between(claim.estimate, claim.metric, _digits(claim))})"


def _digits(claim: Claim) -> int | None:
    """Give one decimal where rounding would put an end of the interval on the other side of the floor, or on it."""
    if not isinstance(claim.estimate, Estimate):
        return None
    near = min(abs(claim.estimate.low - claim.floor), abs(claim.estimate.high - claim.floor))
    return 1 if 100 * near < 0.5 else None


def _value(metric: str, evaluation: Evaluation) -> str:
    measure = evaluation.metrics[metric]
    if not isinstance(measure, Estimate) or metric not in _DOES:
        return f"{name_of(metric)} is {say(measure, metric)}"
    text = _DOES[metric][1].format(value=say_short(measure, metric))
    return f"{text} ({say_between(measure, metric)})"


def _not_ready(known: Known, evaluation: Evaluation, gate: Gate) -> str:
    blocking = [c for c in gate.conditions if c.name not in NOTES and c.verdict is not Verdict.MET]
    refused = [c for c in blocking if c.verdict is Verdict.NOT_MET]
    failed = _claims_that(evaluation, Verdict.NOT_MET)
    if refused and failed:
        return f"Not ready to ship: {_shortfall(failed)}."
    if refused:
        return f"Not ready to ship: {_lower(refused[0].because)}"
    if not floors(known.spec.requirement):
        return f"Not decided: no floor is agreed, so nothing can be proved; {_numbers(known, evaluation)}."
    open_claims = _claims_that(evaluation, Verdict.UNDECIDED)
    if open_claims:
        return f"Not decided yet: gold does not show whether {_open(open_claims)}."
    return f"Not decided yet: {_lower(blocking[0].because)}" if blocking else "Not decided yet."


def _claims_that(evaluation: Evaluation, verdict: Verdict) -> list[Claim]:
    found = [claim for claim in evaluation.claims if claim.verdict is verdict]
    return [c for c in found if c.population == "everyone"] or found


def _lower(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"


def _shortfall(claims: Iterable[Claim]) -> str:
    return " and ".join(
        f"{_of(claim)} is {say(claim.estimate, claim.metric, _digits(claim))}, below the agreed {percent(claim.floor)}"
        for claim in list(claims)[:2]
    )


def _open(claims: Iterable[Claim]) -> str:
    return " and ".join(
        f"{_of(claim)} is at least {percent(claim.floor)} ({_measured(claim)})" for claim in list(claims)[:2]
    )


def _measured(claim: Claim) -> str:
    if not isinstance(claim.estimate, Estimate):
        return claim.estimate.reason
    digits = _digits(claim)
    return f"{say_short(claim.estimate, claim.metric, digits)}, {say_between(claim.estimate, claim.metric, digits)}"


def _of(claim: Claim) -> str:
    return name_of(claim.metric) + ("" if claim.population == "everyone" else f" where {claim.population}")


def supporting(known: Known) -> tuple[str, ...]:
    """Give the sentences that stand below the headline: what happened in use, and what to do next."""
    sentences = []
    if known.experiment is not None:
        sentences.append(_in_use(known.experiment))
    if known.evaluation is not None:
        sentences += _label_cost(known.evaluation)
    if known.advice is not None:
        sentences.append(known.advice.next_step)
    return tuple(f"{text.rstrip('.')}." for text in sentences)


def _label_cost(evaluation: Evaluation) -> list[str]:
    """Say what the verdict took in labels; or would have, where the engine came to the same about gold's own units."""
    if (bought := evaluation.bought) is not None:
        return [asked_sentences(bought)[0]]
    cost = evaluation.label_cost
    if cost is None or not cost.labels or cost.verdict is not evaluation.verdict:
        return []
    # Draws are no sample of anything one could be confident about: their ends are named as such, not as an interval.
    median = count(round(statistics.median(cost.labels)))
    draws = f"{len(cost.labels)} of {cost.n_draws}" if len(cost.labels) < cost.n_draws else str(cost.n_draws)
    return [
        f"Asked one by one, a median of {median} of the {count(cost.n_gold, 'gold label')} would have been enough to "
        f"know it of these units: between {count(cost.labels[0])} and {count(cost.labels[-1])} in {draws} draws"
    ]


def _in_use(experiment: Experiment) -> str:
    where = "In the rehearsal" if experiment.is_rehearsal else "In use"
    metric = experiment.metric
    if not isinstance(experiment.online, Estimate):
        return f"{where}, {name_of(metric)} is not known: {experiment.online.reason}"
    value = f"{where}, {name_of(metric)} was {say(experiment.online, metric)}"
    if not isinstance(experiment.difference, Estimate):
        return f"{value}; whether that is as promised is not known: {experiment.difference.reason}"
    verdict = "undecided whether as promised" if experiment.verdict == "undecided" else experiment.verdict
    return f"{value}, {verdict}: gold gave {say(experiment.promised, metric)}"
