"""Faults as answers: pages for people, `application/problem+json` (RFC 9457) for programs, parts of pages for htmx."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from martello.errors import DataError, EnvironmentFault, MartelloError
from martello.web.pages import written

__all__ = ["HANDLERS", "fault_response", "status_of", "unforeseen"]

#: Codes whose status differs from what their class says (400 for input, 503 for the machine).
_STATUS = {
    "label.unknown-token": 401,
    "label.expired-token": 401,
    "web.no-token": 401,
    "web.foreign-origin": 403,
    "web.not-for-annotators": 403,
    "web.other-annotator": 403,
    "web.unknown-page": 404,
    "web.no-labeling": 404,
    "web.no-project": 404,
    "web.no-image": 404,
    "store.missing-record": 404,
    "web.wrong-method": 405,
    "web.guidelines-changed": 409,
    "web.body-too-large": 413,
    "web.unknown-host": 421,
    "web.failed": 500,
}


def status_of(fault: MartelloError) -> int:
    """Give the HTTP status of a fault."""
    return _STATUS.get(fault.code, fault.status)


def fault_response(request: Request, fault: MartelloError) -> Response:
    """Answer with a fault in the form the asker reads."""
    status = status_of(fault)
    title = HTTPStatus(status).phrase
    if _wants_json(request):
        problem = {"type": f"urn:martello:error:{fault.code}", "title": title, "status": status, **fault.as_dict()}
        return Response(msgspec.json.encode(problem), status, media_type="application/problem+json")
    template = "fault_part.html" if request.headers.get("hx-request") else "fault.html"
    values = {"fault": fault, "title": title, "who": getattr(request.state, "who", None), "path": ""}
    values |= {"room": request.app.state.room, "has_project": request.app.state.project is not None}
    return HTMLResponse(written(template, **values), status)


def _wants_json(request: Request) -> bool:
    if request.query_params.get("format") == "json" or "authorization" in request.headers:
        return True
    accept = request.headers.get("accept", "")
    return "json" in accept and "text/html" not in accept


async def _known(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, MartelloError)
    return fault_response(request, fault)


async def _http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    if fault.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        named = DataError("web.wrong-method", f"{request.method} means nothing here", where=request.url.path)
    else:
        named = DataError("web.unknown-page", "there is no such page", where=request.url.path, fix="start at /")
    return fault_response(request, named)


def unforeseen(request: Request) -> Response:
    """Answer when something broke that nobody foresaw."""
    named = EnvironmentFault(
        "web.failed",
        "the page could not be made; the fault is in the log of the server",
        where=request.url.path,
        fix="load it again; what was acknowledged before is kept",
    )
    return fault_response(request, named)


#: What Starlette calls for which exception.
HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    MartelloError: _known,
    HTTPException: _http,
}
