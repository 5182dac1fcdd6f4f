"""Martello's own logs: ranked decisions as they are logged, renders and clicks as the helpers on the page send them.

A decision is ``{"decision", "items", "offset", "at", "expires_at", "surface", "arm", "subject", "release"}``. A render
is a CloudEvent ``{"id", "source": "surface@build", "type": "martello.render.v1", "time", "data": {"did", "shown"}}``; a
click is one of type ``martello.click.v1`` with ``{"did", "item"}``. A render may also be written as `Render`, flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from martello.order.facts import Click, RankedDecision, Render
from martello.order.shapes.rows import Row, RowFault, Shape, ids_of, moment, text_of, word_of

__all__ = ["SHAPE"]

_Fact = TypeVar("_Fact")
_WORDS = ("offset", "surface", "arm", "subject", "release")


def _decisions(row: Row) -> Iterator[RankedDecision]:
    kind = row.get("type", "decision")
    if kind != "decision" or ("items" not in row and "release" in row):
        return  # lines of a log that holds other things, too: outcomes, and decisions that rank nothing
    said = {
        "decision": text_of(row, "decision" if "decision" in row else "id"),
        "items": ids_of(row.get("items"), inside="id"),
        "at": moment(row.get("at")),
        "expires_at": moment(row.get("expires_at")),
        **{key: row[key] for key in _WORDS if row.get(key) is not None},
    }
    yield _as(RankedDecision, said)


def _renders(row: Row) -> Iterator[Render | Click]:
    data = row.get("data", row)
    if not isinstance(data, dict):
        raise RowFault("data is no object")
    kind = row.get("type", "martello.render.v1")
    if kind == "martello.click.v1":
        yield Click(decision=text_of(data, "did"), item=text_of(data, "item"))
    elif kind == "martello.render.v1":
        yield _render(row, data)


def _render(row: Row, data: Row) -> Render:
    surface, _, build = (word_of(row, "source") or "").partition("@")
    shown = data.get("shown")
    if not isinstance(shown, list):
        raise RowFault("there is no list `shown`")
    said = {
        "surface": surface or None,
        "build": build or None,
        **{key: data[key] for key in Render.__struct_fields__ if data.get(key) is not None},
        "id": text_of(row, "id"),
        "decision": word_of(data, "did" if "did" in data else "decision"),
        "shown": [_shown(each) for each in shown],
        "dropped": data.get("dropped") or [],
        "at": _shown_at(row, data),
    }
    return _as(Render, said)


def _shown_at(row: Row, data: Row) -> int | None:
    """Give the earlier of what the page's clock said and when the event came in: neither alone makes a list stale."""
    moments = [moment(each) for each in (row.get("time", data.get("at")), row.get("received_at"))]
    return min((each for each in moments if each is not None), default=None)


def _shown(each: Any) -> dict[str, Any]:
    if isinstance(each, str):
        return {"id": each}
    if not isinstance(each, dict):
        raise RowFault(f"{each!r} in `shown` is nothing that was shown")
    return {**each, "id": text_of(each, "id"), "decision": word_of(each, "did" if "did" in each else "decision")}


def _as(kind: type[_Fact], values: dict[str, Any]) -> _Fact:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise RowFault(str(error)) from None


SHAPE = Shape(_decisions, _renders)
