"""What both owners agreed before an experiment began: metric, direction, looks, guardrails. Nothing here judges."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from martello.errors import DataError
from martello.stats.noninferiority import Margin

__all__ = ["Contract", "Guardrail"]


class Guardrail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A metric that must not get worse by more than a margin, in its own unit or as a share of the old mean."""

    metric: str
    margin: float
    is_relative: bool = True
    direction: Literal["up", "down"] = "up"

    def as_margin(self) -> Margin:
        """Give the margin as the statistics take it."""
        return Margin(size=self.margin, is_relative=self.is_relative, is_up_better=self.direction == "up")


class Contract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agreement.

    Attributes
    ----------
    metric
        The one metric that decides: a name, or NUMERATOR/DENOMINATOR for a ratio of sums per unit.
    shares
        Planned share of units of each arm.
    control, treatment
        The two arms that are compared.
    direction
        Which way is better.
    minimum_effect, is_relative
        The smallest effect worth seeing, above 0, as a share of the old mean or in the metric's unit; None: not agreed,
        and then nothing is stopped for want of power.
    looks
        Days, from 1, at the end of which it may be shipped; the last is the end.
    level
        Confidence over all looks; harm is watched at the same level.
    no_harm
        Margin, on the scale of `minimum_effect`, within which it ships for other reasons (cost, latency, debt).
    guardrails
        Must all be kept, else it does not ship.
    secondary
        Metrics that are reported, with a bound on false discoveries, and decide nothing.
    watch_units
        Units of both arms at which the watch for harm is sharpest; None: three times those of the first day.
    """

    metric: str
    shares: dict[str, float]
    control: str
    treatment: str
    looks: tuple[int, ...]
    direction: Literal["up", "down"] = "up"
    minimum_effect: float | None = None
    is_relative: bool = True
    level: float = 0.95
    no_harm: float | None = None
    guardrails: tuple[Guardrail, ...] = ()
    secondary: tuple[str, ...] = ()
    watch_units: float | None = None

    def __post_init__(self) -> None:
        named = f"{self.control!r} and {self.treatment!r}"
        if self.control == self.treatment or not {self.control, self.treatment} <= set(self.shares):
            raise _unclear(f"the arms {named} are not two of those with a share", "two arms of `shares`")
        if not math.isclose(sum(self.shares.values()), 1, abs_tol=1e-6) or min(self.shares.values()) <= 0:
            raise _unclear("the shares of the arms do not add up to 1", "a share above 0 for each arm")
        if not self.looks or list(self.looks) != sorted(set(self.looks)) or self.looks[0] < 1:
            raise _unclear(
                f"the looks {list(self.looks)} are not growing days", "days from 1, each later than the last"
            )
        if any(number is not None and not number > 0 for number in (self.minimum_effect, self.no_harm)):
            raise _unclear(
                "minimum_effect and no_harm are sizes", "numbers above 0; direction says which way is better"
            )
        if not 0.5 < self.level < 1:
            raise _unclear(f"level is {self.level:g}", "a confidence, such as 0.95")

    @property
    def sign(self) -> float:
        """Give 1 where more is better, −1 where less is."""
        return 1.0 if self.direction == "up" else -1.0

    def metrics(self) -> tuple[str, ...]:
        """Give every metric it names, each once."""
        return tuple(dict.fromkeys([self.metric, *(one.metric for one in self.guardrails), *self.secondary]))


def _unclear(what: str, expected: str) -> DataError:
    return DataError("experiment.contract-unclear", what, where="contract", expected=expected)
