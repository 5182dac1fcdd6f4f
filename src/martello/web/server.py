"""From pages to a process that answers: takes the port, says where it listens, stops on signals with all said."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from martello.errors import EnvironmentFault

__all__ = ["DEFAULT_PORT", "run"]

#: Always the same, so that answers a browser still keeps find the server again after a restart.
DEFAULT_PORT = 8378
_GRACE_SECONDS = 5  # for requests under way when the server is told to stop


def run(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    ready: Callable[[str], object] = lambda url: None,
) -> None:
    """Serve the pages until SIGINT or SIGTERM, then answer what is under way and return.

    Prints nothing; faults go to the loggers ``martello.web`` and ``uvicorn.error``.

    Parameters
    ----------
    app
        What `martello.web.app.create_app` gave.
    host, port
        Where to listen; port 0 takes a free one.
    ready
        Called with the address, such as ``http://127.0.0.1:8378``, once requests are accepted.

    Raises
    ------
    EnvironmentFault
        ``web.port-in-use``, ``web.cannot-listen``.
    """
    with _listen(host, port) as listening:
        taken = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        _Server(config, lambda: ready(f"http://{shown}:{taken}")).run(sockets=[listening])


class _Server(uvicorn.Server):
    """The server of one process, which says when it listens and stops on signals without dying of them."""

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
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for old connections
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise _cannot_listen(host, port, error) from error
    return listening


def _cannot_listen(host: str, port: int, error: OSError) -> EnvironmentFault:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return EnvironmentFault(
            "web.port-in-use",
            f"port {port} is in use",
            where=where,
            fix="stop what listens there, or take another port: --port 0 takes a free one",
        )
    return EnvironmentFault("web.cannot-listen", f"cannot listen: {error.strerror or error}", where=where)
