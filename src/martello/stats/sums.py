"""Sums that add: all an experiment needs of its units, computed where the log lies and merged in any order.

A `Sums` holds, over the units of one arm, how many there are and the sums of a metric, of its denominator (ratios), of
a covariate from before the experiment, and of their products. What can be estimated from them is `arms` and `effects`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from martello.errors import DataError
from martello.stats.checks import check_numbers

__all__ = ["Sums", "merge_sums", "sums_of"]


class Sums(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The sums of one metric over the units of one arm.

    Attributes
    ----------
    n
        Units; the unit is what was assigned, such as a user.
    y, yy
        Sum of the metric over units, and of its square.
    d, dd, yd
        The same of the denominator of a ratio, and of the product with the metric; None for a plain mean.
    x, xx, xy, xd
        The same of a covariate known before the unit was assigned, and of its products; None without one.
    """

    n: int
    y: float
    yy: float
    d: float | None = None
    dd: float | None = None
    yd: float | None = None
    x: float | None = None
    xx: float | None = None
    xy: float | None = None
    xd: float | None = None

    def __post_init__(self) -> None:
        # Numpy scalars are welcome and become plain numbers, so that sums can always be written down.
        for name in self.__struct_fields__[1:]:
            if getattr(self, name) is not None:
                msgspec.structs.force_setattr(self, name, float(getattr(self, name)))
        msgspec.structs.force_setattr(self, "n", int(self.n))
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        if any(value is not None and not math.isfinite(value) for value in given.values()):
            raise _unclear("a sum is not a finite number")
        for group in (("d", "dd", "yd"), ("x", "xx", "xy")):
            if len({given[name] is None for name in group}) > 1:
                raise _unclear(f"of {', '.join(group)} some are missing", "all three, or none")
        if (self.xd is None) != (self.x is None or self.d is None):
            raise _unclear("xd is the product of covariate and denominator", "xd exactly where there are both x and d")
        for name, total, square in (("y", self.y, self.yy), ("d", self.d, self.dd), ("x", self.x, self.xx)):
            if total is not None and square is not None and self.n * square < total * total * (1 - 1e-9):
                raise _unclear(f"the squares of {name} sum to less than {name} allows", "n · Σv² of at least (Σv)²")


def _unclear(what: str, expected: str = "finite sums over units") -> DataError:
    return DataError("stats.sums-impossible", what, where="sums", expected=expected)


def merge_sums(parts: Iterable[Sums]) -> Sums:
    """Add sums up, as of shards, days of distinct units, or strata.

    Raises
    ------
    DataError
        ``stats.sums-differ`` when some have a covariate or denominator and others do not, or there are none.

    Assumptions
    -----------
    No unit is in two of them.

    Guarantee
    ---------
    The sums of all units together, to rounding (exactly rounded, so the order of parts does not matter).

    Examples
    --------
    >>> merge_sums([Sums(n=2, y=1, yy=1), Sums(n=3, y=2, yy=2)])
    Sums(n=5, y=3.0, yy=3.0, d=None, dd=None, yd=None, x=None, xx=None, xy=None, xd=None)
    """
    listed = list(parts)
    names = [name for name in Sums.__struct_fields__ if name != "n"]
    present = {tuple(name for name in names if getattr(part, name) is not None) for part in listed}
    if len(present) != 1:
        raise DataError(
            "stats.sums-differ",
            "there is nothing to merge" if not listed else "the sums are not of the same quantities",
            where="sums",
            expected="at least one, all with the same fields",
        )
    added = {name: math.fsum(getattr(part, name) for part in listed) for name in present.pop()}
    return Sums(n=sum(part.n for part in listed), **added)


def sums_of(y: ArrayLike, *, d: ArrayLike | None = None, x: ArrayLike | None = None) -> Sums:
    """Give the sums of columns that have one row per unit.

    Parameters
    ----------
    y, d, x
        Metric, denominator and covariate, finite, shape (n,).

    Raises
    ------
    DataError
        ``stats.score-not-finite`` and other faults of columns; ``stats.sums-impossible`` on unequal lengths.

    Assumptions
    -----------
    A row is a unit.

    Guarantee
    ---------
    The sums, in double precision.

    Examples
    --------
    >>> found = sums_of([1, 0, 1], x=[2, 1, 1])
    >>> (found.n, found.y, found.xy)
    (3, 2.0, 3.0)
    """
    given = {"y": y, "d": d, "x": x}
    columns = {name: check_numbers(values, where=name) for name, values in given.items() if values is not None}
    if len({len(column) for column in columns.values()}) > 1:
        raise _unclear("the columns have different lengths", "a value per unit in each")
    pairs = {"y": "y", "yy": "yy", "d": "d", "dd": "dd", "yd": "yd", "x": "x", "xx": "xx", "xy": "xy", "xd": "xd"}
    totals = {
        name: float(np.sum(np.prod([columns[one] for one in of], axis=0)))
        for name, of in pairs.items()
        if set(of) <= set(columns)
    }
    return Sums(n=len(columns["y"]), **totals)
