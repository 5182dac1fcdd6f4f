"""The bodies of requests and answers as types, and the reading of a request body with every fault named.

Server, client and the OpenAPI document meet here. What lies inside `input` is the business of the release that decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from martello.errors import DataError, MartelloError, nearest

__all__ = [
    "MAX_ROWS",
    "Answer",
    "Answers",
    "EventReceipt",
    "LoggedDecision",
    "Receipt",
    "Receipts",
    "Row",
    "SentEvents",
    "SentOutcome",
    "parse_events",
    "parse_outcome",
    "parse_outcomes",
    "parse_rows",
]

MAX_ROWS = 1000  # rows in one request: they are decided one after the other while other requests wait their turn

_Name = Annotated[str, Meta(min_length=1, max_length=500)]
_Moment = Annotated[datetime, Meta(tz=True)]


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to decide about, as of now or of the moment `at`."""

    input: dict[str, Any]
    unit: _Name | None = None
    at: _Moment | UnsetType = UNSET


class _DecideBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    input: dict[str, Any] | UnsetType = UNSET
    unit: _Name | None = None
    at: _Moment | UnsetType = UNSET
    units: list[Row] | UnsetType = UNSET


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided: keep `id`, outcomes are posted against it."""

    id: str
    unit: str | None
    output: str
    scores: dict[str, float]  # one per class
    release: str


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about several units, in the order they were sent."""

    decisions: list[Answer]


class LoggedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it lies in the log, with what the model saw."""

    id: str
    unit: str | None
    at: datetime
    release: str
    values: dict[str, Any]
    scores: dict[str, float]
    output: str
    arm: str | None
    propensity: float
    as_of: datetime | UnsetType = UNSET
    definition: str | UnsetType = UNSET


class SentOutcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened: `source` and `id` name this report, `decision` or `unit` (or both) what it is about."""

    source: _Name
    id: _Name
    outcome: str
    decision: _Name | None = None
    unit: _Name | None = None
    at: _Moment | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one outcome: `conflict` means the first report stands, `rejected` comes with the fault."""

    status: Literal["accepted", "duplicate", "conflict", "rejected"]
    source: str | None = None
    id: str | None = None
    error: dict[str, Any] | None = None


class Receipts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each outcome, in the order they were sent."""

    outcomes: list[Receipt]


class SentEvents(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events of one source, as it declares them."""

    source: _Name
    events: list[dict[str, Any]]


class EventReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a delivery of events: everything but `rejected` is on disk.

    `duplicates` were there before, word for word; `late` ones were accepted although newer ones were known already, so
    that answers given in between did not see them; `rejected` holds the fault of each event that was not taken.
    """

    accepted: int
    duplicates: int
    late: int
    rejected: list[dict[str, Any]]


class _OutcomesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    outcomes: list[Raw]


_DECIDE = msgspec.json.Decoder(_DecideBody)
_OUTCOMES = msgspec.json.Decoder(_OutcomesBody)
_EVENTS = msgspec.json.Decoder(SentEvents)
_OUTCOME = msgspec.json.Decoder(SentOutcome)
_T = TypeVar("_T")
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


def parse_rows(body: bytes) -> tuple[Sequence[Row], bool]:
    """Read the body of `POST /decide`: its rows, and whether several were sent.

    Raises
    ------
    DataError
        ``serve.not-json``, ``serve.wrong-shape``, ``serve.too-many-rows``.

    Examples
    --------
    >>> parse_rows(b'{"input": {"age": 39}}')
    ((Row(input={'age': 39}, unit=None, at=UNSET),), False)
    """
    asked = _read(_DECIDE, body)
    if asked.units is UNSET and asked.input is not UNSET:
        return (Row(input=asked.input, unit=asked.unit, at=asked.at),), False
    if asked.units is not UNSET and asked.input is UNSET and asked.unit is None and asked.at is UNSET:
        return _bounded(asked.units), True
    raise DataError(
        "serve.wrong-shape",
        "the body must hold `input` (one unit) or `units` (several), and not both",
        where="$",
        expected='{"input": {…}, "unit": "…"} or {"units": [{"input": {…}, "unit": "…"}, …]}',
    )


def parse_outcomes(body: bytes) -> list[Raw]:
    """Read the body of `POST /outcomes` as far as its rows.

    Raises
    ------
    DataError
        ``serve.not-json``, ``serve.wrong-shape``, ``serve.too-many-rows``.
    """
    return _bounded(_read(_OUTCOMES, body).outcomes)


def parse_outcome(row: Raw, classes: Sequence[str]) -> SentOutcome:
    """Read one outcome.

    Raises
    ------
    DataError
        ``serve.wrong-shape``, ``serve.unknown-outcome``.
    """
    sent = _read(_OUTCOME, bytes(row))
    if sent.decision is None and sent.unit is None:
        raise DataError(
            "serve.wrong-shape", "the outcome names neither a decision nor a unit", expected="`decision` or `unit`"
        )
    if sent.outcome not in classes:
        near = nearest(sent.outcome, classes)
        raise DataError(
            "serve.unknown-outcome",
            f"{sent.outcome!r} is none of the classes of this task",
            where="$.outcome",
            expected=f"one of {', '.join(map(repr, classes[:10]))}{', …' if len(classes) > 10 else ''}",
            fix=f"did you mean {near!r}?" if near else "",
        )
    return sent


def parse_events(body: bytes, sources: Collection[str]) -> SentEvents:
    """Read the body of `POST /events`; each event is looked at by the state.

    Raises
    ------
    DataError
        ``serve.not-json``, ``serve.wrong-shape``, ``serve.too-many-rows``, ``serve.unknown-source``.
    """
    sent = _read(_EVENTS, body)
    if sent.source not in sources:
        near = nearest(sent.source, sources)
        raise DataError(
            "serve.unknown-source",
            f"{sent.source!r} is no source of events of this task",
            where="$.source",
            expected="one of " + ", ".join(map(repr, sources)),
            fix=f"did you mean {near!r}?" if near else "",
        )
    _bounded(sent.events)
    return sent


def _bounded(rows: list[_T]) -> list[_T]:
    if len(rows) > MAX_ROWS:
        raise DataError(
            "serve.too-many-rows",
            f"{len(rows)} rows in one request",
            expected=f"at most {MAX_ROWS}",
            fix="send them in several requests",
        )
    return rows


_EXPECTED = re.compile(r"Expected `(.+?)`")
_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(.+?)`")


def _read(decoder: msgspec.json.Decoder[_Shape], body: bytes) -> _Shape:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _wrong_shape(str(error), decoder.type) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            "serve.not-json", f"the body is no JSON: {error}", where="body", expected="one JSON object in UTF-8"
        ) from None


def _wrong_shape(message: str, shape: type[msgspec.Struct]) -> MartelloError:
    what, _, path = message.partition(" - at ")
    expected = fix = ""
    if match := _EXPECTED.match(what):
        expected = match[1]
    elif match := _UNKNOWN_KEY.match(what):
        near = nearest(match[1], {*shape.__struct_fields__, *Row.__struct_fields__})
        fix = f"did you mean `{near}`?" if near else ""
    return DataError("serve.wrong-shape", what, where=path.strip("`") or "$", expected=expected, fix=fix)
