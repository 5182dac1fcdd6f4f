from __future__ import annotations

import adult_records as world
import msgspec
import pytest

from martello.records import Condition, Evaluation, Finding, Model
from martello.ship.gate import NOTES, assess_gate
from martello.spec.schema import Owners, Requirement
from martello.stats.estimate import NotEstimable, Verdict

OWNERS = Owners(ml="Ada", second="Katherine")
REQUIREMENT = Requirement(precision=0.8, recall=0.3, slices=("sex",))


def evidence(**changes) -> tuple[Evaluation, Model]:
    story = world.adult()
    evaluation = story.records["evaluation"]
    kept = tuple(c for c in evaluation.claims if not c.population.startswith("race"))
    return msgspec.structs.replace(evaluation, **{"claims": kept, **changes}), story.records["model"]


def ask(evaluation, model, *, requirement=REQUIREMENT, owners=OWNERS, findings=(), parity=None):
    return assess_gate(
        evaluation=evaluation,
        model=model,
        owners=owners,
        requirement=requirement,
        findings=findings,
        parents=("evaluation-1",),
        parity=parity,
    )


def verdict_of(gate, name: str) -> Verdict:
    return next(c.verdict for c in gate.conditions if c.name == name)


def test_the_gate_opens_when_every_condition_is_met():
    gate = ask(*evidence())
    assert {c.verdict for c in gate.conditions} == {Verdict.MET}
    assert gate.verdict is Verdict.MET
    assert gate.parents == ("evaluation-1",)


def test_every_condition_gives_its_reason_as_a_sentence():
    for condition in ask(*evidence()).conditions:
        assert condition.because.endswith(".")


@pytest.mark.parametrize("verdict", [Verdict.NOT_MET, Verdict.UNDECIDED])
@pytest.mark.parametrize("index", range(6))
def test_one_claim_that_is_not_met_keeps_the_gate_shut(verdict, index):
    evaluation, model = evidence()
    claims = list(evaluation.claims)
    assert len(claims) == 6
    claims[index] = msgspec.structs.replace(claims[index], verdict=verdict)
    assert ask(msgspec.structs.replace(evaluation, claims=tuple(claims)), model).verdict is verdict


def test_a_refutation_weighs_more_than_an_open_question():
    evaluation, model = evidence()
    first, second, *rest = evaluation.claims
    open_one = msgspec.structs.replace(first, verdict=Verdict.UNDECIDED)
    refuted = msgspec.structs.replace(second, verdict=Verdict.NOT_MET)
    assert ask(msgspec.structs.replace(evaluation, claims=(open_one, refuted, *rest)), model).verdict is Verdict.NOT_MET


def test_a_floor_that_gold_did_not_judge_is_undecided_not_met():
    evaluation, model = evidence()
    only_precision = tuple(c for c in evaluation.claims if c.metric == "precision")
    gate = ask(msgspec.structs.replace(evaluation, claims=only_precision), model)
    assert gate.verdict is Verdict.UNDECIDED
    assert "recall was not judged on gold" in gate.conditions[0].because


def test_a_claim_about_another_floor_proves_nothing():
    gate = ask(*evidence(), requirement=msgspec.structs.replace(REQUIREMENT, precision=0.9))
    assert gate.verdict is Verdict.UNDECIDED


def test_a_slice_that_gold_did_not_judge_is_undecided():
    gate = ask(*evidence(), requirement=msgspec.structs.replace(REQUIREMENT, slices=("sex", "age_band")))
    assert verdict_of(gate, "it is met in every agreed slice") is Verdict.UNDECIDED
    assert gate.verdict is Verdict.UNDECIDED


def test_without_an_agreed_floor_nothing_is_proved():
    gate = ask(*evidence(claims=()), requirement=Requirement())
    assert gate.verdict is Verdict.UNDECIDED
    assert "No floor is agreed" in gate.conditions[0].because


def test_with_several_classes_the_floor_speaks_of_the_mean_over_classes():
    story = world.several_classes()
    gate = ask(story.records["evaluation"], story.records["model"], requirement=story.spec.requirement)
    assert gate.verdict is Verdict.MET


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (world.est(0.2, 0.1), Verdict.MET),
        (world.est(0.1, 0.1), Verdict.UNDECIDED),  # touches zero: not certain
        (world.est(0.0, 0.1), Verdict.UNDECIDED),
        (world.est(-0.2, 0.1), Verdict.NOT_MET),
        (NotEstimable(reason="one class", needs="both"), Verdict.UNDECIDED),
    ],
)
def test_it_must_beat_the_constant_rule_with_certainty(gain, verdict):
    gate = ask(*evidence(gain_over_constant=gain))
    assert verdict_of(gate, "it beats the constant rule with certainty") is verdict
    assert gate.verdict is verdict


def test_the_constant_rule_itself_is_never_shipped():
    evaluation, model = evidence()
    assert ask(evaluation, msgspec.structs.replace(model, learner="constant")).verdict is Verdict.NOT_MET


@pytest.mark.parametrize(("look", "verdict"), [(1, Verdict.MET), (5, Verdict.MET), (6, Verdict.NOT_MET)])
def test_gold_may_be_asked_as_often_as_agreed_and_not_once_more(look, verdict):
    assert ask(*evidence(look=look, looks_left=max(0, 5 - look))).verdict is verdict


def test_the_last_look_counts_and_says_that_gold_must_be_renewed():
    gate = ask(*evidence(look=5, looks_left=0))
    assert any("renew gold" in c.because for c in gate.conditions)


@pytest.mark.parametrize("owners", [Owners(), Owners(ml="Ada"), Owners(ml="Ada", second="Ada")])
def test_a_missing_second_person_is_said_but_does_not_keep_the_gate_shut(owners):
    gate = ask(*evidence(), owners=owners)
    assert verdict_of(gate, "a second person can run it") is Verdict.UNDECIDED
    assert gate.verdict is Verdict.MET


def test_warnings_are_repeated_and_notes_are_not():
    findings = (
        Finding(code="features.looks-like-a-leak", what="'duration' looks like a leak", severity="warning"),
        Finding(code="sample.exact-copies", what="3 copies", severity="note"),
    )
    condition = next(c for c in ask(*evidence(), findings=findings).conditions if c.name == "no warning in the data")
    assert condition.name in NOTES
    assert "'duration' looks like a leak" in condition.because
    assert "copies" not in condition.because


def test_a_claim_that_only_this_looks_certainty_leaves_open_says_so():
    evaluation, model = evidence()
    first, *rest = evaluation.claims
    puzzling = msgspec.structs.replace(first, low=0.792, verdict=Verdict.UNDECIDED)
    gate = ask(msgspec.structs.replace(evaluation, claims=(puzzling, *rest)), model)
    assert "it may be 79.2 % at the certainty left for this look" in gate.conditions[0].because


@pytest.mark.parametrize("verdict", list(Verdict))
def test_features_that_serving_saw_otherwise_keep_the_gate_shut(verdict):
    seen = Condition(name="serving saw what training computes", verdict=verdict, because="So it was.")
    gate = ask(*evidence(), parity=seen)
    assert seen in gate.conditions
    assert gate.verdict is verdict
