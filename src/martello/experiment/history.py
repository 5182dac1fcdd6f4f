"""What happened so far: the sums of both arms at the end of each day, as they lie in a file or come from events.

Sums are running totals: those of day 3 hold the units of days 1 and 2. Judging them is `verdict`'s business.
"""

from __future__ import annotations

import msgspec

from martello.errors import DataError, nearest
from martello.experiment.contract import Contract
from martello.stats.sums import Sums

__all__ = ["ArmTotals", "Checkpoint", "History", "encode_history", "read_history"]


class ArmTotals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The running totals of one arm.

    Attributes
    ----------
    n
        Units assigned.
    metrics
        Sums of each metric over units.
    exposed
        Units that met the change (rendered it); None where that is not measured.
    rendered, violations
        Lists rendered, and those whose order was broken after the API; None where that is not measured.
    """

    n: int
    metrics: dict[str, Sums]
    exposed: int | None = None
    rendered: int | None = None
    violations: int | None = None


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The running totals of every arm at the end of a day, counted from 1."""

    day: int
    arms: dict[str, ArmTotals]


class History(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An experiment up to now: all that a verdict stands on.

    Attributes
    ----------
    contract
        What was agreed.
    checkpoints
        By day.
    alarms
        Reasons from elsewhere why nothing can be concluded, each a clause: "the spec changed on day 3".
    """

    contract: Contract
    checkpoints: tuple[Checkpoint, ...]
    alarms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.checkpoints:
            raise _unclear("there is no day in the history", "at least one checkpoint")
        days = [one.day for one in self.checkpoints]
        if days != sorted(set(days)) or days[0] < 1:
            raise _unclear("the days do not grow", "one checkpoint per day, in order, from day 1")
        for one in self.checkpoints:
            _check_arms(one, self.contract)
        for earlier, later in zip(self.checkpoints, self.checkpoints[1:], strict=False):
            _check_growth(earlier, later)


def _check_arms(point: Checkpoint, contract: Contract) -> None:
    if set(point.arms) != set(contract.shares):
        raise _unclear(
            f"day {point.day} has the arms {', '.join(point.arms)}", f"those with a share: {', '.join(contract.shares)}"
        )
    for name in (contract.control, contract.treatment):
        for metric in contract.metrics():
            if metric not in point.arms[name].metrics:
                close = nearest(metric, point.arms[name].metrics)
                raise _unclear(
                    f"day {point.day} of arm {name} has no metric {metric!r}",
                    "sums of every metric the contract names",
                    f"write {close}" if close else "",
                )


def _check_growth(earlier: Checkpoint, later: Checkpoint) -> None:
    for name, arm in later.arms.items():
        if arm.n < earlier.arms[name].n:
            raise _unclear(
                f"arm {name} has fewer units on day {later.day} than on day {earlier.day}",
                "running totals: those of a day hold all days before",
            )


def _unclear(what: str, expected: str, fix: str = "") -> DataError:
    return DataError("experiment.history-unclear", what, where="history", expected=expected, fix=fix)


def read_history(data: bytes, *, where: str, contract: Contract | None = None) -> History:
    """Read a history from JSON: with its contract inside, or with one given.

    Raises
    ------
    DataError
        ``experiment.history-unclear``, ``experiment.contract-unclear``, ``stats.sums-impossible``.
    """
    try:
        raw = msgspec.json.decode(data)
        if isinstance(raw, dict) and contract is not None:
            raw["contract"] = msgspec.to_builtins(contract)
        return msgspec.convert(raw, History)
    except msgspec.ValidationError as err:
        # A fault that a type itself found keeps its name.
        if isinstance(err.__cause__, DataError):
            raise err.__cause__ from None
        raise DataError(
            "experiment.history-unclear",
            f"{where} is no history of an experiment: {err}",
            where=where,
            expected='{"contract": {…}, "checkpoints": [{"day": 1, "arms": {"a": {"n": …, "metrics": {…}}}}]}',
            fix="see docs/experiment.md",
        ) from None
    except msgspec.DecodeError as err:
        raise DataError(
            "experiment.history-unclear", f"{where} is no JSON: {err}", where=where, expected="one JSON object"
        ) from None


def encode_history(history: History) -> bytes:
    """Give the one canonical form of a history; a verdict names it by its hash."""
    return msgspec.json.encode(history, order="sorted")
