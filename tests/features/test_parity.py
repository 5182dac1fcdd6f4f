from __future__ import annotations

import pytest

from martello.features.parity import compare_features


def compare(logged, computed):
    ids = [f"d{place}" for place in range(len(logged))]
    (found,) = compare_features(ids, {"f": logged}, {"f": computed})
    return found


def test_each_kind_of_disagreement_is_counted():
    found = compare([1, None, 3, None, 5.0, "a"], [1, 2, None, None, 4.0, "b"])
    assert (found.n, found.n_missing, found.n_extra, found.n_different, found.n_mismatches) == (6, 1, 1, 2, 4)
    assert found.largest_error == pytest.approx(0.2)
    assert found.example == ("d1", None, 2)


def test_rounding_of_a_sum_is_no_disagreement_and_a_small_error_is():
    assert compare([0.1 + 0.2, 1e300, -0.0], [0.3, 1e300 * (1 + 1e-12), 0]).n_mismatches == 0
    assert compare([1.0], [1.0 + 1e-6]).largest_error == pytest.approx(1e-6, rel=1e-3)


def test_zero_against_something_is_wholly_wrong():
    assert compare([0.0], [1e-300]).largest_error == 1.0


def test_a_truth_value_is_not_a_number():
    assert compare([True, False], [True, True]).n_different == 1
    assert compare([True, False], [True, True]).largest_error is None


def test_lists_are_compared_item_by_item():
    assert compare([[1.0, 0.1 + 0.2], []], [[1.0, 0.3], []]).n_mismatches == 0
    assert compare([["a", "b"], ["a"], None], [["b", "a"], [], []]).n_mismatches == 3


def test_the_share_comes_with_an_exact_interval():
    found = compare([1] * 299, [1] * 299)
    # Clopper and Pearson: with no mismatch among n the upper limit is 1 - (alpha / 2) ** (1 / n).
    assert found.share.high == pytest.approx(1 - 0.025 ** (1 / 299), rel=1e-6)
