"""The labeling page as annotators see it, and the few requests its script makes.

How units are chosen and answers kept is the room's; how acts survive a cut network is `static/outbox.js`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from urllib.parse import unquote

import msgspec
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from martello.errors import DataError
from martello.label.contract import Assignment, Meter, Submission, UnitView
from martello.web.images import image_file
from martello.web.keys import keys_for
from martello.web.meter_picture import pictures
from martello.web.pages import written
from martello.web.responses import json_response, page, read_body, room_of, whole_number

__all__ = ["answered", "image", "label", "meter", "next_units", "submit", "undo", "unit_html"]

#: Units a browser holds: the one shown and those already loaded behind it.
_MOST_HELD = 10
_PAGE = 50


class _Wanted(msgspec.Struct):
    """What a tab asks for."""

    k: int = 3
    holding: list[str] = []


class _Withdrawn(msgspec.Struct):
    """Which act is to be undone; the latest when None."""

    submit_id: str | None = None


def label(request: Request) -> Response:
    """Show the page; units come by `next_units`."""
    room = room_of(request)
    if request.query_params.get("format") == "json":
        return json_response(room.summary())
    return page(
        request,
        "label.html",
        room=room,
        choices=tuple(zip(room.classes, keys_for(room.classes), strict=True)),
        guidelines=room.guidelines(),
        **_meter_values(request.app.state.meter.now()),
    )


async def next_units(request: Request) -> Response:
    """Give the next units of one annotator, each as the part of the page it becomes."""
    _check_person(request)
    room, wanted = room_of(request), await read_body(request, _Wanted)
    k = min(max(wanted.k, 1), _MOST_HELD)
    found = await run_in_threadpool(room.next, request.state.who.name, k, holding=wanted.holding)
    return json_response({"units": [_shown(assignment, room.classes) for assignment in found]})


async def submit(request: Request) -> Response:
    """Take one act; the answer means that it is on disk."""
    _check_person(request)
    room, submission = room_of(request), await read_body(request, Submission)
    return json_response(await run_in_threadpool(room.submit, request.state.who.name, submission))


async def undo(request: Request) -> Response:
    """Withdraw one act and give its unit again."""
    _check_person(request)
    room, withdrawn = room_of(request), await read_body(request, _Withdrawn)
    again = await run_in_threadpool(room.undo, request.state.who.name, submit_id=withdrawn.submit_id)
    return json_response({"unit": _shown(again, room.classes) if again else None})


def meter(request: Request) -> Response:
    """Say where the campaign stands, as numbers and as the part of the page that shows it."""
    room_of(request)
    now: Meter = request.app.state.meter.now()
    values = _meter_values(now)
    return json_response(
        {
            "sentence": now.sentence,
            "is_done": now.is_done,
            "n_labels": now.n_labels,
            "html": written("meter.html", **values),
            "done": written("done.html", who=request.state.who, **values) if now.is_done else "",
        }
    )


def answered(request: Request) -> Response:
    """Show what the annotator has answered, latest first."""
    offset = whole_number(request, "offset")
    found = room_of(request).answered(request.state.who.name, offset=offset, limit=_PAGE + 1)
    more = offset + _PAGE if len(found) > _PAGE else None
    return page(request, "answered.html", answers=found[:_PAGE], offset=offset, more=more, back=max(0, offset - _PAGE))


def image(request: Request) -> Response:
    """Give one picture of the units'."""
    path, kind = image_file(request.app.state.images, request.path_params["path"])
    # A picture is only a picture: should a browser ever read it as a page, nothing in it runs.
    return FileResponse(path, media_type=kind, headers={"content-security-policy": "default-src 'none'; sandbox"})


def _check_person(request: Request) -> None:
    """Refuse what an open page of one person would do under the link of another, opened later in the same browser."""
    meant, who = unquote(request.headers.get("x-martello-annotator", "")), request.state.who
    if meant and meant != who.name:
        raise DataError(
            "web.other-annotator",
            f"this browser is now open as {who.name}, the page as {meant}",
            fix=f"open the link of {meant} again",
        )


def _meter_values(now: Meter) -> dict[str, Any]:
    drawn, claims = pictures(now)
    return {"meter": now, "pictures": drawn, "claims": claims}


def _shown(assignment: Assignment, classes: Sequence[str]) -> dict[str, str]:
    return {
        "assignment": assignment.assignment,
        "unit": assignment.view.unit,
        "said": _said(assignment.view),
        "html": str(unit_html(assignment.view, classes, why=assignment.why)),
    }


def unit_html(view: UnitView, classes: Sequence[str] = (), *, why: str = "") -> Markup:
    """Give a unit as the part of a page that shows it; candidates are buttons where their numbers are answers."""
    blocks = [(is_line, tuple(some)) for is_line, some in groupby(view.fields, key=lambda field: field.show == "line")]
    return Markup(written("unit.html", blocks=blocks, classes=classes, why=why))  # noqa: S704  # written by a template


def _said(view: UnitView) -> str:
    """Say in a breath what a unit is, for who hears the page."""
    told = [f"{field.name}: {_short(field.value)}" for field in view.fields[:6] if field.show != "image"]
    return "; ".join(told)


def _short(value: object, most: int = 160) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_short(part, 60) for part in value[:3])
    text = "no value" if value is None else " ".join(str(value).split())
    return text if len(text) <= most else f"{text[:most]} …"
