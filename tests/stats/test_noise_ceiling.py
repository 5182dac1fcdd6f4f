from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from martello.stats.annotations import check_annotations
from martello.stats.annotators import dawid_skene
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.noise_ceiling import ceiling_from_agreement, ceiling_from_confusion


def agreement(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, level=0.95, n=100, method="exact")


def test_two_annotators_who_agree_on_85_of_100_units_have_the_known_ceiling():
    """e = (1 - sqrt(2A - 1)) / 2: A in [.765, .914] gives e in [.045, .136]."""
    found = ceiling_from_agreement(agreement(0.85, 0.765, 0.914), 2)
    assert (round(1 - found.high, 3), round(1 - found.low, 3)) == (0.045, 0.136)
    assert found.value == pytest.approx(1 - (1 - np.sqrt(0.7)) / 2)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("share", [0.55, 0.8, 0.99])
def test_the_ceiling_solves_the_chance_that_two_annotators_agree(classes, share):
    def gap(right: float) -> float:
        return right**2 + (1 - right) ** 2 / (classes - 1) - share

    found = ceiling_from_agreement(agreement(share, share, share), classes)
    assert found.value == pytest.approx(brentq(gap, 1 / classes, 1), abs=1e-9)


def test_less_agreement_than_guessing_has_no_ceiling_and_a_low_end_there_is_that_of_guessing():
    assert isinstance(ceiling_from_agreement(agreement(0.3, 0.2, 0.4), 2), NotEstimable)
    assert ceiling_from_agreement(agreement(0.6, 0.4, 0.8), 2).low == 0.5
    nothing = NotEstimable(reason="no unit has two answers", needs="units answered by at least 2 annotators")
    assert ceiling_from_agreement(nothing, 2) is nothing


def test_a_model_that_is_always_right_shows_the_ceiling_against_one_annotator():
    rng = np.random.default_rng(2)
    truth, skill = rng.integers(4, size=2000), np.array([0.95, 0.9, 0.8, 0.7, 0.65])
    right = rng.random((2000, 5)) < skill
    # Errors always name the next class: far from even, which agreement assumes and the confusion does not.
    said = np.where(right, truth[:, None], (truth[:, None] + 1) % 4)
    table = check_annotations(np.repeat(np.arange(2000), 5), list(range(5)) * 2000, said.ravel())
    found = ceiling_from_confusion(table, dawid_skene(table))
    assert found.low <= np.mean(said == truth[:, None]) <= found.high
    assert found.high - found.low < 0.04


def test_two_annotators_have_no_ceiling_from_their_confusions():
    table = check_annotations([0, 0, 1, 1], [0, 1] * 2, [0, 1, 1, 1])
    assert isinstance(ceiling_from_confusion(table, dawid_skene(table)), NotEstimable)
