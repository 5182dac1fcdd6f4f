"""Whether serving saw what training computes: logged features beside those that a backfill gives, feature by feature.

Counts and errors only; which decisions are looked at, and what follows, is the corridor's matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from martello.records import Measure
from martello.stats.intervals import proportion_interval

__all__ = ["FeatureParity", "compare_features"]

#: Sums are added up in another order by every engine: this much of a number is rounding.
_ROUNDING = 1e-9


class FeatureParity(msgspec.Struct, frozen=True, kw_only=True):
    """How often a feature was logged with another value than a backfill gives.

    Attributes
    ----------
    name
        The feature.
    n
        Decisions compared.
    n_missing
        Null in the log, a value by backfill.
    n_extra
        A value in the log, null by backfill.
    n_different
        A value in both, and not the same one beyond rounding.
    share
        Share of decisions with any of these.
    largest_error
        Largest relative error of a number in the log; None where no number differs.
    example
        The first decision that disagrees: its id, the logged and the computed value.
    """

    name: str
    n: int
    n_missing: int
    n_extra: int
    n_different: int
    share: Measure
    largest_error: float | None
    example: tuple[str, Any, Any] | None

    @property
    def n_mismatches(self) -> int:
        """Count the decisions that disagree."""
        return self.n_missing + self.n_extra + self.n_different


def compare_features(
    ids: Sequence[str], logged: Mapping[str, Sequence[Any]], computed: Mapping[str, Sequence[Any]]
) -> tuple[FeatureParity, ...]:
    """Compare feature by feature.

    Parameters
    ----------
    ids
        Ids of the decisions.
    logged, computed
        Values by feature, each as long as `ids`.

    Examples
    --------
    >>> found, = compare_features(["d1", "d2", "d3"], {"n": [1, None, 4.0]}, {"n": [1, 2, 5.0]})
    >>> found.n_missing, found.n_different, found.largest_error
    (1, 1, 0.2)
    """
    return tuple(_compare(name, zip(ids, logged[name], values, strict=True)) for name, values in computed.items())


def _compare(name: str, rows: Iterable[tuple[str, Any, Any]]) -> FeatureParity:
    n = n_missing = n_extra = n_different = 0
    largest: float | None = None
    example: tuple[str, Any, Any] | None = None
    for id_, was, wanted in rows:
        n += 1
        if _agree(was, wanted):
            continue
        n_missing += was is None
        n_extra += wanted is None
        if was is not None and wanted is not None:
            n_different += 1
            error = _error(was, wanted)
            largest = error if largest is None or (error or 0.0) > largest else largest
        example = example or (id_, was, wanted)
    return FeatureParity(
        name=name,
        n=n,
        n_missing=n_missing,
        n_extra=n_extra,
        n_different=n_different,
        share=proportion_interval(n_missing + n_extra + n_different, n),
        largest_error=largest,
        example=example,
    )


def _agree(was: Any, wanted: Any) -> bool:
    if isinstance(was, list) and isinstance(wanted, list):
        return len(was) == len(wanted) and all(map(_agree, was, wanted))
    if _is_number(was) and _is_number(wanted):
        return bool(was == wanted) or abs(was - wanted) <= _ROUNDING * max(abs(was), abs(wanted))
    return bool(was == wanted) and (was is None) == (wanted is None)


def _error(was: Any, wanted: Any) -> float | None:
    """Give the relative error of a number, None of anything else."""
    if not (_is_number(was) and _is_number(wanted)):
        return None
    return float(abs(was - wanted) / max(abs(was), abs(wanted)))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
