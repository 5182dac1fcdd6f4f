"""How a linear model sees a row: a sparse row of pieces, so that a straight line in each piece is a curve over the
whole.

A number becomes its progress through each of ten quantile bins, a clipped z-score and a missing flag; a category one
column per frequent level and one for all others; text its TF-IDF terms. Fitting sees no labels. One code path for one
row and many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from martello.spec.schema import Field
from martello.train.arrays import Sparse, beside
from martello.train.texts import TEXT_SCALE, TextRows, Texts
from martello.train.times import time_parts

__all__ = ["LinearView", "fit_linear_view"]

Floats = npt.NDArray[np.float64]

_BINS = 10

#: z-scores end here: one absurd value must not move a score without bound.
_Z_END = 3.0

#: Numbers beyond this are taken as this, so that no square of them overflows.
_FARTHEST = 1e150

#: A level needs this many training rows for a column of its own; the rest share one.
_FEWEST_ROWS = 10

#: A value held by more than this share of rows is set aside before the quantiles are taken, or it would swallow the
#: bins.
_SPIKE = 0.3


class _Number(msgspec.Struct, frozen=True):
    """Knots, mean and standard deviation of one number."""

    knots: list[float]
    mean: float
    spread: float


class _State(msgspec.Struct, frozen=True):
    """What is stored as JSON."""

    numbers: list[_Number]
    levels: dict[str, list[str | bool | None]]


class LinearView:
    """Fitted encoders that bring typed columns to one sparse matrix.

    Parameters
    ----------
    fields
        The inputs, in order.
    state
        What was fitted.
    texts
        Vocabularies of the text fields.
    """

    def __init__(self, fields: tuple[Field, ...], state: _State, texts: Texts) -> None:
        self._fields = fields
        self._state = state
        self._left, self._span = _edges(state.numbers)
        self._mean = np.array([number.mean for number in state.numbers])
        self._spread = np.array([number.spread for number in state.numbers])
        self._numbers_width = len(state.numbers) * (_BINS + 2)
        self._columns: dict[str, dict[str | bool | None, int]] = {}
        self._other: dict[str, int] = {}
        place = self._numbers_width
        for name, levels in state.levels.items():
            self._columns[name] = {level: place + code for code, level in enumerate(levels)}
            self._other[name] = place + len(levels)
            place += len(levels) + 1
        self._first_term = place
        self.width = place + texts.width

    def encode(self, columns: Mapping[str, Sequence[Any]], texts: TextRows) -> Sparse:
        """Give the sparse rows, shape (n, width), of columns and the rows of their texts."""
        n = len(columns[self._fields[0].name])
        parts = [self._encode_numbers(columns, n), self._encode_levels(columns, n)]
        if texts:
            terms = beside(list(texts.values()), scale=TEXT_SCALE)
            parts.append((terms.rows, terms.columns + self._first_term, terms.values))
        rows, places, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return Sparse(n=n, width=self.width, rows=rows, columns=places, values=values)

    def _encode_numbers(self, columns: Mapping[str, Sequence[Any]], n: int) -> tuple[Any, Any, Any]:
        """Give the cells of every number of every row: progress through its bins, z-score, missing flag."""
        table = _numbers(self._fields, columns, n)
        cells = np.empty((n, table.shape[1], _BINS + 2))
        unknown = np.isnan(table)
        known = np.where(unknown, self._mean, table)
        np.clip((known[:, :, None] - self._left) / self._span, 0.0, 1.0, out=cells[:, :, :_BINS])
        np.clip((known - self._mean) / self._spread, -_Z_END, _Z_END, out=cells[:, :, _BINS])
        cells[unknown] = 0.0
        cells[:, :, _BINS + 1] = unknown
        flat = cells.reshape(n, self._numbers_width)
        rows, places = np.nonzero(flat)
        return rows, places, flat[rows, places]

    def _encode_levels(self, columns: Mapping[str, Sequence[Any]], n: int) -> tuple[Any, Any, Any]:
        """Give one cell for every category of every row."""
        if not self._columns:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        places = [
            [column.get(value, self._other[name]) for value in columns[name]] for name, column in self._columns.items()
        ]
        cells = np.array(places, dtype=np.int64).T.ravel()
        return np.repeat(np.arange(n), len(places)), cells, np.ones(len(cells))

    def file(self) -> bytes:
        """Give the file that holds the view, JSON."""
        return msgspec.json.encode(self._state)

    @staticmethod
    def load(file: bytes, fields: tuple[Field, ...], texts: Texts) -> LinearView:
        """Make the view from its file."""
        return LinearView(fields, msgspec.json.decode(file, type=_State), texts)


def fit_linear_view(
    fields: tuple[Field, ...], columns: Mapping[str, Sequence[Any]], texts: Texts, rows: TextRows
) -> tuple[LinearView, Sparse]:
    """Fit the encoders on training rows and give them with the encoded rows."""
    table = _numbers(fields, columns, len(columns[fields[0].name]))
    state = _State(
        numbers=[_fit_number(table[:, j]) for j in range(table.shape[1])],
        levels={field.name: _levels(columns[field.name]) for field in fields if field.type in ("category", "boolean")},
    )
    view = LinearView(fields, state, texts)
    return view, view.encode(columns, rows)


def _numbers(fields: tuple[Field, ...], columns: Mapping[str, Sequence[Any]], n: int) -> Floats:
    """Collect what is a number: numbers, integers and the parts of times, shape (n, numbers)."""
    parts = [np.empty((n, 0))]
    for field in fields:
        if field.type in ("number", "integer"):
            parts.append(np.array(columns[field.name], dtype=np.float64).reshape(n, 1))
        elif field.type == "time":
            parts.append(time_parts(columns[field.name]))
    return np.clip(np.hstack(parts), -_FARTHEST, _FARTHEST)


def _fit_number(values: Floats) -> _Number:
    """Choose knots at the quantiles of what was seen, a spike set aside and put back as a knot of its own."""
    seen = values[~np.isnan(values)]
    if len(seen) == 0:
        return _Number(knots=[], mean=0.0, spread=1.0)
    distinct, counts = np.unique(seen, return_counts=True)
    spikes = distinct[counts > _SPIKE * len(seen)]
    rest = seen[~np.isin(seen, spikes)]
    quantiles = np.quantile(rest, np.linspace(0, 1, _BINS + 1 - len(spikes))) if len(rest) else np.empty(0)
    knots = np.unique(np.concatenate([quantiles, spikes]))
    return _Number(knots=knots.tolist(), mean=float(seen.mean()), spread=float(seen.std()) or 1.0)


def _edges(numbers: Sequence[_Number]) -> tuple[Floats, Floats]:
    """Lay out left ends and widths of all bins, shape (numbers, 10) each; an absent bin is infinitely wide."""
    left = np.zeros((len(numbers), _BINS))
    span = np.full((len(numbers), _BINS), np.inf)
    for j, number in enumerate(numbers):
        bins = max(0, len(number.knots) - 1)
        left[j, :bins] = number.knots[:bins]
        span[j, :bins] = np.diff(number.knots)
    return left, span


def _levels(values: Sequence[Any]) -> list[Any]:
    """List the levels frequent enough for a column, missing among them, the most frequent first."""
    often = [(-n, str(level), level) for level, n in Counter(values).items() if n >= _FEWEST_ROWS]
    return [level for _, _, level in sorted(often, key=lambda item: item[:2])]
