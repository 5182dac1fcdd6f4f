"""A moment as four numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["TIME_PARTS", "time_parts"]

#: The parts, in the order of the columns.
TIME_PARTS = ("day", "hour", "weekday", "month")

_DAY = 86_400_000_000
_HOUR = 3_600_000_000


def time_parts(values: Sequence[int | None]) -> npt.NDArray[np.float64]:
    """Give days since 1970 (with fraction), hour, weekday (Monday is 0) and month of microseconds in UTC, shape (n, 4).

    Missing moments are NaN in all parts.

    Examples
    --------
    >>> time_parts([0, None])
    array([[ 0.,  0.,  3.,  1.],
           [nan, nan, nan, nan]])
    """
    known = np.array([0 if value is None else value for value in values], dtype=np.int64)
    day = known // _DAY
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    parts = np.stack([known / _DAY, known % _DAY // _HOUR, (day + 3) % 7, month], axis=1).astype(np.float64)
    parts[[value is None for value in values]] = np.nan
    return parts
