from __future__ import annotations

import numpy as np
import pytest

from martello.errors import DataError
from martello.stats.suspects import find_suspects


def confident_joint(label: np.ndarray, scores: np.ndarray) -> list[int]:
    """Units off the diagonal of the confident joint of Northcutt, Jiang and Chuang (2021), eq. 1, unit by unit."""
    k = scores.shape[1]
    usual = [np.mean([scores[u, j] for u in range(len(label)) if label[u] == j]) for j in range(k)]
    found = []
    for u, own in enumerate(label):
        sure = [j for j in range(k) if scores[u, j] >= usual[j]]
        if sure and max(sure, key=lambda j: scores[u, j]) != own:
            found.append(u)
    return found


def noisy(seed: int, *, n: int = 1000, k: int = 3, flipped: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    raw = rng.normal(size=(n, k)) + 3 * np.eye(k)[truth]
    scores = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    wrong = rng.random(n) < flipped
    return np.where(wrong, (truth + rng.integers(1, k, n)) % k, truth), scores, wrong


@pytest.mark.parametrize("seed", range(4))
def test_scores_name_the_units_off_the_diagonal_of_the_confident_joint(seed):
    label, scores, _ = noisy(seed)
    assert sorted(one.unit for one in find_suspects(label, scores=scores)) == confident_joint(label, scores)


def test_flipped_labels_come_first():
    label, scores, wrong = noisy(0)
    found = find_suspects(label, scores=scores, limit=60)
    assert len(found) == 60
    assert np.mean([wrong[one.unit] for one in found]) > 0.9
    doubts = [one.doubt for one in found]
    assert doubts == sorted(doubts, reverse=True)


def test_annotators_speak_against_a_label_that_is_not_their_likeliest():
    posterior = [[0.9, 0.1], [0.3, 0.7], [0.5, 0.5], [0.05, 0.95]]
    found = find_suspects([0, 0, 0, 0], posterior=posterior)
    assert [(one.unit, one.instead, round(one.doubt, 2), one.reason) for one in found] == [
        (3, 1, 0.95, "annotators"),
        (1, 1, 0.7, "annotators"),
    ]
    assert [one.unit for one in find_suspects([0, 1, 0, 1], posterior=posterior, doubt=0.2)] == [2, 1]


def test_two_witnesses_are_named_together_and_the_surer_one_ranks():
    posterior = [[0.4, 0.6], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]
    found = find_suspects([0, 0, 1, 1], posterior=posterior, scores=[0.95, 0.1, 0.9, 0.9])
    assert [(one.unit, one.reason, one.doubt) for one in found] == [(0, "annotators and scores", 0.95)]


def test_a_unit_without_a_label_is_no_suspect():
    assert find_suspects([-1, 0], posterior=[[0.1, 0.9], [0.9, 0.1]], scores=[0.9, 0.1]) == ()


def test_labels_and_witnesses_of_different_lengths_are_refused():
    with pytest.raises(DataError) as err:
        find_suspects([0, 1, 0], scores=[0.5, 0.5])
    assert err.value.code == "stats.length-mismatch"
