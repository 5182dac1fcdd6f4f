"""The contract on the wire: a ranked answer as it leaves `POST /rank`, a render as it comes to `POST /renders`.

Pure functions between bodies and facts; a server and a client call them, and neither lives here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from martello.errors import DataError
from martello.order.facts import Click, RankedDecision, Render
from martello.order.ranked import RankedList
from martello.order.seal import Seal
from martello.order.shapes.martello import SHAPE
from martello.order.shapes.rows import RowFault

__all__ = ["answer_of", "read_answer", "read_event"]


class _Item(msgspec.Struct):
    id: str


class _Order(msgspec.Struct):
    seal: str
    signature: str | None = None


class _Answer(msgspec.Struct):
    decision: str
    items: tuple[_Item, ...]
    order: _Order | None = None


def answer_of(order: RankedDecision, seal: Seal | None = None) -> dict[str, Any]:
    """Give the body of a ranked answer: each item with its slot, and the seal.

    Examples
    --------
    >>> answer_of(RankedDecision(decision="d1", items=("b", "a")))
    {'decision': 'd1', 'items': [{'id': 'b', 'slot': 1}, {'id': 'a', 'slot': 2}]}
    """
    body: dict[str, Any] = {
        "decision": order.decision,
        "items": [{"id": each, "slot": slot} for slot, each in enumerate(order.items, start=1)],
    }
    if seal is not None:
        body["order"] = {"n": len(order.items), "seal": seal.token}
        if seal.signature is not None:
            body["order"]["signature"] = seal.signature
    return body


def read_answer(body: bytes) -> RankedList:
    """Read the body of a ranked answer; further keys are passed over.

    Raises
    ------
    DataError
        ``order.not-an-answer``, ``order.id-not-text`` and ``order.item-twice``.

    Examples
    --------
    >>> list(read_answer(b'{"decision": "d1", "items": [{"id": "b"}, {"id": "a"}]}'))
    ['b', 'a']
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            "order.not-an-answer",
            f"this is no ranked answer: {error}",
            expected='{"decision": "…", "items": [{"id": "…", "slot": 1}, …], "order": {"seal": "…"}}',
        ) from None
    seal = Seal(token=answer.order.seal, signature=answer.order.signature) if answer.order else None
    return RankedList(answer.decision, tuple(each.id for each in answer.items), seal)


def read_event(event: Mapping[str, Any]) -> Render | Click | None:
    """Read one event that a page sent: a render, a click, or None for one of another type.

    Raises
    ------
    DataError
        ``order.not-an-event``.

    Examples
    --------
    >>> read_event({"id": "r1", "type": "martello.render.v1", "data": {"did": "d1", "shown": ["b"]}})
    Render(id='r1', decision='d1', shown=(Shown(id='b'...),)...)
    """
    try:
        return next(iter(SHAPE.renders(event)), None)
    except RowFault as fault:
        raise DataError(
            "order.not-an-event",
            f"this is no event of a page: {fault}",
            expected='{"id": "…", "type": "martello.render.v1", "data": {"did": "…", "shown": [{"id": "…"}, …]}}',
        ) from None
