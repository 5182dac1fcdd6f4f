"""Who may enter and from where: the guard before every page.

A link `/enter/<token>` sets a cookie that no script reads and no other site sends; a program shows the token as
`Authorization: Bearer`. Annotators see labeling and nothing else. Requests under a foreign name (DNS rebinding), from
a foreign page (CSRF) or with too large a body do not reach a page.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from martello.errors import DataError, MartelloError
from martello.label.contract import Annotator, AnnotatorRegister
from martello.web.faults import fault_response, unforeseen
from martello.web.pages import written

__all__ = ["Guard", "enter", "owner_token"]

_LOG = logging.getLogger("martello.web")
#: What an annotator may ask for; everything that is not here is the owner's.
_FOR_ANNOTATORS = frozenset(
    {
        ("GET", "/label"),
        ("POST", "/label/next"),
        ("POST", "/label/submit"),
        ("POST", "/label/undo"),
        ("GET", "/label/meter"),
        ("GET", "/label/answered"),
        ("GET", "/label/guidelines"),
    }
)
_IMAGES = "/label/image/"
#: What anybody may ask for.
_OPEN = ("/static/", "/enter/")
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    # Not "no-referrer": then a form of our own would come with `Origin: null`.
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Let in what comes by an own name, from an own page, with a good token and a small body; refuse the rest.

    Parameters
    ----------
    app
        The pages.
    register
        Who may enter.
    names
        Names this server goes by, beside localhost, bare addresses and the machine's own name.
    max_body
        Largest body in bytes.
    """

    def __init__(self, app: ASGIApp, *, register: AnnotatorRegister, names: Sequence[str], max_body: int) -> None:
        self._app = app
        self._register = register
        self._names = {"localhost", socket.gethostname().lower(), *(name.lower() for name in names)}
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        sending = _with_headers(scope["path"], send)
        request = Request(scope)
        try:
            self._check_host(request.headers)
            bounded = self._bounded(request.headers, receive)
            if not scope["path"].startswith(_OPEN):
                await self._check_who(request)
        except MartelloError as fault:
            await fault_response(request, fault)(scope, receive, sending)
            return
        await self._answer(request, bounded, sending)

    async def _answer(self, request: Request, receive: Receive, send: Send) -> None:
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(request.scope, receive, sending)
        except Exception:
            _LOG.exception("%s %s failed", request.method, request.url.path)
            if not has_begun:
                await unforeseen(request)(request.scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        host = headers.get("host", "")
        name = (urlsplit(f"//{host}").hostname or "").lower()
        if name in self._names or _is_address(name):
            return
        raise DataError(
            "web.unknown-host",
            f"this server is not called {name!r}",
            expected="localhost, an address, or a name it was started with",
            fix=f"start it with --name {name}, if the name is its own",
        )

    def _bounded(self, headers: Headers, receive: Receive) -> Receive:
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._max_body:
            raise self._too_large()
        taken = 0

        async def receive_bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_body:
                raise self._too_large()
            return message

        return receive_bounded

    def _too_large(self) -> DataError:
        return DataError("web.body-too-large", "the request is too large", expected=f"at most {self._max_body:,} bytes")

    async def _check_who(self, request: Request) -> None:
        token = _bearer(request.headers)
        if token is None:
            _check_origin(request)
            token = _cookie(request)
        if not token:
            raise DataError(
                "web.no-token", "this page opens with a link of your own", fix="ask the owner of the task for a link"
            )
        who = await run_in_threadpool(self._register.who, token)
        request.state.who = who
        if who.role != "owner":
            _check_is_labeling(request, who)


def _is_address(name: str) -> bool:
    """A bare address cannot be rebound to another machine, which only names can."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _bearer(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _cookie_name(request: Request) -> str:
    """Cookies do not tell ports apart, so the port is in the name: two projects may be open side by side."""
    server = request.scope.get("server") or ("", 0)
    return f"martello-{server[1]}"


def _cookie(request: Request) -> str | None:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(_cookie_name(request))
    except CookieError:
        return None
    return found.value if found else None


def _check_origin(request: Request) -> None:
    """Refuse what another site's page would have this browser do."""
    if request.method in ("GET", "HEAD"):
        return
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    own = request.headers.get("host", "")
    if origin is not None and urlsplit(origin).netloc == own:
        return
    if origin is None and site == "same-origin":
        return
    raise DataError(
        "web.foreign-origin",
        "this came from another page than ours",
        where=origin or "no Origin",
        expected=f"a page of {own}",
        fix="open the page itself; programs show `Authorization: Bearer TOKEN`",
    )


def _check_is_labeling(request: Request, who: Annotator) -> None:
    asked = ("GET" if request.method == "HEAD" else request.method, request.url.path)
    if asked in _FOR_ANNOTATORS or (asked[0] == "GET" and asked[1].startswith(_IMAGES)):
        return
    raise DataError(
        "web.not-for-annotators",
        f"{who.name} is invited to label; this page is the owner's",
        where=request.url.path,
        fix="go to /label",
    )


def _with_headers(path: str, send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-cache" if path.startswith("/static/") else "no-store")
        await send(message)

    return send_with_headers


def enter(request: Request, register: AnnotatorRegister) -> Response:
    """Turn a link into a cookie and go on to the page.

    The way on is in the page and not a redirect: a browser that comes from a mail or a chat would not show a strict
    cookie to the page it is redirected to.
    """
    token = request.path_params["token"]
    who = register.who(token)
    to = "/" if who.role == "owner" and request.app.state.project is not None else "/label"
    response = HTMLResponse(written("enter.html", to=_asked_page(request, who) or to, who=who))
    response.set_cookie(
        _cookie_name(request),
        token,
        max_age=_seconds_left(who),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


def _asked_page(request: Request, who: Annotator) -> str:
    """A link may lead to one of the owner's pages; never elsewhere."""
    asked = request.query_params.get("next", "")
    return asked if who.role == "owner" and asked.startswith("/label") else ""


def _seconds_left(who: Annotator) -> int:
    longest = 400 * 86400  # what browsers keep at most
    if who.expires_at is None:
        return longest
    ends = datetime.fromisoformat(who.expires_at)
    ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
    return max(0, min(longest, int((ends - datetime.now(UTC)).total_seconds())))


def owner_token(register: AnnotatorRegister, file: Path, *, name: str) -> str:
    """Give the owner's token, the same at every start, so that an open page survives one.

    Parameters
    ----------
    register
        Who may enter.
    file
        Where the token lies, readable by this user alone; written when there is none or it has ended.
    name
        The owner's name.
    """
    if file.is_file():
        token = file.read_text(encoding="ascii").strip()
        try:
            if register.who(token).name == name:
                return token
        except MartelloError:
            pass  # ended: a new one is made below
    token = register.invite(name, role="owner", days=None)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as kept:
        kept.write(token)
    return token
