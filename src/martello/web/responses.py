"""What every page does: find the opened room and project, read a body, answer with a page or with JSON."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from martello.corridor.project import Project
from martello.errors import DataError
from martello.label.contract import LabelingRoom
from martello.web.pages import written

__all__ = ["json_response", "page", "project_of", "read_body", "read_form", "room_of", "whole_number"]

Body = TypeVar("Body")


def room_of(request: Request) -> LabelingRoom:
    """Give the room that is open.

    Raises
    ------
    DataError
        ``web.no-labeling``.
    """
    room: LabelingRoom | None = request.app.state.room
    if room is None:
        raise DataError("web.no-labeling", "no labeling is open here", where=request.url.path, fix="martello label")
    return room


def project_of(request: Request) -> Project:
    """Give the project as its files are now.

    Raises
    ------
    DataError
        ``web.no-project`` when only a labeling room is open.
    SpecError
        When `martello.toml` has become faulty.
    """
    opened = request.app.state.project
    if opened is None:
        raise DataError(
            "web.no-project", "only labeling is open here, not a project", where=request.url.path, fix="go to /label"
        )
    project: Project = opened.now()
    return project


async def read_body(request: Request, kind: type[Body]) -> Body:
    """Read a JSON body.

    Raises
    ------
    DataError
        ``web.bad-body``.
    """
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(
            "web.bad-body", f"the request cannot be read: {error}", where=request.url.path, expected="a JSON object"
        ) from error


async def read_form(request: Request) -> dict[str, str]:
    """Read the fields of a form; of two with one name the later stands.

    Raises
    ------
    DataError
        ``web.bad-body``.
    """
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError as error:
        raise DataError("web.bad-body", f"the form cannot be read: {error}", where=request.url.path) from error
    return dict(pairs)


def json_response(value: object) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """Answer with a page that knows who reads it and where they are."""
    context = {"room": request.app.state.room, "who": request.state.who, "path": request.url.path, **values}
    context["has_project"] = request.app.state.project is not None
    return HTMLResponse(written(template, **context), status)


def whole_number(request: Request, name: str) -> int:
    """Read a number from the address; 0 when it is none."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
