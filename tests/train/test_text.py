from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from martello.train.text import fit_terms, text_counts, tokens

REVIEWS = Path(__file__).parents[1] / "data" / "womens_clothing_reviews_sample.parquet"


@pytest.fixture(scope="module")
def texts():
    return pq.read_table(REVIEWS)["Review Text"].to_pylist()[:800]


def dense(rows):
    return csr_matrix((rows.values, (rows.rows, rows.columns)), shape=(rows.n, rows.width))


def test_rows_of_terms_are_those_of_scikit_learn(texts):
    oracle = TfidfVectorizer(
        tokenizer=tokens, token_pattern=None, lowercase=False, ngram_range=(1, 2), min_df=2, sublinear_tf=True
    )
    expected = oracle.fit_transform([text or "" for text in texts[:500]])
    terms, rows = fit_terms(texts[:500])
    assert list(terms.vocabulary) == oracle.get_feature_names_out().tolist()
    assert abs(dense(rows) - expected).max() < 1e-12
    unseen = dense(terms.encode(texts[500:]))
    assert abs(unseen - oracle.transform([text or "" for text in texts[500:]])).max() < 1e-12


def test_a_text_alone_is_the_row_of_the_batch(texts):
    terms, rows = fit_terms(texts)
    for i in range(0, 800, 40):
        alone = terms.encode([texts[i]])
        own = rows.rows == i
        assert np.array_equal(alone.columns, rows.columns[own])
        assert np.array_equal(alone.values, rows.values[own])


def test_missing_unknown_and_empty_texts_are_empty_rows():
    terms, _ = fit_terms(["red dress", "red coat", "blue coat", "blue coat"])
    assert len(terms.encode([None, "", "xyzzy", "東京"]).values) == 0


def test_words_keep_telling_marks_and_forget_long_numbers():
    assert tokens("Call 07946-0123 NOW!! £5 or 50% off") == (
        ["call", "00000", "0000", "now", "!", "!", "£", "5", "or", "50", "%", "off"]
    )


def test_the_most_frequent_terms_are_kept(monkeypatch):
    monkeypatch.setattr("martello.train.text.MOST_TERMS", 2)
    terms, _ = fit_terms(["a b", "a c", "b a", "d a", "b d"])
    assert terms.vocabulary == ("a", "b")


def test_counts_are_of_characters_and_missing_text_has_none():
    counts = text_counts(["Ab 1!", None, "東京"])
    assert counts[0].tolist() == [5.0, 1 / 5, 1 / 5, 1 / 5]
    assert np.isnan(counts[1]).all()
    assert counts[2].tolist() == [2.0, 0.0, 0.0, 0.0]
