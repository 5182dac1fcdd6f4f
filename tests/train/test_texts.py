from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from martello.spec.schema import Field
from martello.testing.learners import example_rows
from martello.train.text import fit_terms, runs
from martello.train.texts import Texts, fit_texts

FIELD = (Field(name="note", type="text"),)


def telling(words, n=600):
    """Texts whose class is in the words, or only in how a word ends."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, n)
    stems = ["".join(rng.choice(list("bcdfgaeiou"), 6)) for _ in range(n)]
    if words:
        notes = [f"{stem} {'good' if code else 'poor'}" for stem, code in zip(stems, codes, strict=True)]
    else:
        notes = [f"{stem}{'xyz' if code else 'qkw'} well" for stem, code in zip(stems, codes, strict=True)]
    data = example_rows(n, 2, seed=0)
    return replace(data, fields=FIELD, columns={"note": notes}, codes=codes.astype(np.int64))


def test_runs_are_looked_at_only_where_words_do_not_tell():
    assert not fit_texts(telling(words=True), seed=0)[0].has_runs
    assert fit_texts(telling(words=False), seed=0)[0].has_runs
    assert not fit_texts(telling(words=False), seed=0, with_runs=False)[0].has_runs
    assert fit_texts(telling(words=True), seed=0, with_runs=True)[0].has_runs


def test_runs_are_those_of_scikit_learn_within_words():
    texts = ["Win a prize!!", "call me, later", "win the lot!", "a prize call"] * 3
    terms, rows = fit_terms(texts, runs)
    oracle = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=2, sublinear_tf=True)
    expected = oracle.fit_transform(texts)
    ours = csr_matrix((rows.values, (rows.rows, rows.columns)), shape=(rows.n, rows.width)).toarray()
    theirs = expected.toarray()[:, [oracle.vocabulary_[term] for term in terms.vocabulary]]
    assert set(terms.vocabulary) == {term for term in oracle.vocabulary_ if term != " "}
    assert np.allclose(ours, theirs / np.linalg.norm(theirs, axis=1, keepdims=True))


def test_vocabularies_read_back_give_the_same_rows():
    data = example_rows(200, 2, seed=0)
    texts, rows = fit_texts(data, seed=0, with_runs=True)
    again = Texts.load(texts.files())
    assert again.width == texts.width
    for key, own in again.encode(data.columns).items():
        assert np.array_equal(own.values, rows[key].values)
        assert np.array_equal(own.columns, rows[key].columns)


def test_without_text_nothing_is_stored():
    texts, rows = fit_texts(example_rows(50, 2, seed=0).only(["size"]), seed=0)
    assert (texts.files(), dict(rows), texts.width) == ({}, {}, 0)
