"""The Python client of a served release: typed answers, the server's own faults, one kept connection.

A decision is never sent twice by itself (it would be logged twice); outcomes are, since the server counts each
(source, id) once.
"""

from __future__ import annotations

import http.client
import select
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from martello.errors import DataError, EnvironmentFault, MartelloError
from martello.serve.problem import error_from_problem
from martello.serve.shapes import Answer, Answers, EventReceipt, LoggedDecision, Receipt, Receipts

__all__ = ["Client"]

TRIES = 5  # of sending outcomes: a restart of the server fits into the waits between them
LONGEST_WAIT = 5.0  # seconds
_T = TypeVar("_T")


class Client:
    """Talk to a served release. Not for several threads at once: give each its own.

    Parameters
    ----------
    url
        Where the server listens, such as ``http://127.0.0.1:8080``.
    token
        What the server asks callers to show.
    timeout
        Seconds to wait for a connection and for each answer.

    Raises
    ------
    DataError
        ``serve.bad-url`` when the URL is none of this kind.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DataError("serve.bad-url", f"{url!r} is no address of a server", expected="http://host:port")
        self.url = url.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def decide(self, input: Mapping[str, object], unit: str | None = None, *, at: datetime | None = None) -> Answer:
        """Ask about one unit.

        Raises
        ------
        DataError
            What the server found wrong, such as ``features.wrong-type`` or ``serve.unauthorized``.
        EnvironmentFault
            ``serve.unreachable``, ``serve.no-answer``, ``serve.not-a-server``, or what the server's machine lacks.
        """
        return self._call("POST", "/decide", Answer, {"input": input, "unit": unit, **_moment(at)})

    def decide_many(
        self,
        inputs: Sequence[Mapping[str, object]],
        units: Sequence[str | None] | None = None,
        *,
        at: Sequence[datetime | None] | None = None,
    ) -> list[Answer]:
        """Ask about several units in one request: all are decided, or none and every fault is named.

        Raises
        ------
        DataError, EnvironmentFault
            As `decide`; also ``serve.too-many-rows`` and ``serve.body-too-large``.
        """
        named = [None] * len(inputs) if units is None else units
        moments = [None] * len(inputs) if at is None else at
        rows = [
            {"input": row, "unit": unit, **_moment(moment)}
            for row, unit, moment in zip(inputs, named, moments, strict=True)
        ]
        return self._call("POST", "/decide", Answers, {"units": rows}).decisions

    def post_outcomes(self, rows: Iterable[Mapping[str, object]]) -> list[Receipt]:
        """Report what happened; sent again, a few times and with pauses, while the server cannot be reached or is busy.

        Parameters
        ----------
        rows
            ``source``, ``id``, ``outcome``, ``decision`` or ``unit``, and perhaps ``at`` (a `datetime` with its zone).

        Raises
        ------
        DataError, EnvironmentFault
            As `decide`. A row at fault does not raise: its receipt says ``rejected`` and why.
        """
        return self._again("/outcomes", Receipts, {"outcomes": list(rows)}).outcomes

    def post_events(self, source: str, events: Sequence[Mapping[str, object]]) -> EventReceipt:
        """Tell of events; sent again, a few times and with pauses, while the server cannot be reached or is busy.

        Parameters
        ----------
        source
            Name of the source, as ``[source.NAME]`` in the spec.
        events
            One mapping each, with the columns that the source declares.

        Raises
        ------
        DataError, EnvironmentFault
            As `decide`, or ``serve.unknown-source``. An event at fault does not raise: the receipt holds its fault.
        """
        return self._again("/events", EventReceipt, {"source": source, "events": list(events)})

    def decision(self, decision_id: str) -> LoggedDecision:
        """Read a decision from the server's log.

        Raises
        ------
        DataError
            ``serve.unknown-decision``.
        """
        return self._call("GET", f"/decisions/{quote(decision_id, safe='')}", LoggedDecision)

    def healthy(self) -> bool:
        """Say whether the server is alive."""
        try:
            self._call("GET", "/healthz", dict[str, str])
        except MartelloError:
            return False
        return True

    def close(self) -> None:
        """Let go of the connection; the next call makes a new one."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _again(self, path: str, shape: type[_T], body: object) -> _T:
        """Post what counts once however often it is sent, a few times if need be."""
        for attempt in range(TRIES - 1):
            try:
                return self._call("POST", path, shape, body)
            except EnvironmentFault:
                time.sleep(min(0.2 * 4**attempt, LONGEST_WAIT))
        return self._call("POST", path, shape, body)

    def _call(self, method: str, path: str, shape: type[_T], body: object = None) -> _T:
        status, content = self._exchange(method, path, b"" if body is None else msgspec.json.encode(body))
        try:
            if status != 200:
                raise error_from_problem(status, content)
            return msgspec.json.decode(content, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise EnvironmentFault(
                "serve.not-a-server",
                f"what answers is no Martello server (status {status})",
                where=self.url + path,
                fix="look at the address, and at what stands between",
            ) from error

    def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        connection = self._connection
        self._drop_stale()
        try:
            connection.request(method, self._prefix + path, body, self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        except TimeoutError as error:
            connection.close()
            raise EnvironmentFault(
                "serve.no-answer", f"no answer within {connection.timeout:g} s", where=self.url + path
            ) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise EnvironmentFault(
                "serve.unreachable", f"the server cannot be reached: {reason}", where=self.url, fix="is it running?"
            ) from error
        except BaseException:  # an interrupted exchange leaves half an answer behind
            connection.close()
            raise

    def _drop_stale(self) -> None:
        """Close a kept connection that the server has closed: sending on it could only fail."""
        if self._connection.sock is not None and select.select([self._connection.sock], [], [], 0)[0]:
            self._connection.close()


def _moment(at: datetime | None) -> dict[str, datetime]:
    return {} if at is None else {"at": at}
