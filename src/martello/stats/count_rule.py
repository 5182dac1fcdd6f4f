"""The plain case: random draws about one group of units, where the exact 0/1 e-value needs counts only.

It replaces the betting martingale when there is one claim, about units of one kind, drawn at random and none known
before; with a declared budget its bars are lowered to spend exactly the error that is allowed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.evalues import count_confidence_sequence, count_evidence
from martello.stats.gates import Gates
from martello.stats.label_budget import Bars, calibrate_bars
from martello.stats.martingale import Evidence

__all__ = ["CountRule", "count_rule_for"]


class CountRule:
    """Count labels and give their evidence on the scale of 1/alpha, whatever the bars. This is a process.

    Parameters
    ----------
    requirement
        The share asked for.
    group_size
        Units in the group, drawn without replacement.
    level, budget
        As in `martello.stats.certification.Certification`.
    """

    def __init__(self, requirement: float, group_size: int, level: float, budget: int | None) -> None:
        self.requirement, self.group_size, self.level = requirement, group_size, level
        usual = Bars(ship=1 / (1 - level), refuse=1 / (1 - level))
        bars = usual
        if budget is not None and budget < group_size:
            bars = calibrate_bars(requirement, level=level, budget=budget, pool_size=group_size)
        self._bonus = math.log(usual.ship / bars.ship), math.log(usual.refuse / bars.refuse)
        self.n_yes = self.n_labeled = 0

    def take(self, labels: NDArray[np.float64]) -> Evidence:
        """Take the next labels, NaN for unsure; evidence after each, shape (1, T)."""
        yes = self.n_yes + np.cumsum(np.nan_to_num(labels))
        n = self.n_labeled + np.arange(1, len(labels) + 1)
        self.n_yes, self.n_labeled = int(yes[-1]), int(n[-1])
        ship, refuse = (
            count_evidence(yes, n, self.requirement, side=side, pool_size=self.group_size)
            for side in ("ship", "refuse")
        )
        return Evidence((ship + self._bonus[0])[None], (refuse + self._bonus[1])[None])

    def interval(self, level: float) -> Estimate | NotEstimable:
        """The confidence sequence at the counts so far."""
        return count_confidence_sequence(self.n_yes, self.n_labeled, level=level, pool_size=self.group_size)


def count_rule_for(gates: Gates, *, level: float, budget: int | None) -> CountRule | None:
    """Give the count rule when a requirement is about a share of one group, else None.

    Assumptions
    -----------
    Units that the claim is about are drawn at random, and none was labeled before.

    Guarantee
    ---------
    As in `martello.stats.evalues.count_evidence` and `martello.stats.label_budget.calibrate_bars`.

    References
    ----------
    As there.

    Examples
    --------
    >>> from martello.stats.claims import precision
    >>> from martello.stats.gates import lay_out
    >>> gates = lay_out(np.array([0.2, 0.9]), [precision(0.8)], thresholds=[0.5], flagged=None, slices=None)
    >>> count_rule_for(gates, level=0.95, budget=None).group_size
    1
    """
    if len(gates.rows) != 1:
        return None
    gain, offset = gates.terms()
    about = np.flatnonzero(gain[0])
    share = -offset[0, about] / gain[0, about]
    if len(about) == 0 or offset[0, gain[0] == 0].any() or len(set(share.tolist())) > 1 or not 0 < share[0] < 1:
        return None
    if len(set(gain[0, about].tolist())) > 1 or gain[0, about[0]] < 0:
        return None
    return CountRule(float(share[0]), int(np.isin(gates.kind, about).sum()), level, budget)
