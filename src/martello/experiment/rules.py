"""The rules that turn the days of an experiment into a call: the first that matches ends it.

Harm may be called on any day, gain only at a planned look. The record that holds the call is `verdict`'s.
"""

from __future__ import annotations

import math
from enum import StrEnum

from martello.experiment.contract import Contract
from martello.experiment.reading import Reading
from martello.stats.estimate import Estimate
from martello.stats.spending import spending_bounds
from martello.stats.stopped_effect import futility_bound

__all__ = ["FUTILE", "Call", "Looks", "call_of_day", "pending_call", "unsure_guardrail"]

#: Chance to show the agreed effect by the end, below which it is not worth going on.
FUTILE = 0.1


class Call(StrEnum):
    """What to do."""

    INVALID = "INVALID"
    ROLL_BACK = "ROLL BACK"
    WAIT = "WAIT"
    SHIP = "SHIP"
    SHIP_NO_HARM = "SHIP (no harm)"
    STOP = "STOP"
    DISCUSS = "DISCUSS"


class Looks:
    """The looks taken so far, and the bounds that go with them."""

    def __init__(self, contract: Contract) -> None:
        self.information: list[float] = []
        self.floors: list[float] = []
        self.is_crossed = False
        self._contract = contract
        self._days: list[int] = []

    @property
    def error(self) -> float:
        """Give the error of shipping without an effect: one side's."""
        return (1 - self._contract.level) / 2

    def is_due(self, day: int) -> bool:
        """Say whether a planned look has come that was not taken yet; late ones are taken together."""
        last = self._days[-1] if self._days else 0
        return any(last < look <= day for look in self._contract.looks)

    def take(self, reading: Reading) -> None:
        """Take a look. Without new units there is next to no new information, but never less."""
        least = 1.01 * self.information[-1] if self.information else 0.0
        self.information.append(max(reading.information, least))
        self._days.append(reading.day)
        bound = self.bounds()[-1]
        self.floors.append(min(self._floor(reading), bound))
        self.is_crossed = reading.z >= bound

    def bounds(self) -> tuple[float, ...]:
        """Give the standard errors that each look so far had to exceed; error is spent by the calendar."""
        return spending_bounds(self.information, self._times(), error=self.error)

    def guardrail_bound(self) -> float:
        """Give the same for guardrails at the last look: spent evenly, so that early looks are not out of reach."""
        return spending_bounds(self.information, self._times(), error=self.error, shape="pocock")[-1]

    def _final_bound(self) -> float:
        """Give the bound of the last planned look, if units go on coming as they did."""
        end = self._contract.looks[-1]
        information = [*self.information, self.information[-1] * end / self._days[-1]]
        return spending_bounds(information, [*self._times(), 1.0], error=self.error)[-1]

    def _floor(self, reading: Reading) -> float:
        """Give the z below which the agreed effect has too little chance to be shown by the end."""
        drift, share = self.drift(reading), reading.day / self._contract.looks[-1]
        if drift is None or share >= 1:
            return -math.inf
        return futility_bound(share, bound=self._final_bound(), drift=drift, least=FUTILE)

    def drift(self, reading: Reading) -> float | None:
        """Give the standard errors that the agreed effect has at the end; None where nothing stops for want of hope."""
        agreed = self._contract
        if agreed.minimum_effect is None or agreed.no_harm is not None:
            return None
        size = agreed.minimum_effect * (abs(reading.control.mean) if agreed.is_relative else 1.0)
        return size / reading.effect.error * math.sqrt(agreed.looks[-1] / reading.day)

    def _times(self) -> list[float]:
        return [min(1.0, day / self._contract.looks[-1]) for day in self._days]


def call_of_day(reading: Reading, looks: Looks, contract: Contract) -> tuple[Call, str] | None:
    """Give the call that a day ends the experiment with, and why; None when it goes on."""
    harm = _harm(reading, contract)
    if harm is not None:
        return Call.ROLL_BACK, harm
    if not looks.is_due(reading.day):
        return None
    looks.take(reading)
    is_end = reading.day >= contract.looks[-1]
    unsure = unsure_guardrail(reading, looks, contract)
    if looks.is_crossed:
        if unsure is None:
            kept = ", and every guardrail is kept" if contract.guardrails else ""
            return Call.SHIP, f"{contract.metric} got better{kept}"
        return pending_call(reading, looks, contract) if is_end else None
    if is_end:
        return _at_end(reading, looks, contract, unsure)
    if reading.z < looks.floors[-1]:
        return Call.STOP, f"the chance to show the agreed effect by the end is below {FUTILE:.0%}"
    return None


def pending_call(reading: Reading | None, looks: Looks, contract: Contract, day: int = 0) -> tuple[Call, str]:
    """Give the call while nothing is final: discuss where gain and guardrails disagree, else wait, or give up."""
    unsure = None if reading is None or not looks.is_crossed else unsure_guardrail(reading, looks, contract)
    if unsure is not None:
        return Call.DISCUSS, f"{contract.metric} got better, but {unsure} is unsure"
    ahead = [look for look in contract.looks if look > day]
    if not ahead:
        return Call.STOP, "the end is reached, and there is no effect to read"
    left = ahead[0] - day
    return Call.WAIT, f"the next look is in {left} {'day' if left == 1 else 'days'}"


def unsure_guardrail(reading: Reading, looks: Looks, contract: Contract) -> str | None:
    """Name the first guardrail that the last look does not show to be kept."""
    if not contract.guardrails:
        return None
    bound = looks.guardrail_bound()
    for one in contract.guardrails:
        z = reading.guardrails_z[one.metric]
        if z is None or z < bound:
            return one.metric
    return None


def _harm(reading: Reading, contract: Contract) -> str | None:
    if isinstance(reading.gain, Estimate) and reading.gain.high < 0:
        return f"{contract.metric} got worse"
    for name, clear in reading.guardrails_watched.items():
        if isinstance(clear, Estimate) and clear.high < 0:
            return f"{name} is worse by more than its margin"
    return None


def _at_end(reading: Reading, looks: Looks, contract: Contract, unsure: str | None) -> tuple[Call, str]:
    # No harm is asked once, at the end, so it has the whole error.
    once = spending_bounds([1.0], error=looks.error)[0]
    if reading.no_harm_z is not None and reading.no_harm_z >= once and unsure is None:
        return Call.SHIP_NO_HARM, f"{contract.metric} is no worse than agreed"
    return Call.STOP, "the end is reached, and no effect is shown"
