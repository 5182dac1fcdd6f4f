"""Coverage of the intervals of agreement, annotators, ceiling and choice, by simulation from annotators of known skill.

Where an interval is held to less than its level, the case is on record with the coverage it is held to.
"""

from __future__ import annotations

import numpy as np
import pytest

from martello.stats.aggregation_choice import choose_aggregation
from martello.stats.agreement import annotator_agreements, cohen_kappa, fleiss_kappa, krippendorff_alpha
from martello.stats.agreement import pairwise_agreement as pairwise
from martello.stats.annotations import check_annotations
from martello.stats.annotators import annotator_accuracies, annotator_confusion, dawid_skene, majority_vote
from martello.stats.estimate import Estimate
from martello.stats.noise_ceiling import ceiling_from_agreement, ceiling_from_confusion

pytestmark = pytest.mark.guarantee


def world(rng, *, n, answers, skill, shares):
    """Give truth and answers; annotators err on their own, evenly over the wrong classes."""
    classes, annotators = len(shares), len(skill)
    truth = rng.choice(classes, n, p=shares)
    who = np.argsort(rng.random((n, annotators)), axis=1)[:, :answers].ravel()
    unit = np.repeat(np.arange(n), answers)
    right = rng.random(len(unit)) < skill[who]
    wrong = (truth[unit] + rng.integers(1, classes, len(unit))) % classes
    answer = np.where(right, truth[unit], wrong)
    return truth, check_annotations(unit, who, answer, n_units=n, n_annotators=annotators, n_classes=classes)


def held(found, truth):
    return found.low <= truth <= found.high if isinstance(found, Estimate) else None


def coverage(results):
    known = [one for one in results if one is not None]
    assert len(known) > len(results) / 2
    return float(np.mean(known))


@pytest.mark.parametrize(
    ("n", "answers", "right", "shares", "floor"),
    [
        (30, 2, 0.8, (0.5, 0.5), 0.94),
        (30, 3, 0.9, (0.7, 0.3), 0.94),
        (100, 2, 0.95, (0.9, 0.1), 0.94),
        (100, 5, 0.7, (0.5, 0.5), 0.94),
        (100, 3, 0.99, (0.5, 0.5), 0.94),
        (300, 3, 0.8, (0.25, 0.25, 0.25, 0.25), 0.94),
        (50, 20, 0.6, (0.5, 0.5), 0.93),
    ],
)
def test_coefficients_of_agreement_cover_the_population(n, answers, right, shares, floor):
    rng, k = np.random.default_rng(20_261_124), len(shares)
    skill = np.full(answers, right)
    said = right * np.array(shares) + (1 - right) * (1 - np.array(shares)) / (k - 1)
    agree = right**2 + (1 - right) ** 2 / (k - 1)
    alpha = 1 - (1 - agree) / (1 - said @ said)
    found = {"agreement": [], "alpha": [], "fleiss": [], "cohen": [], "one": [], "ceiling": []}
    for _ in range(600):
        _, table = world(rng, n=n, answers=answers, skill=skill, shares=shares)
        agreement = pairwise(table)
        found["agreement"].append(held(agreement, agree))
        found["alpha"].append(held(krippendorff_alpha(table), alpha))
        found["fleiss"].append(held(fleiss_kappa(table), alpha))
        found["one"].append(held(annotator_agreements(table)[0], agree))
        found["ceiling"].append(held(ceiling_from_agreement(agreement, k), right))
        of_two = [table.answer[np.lexsort((table.unit, table.annotator))].reshape(answers, n)[i] for i in (0, 1)]
        found["cohen"].append(held(cohen_kappa(*of_two, n_classes=k), alpha))
    for name, results in found.items():
        assert coverage(results) >= floor, name


@pytest.mark.parametrize(
    ("n", "annotators", "answers", "shares", "of_accuracy", "of_cells", "of_ceiling"),
    [
        (100, 8, 3, (0.5, 0.5), 0.94, 0.93, 0.94),
        (300, 20, 3, (0.7, 0.3), 0.94, 0.93, 0.94),
        (300, 5, 3, (0.5, 0.5), 0.93, 0.90, 0.94),
        (300, 3, 3, (0.5, 0.5), 0.88, 0.80, 0.94),
        (300, 20, 3, (0.25, 0.25, 0.25, 0.25), 0.94, 0.93, 0.94),
        (200, 10, 5, (0.5, 0.5), 0.94, 0.93, 0.94),
        (1000, 200, 5, (0.5, 0.5), 0.94, 0.93, 0.94),
    ],
)
def test_the_model_says_how_good_annotators_are(n, annotators, answers, shares, of_accuracy, of_cells, of_ceiling):
    rng = np.random.default_rng(20_261_124)
    accuracy, cells, ceiling = [], [], []
    for _ in range(60):
        skill = rng.beta(8, 2, annotators)
        _, table = world(rng, n=n, answers=answers, skill=skill, shares=shares)
        model = dawid_skene(table)
        accuracy += [held(one, skill[i]) for i, one in enumerate(annotator_accuracies(table, model))]
        for i in range(min(annotators, 5)):
            confusion = annotator_confusion(table, model, i)
            cells += [held(confusion[k][k], skill[i]) for k in range(len(shares))]
        ceiling.append(held(ceiling_from_confusion(table, model), skill.mean()))
    assert coverage(accuracy) >= of_accuracy
    assert coverage(cells) >= of_cells
    assert coverage(ceiling) >= of_ceiling


@pytest.mark.parametrize(
    ("n", "annotators", "answers", "classes"),
    [(300, 60, 3, 2), (1000, 150, 5, 2), (400, 40, 3, 4), (600, 30, 3, 10), (1000, 5, 3, 2)],
)
def test_shrinkage_keeps_the_model_from_falling_behind_the_majority(n, annotators, answers, classes):
    rng = np.random.default_rng(7)
    right = {"majority": [], "shrunk": [], "published": []}
    for _ in range(15):
        shares, skill = rng.dirichlet(np.full(classes, 3.0)), rng.beta(6, 2, annotators)
        truth, table = world(rng, n=n, answers=answers, skill=skill, shares=shares)
        votes = table.votes()
        # Ties are broken at random here, which is the most a majority can make of them.
        tie = np.argmax(votes + rng.random(votes.shape) / 2, axis=1)
        right["majority"].append(np.mean(tie == truth))
        right["shrunk"].append(np.mean(dawid_skene(table).label == truth))
        right["published"].append(np.mean(dawid_skene(table, shrinkage=0).label == truth))
    mean = {name: float(np.mean(values)) for name, values in right.items()}
    assert mean["shrunk"] >= mean["majority"] - 0.005
    assert mean["shrunk"] >= mean["published"] - 0.005


@pytest.mark.parametrize("n", [10, 30, 100, 400])
@pytest.mark.parametrize("differ", [0.02, 0.2, 0.6])
def test_neither_way_is_named_better_when_none_is(n, differ):
    rng = np.random.default_rng(20_261_124)
    named = 0
    for _ in range(2000):
        split, first = rng.random(n) < differ, rng.random(n) < 0.5
        truth = np.ones(n, dtype=int)
        majority = np.where(split, first, 1).astype(int)
        model = np.where(split, ~first, 1).astype(int)
        named += choose_aggregation(majority, model, truth).verdict != "undecided"
    assert named / 2000 <= 0.06


def test_majority_and_model_are_right_alike_when_all_annotators_are():
    rng = np.random.default_rng(1)
    truth, table = world(rng, n=500, answers=5, skill=np.full(5, 0.8), shares=(0.5, 0.5))
    agree = np.mean(majority_vote(table).label == dawid_skene(table).label)
    assert agree > 0.97
    assert abs(np.mean(majority_vote(table).label == truth) - 0.942) < 0.03  # binomial: 5 votes at 0.8
