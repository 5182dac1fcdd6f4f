from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from martello.stats.annotations import Annotations, check_annotations
from martello.stats.annotators import (
    annotator_accuracies,
    annotator_confusion,
    dawid_skene,
    majority_vote,
)
from martello.stats.estimate import Estimate, NotEstimable

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def crowd(name: str) -> tuple[Annotations, np.ndarray]:
    """Give the answers of a real crowd, each once, and the truth of each unit, -1 where it is not known."""
    folder = SHARED / name
    if not folder.exists():
        pytest.skip(f"{name} may not be carried in the repository and is not at {folder}")
    answers, truth = pq.read_table(folder / "answers.parquet"), pq.read_table(folder / "truth.parquet")
    rows = list(dict.fromkeys(zip(*(answers[c].to_pylist() for c in ("task", "worker", "label")), strict=True)))
    tasks, workers, labels = (sorted(set(column)) for column in zip(*rows, strict=True))
    code = [{name: i for i, name in enumerate(names)} for names in (tasks, workers, labels)]
    table = check_annotations(*zip(*([c[v] for c, v in zip(code, row, strict=True)] for row in rows), strict=True))
    known = dict(zip(truth["task"].to_pylist(), truth["truth"].to_pylist(), strict=True))
    return table, np.array([code[2][known[task]] if task in known else -1 for task in tasks])


def right(label: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean(label[truth >= 0] == truth[truth >= 0]))


# crowd-kit 1.4.2 (numpy 2.4.6, pandas 3.1.1), MajorityVote() and DawidSkene(n_iter=100) on these files. Its default
# tolerance stops after two rounds on the birds (its bound falls there, since it counts the prior once an answer);
# tol=-1 lets it run all 100.
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "majority", "two_rounds", "at_rest"),
    [("crowd_bluebirds", 0.7593, 0.8889, 0.8981), ("crowd_hitspam", 0.6600, 0.6600, 0.6600)],
)
def test_labels_of_real_crowds_are_as_often_right_as_those_of_crowd_kit(name, majority, two_rounds, at_rest):
    table, truth = crowd(name)
    assert right(majority_vote(table).label, truth) == pytest.approx(majority, abs=0.003)
    published = dawid_skene(table, shrinkage=0, max_rounds=2)
    assert right(published.label, truth) == pytest.approx(two_rounds, abs=0.003)
    assert right(dawid_skene(table, shrinkage=0).label, truth) == pytest.approx(at_rest, abs=0.003)
    assert right(dawid_skene(table).label, truth) == pytest.approx(at_rest, abs=0.003)


@pytest.mark.shared_data
def test_the_shares_of_the_birds_are_those_of_crowd_kit():
    """priors_ of DawidSkene(n_iter=100) as it stops after two rounds, and of DawidSkene(n_iter=100, tol=-1)."""
    table, _ = crowd("crowd_bluebirds")
    two = dawid_skene(table, shrinkage=0, max_rounds=2).posterior.mean(axis=0)
    assert two == pytest.approx([0.5704191300634928, 0.4295808699365072], abs=1e-6)
    rest = dawid_skene(table, shrinkage=0, tolerance=1e-9).prior
    assert rest == pytest.approx([0.5640711469538039, 0.4359288530461962], abs=1e-6)


@pytest.mark.shared_data
def test_annotators_of_the_birds_are_as_good_as_the_truth_shows():
    table, truth = crowd("crowd_bluebirds")
    found = annotator_accuracies(table, dawid_skene(table))
    real = [np.mean(table.answer[table.annotator == i] == truth[table.unit[table.annotator == i]]) for i in range(39)]
    assert np.corrcoef([one.value for one in found], real)[0, 1] > 0.95
    assert np.mean([one.low <= value <= one.high for one, value in zip(found, real, strict=True)]) > 0.9


def simulated(seed: int, *, n: int = 60, annotators: int = 5, classes: int = 3) -> tuple[np.ndarray, Annotations]:
    rng = np.random.default_rng(seed)
    truth, skill = rng.integers(classes, size=n), rng.uniform(0.55, 0.95, annotators)
    unit, annotator = np.nonzero(rng.random((n, annotators)) < 0.8)
    kept = rng.random(len(unit)) < skill[annotator]
    answer = np.where(kept, truth[unit], (truth[unit] + rng.integers(1, classes, len(unit))) % classes)
    return truth, check_annotations(unit, annotator, answer, n_units=n, n_annotators=annotators, n_classes=classes)


def by_loops(table: Annotations, rounds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dawid and Skene (1979), eq. 2.3 to 2.5, cell by cell."""
    n, a, k = table.n_units, table.n_annotators, table.n_classes
    rows = list(zip(table.unit.tolist(), table.annotator.tolist(), table.answer.tolist(), strict=True))
    chance = np.zeros((n, k))
    for unit, _, answer in rows:
        chance[unit, answer] += 1
    chance /= chance.sum(axis=1, keepdims=True)
    for _ in range(rounds):
        prior, confusion = chance.mean(axis=0), np.zeros((a, k, k))
        for unit, annotator, answer in rows:
            for true in range(k):
                confusion[annotator, true, answer] += chance[unit, true]
        confusion /= confusion.sum(axis=2, keepdims=True)
        chance = np.tile(prior, (n, 1))
        for unit, annotator, answer in rows:
            for true in range(k):
                chance[unit, true] *= confusion[annotator, true, answer]
        chance /= chance.sum(axis=1, keepdims=True)
    return chance, prior, confusion


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rounds", [1, 7])
def test_without_shrinkage_each_round_is_the_published_one(seed, rounds):
    _, table = simulated(seed)
    chance, prior, confusion = by_loops(table, rounds)
    found = dawid_skene(table, shrinkage=0, max_rounds=rounds, tolerance=0)
    assert found.posterior == pytest.approx(chance, abs=1e-7)
    assert found.prior == pytest.approx(prior, abs=1e-9)
    assert found.confusion == pytest.approx(confusion, abs=1e-7)
    assert not found.is_converged


def test_posteriors_priors_and_rows_of_confusion_are_distributions():
    _, table = simulated(4)
    found = dawid_skene(table)
    for chance in (found.posterior, found.prior, found.confusion, found.pooled):
        assert chance.sum(axis=-1) == pytest.approx(np.ones(chance.shape[:-1]))
    assert found.is_converged


def test_the_same_answers_in_another_order_or_with_other_codes_give_the_same_labels():
    _, table = simulated(2)
    mixed = np.random.default_rng(0).permutation(len(table.unit))
    other = check_annotations(
        table.unit[mixed], 4 - table.annotator[mixed], 2 - table.answer[mixed], n_units=60, n_annotators=5, n_classes=3
    )
    one, two = dawid_skene(table), dawid_skene(other)
    assert np.array_equal(one.label, np.where(two.label < 0, -1, 2 - two.label))
    assert one.posterior == pytest.approx(two.posterior[:, ::-1], abs=1e-4)
    votes, turned = majority_vote(table).label, majority_vote(other).label
    assert np.array_equal(votes, np.where(turned < 0, -1, 2 - turned))


def test_a_tie_and_a_unit_without_answers_are_unknown_and_never_the_first_class():
    table = check_annotations([0, 0, 1, 1, 1, 3, 3], [0, 1, 0, 1, 2, 0, 1], [0, 1, 1, 1, 0, 1, 0], n_units=4)
    found = majority_vote(table)
    assert found.label.tolist() == [-1, 1, -1, -1]
    assert np.isnan(found.share[2])
    assert dawid_skene(table).label[2] == -1


def test_two_annotators_who_contradict_each_other_leave_the_unit_unknown():
    table = check_annotations([0, 0, 1, 1, 2, 2, 3, 3], [0, 1] * 4, [0, 1, 1, 0, 0, 0, 1, 1])
    assert dawid_skene(table).label.tolist() == [-1, -1, 0, 1]


def test_a_contrary_annotator_is_read_the_other_way_round():
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=300)
    said = [np.where(rng.random(300) < 0.85, truth, 1 - truth) for _ in range(4)]
    contrary = np.where(rng.random(300) < 0.9, 1 - truth, truth)
    table = check_annotations(np.repeat(np.arange(300), 5), list(range(5)) * 300, np.array([*said, contrary]).T.ravel())
    model, votes = dawid_skene(table), majority_vote(table)
    assert np.mean(model.label == truth) > np.mean(votes.label == truth) + 0.05
    assert annotator_accuracies(table, model)[4].high < 0.3


def test_an_annotator_with_few_answers_is_taken_for_an_ordinary_one():
    _, table = simulated(1, n=200)
    extra = check_annotations(
        [*table.unit, 0], [*table.annotator, 5], [*table.answer, 0], n_units=200, n_annotators=6, n_classes=3
    )
    found = dawid_skene(extra)
    assert found.confusion[5] == pytest.approx(found.pooled, abs=0.25)
    assert dawid_skene(extra, shrinkage=0).confusion[5].max() > 0.999


def test_accuracies_have_wider_intervals_where_posteriors_are_less_sure():
    truth, table = simulated(3, n=400)
    model = dawid_skene(table)
    for i, one in enumerate(annotator_accuracies(table, model)):
        assert isinstance(one, Estimate)
        assert one.low < one.value < one.high
        assert one.effective_n < one.n == np.sum(table.annotator == i)
        own = table.annotator == i
        assert one.low <= np.mean(table.answer[own] == truth[table.unit[own]]) <= one.high


def test_one_answer_says_next_to_nothing_of_an_annotator():
    _, table = simulated(1)
    unit = int(table.unit[0])
    extra = check_annotations(
        [*table.unit, unit], [*table.annotator, 5], [*table.answer, 0], n_units=60, n_annotators=6, n_classes=3
    )
    found = annotator_accuracies(extra, dawid_skene(extra))[5]
    assert found.n == 1
    assert found.high - found.low > 0.9


def test_the_confusion_of_an_annotator_adds_up_over_the_answers():
    _, table = simulated(3, n=400)
    cells = annotator_confusion(table, dawid_skene(table), 2)
    assert [sum(cell.value for cell in row) for row in cells] == pytest.approx([1.0, 1.0, 1.0])
    assert all(cell.low <= cell.value <= cell.high for row in cells for cell in row)


def test_two_annotators_do_not_show_who_of_them_is_right():
    table = check_annotations([0, 0, 1, 1, 2, 2, 3, 3], [0, 1] * 4, [0, 1, 1, 0, 0, 0, 1, 1])
    found = annotator_accuracies(table, dawid_skene(table))
    assert all(isinstance(one, NotEstimable) for one in found)
    assert isinstance(annotator_confusion(table, dawid_skene(table), 0)[0][0], NotEstimable)


def test_a_million_answers_come_to_rest():
    rng = np.random.default_rng(1)
    truth, skill = rng.integers(2, size=250_000), rng.beta(6, 2, 200)
    unit = np.repeat(np.arange(250_000), 4)
    annotator = (np.repeat(rng.integers(200, size=250_000), 4) + np.tile([0, 7, 14, 21], 250_000)) % 200
    answer = np.where(rng.random(len(unit)) < skill[annotator], truth[unit], 1 - truth[unit])
    found = dawid_skene(check_annotations(unit, annotator, answer))
    assert found.is_converged
    assert np.mean(found.label == truth) > 0.9
    assert np.abs(found.confusion[:, 0, 0] - skill).max() < 0.05
