"""One request and one reply over ASGI: reading a body within limits, refusing early, sending what was made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from martello.errors import DataError, EnvironmentFault, MartelloError
from martello.serve.problem import problem, status_of

__all__ = ["Gone", "Intake", "Receive", "Reply", "Request", "Scope", "Send", "problem_reply", "send_reply"]

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BODY_SECONDS = 10.0  # for a whole body: 1 MB in 10 s is slower than any line a product calls from
LINGER_SECONDS = 2.0  # how long a refused body is read away, so that the client sees the answer and not a reset
MAX_HELD = 64 << 20  # bodies held at once, however many clients send slowly

_JSON = b"application/json"
_encode = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """An answer before it is sent."""

    body: bytes
    status: int = 200
    media_type: bytes = _JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Gone(Exception):
    """The client hung up before its request was whole."""


class Request:
    """One request: its headers, and its body once it is asked for."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive
        # Without a body the server has the whole request already.
        self.is_read = self.headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in self.headers

    async def read_away(self) -> None:
        """Take in what still comes of a body nobody wants, for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (await self.receive()).get("more_body"):
                    pass


class Intake:
    """Read the bodies of all requests within limits: of size each, of time, and of size together."""

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._held = 0

    async def body(self, request: Request) -> bytes:
        """Give a JSON body, refusing what is too large as early as it is known.

        Raises
        ------
        DataError
            ``serve.wrong-content-type``, ``serve.body-too-large``, ``serve.request-too-slow``.
        EnvironmentFault
            ``serve.busy``.
        Gone
        """
        _check_headers(request.headers)
        if int(request.headers.get(b"content-length", b"0")) > self._max_body:
            raise self._too_large()
        content = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while not request.is_read:
                    await self._take_chunk(request, content)
        except TimeoutError:
            raise DataError(
                "serve.request-too-slow", "the body did not arrive in time", expected=f"at most {BODY_SECONDS:g} s"
            ) from None
        finally:
            self._held -= len(content)
        return bytes(content)

    async def _take_chunk(self, request: Request, content: bytearray) -> None:
        event = await request.receive()
        if event["type"] == "http.disconnect":
            raise Gone
        content += event["body"]
        self._held += len(event["body"])
        request.is_read = not event.get("more_body", False)
        if len(content) > self._max_body:
            raise self._too_large()
        if self._held > MAX_HELD:
            raise EnvironmentFault(
                "serve.busy", "too many bodies are on their way at once", fix="send it again a little later"
            )

    def _too_large(self) -> DataError:
        return DataError(
            "serve.body-too-large",
            "the body is too large",
            expected=f"at most {self._max_body} bytes",
            fix="send the units in several requests",
        )


def _check_headers(headers: Mapping[bytes, bytes]) -> None:
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type != _JSON or b"content-encoding" in headers:
        raise DataError(
            "serve.wrong-content-type",
            "the body is not sent as plain JSON",
            where="header Content-Type",
            expected="application/json, without Content-Encoding",
        )


def problem_reply(fault: MartelloError, *headers: tuple[bytes, bytes]) -> Reply:
    """Make the answer that tells a fault."""
    status = status_of(fault)
    if status == 503:
        headers = (*headers, (b"retry-after", b"1"))
    return Reply(_encode(problem(fault)), status, b"application/problem+json", headers)


async def send_reply(request: Request, reply: Reply, send: Send) -> None:
    """Send an answer; a body that was not read is read away, and the connection closed."""
    headers = [
        (b"content-type", reply.media_type),
        (b"content-length", str(len(reply.body)).encode()),
        *reply.headers,
    ]
    if request.is_read:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
        return
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": True})
    await request.read_away()
    await send({"type": "http.response.body", "body": b""})
