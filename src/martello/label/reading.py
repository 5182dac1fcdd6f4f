"""How a certification is read for people: against what was agreed, of whom it speaks, and with what certainty.

The engine may have to show more of the pool than was agreed, so that the verdict holds of the population; people
should read the numbers they agreed to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from martello.records import Measure
from martello.stats.certification import Certification

__all__ = ["Reading", "plain_reading"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How the meter reads a certification.

    Attributes
    ----------
    agreed
        The number each claim must reach as people agreed, by the claim's name in `Certification.interval`.
    level
        Certainty of the verdict as people agreed.
    interval
        Gives the interval of every claim; its ends agree with the verdict.
    """

    agreed: Mapping[str, float]
    level: float
    interval: Callable[[Certification], Mapping[str, Measure]]


def plain_reading(process: Certification) -> Reading:
    """Read a certification by its own floors and level, of its own pool."""
    own = {claim.name: claim.at_least for claim in process.claims}
    floors = {name: floor.raised for name, floor in process.floors.items()}
    agreed = {name: floors.get(name, own[name.split(" | ", 1)[0]]) for name in process.e_values}
    return Reading(agreed=agreed, level=process.level, interval=lambda each: each.interval)
