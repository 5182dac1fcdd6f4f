"""The process in a user's hands: right verdicts, no label lost, resumed between any two labels."""

import json
import math

import msgspec
import numpy as np
import pytest
from sklearn.metrics import fbeta_score

from martello.errors import DataError, IntegrityError
from martello.stats.certification import Certification
from martello.stats.claims import Claim, f_beta
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.stats.labels_left import Forecast

N = 4000


def _world(seed=0, n=N):
    rng = np.random.default_rng(seed)
    scores = rng.beta(0.6, 1.5, n)
    return scores, (rng.random(n) < scores).astype(int)


def _run(process, truth, *, step=20, most=10**6):
    while process.verdict is Verdict.UNDECIDED and process.n_labeled < most:
        positions, _ = process.next(step)
        if not len(positions):
            break
        process.observe(positions, truth[positions])
    return process


def _value(scores, truth, threshold=0.5):
    flags = scores >= threshold
    return truth[flags].mean(), truth[flags].sum() / truth.sum()


@pytest.mark.parametrize("sampler", ["weighted", "random"])
@pytest.mark.parametrize(("shift", "verdict"), [(-0.1, Verdict.MET), (0.1, Verdict.NOT_MET)])
@pytest.mark.parametrize("metric", ["precision", "recall"])
def test_a_clear_claim_is_decided_rightly(sampler, shift, verdict, metric):
    scores, truth = _world()
    value = dict(zip(("precision", "recall"), _value(scores, truth), strict=True))[metric]
    process = Certification(scores, threshold=0.5, sampler=sampler, seed=3, **{metric: value + shift})
    assert _run(process, truth).verdict is verdict
    assert process.n_labeled < N / 2


def test_both_claims_must_hold():
    scores, truth = _world()
    p, r = _value(scores, truth)
    met = Certification(scores, threshold=0.5, seed=3, precision=p - 0.1, recall=r - 0.1)
    missed = Certification(scores, threshold=0.5, seed=3, precision=p - 0.1, recall=r + 0.1)
    assert _run(met, truth).verdict is Verdict.MET
    assert _run(missed, truth).verdict is Verdict.NOT_MET


def test_any_linear_fractional_metric_can_be_claimed():
    scores, truth = _world()
    value = fbeta_score(truth, scores >= 0.5, beta=2)
    process = Certification(scores, [f_beta(value - 0.08, beta=2)], threshold=0.5, seed=3)
    assert _run(process, truth).verdict is Verdict.MET


@pytest.mark.parametrize("k", [7, 8, 9])
@pytest.mark.parametrize("sampler", ["weighted", "random"])
def test_a_census_is_exact_to_one_unit(k, sampler):
    """8 of 10 meets .80 and 7 of 10 does not, whatever the order of the draw."""
    truth = np.array([1] * k + [0] * (10 - k))
    process = _run(
        Certification(np.full(10, 0.9), precision=0.8, threshold=0.5, seed=1, sampler=sampler), truth, step=1
    )
    assert process.verdict is (Verdict.MET if k >= 8 else Verdict.NOT_MET)


@pytest.mark.parametrize("sampler", ["weighted", "random"])
def test_a_census_pins_the_interval_down(sampler):
    scores, truth = _world(n=90)
    value = _value(scores, truth, 0.3)[0]
    process = _run(Certification(scores, precision=value, threshold=0.3, seed=1, sampler=sampler), truth)
    found = process.interval["precision"]
    assert process.n_labeled > 0.9 * (scores >= 0.3).sum()
    assert found.value == pytest.approx(value, abs=0.03)
    assert found.low <= value <= found.high
    assert found.high - found.low < 0.1


def test_the_interval_holds_the_truth_and_tightens():
    scores, truth = _world()
    p, r = _value(scores, truth)
    process = Certification(scores, precision=p - 0.02, recall=r - 0.02, threshold=0.5, seed=5)
    widths = []
    for _ in range(3):
        _run(process, truth, most=process.n_labeled + 200)
        found = process.interval
        assert found["precision"].low <= p <= found["precision"].high
        assert found["recall"].low <= r <= found["recall"].high
        assert found["recall"].method == "confidence sequence"
        widths.append(found["recall"].high - found["recall"].low)
    assert widths[0] > widths[1] > widths[2]


@pytest.mark.parametrize("stop", [1, 37, 143])
@pytest.mark.parametrize("sampler", ["weighted", "random"])
def test_saved_and_resumed_between_any_two_labels_it_goes_on_as_if_nothing_happened(stop, sampler):
    scores, truth = _world()
    unbroken = Certification(scores, precision=0.77, recall=0.3, threshold=0.5, seed=9, sampler=sampler)
    broken = Certification(scores, precision=0.77, recall=0.3, threshold=0.5, seed=9, sampler=sampler)
    for i in range(200):
        if i == stop:
            broken = Certification.from_json(json.dumps(json.loads(broken.to_json())), scores)
        for process in (unbroken, broken):
            positions, _ = process.next(1 + i % 3)
            process.observe(positions, truth[positions])
    assert broken.to_json() == unbroken.to_json()
    assert broken.e_values == unbroken.e_values
    assert broken.interval == unbroken.interval
    assert broken.labels_left == unbroken.labels_left


def test_a_batch_half_answered_survives_a_save():
    scores, truth = _world()
    process = Certification(scores, precision=0.8, threshold=0.5, seed=9)
    positions, _ = process.next(30)
    process.observe(positions[5:20], truth[positions[5:20]])
    resumed = Certification.from_json(process.to_json(), scores)
    assert resumed.pending == process.pending
    assert len(resumed.pending) == 15
    for half in (process, resumed):
        half.observe(positions[:5], truth[positions[:5]])
    assert process.n_labeled == resumed.n_labeled == 20
    assert process.e_values == resumed.e_values


def test_labels_in_any_order_give_the_same_evidence():
    scores, truth = _world()
    one, other = (Certification(scores, precision=0.8, threshold=0.5, seed=2) for _ in range(2))
    positions, _ = one.next(60)
    other.next(60)
    one.observe(positions, truth[positions])
    for position in reversed(positions.tolist()):
        other.observe([position], [bool(truth[position])])
    assert one.e_values == other.e_values


def test_labels_wait_for_the_gaps_before_them():
    scores, truth = _world()
    process = Certification(scores, precision=0.8, threshold=0.5, seed=2)
    positions, _ = process.next(10)
    process.observe(positions[1:], truth[positions[1:]])
    assert process.n_labeled == 0
    process.observe(positions[:1], truth[positions[:1]])
    assert process.n_labeled == 10


def test_the_recorded_probability_is_that_of_the_draw():
    scores, _ = _world()
    process = Certification(scores, precision=0.8, threshold=0.5, seed=2, sampler="random")
    flagged = int((scores >= 0.5).sum())
    positions, probability = process.next(5)
    assert probability == pytest.approx(1 / (flagged - np.arange(5)))
    assert (scores[positions] >= 0.5).all()


def test_bad_labels_are_refused_by_name_and_good_ones_kept():
    scores, _ = _world()
    process = Certification(scores, precision=0.8, threshold=0.5, seed=2)
    positions, _ = process.next(4)
    process.observe(positions[:1], [True])
    stranger = next(i for i in range(N) if i not in positions)
    with pytest.raises(DataError) as caught:
        process.observe([positions[0], stranger, positions[1], positions[2]], [0, 1, "yes", True])
    faults = [caught.value, *caught.value.others]
    assert [fault.code for fault in faults] == [
        "stats.label-conflict",
        "stats.label-not-asked",
        "stats.label-outside-classes",
    ]
    assert process.labels == {int(positions[0]): 1, int(positions[2]): 1}
    process.observe(positions[:1], [1])  # the same answer again is no conflict
    assert process.pending == positions[[1, 3]].tolist()


def test_unsure_labels_count_against_the_claim_and_are_counted():
    scores, truth = _world()
    value = _value(scores, truth)[0]
    process = Certification(scores, precision=value - 0.15, threshold=0.5, seed=2)
    rng = np.random.default_rng(0)
    while process.verdict is Verdict.UNDECIDED:
        positions, _ = process.next(20)
        process.observe(positions, [None if rng.random() < 0.4 else int(y) for y in truth[positions]])
    assert process.verdict is Verdict.NOT_MET
    assert process.summary.n_unsure > 0.25 * process.n_labeled


def test_a_changed_model_begins_the_evidence_anew_and_keeps_every_label():
    scores, truth = _world()
    process = Certification(scores, precision=0.8, threshold=0.5, seed=2)
    positions, _ = process.next(50)
    process.observe(positions[:40], truth[positions[:40]])
    changed = Certification.from_json(process.to_json(), np.clip(scores * 1.05, 0, 1))
    assert (process.restarts, changed.restarts) == (0, 1)
    assert changed.labels == process.labels
    assert changed.n_labeled == 0
    assert changed.e_values["precision"] == (0.0, 0.0)
    again = Certification.from_json(changed.to_json(), np.clip(scores * 1.05, 0, 1))
    assert again.restarts == 1
    assert again.labels == process.labels
    drawn, _ = changed.next(2000)
    assert not set(drawn.tolist()) & set(process.labels)


def test_answers_that_come_after_a_change_of_the_model_are_kept_and_count_when_drawn():
    scores, truth = _world(n=200)
    process = Certification(scores, precision=0.6, threshold=0.3, seed=2)
    positions, _ = process.next(8)
    changed = Certification.from_json(process.to_json(), scores**1.01)
    changed.observe(positions[:5], truth[positions[:5]])
    changed = Certification.from_json(changed.to_json(), scores**1.01)
    changed.observe(positions[5:], truth[positions[5:]])
    assert changed.labels == {int(at): int(truth[at]) for at in positions}
    assert changed.n_labeled == 0
    drawn, _ = changed.next(200)
    assert set(positions.tolist()) <= set(drawn.tolist())
    assert not set(positions.tolist()) & set(changed.pending)


def test_a_pool_of_another_size_is_refused_by_name():
    scores, _ = _world()
    with pytest.raises(DataError, match=r"stats\.length-mismatch"):
        Certification.from_json(Certification(scores, precision=0.8, threshold=0.5, seed=2).to_json(), scores[:-1])


def test_known_labels_are_facts_that_save_draws():
    scores, truth = _world()
    flagged = np.flatnonzero(scores >= 0.5)
    known = {int(i): int(truth[i]) for i in flagged[:-3]}
    process = _run(Certification(scores, precision=0.5, threshold=0.5, seed=2, known=known), truth, step=1)
    assert process.verdict is Verdict.MET
    assert process.n_labeled <= 1


def test_thresholds_are_certified_in_their_order_on_the_same_labels():
    scores, truth = _world(n=20_000)
    thresholds = [0.9, 0.8, 0.7, 0.2]
    process = Certification(scores, precision=0.7, threshold=thresholds, seed=4)
    for _ in range(200):
        positions, _ = process.next(25)
        if not len(positions):
            break
        process.observe(positions, truth[positions])
    assert _value(scores, truth, 0.7)[0] > 0.75
    assert _value(scores, truth, 0.2)[0] < 0.65
    assert process.certified_thresholds == (0.9, 0.8, 0.7)
    assert process.verdict is Verdict.MET
    assert process.next(5).position.size == 0


def test_the_requirement_must_hold_in_every_slice():
    scores, truth = _world()
    rng = np.random.default_rng(1)
    sex = rng.choice(["F", "M"], N)
    worse = np.where((sex == "F") & (rng.random(N) < 0.4), 0, truth)
    value = _value(scores, truth)[0]
    settings = {"precision": value - 0.12, "threshold": 0.5, "seed": 3, "slices": {"sex": sex}}
    fair, unfair = (_run(Certification(scores, **settings), labels) for labels in (truth, worse))
    assert fair.verdict is Verdict.MET
    assert unfair.verdict is Verdict.NOT_MET
    assert list(fair.interval) == ["precision", "precision | sex=F", "precision | sex=M"]


def test_nothing_flagged_is_not_estimable_and_never_met():
    process = Certification([0.1, 0.2, 0.3], precision=0.8, threshold=0.5, seed=1)
    assert len(process.next(5).position) == 0
    assert process.verdict is Verdict.UNDECIDED
    assert isinstance(process.interval["precision"], NotEstimable)
    assert isinstance(process.labels_left, NotEstimable)


def test_recall_without_a_positive_is_not_estimable_and_never_met():
    truth = np.zeros(30, int)
    process = _run(Certification(np.linspace(0.1, 0.9, 30), recall=0.5, threshold=0.5, seed=1), truth)
    assert process.n_labeled == 30
    assert process.verdict is Verdict.UNDECIDED
    assert isinstance(process.interval["recall"], NotEstimable)


def test_all_labels_equal_is_no_trouble():
    scores, _ = _world()
    process = _run(Certification(scores, precision=0.8, recall=0.01, threshold=0.5, seed=1), np.ones(N, int))
    assert process.verdict is Verdict.MET


def test_a_budget_is_never_exceeded():
    scores, truth = _world()
    process = Certification(scores, precision=_value(scores, truth)[0], threshold=0.5, seed=1, budget=35)
    _run(process, truth)
    assert process.n_labeled == 35


def test_a_declared_budget_never_needs_more_labels_for_a_plain_draw():
    scores, truth = _world()
    settings = {"precision": 0.6, "threshold": 0.5, "seed": 1, "sampler": "random"}
    free, declared = (Certification(scores, **settings, budget=budget) for budget in (None, 400))
    assert _run(declared, truth, step=1).n_labeled <= _run(free, truth, step=1).n_labeled


def test_costs_come_before_the_first_label_and_the_forecast_ends_at_nought():
    scores, truth = _world()
    process = Certification(scores, precision=0.7, recall=0.3, threshold=0.5, seed=1)
    costs = process.expected_costs()["precision"]
    assert [round(cost.true_value, 2) for cost in costs] == [0.62, 0.66, 0.68, 0.69, 0.71, 0.72, 0.74, 0.78]
    assert [cost.labels for cost in costs[:4]] == sorted(cost.labels for cost in costs[:4])
    assert max(cost.labels for cost in costs) <= (scores >= 0.5).sum()
    assert isinstance(process.labels_left, NotEstimable)
    _run(process, truth, step=10, most=40)
    middle = process.labels_left
    assert isinstance(middle, Forecast)
    assert middle.low <= middle.labels <= middle.high <= N
    assert _run(process, truth).labels_left.labels == 0


def test_the_summary_is_plain_data():
    scores, truth = _world()
    process = _run(Certification(scores, precision=0.6, threshold=0.5, seed=1), truth)
    summary = process.summary
    assert summary.decided_at <= summary.n_labeled
    assert isinstance(summary.intervals["precision"], Estimate)
    assert json.loads(msgspec.json.encode(summary))["verdict"] == "met"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"scores": [0.5, math.nan]}, "stats.score-not-finite"),
        ({"scores": [0.5, 1.5]}, "stats.score-not-a-probability"),
        ({"scores": []}, "stats.empty"),
        ({"precision": 80}, "stats.requirement-out-of-range"),
        ({"precision": None}, "stats.no-claim"),
        ({"level": 95}, "stats.level-out-of-range"),
        ({"threshold": None}, "stats.flag-rule-unclear"),
        ({"sampler": "margin"}, "stats.sampler-unknown"),
        ({"known": {0: "yes"}}, "stats.label-outside-classes"),
        ({"known": {7: 1}}, "stats.label-outside-classes"),
    ],
)
def test_bad_input_is_refused_by_name(changes, code):
    settings = {"scores": [0.2, 0.9], "precision": 0.8, "threshold": 0.5, "seed": 1} | changes
    with pytest.raises(DataError) as caught:
        Certification(settings.pop("scores"), **settings)
    assert caught.value.code == code


def test_a_text_that_is_not_a_certification_is_refused_by_name():
    with pytest.raises(DataError, match=r"stats\.not-a-certification"):
        Certification.from_json("[]", [0.5])


def test_a_tampered_draw_is_noticed():
    scores, truth = _world()
    process = Certification(scores, precision=0.8, threshold=0.5, seed=2)
    positions, _ = process.next(10)
    process.observe(positions, truth[positions])
    record = json.loads(process.to_json())
    record["probability"][3] *= 2
    with pytest.raises(IntegrityError, match=r"stats\.certification-does-not-replay"):
        Certification.from_json(json.dumps(record), scores)


def test_a_claim_of_ones_own_is_saved_with_the_process():
    saving = Claim(name="saving", at_least=0.05, top=(5.0, -1.0, 0.0, 0.0), bottom=(1, 1, 1, 1))
    scores, truth = _world()
    process = Certification(scores, [saving], threshold=0.5, seed=2)
    positions, _ = process.next(40)
    process.observe(positions, truth[positions])
    assert Certification.from_json(process.to_json(), scores).e_values == process.e_values


def test_a_slice_that_holds_for_certain_by_a_hair_is_not_what_labels_are_for():
    """A slice fully labeled, exactly at the floor: its estimate is 0 but for rounding, and no label can change it."""
    rng = np.random.default_rng(1)
    yes = 1 / (1 + np.exp(-rng.normal(-1.2, 1.8, 2000)))
    truth = (rng.random(2000) < yes).astype(int)
    for seed in range(1, 6):
        process = Certification(yes, precision=0.8, threshold=0.62, slices={"sex": ["F", "M"] * 1000}, seed=seed)
        while process.verdict is Verdict.UNDECIDED and len(asked := process.next(10).position):
            process.observe(asked, truth[asked])
        assert process.verdict is not Verdict.UNDECIDED
