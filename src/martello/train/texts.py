"""The text fields of a task together: which vocabularies they have, and their rows.

Words and their pairs always; short runs of characters only where they cut the log loss of a linear model on a few
thousand rows by enough to pay for what they cost. A text is split once, whatever views look at its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from martello.train.arrays import Sparse, beside, pack_arrays, unpack_arrays
from martello.train.folds import folds_worth, inner_folds, log_loss
from martello.train.learner import TrainingData
from martello.train.text import Terms, fit_terms, runs, words

__all__ = ["TEXT_SCALE", "TextRows", "Texts", "fit_texts"]

#: TF-IDF rows by (field, kind of terms).
TextRows = Mapping[tuple[str, str], Sparse]

#: Rows of terms have this length for a linear model, so that one strength of the ridge suits tables and texts.
TEXT_SCALE = 3.0

_SPLITS = {"words": words, "runs": runs}

#: Rows and folds on which runs of characters are tried, the share of log loss they must save, and the ridge.
_TRIED_ROWS = 4_000
_TRIED_FOLDS = 3
_WORTH = 0.05
_TRIED_STRENGTH = 3.0


class Texts:
    """Fitted vocabularies of the text fields.

    Parameters
    ----------
    terms
        Vocabulary by (field, kind of terms); the kinds are "words" and "runs".
    """

    def __init__(self, terms: Mapping[tuple[str, str], Terms]) -> None:
        self._terms = terms
        self.width = sum(len(own.vocabulary) for own in terms.values())

    @property
    def has_runs(self) -> bool:
        """Say whether runs of characters are looked at."""
        return any(kind == "runs" for _, kind in self._terms)

    def encode(self, columns: Mapping[str, Sequence[Any]]) -> TextRows:
        """Give the rows of the text fields."""
        return {key: terms.encode(columns[key[0]]) for key, terms in self._terms.items()}

    def files(self) -> dict[str, bytes]:
        """Give the files that hold the vocabularies; none without text."""
        if not self._terms:
            return {}
        vocabularies = [(*key, list(terms.vocabulary)) for key, terms in self._terms.items()]
        weights = {str(i): terms.idf for i, terms in enumerate(self._terms.values())}
        return {"texts.json": msgspec.json.encode(vocabularies), "texts.npz": pack_arrays(weights)}

    @staticmethod
    def load(files: Mapping[str, bytes]) -> Texts:
        """Make the vocabularies from their files."""
        if "texts.json" not in files:
            return Texts({})
        vocabularies = msgspec.json.decode(files["texts.json"], type=list[tuple[str, str, list[str]]])
        weights = unpack_arrays(files["texts.npz"])
        return Texts(
            {
                (name, kind): Terms(known, weights[str(i)], _SPLITS[kind])
                for i, (name, kind, known) in enumerate(vocabularies)
            }
        )


def fit_texts(data: TrainingData, *, seed: int, with_runs: bool | None = None) -> tuple[Texts, TextRows]:
    """Choose the vocabularies from training rows and give them with their rows; unless told, try runs first."""
    names = [field.name for field in data.fields if field.type == "text"]
    if with_runs is None:
        with_runs = bool(names) and _are_runs_worth_it(data.only(names), seed)
    return _fit(data, ("words", "runs") if with_runs else ("words",))


def _fit(data: TrainingData, kinds: Sequence[str]) -> tuple[Texts, TextRows]:
    keys = [(field.name, kind) for kind in kinds for field in data.fields if field.type == "text"]
    fitted = {(name, kind): fit_terms(data.columns[name], _SPLITS[kind]) for name, kind in keys}
    return Texts({key: terms for key, (terms, _) in fitted.items()}), {key: rows for key, (_, rows) in fitted.items()}


def _are_runs_worth_it(data: TrainingData, seed: int) -> bool:
    """Compare held-out log loss of words alone and of words with runs on some rows."""
    rng = np.random.default_rng([seed, len(data)])
    some = data.take(np.sort(rng.permutation(len(data))[:_TRIED_ROWS]))
    if not next(inner_folds(some, seed=seed, most=1), None):
        return False
    plain, rich = (_held_out_loss(some, kinds, seed) for kinds in (("words",), ("words", "runs")))
    return rich < (1.0 - _WORTH) * plain


def _held_out_loss(data: TrainingData, kinds: Sequence[str], seed: int) -> float:
    from martello.train.ridge import as_matrix, solve

    _, rows = _fit(data, kinds)
    matrix = as_matrix(beside(list(rows.values()), scale=TEXT_SCALE))
    losses = []
    for kept, out in inner_folds(data, seed=seed, most=min(_TRIED_FOLDS, folds_worth(data))):
        ridge = solve(matrix[kept], data.codes[kept], data.weights[kept], _TRIED_STRENGTH)
        losses.append(log_loss(ridge.scores(matrix[out]), data.codes[out], data.weights[out]))
    return float(np.mean(losses))
