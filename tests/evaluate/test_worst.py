from __future__ import annotations

import numpy as np
import pytest

from martello.evaluate.worst import cut_inputs, worst_slices
from martello.records import WorstSlice
from martello.spec.schema import Field
from martello.stats.estimate import Estimate

FIELDS = (
    Field(name="age", type="integer"),
    Field(name="site", type="category"),
    Field(name="note", type="text"),
)


def world(n: int = 2000) -> dict[str, list[object]]:
    rng = np.random.default_rng(3)
    return {
        "age": rng.integers(18, 80, size=n).tolist(),
        "site": rng.choice(["a", "b", "c"], size=n).tolist(),
        "note": [f"note {i % 7}" for i in range(n)],
    }


def worst(loss: np.ndarray, columns: dict[str, list[object]]) -> tuple[WorstSlice, ...]:
    return worst_slices(loss, columns, FIELDS, weight=np.ones(len(loss)), cluster=None, level=0.95)


def test_a_planted_slice_is_found_with_its_loss() -> None:
    columns = world()
    rows = np.array(columns["site"]) == "b"
    loss = np.random.default_rng(1).exponential(0.3, size=2000) + 0.3 * rows
    first = worst(loss, columns)[0]
    assert first.columns == (("site", "b"),)
    assert first.n == rows.sum()
    assert isinstance(first.loss, Estimate)
    assert isinstance(first.excess, Estimate)
    assert first.loss.value == pytest.approx(loss[rows].mean())
    assert first.excess.value == pytest.approx(loss[rows].mean() - loss[~rows].mean())
    assert isinstance(first.share_of_loss, Estimate)
    assert first.share_of_loss.value == pytest.approx(loss[rows].sum() / loss.sum())


def test_a_pair_is_given_when_it_is_worse_than_its_halves() -> None:
    columns = world()
    young = np.array(columns["age"]) < np.median(np.array(columns["age"]))
    both = young & (np.array(columns["site"]) == "a")
    loss = np.random.default_rng(1).exponential(0.1, size=2000) + 1.0 * both
    found = worst(loss, columns)
    assert any(len(each.columns) == 2 and dict(each.columns)["site"] == "a" for each in found)
    assert len(found) <= 12


def test_where_errors_fall_by_chance_nothing_is_given() -> None:
    assert worst(np.random.default_rng(2).exponential(0.3, size=2000), world()) == ()


def test_text_and_what_never_changes_is_not_cut() -> None:
    columns = world(50) | {"site": ["a"] * 50}
    assert list(cut_inputs(columns, FIELDS)) == ["age"]


def test_every_number_falls_in_the_range_that_names_it() -> None:
    ages = np.random.default_rng(4).integers(0, 100, size=500)
    cut = cut_inputs({"age": ages.tolist()}, FIELDS[:1])["age"]
    for age, name in zip(ages, cut, strict=True):
        low, high = map(float, name.split(" to "))
        assert low <= age <= high
    assert len(set(cut)) == 4
