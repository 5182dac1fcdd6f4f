"""Bytes and connections: uvicorn with bounded request heads, faults in the common shape, and a clean stop on signals.

The only file that knows uvicorn. It leans on `data_received`, `on_message_begin`, `on_headers_complete` and
`send_400_response` of its protocol and on `startup`, `capture_signals` and `handle_exit` of its server; the tests of
this room hold them in place.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import msgspec
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from martello.errors import DataError
from martello.serve.problem import problem, status_of

__all__ = ["serve_application"]

HEAD_SECONDS = 10.0
MAX_HEAD = 64 << 10
KEEP_ALIVE_SECONDS = 75  # longer than the minute for which balancers keep idle connections
GRACE_SECONDS = 5  # for requests under way when the server is told to stop


class _Protocol(HttpToolsProtocol):
    """One connection, whose request head is bounded in time and size."""

    _head_began_now = False
    _in_head = True
    _head_size = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._in_head = self._head_began_now = True
        self._head_size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        # What came before the head in the same bytes is not of the head: only whole chunks after its beginning count.
        self._head_size += 0 if self._head_began_now else len(data)
        self._head_began_now = False
        if self._head_size > MAX_HEAD:
            self._refuse(
                DataError("serve.head-too-large", "the request head is too large", expected=f"{MAX_HEAD} bytes")
            )
        elif self._head_timer is None:
            self._start_timer()

    def send_400_response(self, msg: str) -> None:
        self._refuse(DataError("serve.not-http", "the request is no HTTP/1.1", expected="a well-formed request"))

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_too_slow)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        slow = DataError(
            "serve.request-too-slow", "the request head did not arrive in time", expected=f"at most {HEAD_SECONDS:g} s"
        )
        self._refuse(slow)

    def _refuse(self, fault: DataError) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:  # else it would be taken for the answer under way
            status, body = status_of(fault), msgspec.json.encode(problem(fault))
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/problem+json\r\n"
            self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()


class _Server(uvicorn.Server):
    """The server of one process, which says when it listens and stops on SIGINT and SIGTERM without dying of them."""

    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
            yield
            return
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def serve_application(application: Any, listening: socket.socket, when_ready: Callable[[], object]) -> None:
    """Serve on a listening socket until a signal says stop; requests under way are answered first."""
    config = uvicorn.Config(
        application,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Server(config, when_ready).serve(sockets=[listening]))
