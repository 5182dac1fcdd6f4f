"""Bad input is refused by name, and good input comes out clean."""

from __future__ import annotations

import numpy as np
import pytest

from martello.errors import DataError
from martello.stats.checks import (
    check_codes,
    check_design,
    check_flags,
    check_level,
    check_numbers,
    check_probabilities,
    check_same_length,
    check_scores_by_class,
)


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (lambda: check_numbers([0.1, np.nan]), "stats.score-not-finite"),
        (lambda: check_numbers([0.1, np.inf]), "stats.score-not-finite"),
        (lambda: check_numbers(["high", "low"]), "stats.score-not-finite"),
        (lambda: check_numbers([None, 0.1]), "stats.score-not-finite"),
        (lambda: check_numbers([]), "stats.empty"),
        (lambda: check_numbers([[0.1], [0.2]]), "stats.wrong-shape"),
        (lambda: check_probabilities([0.5, 1.5]), "stats.score-not-a-probability"),
        (lambda: check_probabilities([-0.1]), "stats.score-not-a-probability"),
        (lambda: check_scores_by_class([[0.5, 0.6]]), "stats.score-not-a-probability"),
        (lambda: check_scores_by_class([[1.0]]), "stats.wrong-shape"),
        (lambda: check_scores_by_class([[np.nan, 1.0]]), "stats.score-not-finite"),
        (lambda: check_scores_by_class(np.empty((0, 2))), "stats.empty"),
        (lambda: check_flags([0, 1, 2]), "stats.label-outside-classes"),
        (lambda: check_flags([0.0, np.nan]), "stats.label-outside-classes"),
        (lambda: check_flags(["yes", "no"]), "stats.label-outside-classes"),
        (lambda: check_flags([True, None]), "stats.label-outside-classes"),
        (lambda: check_codes([0, 3], 3), "stats.label-outside-classes"),
        (lambda: check_codes([-1, 0], 3), "stats.label-outside-classes"),
        (lambda: check_codes([0.5, 1.0], 3), "stats.label-outside-classes"),
        (lambda: check_same_length(truth=[1], score=[1, 2]), "stats.length-mismatch"),
        (lambda: check_design(2, [1.0, -1.0]), "stats.weight-negative"),
        (lambda: check_design(2, [1.0, np.nan]), "stats.weight-not-finite"),
        (lambda: check_design(2, [0.0, 0.0]), "stats.weight-sums-to-zero"),
        (lambda: check_design(2, [1.0, 2.0, 3.0]), "stats.length-mismatch"),
        (lambda: check_design(2, cluster=["a"]), "stats.length-mismatch"),
        (lambda: check_design(2, cluster=["a", None]), "stats.cluster-missing"),
        (lambda: check_design(2, cluster=[1.0, np.nan]), "stats.cluster-missing"),
        (lambda: check_level(1.0), "stats.level-out-of-range"),
        (lambda: check_level(95), "stats.level-out-of-range"),
        (lambda: check_level(float("nan")), "stats.level-out-of-range"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_by_name(refused, code):
    with pytest.raises(DataError) as caught:
        refused()
    assert caught.value.code == code
    assert caught.value.where


def test_the_message_names_the_first_bad_row_and_counts_the_others():
    with pytest.raises(DataError, match="row 1 is nan") as caught:
        check_numbers([0.1, np.nan, np.nan])
    assert "2 such values" in caught.value.where


@pytest.mark.parametrize("column", [[True, False], [1, 0], [1.0, 0.0], np.array([1, 0], dtype=object)])
def test_yes_and_no_may_be_written_as_booleans_or_as_one_and_zero(column):
    assert check_flags(column).tolist() == [True, False]


def test_equal_weights_are_no_weights():
    assert check_design(3, [2.0, 2.0, 2.0]).is_simple
    assert not check_design(3, [2.0, 2.0, 1.0]).is_simple


def test_cluster_names_may_be_text_and_are_counted_once():
    design = check_design(4, cluster=["b", "a", "b", "c"])
    assert design.n_clusters == 3
    assert design.totals(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [2.0, 4.0, 4.0]


def test_taking_rows_counts_their_clusters_anew():
    design = check_design(4, [1.0, 2.0, 3.0, 4.0], ["b", "a", "b", "c"]).take(np.array([0, 2]))
    assert (design.n, design.n_clusters) == (2, 1)
    assert design.weights().tolist() == [1.0, 3.0]


def test_taking_rows_of_a_simple_design_stays_simple():
    design = check_design(4).take(np.array([True, False, True, True]))
    assert (design.n, design.n_clusters, design.is_simple) == (3, 3, True)
