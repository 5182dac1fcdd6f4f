"""How a forest of trees sees a row: a plain table of numbers in which NaN means "not known".

Categories become codes by frequency (unseen and missing are NaN alike), times become days, hour, weekday and month,
text becomes at most 32 components and four counts. Fitting sees no labels. The same code encodes one row and fifty
thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from martello.spec.schema import Field
from martello.train.arrays import Sparse, pack_arrays, unpack_arrays
from martello.train.text import Terms, fit_terms, text_counts
from martello.train.times import TIME_PARTS, time_parts

__all__ = ["TreeView", "fit_tree_view"]

Floats = npt.NDArray[np.float64]

#: Components kept of a text; beyond this the trees gain nothing measurable.
COMPONENTS = 32

#: A category seen once is treated as unseen: it teaches nothing, and an id would be carried into the release.
_FEWEST_ROWS = 2

_COUNTS = ("length", "capitals", "digits", "marks")


class _State(msgspec.Struct, frozen=True):
    """What is stored as JSON: levels per category and vocabulary per text, by field name."""

    levels: dict[str, list[str]]
    vocabularies: dict[str, list[str]]


class TreeView:
    """Fitted encoders that bring typed columns to one table of numbers.

    Parameters
    ----------
    fields
        The inputs, in order.
    levels
        Categories by frequency, by field name.
    terms
        Vocabulary of each text field.
    components
        Directions of each text field, shape (terms, up to 32), float32.
    """

    def __init__(
        self,
        fields: tuple[Field, ...],
        levels: Mapping[str, Sequence[str]],
        terms: Mapping[str, Terms],
        components: Mapping[str, npt.NDArray[np.float32]],
    ) -> None:
        self._fields = fields
        self._levels = levels
        self._terms = terms
        self._components = components
        self._codes = {name: {level: float(code) for code, level in enumerate(known)} for name, known in levels.items()}
        self.names = tuple(name for field in fields for name in self._names_of(field))

    def _names_of(self, field: Field) -> list[str]:
        if field.type == "time":
            return [f"{field.name} {part}" for part in TIME_PARTS]
        if field.type == "text":
            components = range(self._components[field.name].shape[1])
            return [f"{field.name} {part}" for part in (*_COUNTS, *components)]
        return [field.name]

    def encode(self, columns: Mapping[str, Sequence[Any]]) -> Floats:
        """Give the table, shape (n, len(names)), row by row in memory."""
        return self.encode_with(columns, {name: terms.encode(columns[name]) for name, terms in self._terms.items()})

    def encode_with(self, columns: Mapping[str, Sequence[Any]], texts: Mapping[str, Sparse]) -> Floats:
        """Give the table when the rows of the texts are known already."""
        n = len(columns[self._fields[0].name])
        table = np.empty((n, len(self.names)), dtype=np.float64)
        place = 0
        for field in self._fields:
            if field.type == "text":
                part = self._encode_text(field.name, columns[field.name], texts[field.name])
            else:
                part = self._encode_value(field, columns[field.name])
            width = part.shape[1] if part.ndim == 2 else 1
            table[:, place : place + width] = part.reshape(n, width)
            place += width
        return table

    def _encode_value(self, field: Field, values: Sequence[Any]) -> Floats:
        if field.type == "category":
            code = self._codes[field.name].get
            return np.array([code(value) for value in values], dtype=np.float64)
        if field.type == "time":
            return time_parts(values)
        return np.array(values, dtype=np.float64)

    def _encode_text(self, name: str, values: Sequence[str | None], rows: Sparse) -> Floats:
        return np.hstack([text_counts(values), rows.dot(self._components[name])])

    def files(self) -> dict[str, bytes]:
        """Give the files that hold the view."""
        state = _State(
            levels={name: list(known) for name, known in self._levels.items()},
            vocabularies={name: list(terms.vocabulary) for name, terms in self._terms.items()},
        )
        files = {"encoders.json": msgspec.json.encode(state)}
        if self._terms:
            files["encoders.npz"] = pack_arrays(
                {f"{name}/idf": terms.idf for name, terms in self._terms.items()}
                | {f"{name}/components": directions for name, directions in self._components.items()}
            )
        return files

    @staticmethod
    def load(files: Mapping[str, bytes], fields: tuple[Field, ...]) -> TreeView:
        """Make the view from its files."""
        state = msgspec.json.decode(files["encoders.json"], type=_State)
        arrays = unpack_arrays(files["encoders.npz"]) if state.vocabularies else {}
        terms = {name: Terms(known, arrays[f"{name}/idf"]) for name, known in state.vocabularies.items()}
        components = {name: arrays[f"{name}/components"] for name in terms}
        return TreeView(fields, state.levels, terms, components)


def fit_tree_view(
    fields: tuple[Field, ...], columns: Mapping[str, Sequence[Any]], *, seed: int
) -> tuple[TreeView, Floats]:
    """Fit the encoders on training rows and give them with the encoded rows."""
    levels = {field.name: _levels(columns[field.name]) for field in fields if field.type == "category"}
    texts = {field.name: fit_terms(columns[field.name]) for field in fields if field.type == "text"}
    components = {name: _directions(rows, seed) for name, (_, rows) in texts.items()}
    view = TreeView(fields, levels, {name: terms for name, (terms, _) in texts.items()}, components)
    return view, view.encode_with(columns, {name: rows for name, (_, rows) in texts.items()})


def _levels(values: Sequence[str | None]) -> list[str]:
    """List the categories, the most frequent first, ties by the alphabet."""
    counts = Counter(value for value in values if value is not None)
    return [level for level, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])) if n >= _FEWEST_ROWS]


def _directions(rows: Sparse, seed: int) -> npt.NDArray[np.float32]:
    """Find the directions of largest spread of the TF-IDF rows (truncated SVD), shape (terms, up to 32).

    Kept in 32 bits: half the release, and the scores are computed with what is kept.
    """
    from scipy.sparse import csr_matrix
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    k = min(COMPONENTS, rows.n, rows.width)
    if k == 0:
        return np.zeros((rows.width, 0), dtype=np.float32)
    matrix = csr_matrix((rows.values, (rows.rows, rows.columns)), shape=(rows.n, rows.width))
    with threadpool_limits(1):  # the number of threads decides the last bits
        _, _, directions = randomized_svd(matrix, k, n_iter=4, random_state=seed % 2**32)
    return np.ascontiguousarray(directions.T, dtype=np.float32)
