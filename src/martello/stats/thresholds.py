"""Several thresholds, or several models, on the same labels: which of them may be called certified.

Each candidate brings the largest log e-value it has reached. With an order that was declared before the labels were
seen, each is tested at the full level and the first failure stops (fixed sequence); with no credible order, the level
is shared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from martello.stats.checks import check_level

__all__ = ["any_order_certified", "fixed_sequence_certified"]


def fixed_sequence_certified(log_evidence: Sequence[float], *, level: float = 0.95) -> int:
    """Give how many candidates, from the first, are certified when they are tried in a declared order.

    Parameters
    ----------
    log_evidence
        Largest log e-value of each candidate so far, in the declared order.
    level
        One minus the chance allowed that any certified candidate does not meet its claim.

    Assumptions
    -----------
    The order was fixed before the labels were seen; each e-process is valid by itself.

    Guarantee
    ---------
    With probability at least `level`, at all times at once, every certified candidate meets its claim.

    References
    ----------
    Bauer 1991; Angelopoulos, Bates, Candès, Jordan & Lei 2025 (Learn then Test), fixed sequence testing.

    Examples
    --------
    >>> fixed_sequence_certified([3.4, 3.1, 0.2, 5.0])
    2
    """
    bar = -math.log(1 - check_level(level))
    return next((i for i, value in enumerate(log_evidence) if value < bar), len(log_evidence))


def any_order_certified(log_evidence: Sequence[float], *, level: float = 0.95) -> list[int]:
    """Give the indices of the candidates that are certified when no order was declared.

    Parameters
    ----------
    log_evidence, level
        As in `fixed_sequence_certified`, in any order.

    Assumptions
    -----------
    Each e-process is valid by itself; they may depend on each other in any way.

    Guarantee
    ---------
    With probability at least `level`, at all times at once, every certified candidate meets its claim (Holm's steps on
    e-values).

    References
    ----------
    Holm 1979; Vovk & Wang, Annals of Statistics 2021 (e-values).

    Examples
    --------
    >>> any_order_certified([3.4, 4.5, 0.2, 5.0])
    [1, 3]
    """
    alpha = 1 - check_level(level)
    order = sorted(range(len(log_evidence)), key=lambda i: -log_evidence[i])
    certified = []
    for rank, i in enumerate(order):
        if log_evidence[i] < math.log((len(order) - rank) / alpha):
            break
        certified.append(i)
    return sorted(certified)
