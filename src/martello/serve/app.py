"""The application: raw ASGI, one function per route, every fault one shape.

A request is answered in this order: who asks, which route, is the body acceptable, what is decided, is it on disk.
Connections are `transport`, requests and replies `exchange`; the log is `log`; what a body may look like is `shapes`.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from martello.errors import DataError, MartelloError
from martello.serve.contract import Decided, Featured, Served
from martello.serve.entries import Decision, encode_line
from martello.serve.exchange import Gone, Intake, Receive, Reply, Request, Scope, Send, problem_reply, send_reply
from martello.serve.log import LogWriter, now
from martello.serve.openapi import openapi_document
from martello.serve.outcomes import OutcomeDesk, Ticket
from martello.serve.page import docs_page
from martello.serve.problem import problem
from martello.serve.reading import find_decision
from martello.serve.shapes import (
    Answer,
    Answers,
    EventReceipt,
    LoggedDecision,
    Receipts,
    Row,
    parse_events,
    parse_outcomes,
    parse_rows,
)

__all__ = ["Application", "settle"]

Handler = Callable[[Request], Awaitable[Reply]]

SKEW = 300_000_000  # microseconds by which the clock of a caller may be ahead of ours
ROWS_PER_TURN = 32  # rows decided before other requests get their turn

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PAGES = ("/docs", "/openapi.json")  # what a person opens in a browser
_encode = msgspec.json.Encoder().encode
_logger = logging.getLogger("martello.serve")


def settle(tickets: list[Any], trouble: BaseException | None) -> None:
    """Wake the requests that wait for a commit; called in the log's thread."""
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        tickets[0].get_loop().call_soon_threadsafe(_wake, tickets, trouble)


def _wake(tickets: Sequence[Ticket], trouble: BaseException | None) -> None:
    for ticket in tickets:
        if not ticket.done():
            ticket.set_result(trouble)


class Application:
    """Serve one release over ASGI.

    Parameters
    ----------
    served
        The opened release.
    log
        Where decisions and outcomes go; made with `settle` of this file.
    seen
        Outcomes accepted before, see `outcomes.seen_outcomes`.
    token
        What callers must show as ``Authorization: Bearer …``.
    max_body
        Largest body in bytes.
    """

    def __init__(
        self, served: Served, log: LogWriter, seen: dict[bytes, bytes], *, token: str, max_body: int = 1_000_000
    ) -> None:
        self._served = served
        self._log = log
        self._desk = OutcomeDesk(served.classes, log, seen)
        self._token = token.encode()
        self._intake = Intake(max_body)
        self._numbers = count(1)
        document = openapi_document(served)
        self._openapi = _encode(document)
        self._page = docs_page(served, document)
        self._routes: dict[str, dict[str, Handler]] = {
            "/decide": {"POST": self._decide},
            "/outcomes": {"POST": self._outcomes},
            "/readyz": _readable(self._ready),
            "/openapi.json": _readable(self._show_openapi),
            "/docs": _readable(self._show_docs),
        }
        self._featured = served if isinstance(served, Featured) else None
        if self._featured and self._featured.sources:
            self._routes["/events"] = {"POST": self._events}
            # A thread of its own: a commit takes milliseconds in which others want their answers.
            self._taking = ThreadPoolExecutor(1, "martello-events")
        self._decision_route = _readable(self._decision)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        request = Request(scope, receive)
        try:
            reply = await self._answer(request)
        except Gone:
            return
        except MartelloError as fault:
            reply = problem_reply(fault, *_challenge(request, fault))
        except Exception:
            _logger.exception("fault while answering %s", request.path)
            reply = problem_reply(_model_failed())
        await send_reply(request, reply, send)

    async def _answer(self, request: Request) -> Reply:
        if request.path == "/healthz" and request.method in ("GET", "HEAD"):
            return Reply(b'{"status":"alive"}')
        self._check_token(request)
        methods = self._routes.get(request.path)
        if methods is None:
            methods = self._decision_route if request.path.startswith("/decisions/") else None
        if methods is None:
            raise DataError(
                "serve.unknown-route", "there is nothing here", where=request.path, expected="a route of /openapi.json"
            )
        handler = methods.get(request.method)
        if handler is None:
            return _wrong_method(request, methods)
        return await handler(request)

    def _check_token(self, request: Request) -> None:
        scheme, _, shown = request.headers.get(b"authorization", b"").partition(b" ")
        if request.path in _PAGES and scheme.lower() == b"basic":
            with suppress(ValueError):  # a browser asks for name and password: any name, the token as password
                shown, scheme = base64.b64decode(shown).partition(b":")[2], b"bearer"
        if not hmac.compare_digest(shown.strip(), self._token) or scheme.lower() != b"bearer":
            raise DataError(
                "serve.unauthorized",
                "the request shows no valid token",
                where="header Authorization",
                expected="Authorization: Bearer TOKEN",
            )

    async def _decide(self, request: Request) -> Reply:
        rows, is_many = parse_rows(await self._intake.body(request))
        decisions: list[Decision] = []
        faults: list[MartelloError] = []
        for position, row in enumerate(rows):
            if position and position % ROWS_PER_TURN == 0:
                await asyncio.sleep(0)
            try:
                decisions.append(self._decision_of(row))
            except MartelloError as fault:
                faults.append(_placed(fault, f"units[{position}]") if is_many else fault)
        if faults:
            raise _all_of(faults)
        answers = [self._answer_of(decision) for decision in decisions]
        reply = Reply(_encode(Answers(decisions=answers) if is_many else answers[0]))
        if decisions:  # last: what is logged can be answered, and what is answered is logged
            await self._commit(b"".join(map(encode_line, decisions)))
        return reply

    def _decision_of(self, row: Row) -> Decision:
        at = now()
        as_of = self._moment(row, at)
        decided = self._ask(row, as_of)
        return Decision(
            id=f"{self._log.session}-{next(self._numbers):x}",
            unit=row.unit,
            at=at,
            release=self._served.release_id,
            values=decided.values,
            scores=decided.scores,
            output=decided.output,
            as_of=as_of,
            definition=self._featured.definition if self._featured else UNSET,
        )

    def _moment(self, row: Row, present: int) -> int | UnsetType:
        """Give the moment that features are computed for: the present, or an earlier one that was asked for."""
        if row.at is UNSET:
            return present if self._featured else UNSET
        asked = (row.at - _EPOCH) // _MICROSECOND
        if self._featured and asked <= present + SKEW:
            return asked
        raise DataError(
            "serve.no-such-moment",
            "the moment `at` lies ahead of us" if self._featured else "this release has no use for a moment `at`",
            where="$.at",
            expected="a moment that is past" if self._featured else "no `at`: its answers do not depend on the time",
            fix="leave `at` out",
        )

    def _ask(self, row: Row, as_of: int | UnsetType) -> Decided:
        try:
            if self._featured and as_of is not UNSET:
                decided = self._featured.decide_at(row.input, as_of)
            else:
                decided = self._served.decide(row.input)
        except MartelloError:
            raise
        except Exception as error:
            _logger.exception("the model failed")
            raise _model_failed() from error
        if not all(map(math.isfinite, decided.scores)):
            _logger.error("the model gave the scores %s", decided.scores)
            raise _model_failed()
        return decided

    def _answer_of(self, decision: Decision) -> Answer:
        return Answer(
            id=decision.id,
            unit=decision.unit,
            output=decision.output,
            scores=dict(zip(self._served.classes, decision.scores, strict=True)),
            release=decision.release,
        )

    async def _commit(self, line: bytes) -> None:
        ticket: Ticket = asyncio.get_running_loop().create_future()
        self._log.append(line, ticket)
        trouble = await ticket
        if trouble is not None:
            raise self._log.fault(trouble)

    async def _outcomes(self, request: Request) -> Reply:
        rows = parse_outcomes(await self._intake.body(request))
        return Reply(_encode(Receipts(outcomes=await self._desk.take(rows))))

    async def _events(self, request: Request) -> Reply:
        assert self._featured is not None
        sent = parse_events(await self._intake.body(request), self._featured.sources)
        taking = asyncio.get_running_loop().run_in_executor(
            self._taking, self._featured.take_events, sent.source, sent.events, now()
        )
        taken = await asyncio.shield(taking)
        return Reply(
            _encode(
                EventReceipt(
                    accepted=taken.accepted,
                    duplicates=taken.duplicates,
                    late=taken.late,
                    rejected=list(map(problem, taken.faults)),
                )
            )
        )

    async def _decision(self, request: Request) -> Reply:
        wanted = request.path.removeprefix("/decisions/")
        found = await asyncio.to_thread(find_decision, self._log.directory, wanted)
        if found is None:
            raise DataError(
                "serve.unknown-decision",
                "no decision of this id is in the log",
                where=request.path,
                expected="the `id` of an answer",
            )
        decision = found.decision
        classes = found.classes or tuple(map(str, range(len(decision.scores))))
        logged = LoggedDecision(
            id=decision.id,
            unit=decision.unit,
            at=datetime.fromtimestamp(decision.at / 1e6, UTC),
            release=decision.release,
            values=decision.values,
            scores=dict(zip(classes, decision.scores, strict=True)),
            output=decision.output,
            arm=decision.arm,
            propensity=decision.propensity,
            as_of=UNSET if decision.as_of is UNSET else datetime.fromtimestamp(decision.as_of / 1e6, UTC),
            definition=decision.definition,
        )
        return Reply(_encode(logged))

    async def _ready(self, _: Request) -> Reply:
        trouble = self._log.trouble
        if trouble is not None and not await asyncio.to_thread(self._log.has_room):
            raise self._log.fault(trouble)
        return Reply(b'{"status":"ready"}')

    async def _show_openapi(self, _: Request) -> Reply:
        return Reply(self._openapi)

    async def _show_docs(self, _: Request) -> Reply:
        policy = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'")
        return Reply(self._page, media_type=b"text/html; charset=utf-8", headers=(policy,))


def _readable(handler: Handler) -> dict[str, Handler]:
    return {"GET": handler, "HEAD": handler}


def _challenge(request: Request, fault: MartelloError) -> list[tuple[bytes, bytes]]:
    schemes = (b"Bearer", b"Basic") if request.path in _PAGES else (b"Bearer",)
    return [(b"www-authenticate", scheme) for scheme in schemes] if fault.code == "serve.unauthorized" else []


def _wrong_method(request: Request, methods: Mapping[str, Handler]) -> Reply:
    allowed = ", ".join(methods)
    fault = DataError(
        "serve.wrong-method", f"{request.method} is not for this route", where=request.path, expected=allowed
    )
    return problem_reply(fault, (b"allow", allowed.encode()))


def _model_failed() -> MartelloError:
    return MartelloError(
        "serve.model-failed", "the server failed on this request", fix="the log of the server's own faults says why"
    )


def _placed(fault: MartelloError, place: str) -> MartelloError:
    where = f"{place}, {fault.where}" if fault.where else place
    others = [_placed(other, place) for other in fault.others]
    return type(fault)(fault.code, fault.what, where=where, expected=fault.expected, fix=fault.fix, others=others)


def _all_of(faults: Sequence[MartelloError]) -> MartelloError:
    first, *rest = faults
    first.others += tuple(rest[:20])  # whoever has a thousand faulty rows mends the first twenty alike
    return first
