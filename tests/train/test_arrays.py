from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import random as random_sparse
from scipy.special import expit, softmax

from martello.train import arrays
from martello.train.arrays import Sparse, pack_arrays, probabilities, unpack_arrays


def sparse(seed, n=50, width=30):
    matrix = random_sparse(n, width, density=0.3, format="csr", rng=np.random.default_rng(seed)).tocoo()
    order = np.lexsort((matrix.col, matrix.row))
    return matrix, Sparse(
        n, width, matrix.row[order].astype(np.int64), matrix.col[order].astype(np.int64), matrix.data[order]
    )


@pytest.mark.parametrize("k", [1, 3, 32])
def test_a_product_is_that_of_scipy_and_each_row_is_the_same_in_every_bit_alone(k):
    matrix, cells = sparse(k)
    weights = np.random.default_rng(k).normal(size=(30, k))
    product = cells.dot(weights)
    assert product == pytest.approx(matrix @ weights)
    for row in range(50):
        own = cells.rows == row
        alone = Sparse(1, 30, np.zeros(own.sum(), np.int64), cells.columns[own], cells.values[own])
        assert np.array_equal(alone.dot(weights)[0], product[row])


def test_a_product_does_not_depend_on_how_much_is_held_in_memory(monkeypatch):
    _, cells = sparse(7)
    weights = np.random.default_rng(7).normal(size=(30, 5))
    whole = cells.dot(weights)
    monkeypatch.setattr(arrays, "_PRODUCTS", 35)
    assert np.array_equal(cells.dot(weights), whole)


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=20))
@settings(max_examples=50)
def test_two_class_scores_are_the_sigmoid(logits):
    scores = probabilities(np.array(logits)[:, None])
    assert scores[:, 1] == pytest.approx(expit(logits), rel=1e-12)
    assert np.all(scores.sum(axis=1) == 1.0)


@given(st.lists(st.lists(st.floats(-800, 800), min_size=3, max_size=3), min_size=1, max_size=20))
@settings(max_examples=50)
def test_many_class_scores_are_the_softmax(logits):
    assert probabilities(np.array(logits)) == pytest.approx(softmax(np.array(logits), axis=1), rel=1e-9)


def test_equal_arrays_give_equal_bytes_whatever_their_order_or_layout():
    a, b = np.arange(6.0).reshape(2, 3), np.array([1, 2])
    assert pack_arrays({"a": a, "b": b}) == pack_arrays({"b": b.copy(), "a": np.asfortranarray(a)})
    back = unpack_arrays(pack_arrays({"a": a, "b": b}))
    assert np.array_equal(back["a"], a)


def test_an_array_of_objects_is_neither_written_nor_read():
    objects = np.array([{"run": "me"}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        pack_arrays({"a": objects})
    buffer = io.BytesIO()
    np.savez(buffer, a=objects)
    with pytest.raises(ValueError, match="allow_pickle"):
        unpack_arrays(buffer.getvalue())
