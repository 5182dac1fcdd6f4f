"""The gate: may this model ship? Conditions, each with a verdict and a reason in plain words.

It takes the evaluation on gold, the model and what was agreed; it makes one `Gate`. It proves nothing itself: every
number was estimated and judged in `evaluate`. What is not known is "undecided", and that keeps the gate shut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from martello.records import Claim, Condition, Evaluation, Finding, Gate, Model
from martello.ship.asked import asked_short, gain_is_of_dev
from martello.ship.words import count, join, name_of, percent, say
from martello.spec.schema import Owners, Requirement
from martello.stats.estimate import Estimate, NotEstimable, Verdict

__all__ = ["CONSTANT", "NOTES", "assess_gate", "floors"]

#: Name of the learner that gives every unit the same answer.
CONSTANT = "constant"

#: Kind of learner that is a table of scores by unit.
SCORES = "scores"

_SECOND = "a second person can run it"
_WARNINGS = "no warning in the data"
_SHIPPED = "it is better than what was shipped before"
#: Conditions that are said but do not keep the gate shut in this version.
NOTES = frozenset({_SECOND, _WARNINGS, _SHIPPED})


def floors(requirement: Requirement, n_classes: int = 2) -> dict[str, float]:
    """Give the agreed floors by metric; with several classes they speak of the mean over classes."""
    agreed = {"precision": requirement.precision, "recall": requirement.recall}
    prefix = "" if n_classes == 2 else "macro_"
    return {f"{prefix}{metric}": floor for metric, floor in agreed.items() if floor is not None}


def _all_of(verdicts: Iterable[Verdict]) -> Verdict:
    seen = set(verdicts)
    if Verdict.NOT_MET in seen:
        return Verdict.NOT_MET
    return Verdict.MET if seen == {Verdict.MET} else Verdict.UNDECIDED


def _say_claim(claim: Claim) -> str:
    stands = {
        Verdict.MET: "is at least",
        Verdict.NOT_MET: "is below",
        Verdict.UNDECIDED: "is not shown to be at least",
    }[claim.verdict]
    where = "" if claim.population == "everyone" else f" where {claim.population}"
    measured = say(claim.estimate, claim.metric, digits=1)
    return f"{name_of(claim.metric)}{where} {stands} {percent(claim.floor, 1)}: {measured}{_at_this_look(claim)}"


def _at_this_look(claim: Claim) -> str:
    """Explain a claim that the shown interval would prove, but the certainty that this look may spend does not."""
    is_puzzling = (
        claim.verdict is Verdict.UNDECIDED
        and isinstance(claim.estimate, Estimate)
        and claim.low is not None
        and claim.low < claim.floor <= claim.estimate.low
    )
    return f", but it may be {percent(claim.low or 0.0, 1)} at the certainty left for this look" if is_puzzling else ""


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _agreed_claims(evaluation: Evaluation, agreed: Mapping[str, float]) -> list[Claim]:
    # A claim about another floor belongs to another agreement and proves nothing here.
    return [c for c in evaluation.claims if agreed.get(c.metric) == c.floor]


def _on_everyone(evaluation: Evaluation, agreed: Mapping[str, float]) -> Condition:
    name = "the requirement is met on gold"
    if not agreed:
        because = "No floor is agreed, so nothing can be proved: set precision or recall under [requirement]."
        return Condition(name=name, verdict=Verdict.UNDECIDED, because=because)
    claims = [c for c in _agreed_claims(evaluation, agreed) if c.population == "everyone"]
    unjudged = [metric for metric in agreed if metric not in {c.metric for c in claims}]
    parts = [*map(_say_claim, claims), *(f"{name_of(metric)} was not judged on gold" for metric in unjudged)]
    parts += asked_short(evaluation.bought) if evaluation.bought else []
    verdicts = [*(c.verdict for c in claims), *(Verdict.UNDECIDED for _ in unjudged)]
    return Condition(name=name, verdict=_all_of(verdicts), because=_sentence(parts))


def _on_slices(evaluation: Evaluation, agreed: Mapping[str, float], slices: tuple[str, ...]) -> Condition | None:
    if not (slices and agreed):
        return None
    claims = [c for c in _agreed_claims(evaluation, agreed) if c.population != "everyone"]
    unjudged = [
        f"{name_of(metric)} by {column}"
        for column in slices
        for metric in agreed
        if not any(c.metric == metric and c.population.startswith(f"{column} = ") for c in claims)
    ]
    verdicts = [*(c.verdict for c in claims), *(Verdict.UNDECIDED for _ in unjudged)]
    because = _why_slices(claims, unjudged, join(slices))
    return Condition(name="it is met in every agreed slice", verdict=_all_of(verdicts), because=because)


def _why_slices(claims: Sequence[Claim], unjudged: Sequence[str], columns: str) -> str:
    open_ones = [c for c in claims if c.verdict is not Verdict.MET]
    parts = [*map(_say_claim, open_ones[:3]), *(f"{what} was not judged on gold" for what in unjudged)]
    if len(open_ones) > 3:
        parts.insert(3, f"and {count(len(open_ones) - 3, 'more claim')} like these")
    return _sentence(parts) if parts else f"Met in each of {count(len(claims), 'claim')} by {columns}."


def _against_constant(evaluation: Evaluation) -> Condition:
    gain = evaluation.gain_over_constant
    if isinstance(gain, NotEstimable):
        verdict, because = Verdict.UNDECIDED, f"The gain over the constant rule is {say(gain)}."
    else:
        size = say(gain, "gain_over_constant")
        where = " on dev" if gain_is_of_dev(evaluation) else ""
        if gain.low > 0:
            verdict, because = Verdict.MET, f"Its log loss{where} is lower than the constant rule's by {size}."
        elif gain.high <= 0:
            verdict, because = Verdict.NOT_MET, f"It is no better than the constant rule: gain in log loss {size}."
        else:
            verdict, because = (
                Verdict.UNDECIDED,
                f"It may be no better than the constant rule: gain in log loss {size}.",
            )
    return Condition(name="it beats the constant rule with certainty", verdict=verdict, because=because)


def _against_shipped(evaluation: Evaluation) -> Condition | None:
    found = evaluation.against_shipped
    if found is None:
        return None
    pairs = f"{found.only_new_right} gold units only the new one gets right, {found.only_shipped_right} only the old"
    if found.is_better:
        because = f"Better than {found.release} with certainty: {pairs}."
        return Condition(name=_SHIPPED, verdict=Verdict.MET, because=because)
    because = f"Not shown to be better than {found.release}: {pairs}. This does not keep the gate shut."
    return Condition(name=_SHIPPED, verdict=Verdict.UNDECIDED, because=because)


def _looks(evaluation: Evaluation, requirement: Requirement) -> Condition:
    name = "gold was not asked too often"
    asked = f"This was look {evaluation.look} of {requirement.gold_looks} agreed"
    if evaluation.look > requirement.gold_looks or evaluation.looks_left < 0:
        because = f"{asked}: its answer no longer counts. Renew gold with fresh units."
        return Condition(name=name, verdict=Verdict.NOT_MET, because=because)
    left = f"{evaluation.looks_left} left" if evaluation.looks_left else "none left, renew gold before the next round"
    return Condition(name=name, verdict=Verdict.MET, because=f"{asked}; {left}.")


def _winner(model: Model) -> Condition:
    is_constant = model.learner == CONSTANT
    because = (
        "The constant rule won: nothing was learnt that is worth serving."
        if is_constant
        else f"{model.learner} won on dev: {model.chosen_by}."
    )
    verdict = Verdict.NOT_MET if is_constant else Verdict.MET
    return Condition(name="the winner is not the constant rule", verdict=verdict, because=because)


def _can_serve(model: Model) -> Condition | None:
    if model.learner.partition(":")[0] != SCORES:
        return None
    because = "It is a table of scores made elsewhere: judged like any model, but there is nothing here to serve."
    return Condition(name="it can be served", verdict=Verdict.NOT_MET, because=because)


def _second_person(owners: Owners) -> Condition:
    if owners.second and owners.second != owners.ml:
        return Condition(name=_SECOND, verdict=Verdict.MET, because=f"{owners.second} is named.")
    because = "Nobody is named yet: set second under [owners]. This does not keep the gate shut."
    return Condition(name=_SECOND, verdict=Verdict.UNDECIDED, because=because)


def _warnings(findings: Sequence[Finding]) -> Condition:
    told = [finding.what.rstrip(".") for finding in findings if finding.severity == "warning"]
    if not told:
        return Condition(name=_WARNINGS, verdict=Verdict.MET, because="None was raised.")
    because = f"Read before shipping: {'; '.join(told)}. This does not keep the gate shut."
    return Condition(name=_WARNINGS, verdict=Verdict.UNDECIDED, because=because)


def assess_gate(
    *,
    evaluation: Evaluation,
    model: Model,
    owners: Owners,
    requirement: Requirement,
    findings: Sequence[Finding],
    parents: tuple[str, ...],
    parity: Condition | None = None,
) -> Gate:
    """Say whether a model may ship, with the reason of every condition.

    Parameters
    ----------
    evaluation
        What gold said, floors judged.
    model
        The winner that was evaluated.
    owners
        Who answers for it; a missing second person is said, not held against it.
    requirement
        The agreed floors; a floor or slice that gold did not judge counts as undecided, never as met.
    findings
        What the earlier stages noticed in the data; warnings are repeated, not held against it.
    parents
        Ids of the records this gate stands on.
    parity
        Whether serving saw the features that training computes; None where nothing was served with them yet.

    Returns
    -------
    Gate
        Met only when every condition outside `NOTES` is met; not met as soon as one is not met; else undecided.
    """
    agreed = floors(requirement, len(model.classes))
    conditions = (
        _on_everyone(evaluation, agreed),
        _on_slices(evaluation, agreed, requirement.slices),
        _against_constant(evaluation),
        _against_shipped(evaluation),
        _winner(model),
        _can_serve(model),
        _looks(evaluation, requirement),
        parity,
        _second_person(owners),
        _warnings(findings),
    )
    kept = tuple(condition for condition in conditions if condition is not None)
    verdict = _all_of(condition.verdict for condition in kept if condition.name not in NOTES)
    return Gate(parents=parents, conditions=kept, verdict=verdict)
