"""The slices of some units: each value of each declared column, as a mask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["each_slice"]


def each_slice(columns: Mapping[str, Sequence[str | None]]) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Give column, value and the mask of its units; units without a value are a slice of their own.

    Examples
    --------
    >>> [(column, value, rows.tolist()) for column, value, rows in each_slice({"sex": ["f", None, "f"]})]
    [('sex', '(none)', [False, True, False]), ('sex', 'f', [True, False, True])]
    """
    for column, values in columns.items():
        named = np.asarray(["(none)" if value is None else value for value in values], dtype=str)
        for value in np.unique(named):
            yield column, str(value), named == value
