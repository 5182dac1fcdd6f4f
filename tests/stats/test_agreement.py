from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import inter_rater

from martello.errors import DataError
from martello.stats.agreement import (
    annotator_agreements,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    pairwise_agreement,
)
from martello.stats.annotations import Annotations, check_annotations
from martello.stats.estimate import Estimate, NotEstimable


def table(rows: list[str]) -> Annotations:
    """Read one line per annotator, one sign per unit, a point where there is no answer."""
    signs = sorted(set("".join(rows)) - {"."})
    cells = [(u, a, signs.index(sign)) for a, row in enumerate(rows) for u, sign in enumerate(row) if sign != "."]
    return check_annotations(*zip(*cells, strict=True), n_units=len(rows[0]), n_classes=max(2, len(signs)))


def random_table(seed: int, *, n: int, annotators: int, classes: int, missing: float) -> Annotations:
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=n)
    said = np.where(rng.random((n, annotators)) < 0.6, truth[:, None], rng.integers(classes, size=(n, annotators)))
    unit, annotator = np.nonzero(rng.random((n, annotators)) >= missing)
    return check_annotations(
        unit, annotator, said[unit, annotator], n_units=n, n_annotators=annotators, n_classes=classes
    )


def alpha_by_definition(found: Annotations) -> float:
    """Krippendorff's alpha by walking every ordered pair of answers: within units, and among all of them."""
    units = [found.answer[found.unit == u].tolist() for u in range(found.n_units)]
    pairable = [answers for answers in units if len(answers) > 1]
    n = sum(map(len, pairable))
    seen = sum(sum(a != b for a, b in permutations(answers, 2)) / (len(answers) - 1) for answers in pairable) / n
    every = [answer for answers in pairable for answer in answers]
    by_chance = sum(a != b for a, b in permutations(every, 2)) / (n * (n - 1))
    return 1 - seen / by_chance


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, sections A, B and C.
        (["0100000010", "1110010000"], 0.095),
        (["aabbdcccedda", "babbbccceddd"], 0.692),
        (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
    ],
)
def test_alpha_is_that_of_krippendorffs_own_examples(rows, expected):
    assert round(krippendorff_alpha(table(rows)).value, 3) == expected


@pytest.mark.parametrize("seed", range(8))
def test_alpha_is_the_definition_with_any_number_of_annotators_and_missing_answers(seed):
    found = random_table(seed, n=25, annotators=2 + seed % 5, classes=2 + seed % 4, missing=0.3 if seed else 0.0)
    assert krippendorff_alpha(found).value == pytest.approx(alpha_by_definition(found), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_interval_of_alpha_is_about_what_redrawing_the_units_gives(seed):
    found = random_table(seed, n=150, annotators=4, classes=3, missing=0.2)
    units = [found.answer[found.unit == u] for u in range(found.n_units)]
    rng = np.random.default_rng(seed)
    redrawn = []
    for _ in range(400):
        drawn = [units[u] for u in rng.integers(len(units), size=len(units))]
        sizes = list(map(len, drawn))
        again = check_annotations(
            np.repeat(np.arange(len(drawn)), sizes),
            np.concatenate([np.arange(s) for s in sizes]),
            np.concatenate(drawn),
        )
        redrawn.append(krippendorff_alpha(again).value)
    interval = krippendorff_alpha(found)
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * np.std(redrawn), rel=0.2)


# Fleiss (1971) as reprinted widely: 10 subjects, 14 raters, 5 categories.
FLEISS = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


def of_counts(counts: np.ndarray) -> Annotations:
    answers = [np.repeat(np.arange(counts.shape[1]), row) for row in counts]
    m = len(answers[0])
    return check_annotations(
        np.repeat(np.arange(len(counts)), m), list(range(m)) * len(counts), np.concatenate(answers)
    )


def test_fleiss_kappa_is_that_of_the_worked_example():
    assert round(fleiss_kappa(of_counts(FLEISS)).value, 3) == 0.210


@pytest.mark.parametrize("seed", range(4))
def test_fleiss_kappa_is_that_of_statsmodels(seed):
    found = random_table(seed, n=40, annotators=3 + seed, classes=3, missing=0.0)
    assert fleiss_kappa(found).value == pytest.approx(inter_rater.fleiss_kappa(found.votes()), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_cohens_kappa_is_that_of_statsmodels_and_its_interval_near_the_large_sample_one(seed):
    rng = np.random.default_rng(seed)
    first = rng.integers(3, size=400)
    second = np.where(rng.random(400) < 0.6, first, rng.integers(3, size=400))
    counts = np.zeros((3, 3))
    np.add.at(counts, (first, second), 1)
    oracle = inter_rater.cohens_kappa(counts)
    found = cohen_kappa(first, second, n_classes=3)
    assert found.value == pytest.approx(oracle.kappa, abs=1e-12)
    assert found.low == pytest.approx(oracle.kappa_low, abs=0.01)
    assert found.high == pytest.approx(oracle.kappa_upp, abs=0.01)


def test_pairwise_agreement_is_the_mean_over_units_of_pairs_that_agree():
    found = random_table(3, n=60, annotators=5, classes=3, missing=0.3)
    units = [found.answer[found.unit == u].tolist() for u in range(found.n_units)]
    shares = [np.mean([a == b for a, b in combinations(one, 2)]) for one in units if len(one) > 1]
    estimate = pairwise_agreement(found)
    assert estimate.value == pytest.approx(np.mean(shares))
    assert estimate.n == len(shares)


def test_full_agreement_has_an_interval_that_is_no_point():
    found = pairwise_agreement(table(["01" * 15, "01" * 15]))
    exact = stats.binomtest(30, 30).proportion_ci(method="exact")
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(exact.low)
    alpha = krippendorff_alpha(table(["01" * 15, "01" * 15]))
    assert alpha.value == 1.0
    assert 0.6 < alpha.low < 0.9


def test_agreement_of_one_annotator_counts_the_others_of_each_unit():
    first, second, third = annotator_agreements(table(["0011", "0011", "1.01"]))
    assert [first.value, second.value] == [0.75, 0.75]
    assert third.value == pytest.approx(1 / 3)
    assert third.n == 3


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["01..", "..01"], "no unit has two answers"),
        (["0...", "0..."], "one unit has two answers"),
        (["0000", "0000"], "every answer is the same, so chance explains all agreement"),
        (["0000", "0001"], "a single unit holds the only other answer"),
    ],
)
def test_what_chance_cannot_explain_is_not_estimable(rows, reason):
    found = krippendorff_alpha(table(rows))
    assert isinstance(found, NotEstimable)
    assert found.reason == reason


def test_fleiss_kappa_refuses_unequal_numbers_of_answers():
    found = fleiss_kappa(table(["0101", "010."]))
    assert isinstance(found, NotEstimable)
    assert "between 1 and 2 answers" in found.reason


def test_intervals_do_not_depend_on_the_names_of_the_classes_nor_on_the_order_of_rows():
    found = random_table(5, n=50, annotators=4, classes=4, missing=0.2)
    mixed = np.random.default_rng(1).permutation(len(found.unit))
    other = check_annotations(found.unit[mixed], found.annotator[mixed], 3 - found.answer[mixed])
    for measure in (krippendorff_alpha, pairwise_agreement):
        one, two = measure(found), measure(other)
        assert isinstance(one, Estimate)
        assert (one.low, one.value, one.high) == pytest.approx((two.low, two.value, two.high))


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (([0, 0], [1, 1], [0, 1]), "stats.annotated-twice"),
        (([0, 0], [1], [0, 1]), "stats.length-mismatch"),
        (([], [], []), "stats.empty"),
        (([0, -1], [0, 1], [0, 1]), "stats.label-outside-classes"),
        (([0.5, 1], [0, 1], [0, 1]), "stats.label-outside-classes"),
    ],
)
def test_answers_that_are_no_answers_are_refused_by_name(rows, code):
    with pytest.raises(DataError) as err:
        check_annotations(*map(np.array, rows))
    assert err.value.code == code
