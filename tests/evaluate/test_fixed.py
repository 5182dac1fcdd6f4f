"""Gold of a fixed size: how many to ask about, how it stands, and what unsure counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import recall_score

from martello.evaluate.assess import evaluate_on_gold, output_of
from martello.evaluate.fixed import against_the_claim, agreed_floors, labels_to_ask, read_floors
from martello.evaluate.units import GoldUnits, ScoredUnits
from martello.spec.schema import Requirement
from martello.stats.estimate import NotEstimable

CLASSES = ("a", "b", "c")


def units(n: int, accuracy: float, seed: int = 0, slices: dict[str, list[str | None]] | None = None) -> ScoredUnits:
    """Balanced classes; the highest score is the truth as often as said."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    output = np.where(rng.random(n) < accuracy, truth, (truth + 1 + rng.integers(0, 2, n)) % 3)
    scores = rng.uniform(0.05, 0.25, (n, 3))
    scores[np.arange(n), output] = 0.6
    return ScoredUnits(
        truth=truth, scores=scores / scores.sum(axis=1, keepdims=True), weight=np.ones(n), cluster=None,
        slices=slices or {},
    )  # fmt: skip


def ask(dev: ScoredUnits, n_pool: int = 100_000, error: float = 0.025, **requirement) -> int:
    return labels_to_ask(dev, requirement=Requirement(**requirement), error=error, n_pool=n_pool, seed=1)


def test_what_was_agreed_is_asked_and_never_more_than_there_is():
    dev = units(600, 0.9)
    assert ask(dev, recall=0.8, label_budget=250) == 250
    assert ask(dev, n_pool=90, recall=0.8, label_budget=250) == 90


def test_enough_is_asked_to_show_the_floor_nine_times_in_ten():
    """In a balanced task a mean over classes is about a share, whose exact power scipy knows."""
    dev = units(3000, 0.9)
    value = recall_score(dev.truth, output_of(dev.scores, None), average="macro")
    n = ask(dev, recall=0.8)
    fewest = next(m for m in range(10, 2000) if binom.sf(binom.isf(0.025, m, 0.8), m, value) >= 0.9)
    assert fewest * 0.9 <= n <= fewest * 1.3
    assert ask(dev, recall=0.8, precision=0.85) > n  # the dearer floor decides


def test_a_floor_that_dev_does_not_reach_or_cannot_know_asks_the_usual_number():
    assert ask(units(600, 0.6), recall=0.8) == 400
    assert ask(units(600, 0.6), n_pool=120, recall=0.8) == 120
    assert ask(units(2, 1.0), recall=0.8) == 400


def test_the_reading_is_that_of_the_gate():
    sex = ["f", "m", None] * 100
    pool = units(300, 0.85, slices={"sex": sex})
    requirement = Requirement(recall=0.7, precision=0.7, slices=("sex",))
    read = read_floors(pool, requirement=requirement, level=0.95, seed=4)
    gold = GoldUnits(
        truth=pool.truth, scores=pool.scores, constant=np.full((300, 3), 1 / 3), weight=pool.weight, cluster=None,
        slices=pool.slices,
    )  # fmt: skip
    judged = evaluate_on_gold(
        gold, classes=CLASSES, threshold=None, requirement=requirement, look=1, seed=4, parents=()
    )
    found = {
        claim.metric + ("" if claim.population == "everyone" else f" | {claim.population.replace(' = ', '=')}"): claim
        for claim in judged.claims
    }
    assert set(read) == set(found) == set(agreed_floors(requirement, pool.slices))
    assert read == {name: c.estimate for name, c in found.items()}


def test_before_the_first_answer_nothing_is_known():
    pool = units(300, 0.85, slices={"sex": ["f", "m", None] * 100})
    none = ScoredUnits(
        truth=pool.truth[:0], scores=pool.scores[:0], weight=pool.weight[:0], cluster=None, slices={"sex": []}
    )
    read = read_floors(none, requirement=Requirement(recall=0.7), level=0.95, seed=0)
    assert isinstance(read["macro_recall"], NotEstimable)


@pytest.mark.parametrize("seed", range(3))
def test_unsure_is_always_an_error_and_never_raises_a_mean(seed):
    pool = units(300, 0.85, seed)
    output = output_of(pool.scores, None)
    codes = np.where(np.arange(300) % 10 == 0, -1, pool.truth)
    truth = against_the_claim(codes, pool.scores)
    assert np.all(truth[codes < 0] != output[codes < 0])
    assert np.all(truth[codes >= 0] == pool.truth[codes >= 0])
    assert recall_score(truth, output, average="macro") < recall_score(
        pool.truth[codes >= 0], output[codes >= 0], average="macro"
    )
