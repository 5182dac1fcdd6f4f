"""Arrays as bytes, and sums whose result does not depend on how many rows are summed at once.

Scores of one row alone and in a batch must agree in every bit, which matrix products do not promise (they choose
another kernel by shape). Everything that is summed for a score is summed here, term after term.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Sparse", "beside", "pack_arrays", "probabilities", "unpack_arrays"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Products held in memory at once by `Sparse.dot`: 4 million floats are 32 MB.
_PRODUCTS = 4_000_000


@dataclass(frozen=True, slots=True)
class Sparse:
    """A matrix by its non-zero cells, ordered so that the cells of a row keep one order whatever rows are beside it.

    Attributes
    ----------
    n
        Number of rows.
    width
        Number of columns.
    rows, columns, values
        The cells.
    """

    n: int
    width: int
    rows: Ints
    columns: Ints
    values: Floats

    def dot(self, weights: npt.NDArray[Any]) -> Floats:
        """Multiply with a matrix of shape (width, K) into shape (n, K), each cell summed strictly in order."""
        k = weights.shape[1]
        total = np.zeros(self.n * k)
        lanes = np.arange(k)
        step = max(1, _PRODUCTS // max(1, k))
        for start in range(0, len(self.rows), step):
            part = slice(start, start + step)
            products = weights[self.columns[part]] * self.values[part, None]
            np.add.at(total, (self.rows[part, None] * k + lanes).ravel(), products.ravel())
        return total.reshape(self.n, k)


def beside(parts: Sequence[Sparse], *, scale: float = 1.0) -> Sparse:
    """Put matrices of the same rows side by side, their cells multiplied."""
    starts = np.cumsum([0, *(part.width for part in parts)])
    return Sparse(
        n=parts[0].n,
        width=int(starts[-1]),
        rows=np.concatenate([part.rows for part in parts]),
        columns=np.concatenate([part.columns + start for part, start in zip(parts, starts[:-1], strict=True)]),
        values=np.concatenate([part.values for part in parts]) * scale,
    )


def probabilities(logits: Floats) -> Floats:
    """Turn logits into scores that sum to 1: shape (n, 1) through the sigmoid to (n, 2), (n, K) through the softmax.

    `math.exp` on each value instead of the array function, whose last bit may depend on the place in the array.
    """
    if logits.shape[1] == 1:
        positive = np.array([_sigmoid(value) for value in logits[:, 0].tolist()])
        return np.stack([1.0 - positive, positive], axis=1)
    return np.array([_softmax(row) for row in logits.tolist()]).reshape(logits.shape)


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    power = math.exp(value)
    return power / (1.0 + power)


def _softmax(row: list[float]) -> list[float]:
    top = max(row)
    powers = [math.exp(value - top) for value in row]
    total = math.fsum(powers)
    return [power / total for power in powers]


def pack_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Write arrays as an NPZ file; equal arrays give equal bytes.

    Examples
    --------
    >>> unpack_arrays(pack_arrays({"knots": np.arange(3.0)}))["knots"]
    array([0., 1., 2.])
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0)), member.getvalue())
    return buffer.getvalue()


def unpack_arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """Read an NPZ file, refusing anything but plain arrays."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
