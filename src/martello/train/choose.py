"""Which candidate is the model: lowest log loss on dev, unless a simpler one is as good for all that dev can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from martello.stats.compare import paired_difference
from martello.stats.estimate import Estimate
from martello.train.learner import BUILT_IN, Floats, kind_of

__all__ = ["CHOSEN_BY", "choose", "simplest_first"]

CHOSEN_BY = (
    "lowest log loss on dev; a simpler learner stays when the better one leads it by no more than one standard error "
    "of the paired difference"
)

#: Two-sided level of an interval that reaches one standard error to each side (Breiman et al. 1984, §3.4.3).
_ONE_STANDARD_ERROR = 0.6827


def simplest_first(names: Iterable[str]) -> tuple[str, ...]:
    """Order learners, each once: the constant rule, the built-in ones by complexity, then plug-ins as named."""
    asked = dict.fromkeys(("constant", *names))
    place = {name: i for i, name in enumerate(BUILT_IN)}
    return tuple(sorted(asked, key=lambda name: place.get(kind_of(name), len(place))))


def choose(losses: Mapping[str, Floats], *, weight: Floats | None = None, cluster: npt.ArrayLike | None = None) -> str:
    """Give the winner's name.

    Parameters
    ----------
    losses
        Log loss of each dev unit by candidate, the simplest candidate first.
    weight, cluster
        Design of the dev units.

    Examples
    --------
    >>> import numpy as np
    >>> plain = np.array([0.7, 0.6, 0.7, 0.6])
    >>> choose({"constant": plain, "logistic": plain - [0.2, 0.1, 0.2, 0.1], "lightgbm": plain - [0.1, 0.2, 0.3, 0.2]})
    'logistic'
    """
    best = min(losses, key=lambda name: float(np.average(losses[name], weights=weight)))
    for name, own in losses.items():
        lead = paired_difference(own, losses[best], weight=weight, cluster=cluster, level=_ONE_STANDARD_ERROR)
        if not isinstance(lead, Estimate) or lead.low <= 0:
            return name
    return best
