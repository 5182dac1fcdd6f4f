from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from martello.spec.schema import Field
from martello.testing.learners import example_rows
from martello.train.text import fit_terms
from martello.train.texts import Texts
from martello.train.tree_view import TreeView
from martello.train.tree_view import fit_tree_view as fit_view


def fit_tree_view(fields, columns, *, seed):
    texts = Texts(
        {(field.name, "words"): fit_terms(columns[field.name])[0] for field in fields if field.type == "text"}
    )
    view, table = fit_view(fields, columns, texts.encode(columns), seed=seed)
    return view, table, texts


def test_categories_are_codes_by_frequency_and_the_unseen_is_missing():
    field = Field(name="city", type="category")
    view, table, _ = fit_tree_view((field,), {"city": ["b", "a", "b", None, "c", "c", "a", "b", "once"]}, seed=0)
    expected = [0, 1, 0, math.nan, 2, 2, 1, 0, math.nan]
    assert np.array_equal(table[:, 0], expected, equal_nan=True)
    assert np.isnan(view.encode({"city": ["never seen"]}, {})).all()


def test_numbers_booleans_and_integers_are_passed_through():
    fields = (Field(name="n", type="number"), Field(name="b", type="boolean"), Field(name="i", type="integer"))
    columns = {"n": [0.1, None], "b": [True, None], "i": [2**53, None]}
    _, table, _ = fit_tree_view(fields, columns, seed=0)
    assert table[0].tolist() == [0.1, 1.0, 2.0**53]
    assert np.isnan(table[1]).all()


def test_components_of_text_span_the_leading_singular_directions():
    columns = example_rows(400, 2, seed=0).columns
    field = Field(name="note", type="text")
    _, table, _ = fit_tree_view((field,), {"note": columns["note"]}, seed=0)
    terms, rows = fit_terms(columns["note"])
    matrix = csr_matrix((rows.values, (rows.rows, rows.columns)), shape=(rows.n, rows.width))
    exact = np.sort(svds(matrix, 32, return_singular_vectors=False))[::-1]
    found = np.sort(np.linalg.norm(table[:, 4:], axis=0))[::-1]
    assert found[:8] == pytest.approx(exact[:8], rel=1e-3)
    assert len(terms.vocabulary) >= table.shape[1] - 4 == 32


def test_a_row_alone_and_a_view_read_back_encode_alike():
    data = example_rows(200, 2, seed=3)
    view, table, texts = fit_tree_view(data.fields, data.columns, seed=0)
    again = TreeView.load(view.files(), data.fields)
    assert np.array_equal(again.encode(data.columns, texts.encode(data.columns)), table, equal_nan=True)
    for i in range(200):
        own = {name: [values[i]] for name, values in data.columns.items()}
        alone = again.encode(own, texts.encode(own))
        assert np.array_equal(alone[0], table[i], equal_nan=True)


def test_texts_without_any_common_term_leave_only_the_counts():
    _, table, _ = fit_tree_view((Field(name="note", type="text"),), {"note": ["one", "two", None]}, seed=0)
    assert table.shape == (3, 4)
