"""From an opened release to a process that answers: checks the machine, starts, stops with everything on disk."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path

from martello.errors import DataError, EnvironmentFault
from martello.serve.app import Application, settle
from martello.serve.contract import Served
from martello.serve.log import LogWriter
from martello.serve.outcomes import seen_outcomes

__all__ = ["run"]


def run(
    served: Served,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    log_dir: Path,
    token: str,
    ready: Callable[[int], object],
    max_body: int = 1_000_000,
) -> None:
    """Serve a release until SIGINT or SIGTERM, then answer what is under way, commit the log and return.

    Prints nothing; its own faults go to the loggers ``martello.serve`` and ``uvicorn.error``. Several servers may share
    `log_dir`: each writes files of its own.

    Parameters
    ----------
    served
        The opened release.
    host, port
        Where to listen; port 0 takes a free one.
    log_dir
        Directory of the log, made when absent.
    token
        What callers must show; printable ASCII without spaces.
    ready
        Called with the port once requests are accepted.
    max_body
        Largest request body in bytes.

    Raises
    ------
    DataError
        ``serve.bad-token``.
    EnvironmentFault
        ``serve.port-in-use``, ``serve.cannot-listen``, ``serve.log-not-writable``.
    IntegrityError
        ``serve.unknown-entry`` when the log holds lines of a newer version.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise DataError("serve.bad-token", "the token is empty or not plain", expected="printable ASCII without spaces")
    with _listen(host, port) as listening:
        log = LogWriter(log_dir, releases={served.release_id: served.classes}, settle=settle)
        try:
            application = Application(served, log, seen_outcomes(log_dir), token=token, max_body=max_body)
            # Loaded here, so that importing the room does not cost a web server.
            from martello.serve.transport import serve_application

            serve_application(application, listening, lambda: ready(listening.getsockname()[1]))
        finally:
            log.close()


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
            "serve.port-in-use",
            f"port {port} is in use",
            where=where,
            fix="stop what listens there, or take another port (0 takes a free one)",
        )
    return EnvironmentFault("serve.cannot-listen", f"cannot listen: {error.strerror or error}", where=where)
