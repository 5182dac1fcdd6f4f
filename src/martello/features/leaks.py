"""Which columns look like a leak: a value that would not be there, or not be the same, when the decision is made.

Data cannot prove a leak; these rules only know when to ask. Each finding is a question to the person who owns the
source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from martello.records import Column, Finding
from martello.stats.estimate import Estimate

__all__ = ["KnownAfterwards", "leak_findings"]

#: Says why a column of this name may be known only after the decision, or None.
KnownAfterwards = Callable[[str], str | None]

#: A column that by itself nearly gives the answer; honest single inputs stay below (the best on the sets tried reach
#: .88).
_NEARLY_THE_ANSWER = 0.95

#: A column whose name is suspicious must also say much; the whole interval must lie above.
_SAYS_MUCH = 0.70

#: An id that predicts anything at all encodes the order in which rows were written.
_SAYS_SOMETHING = 0.60

_IN_ORDER = 0.99
_ALL_DISTINCT = 0.99
_FEWEST_ROWS = 50

#: Ids are handed out densely: their range is at most this many times their number.
_SPARSEST_ID = 100


def leak_findings(
    columns: Sequence[Column],
    values: dict[str, list[Any]],
    times: Sequence[int | None],
    known_afterwards: KnownAfterwards,
) -> tuple[Finding, ...]:
    """Ask about every column that looks like a leak.

    Parameters
    ----------
    columns
        Profiles, with the AUC of each column alone.
    values, times
        Typed values of the training rows by column, and the times of these rows.
    known_afterwards
        Says why a name is suspicious.
    """
    found = []
    for column in columns:
        why = _suspicion(column, values[column.name], times, known_afterwards)
        if why:
            found.append(
                Finding(
                    code="features.looks-like-leak",
                    what=f"{column.name} looks like a leak: is it known before the decision? {why}",
                    severity="warning",
                    columns=(column.name,),
                )
            )
    return tuple(found)


def _suspicion(
    column: Column, values: Sequence[Any], times: Sequence[int | None], known_afterwards: KnownAfterwards
) -> str | None:
    """Say why a column is suspicious, or None."""
    alone = column.alone if isinstance(column.alone, Estimate) else None
    if _is_id(column, values):
        if abs(_order(values, times)) >= _IN_ORDER:
            return "Every unit has its own value, and the values rise or fall with time."
        if alone and alone.low >= _SAYS_SOMETHING:
            return (
                f"Every unit has its own value, yet alone it reaches an AUC of {alone} on dev: it may encode an order."
            )
    if alone and alone.value >= _NEARLY_THE_ANSWER:
        return f"Alone it reaches an AUC of {alone} on dev."
    reason = known_afterwards(column.name)
    if alone and reason and alone.low >= _SAYS_MUCH:
        return f"By its name {reason}, and alone it reaches an AUC of {alone} on dev."
    return None


def _is_id(column: Column, values: Sequence[Any]) -> bool:
    """Say whether whole numbers are handed out like ids: all different, and densely."""
    known = [value for value in values if value is not None]
    if column.type not in ("integer", "number") or len(known) < _FEWEST_ROWS:
        return False
    if column.n_distinct < _ALL_DISTINCT * len(known) or any(value % 1 for value in known):
        return False
    return bool(max(known) - min(known) <= _SPARSEST_ID * len(known))


def _order(values: Sequence[Any], times: Sequence[int | None]) -> float:
    """Give the rank correlation of values with times, 0 where there are too few pairs to say."""
    pairs = [(value, time) for value, time in zip(values, times, strict=True) if value is not None and time is not None]
    if len(pairs) < _FEWEST_ROWS:
        return 0.0
    ranks = [np.unique(side, return_inverse=True)[1] for side in zip(*pairs, strict=True)]
    if min(rank.max() for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
