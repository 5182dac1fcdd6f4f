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
from martello.train.text import text_counts
from martello.train.texts import TextRows
from martello.train.times import TIME_PARTS, time_parts

__all__ = ["TreeView", "fit_tree_view"]

Floats = npt.NDArray[np.float64]

#: Components kept of a text; beyond this the trees gain nothing measurable.
COMPONENTS = 32

#: A category seen once is treated as unseen: it teaches nothing, and an id would be carried into the release.
_FEWEST_ROWS = 2

_COUNTS = ("length", "capitals", "digits", "marks")


class _State(msgspec.Struct, frozen=True):
    """What is stored as JSON: levels per category, by field name."""

    levels: dict[str, list[str]]


class TreeView:
    """Fitted encoders that bring typed columns to one table of numbers.

    Parameters
    ----------
    fields
        The inputs, in order.
    levels
        Categories by frequency, by field name.
    components
        Directions of each text field, shape (terms, up to 32), float32.
    """

    def __init__(
        self,
        fields: tuple[Field, ...],
        levels: Mapping[str, Sequence[str]],
        components: Mapping[str, npt.NDArray[np.float32]],
    ) -> None:
        self._fields = fields
        self._levels = levels
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

    def encode(self, columns: Mapping[str, Sequence[Any]], texts: TextRows) -> Floats:
        """Give the table of columns and the rows of their texts, shape (n, len(names)), row by row in memory."""
        n = len(columns[self._fields[0].name])
        table = np.empty((n, len(self.names)), dtype=np.float64)
        place = 0
        for field in self._fields:
            if field.type == "text":
                part = self._encode_text(field.name, columns[field.name], texts[field.name, "words"])
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
        files = {"encoders.json": msgspec.json.encode(_State({name: list(own) for name, own in self._levels.items()}))}
        return files | ({"encoders.npz": pack_arrays(self._components)} if self._components else {})

    @staticmethod
    def load(files: Mapping[str, bytes], fields: tuple[Field, ...]) -> TreeView:
        """Make the view from its files."""
        state = msgspec.json.decode(files["encoders.json"], type=_State)
        return TreeView(fields, state.levels, unpack_arrays(files["encoders.npz"]) if "encoders.npz" in files else {})


def fit_tree_view(
    fields: tuple[Field, ...], columns: Mapping[str, Sequence[Any]], rows: TextRows, *, seed: int
) -> tuple[TreeView, Floats]:
    """Fit the encoders on training rows and give them with the encoded rows."""
    levels = {field.name: _levels(columns[field.name]) for field in fields if field.type == "category"}
    components = {name: _directions(text, seed) for (name, kind), text in rows.items() if kind == "words"}
    view = TreeView(fields, levels, components)
    return view, view.encode(columns, rows)


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
