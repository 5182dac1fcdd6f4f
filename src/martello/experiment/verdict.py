"""One verdict on an experiment, by fixed rules, the first that matches: a frozen record that can be made again.

INVALID, ROLL BACK, WAIT, SHIP, SHIP (no harm), STOP, DISCUSS. The same history gives the same bytes. Reading sums is
`history`'s business, the effect on one day `reading`'s; who acts on a verdict is not known here.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
from scipy import special

from martello.experiment.contract import Contract
from martello.experiment.history import History, encode_history
from martello.experiment.reading import Reading, read_day
from martello.experiment.rules import Call, Looks, call_of_day, pending_call
from martello.experiment.validity import check_sample_ratio, invalid_reasons
from martello.records import Measure, content_id
from martello.stats.discoveries import Discovery, find_discoveries
from martello.stats.effects import Effect
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.sample_ratio import SampleRatio
from martello.stats.stopped_effect import stagewise_estimate
from martello.stats.winners_curse import selected_estimate

__all__ = ["Day", "ExperimentVerdict", "GuardrailState", "encode_verdict", "judge_experiment"]


class GuardrailState(msgspec.Struct, frozen=True, kw_only=True):
    """One guardrail: `clear` is by how much it stays inside its margin, always-valid; above 0 is kept."""

    metric: str
    state: Literal["kept", "unsure", "broken"]
    clear: Measure


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The effect as it may be read on that day, with an interval that holds on all days together."""

    day: int
    effect: Measure


class ExperimentVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict with what it stands on.

    Attributes
    ----------
    call, because
        What to do, and why, in a clause.
    day
        On which the call was made; later days change it only by making it invalid.
    effect
        Treatment minus control in the metric's own unit. At a look: median-unbiased with the interval that goes with
        stopping there. Else: the always-valid interval.
    relative
        The same as a share of the control's mean; as wide as the look's bound, or always-valid.
    shrunken
        Where it ships: the effect less what choosing it added.
    control_mean, treatment_mean
        Of the metric.
    detectable
        Where it stops: the effect it would have found with 80 % chance.
    guardrails, secondary
        Other metrics; `adjusted` of a secondary one belongs to its false-discovery bound.
    sample_ratio
        The watch on the sizes of the arms.
    days
        The fan: every day's effect.
    next_look, days_left
        Day of the next look (None: there is none), and days to the end.
    change
        What would change the verdict.
    contract, inputs
        What was agreed, and the id of the history.
    """

    call: Call
    because: str
    day: int
    effect: Measure
    relative: Measure
    shrunken: Measure
    control_mean: float | None
    treatment_mean: float | None
    detectable: float | None
    guardrails: tuple[GuardrailState, ...]
    secondary: tuple[Discovery, ...]
    sample_ratio: SampleRatio | None
    days: tuple[Day, ...]
    next_look: int | None
    days_left: int
    change: str
    contract: Contract
    inputs: str


def judge_experiment(history: History) -> ExperimentVerdict:
    """Judge an experiment up to its last day.

    Raises
    ------
    DataError
        ``stats.shares-unclear`` and faults of sums.

    Assumptions
    -----------
    The contract was fixed before the first day. Units are independent, and one that is counted on a day does not change
    much later, as when only units are counted whose window has passed.

    Guarantee
    ---------
    Without an effect, and with no guardrail at its margin, it says SHIP with chance at most (1 − level) / 2 and ROLL
    BACK with the same, over all days together; a sound assignment is called INVALID with at most .001, and .001 more
    where violations of the order are measured (`tests/guarantees/test_experiment_company.py`).

    References
    ----------
    Lan & DeMets (1983); Waudby-Smith et al. (2021), arXiv:2103.06476; Lan, Simon & Halperin (1982).
    """
    contract = history.contract
    invalid = invalid_reasons(history)
    looks, days = Looks(contract), []
    final: tuple[tuple[Call, str], Reading] | None = None
    reading: Reading | NotEstimable = NotEstimable(reason="no day was read", needs="a checkpoint")
    tuned_at = _watch_units(history)
    for point in history.checkpoints:
        reading = read_day(point, contract, tuned_at=tuned_at)
        days.append(Day(day=point.day, effect=reading if isinstance(reading, NotEstimable) else reading.watched))
        if final is None and not invalid and isinstance(reading, Reading):
            call = call_of_day(reading, looks, contract)
            final = None if call is None else (call, reading)
    if invalid:
        return _verdict(history, (Call.INVALID, invalid[0]), None, looks, tuple(days))
    if final is not None:
        return _verdict(history, final[0], final[1], looks, tuple(days))
    last = reading if isinstance(reading, Reading) else None
    call = pending_call(last, looks, contract, history.checkpoints[-1].day)
    return _verdict(history, call, last, looks, tuple(days))


def _watch_units(history: History) -> float:
    """Give the units the watch is tuned to: as agreed, or three days like the first."""
    contract, first = history.contract, history.checkpoints[0]
    if contract.watch_units is not None:
        return contract.watch_units
    units = sum(first.arms[name].n for name in (contract.control, contract.treatment))
    return max(3.0 * units / first.day, 1.0)


def _verdict(
    history: History, call: tuple[Call, str], reading: Reading | None, looks: Looks, days: tuple[Day, ...]
) -> ExperimentVerdict:
    contract = history.contract
    day = history.checkpoints[-1].day if reading is None else reading.day
    unread = NotEstimable(reason=call[1], needs="a sound experiment with units in both arms")
    is_at_look = bool(looks.information) and call[0] in (Call.SHIP, Call.SHIP_NO_HARM, Call.STOP)
    bound = looks.bounds()[-1] if is_at_look else None
    is_open = call[0] in (Call.WAIT, Call.DISCUSS)
    ahead = [look for look in contract.looks if look > day] if is_open else []
    return ExperimentVerdict(
        call=call[0],
        because=call[1],
        day=day,
        effect=unread if reading is None else _effect(reading, looks, contract) if is_at_look else reading.watched,
        relative=unread if reading is None else reading.relative(bound),
        shrunken=_shrunken(reading, bound if call[0] is Call.SHIP else None, contract),
        control_mean=None if reading is None else reading.control.mean,
        treatment_mean=None if reading is None else reading.treatment.mean,
        detectable=None if reading is None or call[0] is not Call.STOP else _detectable(reading, looks),
        guardrails=() if reading is None else _guardrails(reading, looks, contract),
        secondary=() if reading is None else find_discoveries(reading.secondary, false_share=1 - contract.level),
        sample_ratio=check_sample_ratio(history),
        days=days,
        next_look=ahead[0] if ahead else None,
        days_left=contract.looks[-1] - day if ahead else 0,
        change=_change(call[0], ahead),
        contract=contract,
        inputs=content_id("history", encode_history(history)),
    )


def _detectable(reading: Reading, looks: Looks) -> float:
    """Give the effect it would have found with 80 % chance, had this look been the only one."""
    return reading.effect.error * float(special.ndtri(1 - looks.error) + special.ndtri(0.8))


def _effect(reading: Reading, looks: Looks, contract: Contract) -> Estimate:
    gain = msgspec.structs.replace(reading.effect, value=contract.sign * reading.effect.value)
    found = stagewise_estimate(gain, looks.bounds(), looks.information, floors=looks.floors, level=contract.level)
    return _turned(found, contract.sign)


def _shrunken(reading: Reading | None, bound: float | None, contract: Contract) -> Measure:
    if reading is None or bound is None:
        return NotEstimable(reason="nothing was chosen for its size", needs="a change that ships")
    gain: Effect = msgspec.structs.replace(reading.effect, value=contract.sign * reading.effect.value)
    found = selected_estimate(gain, bound, level=contract.level)
    return found if isinstance(found, NotEstimable) else _turned(found, contract.sign)


def _turned(gain: Estimate, sign: float) -> Estimate:
    """Turn a gain back into treatment minus control."""
    low, high = sorted((sign * gain.low, sign * gain.high))
    return msgspec.structs.replace(gain, value=sign * gain.value, low=low, high=high)


def _guardrails(reading: Reading, looks: Looks, contract: Contract) -> tuple[GuardrailState, ...]:
    bound = looks.guardrail_bound() if looks.information and contract.guardrails else math.inf
    states = []
    for one in contract.guardrails:
        clear, z = reading.guardrails_watched[one.metric], reading.guardrails_z[one.metric]
        broken = isinstance(clear, Estimate) and clear.high < 0
        state: Literal["kept", "unsure", "broken"] = (
            "broken" if broken else "kept" if z is not None and z >= bound else "unsure"
        )
        states.append(GuardrailState(metric=one.metric, state=state, clear=clear))
    return tuple(states)


def _change(call: Call, ahead: list[int]) -> str:
    match call:
        case Call.INVALID:
            return "a new run, once the fault is found and mended"
        case Call.WAIT:
            return f"a clear gain on day {ahead[0]}; before it, only clear harm"
        case Call.DISCUSS:
            later = f"; on day {ahead[0]} it may be known" if ahead else ""
            return f"the other owner's name and reason{later}"
        case Call.SHIP | Call.SHIP_NO_HARM:
            return "an assignment found broken, or the hold-back after shipping"
        case _:
            return "another change: this run is over"


def encode_verdict(verdict: ExperimentVerdict) -> bytes:
    """Give the canonical JSON of a verdict: the same history gives the same bytes."""
    return msgspec.json.encode(verdict, order="sorted")
