from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from martello.spec.schema import Field
from martello.testing.learners import example_rows
from martello.train.linear_view import LinearView
from martello.train.linear_view import fit_linear_view as fit_view
from martello.train.texts import Texts, fit_texts

NUMBER = (Field(name="x", type="number"),)


def fit_linear_view(fields, columns):
    return fit_view(fields, columns, Texts({}), {})


def dense(cells):
    return csr_matrix((cells.values, (cells.rows, cells.columns)), shape=(cells.n, cells.width)).toarray()


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_weights_on_the_bins_of_a_number_draw_a_curve_through_the_knots(seed):
    rng = np.random.default_rng(seed)
    values = rng.exponential(10, 300)
    view, _ = fit_linear_view(NUMBER, {"x": values.tolist()})
    weights = np.zeros(view.width)
    weights[:10] = rng.normal(size=10)
    asked = rng.uniform(-10, 100, 200)
    curve = dense(view.encode({"x": asked.tolist()}, {})) @ weights
    knots = np.quantile(values, np.linspace(0, 1, 11))
    assert curve == pytest.approx(np.interp(asked, knots, np.append(0, np.cumsum(weights[:10]))), abs=1e-9)


def test_a_spike_does_not_swallow_the_bins():
    gains = [0.0] * 900 + np.linspace(1000, 99_000, 100).tolist()
    _, cells = fit_linear_view(NUMBER, {"x": gains})
    progress = dense(cells)[900:, :10].sum(axis=1)
    assert len(set(np.floor(progress))) >= 9


def test_a_missing_number_is_only_its_flag_and_an_absurd_one_is_bounded():
    view, _ = fit_linear_view(NUMBER, {"x": [1.0, 2.0, 3.0, 4.0, None]})
    rows = dense(view.encode({"x": [None, 1e308, -1e308, 2.5]}, {}))
    assert rows[0].tolist() == [0.0] * 11 + [1.0]
    assert rows[1, 10] == 3.0
    assert rows[2, 10] == -3.0
    assert rows[3, 10] == 0.0


def test_columns_without_any_value_or_spread_encode_without_warnings():
    for values in ([None, None], [5.0, 5.0], [-1e308, 1e308]):
        view, _ = fit_linear_view(NUMBER, {"x": values})
        assert np.isfinite(dense(view.encode({"x": [None, 0.0, 1e308]}, {}))).all()


def test_frequent_levels_have_their_column_and_all_others_share_one():
    field = Field(name="c", type="category")
    view, cells = fit_linear_view((field,), {"c": ["a"] * 30 + ["b"] * 20 + [None] * 10 + ["rare"]})
    assert view.width == 4
    assert dense(cells)[[0, 30, 50, 60]].tolist() == np.eye(4).tolist()
    assert dense(view.encode({"c": ["never seen"]}, {})).tolist() == [[0, 0, 0, 1]]


def test_a_row_alone_and_a_view_read_back_encode_alike():
    data = example_rows(150, 2, seed=3)
    texts, rows = fit_texts(data, seed=0, with_runs=True)
    view, cells = fit_view(data.fields, data.columns, texts, rows)
    whole = dense(cells)
    again = LinearView.load(view.file(), data.fields, texts)
    for i in range(150):
        own = {name: [values[i]] for name, values in data.columns.items()}
        alone = dense(again.encode(own, texts.encode(own)))
        assert np.array_equal(alone[0], whole[i])
