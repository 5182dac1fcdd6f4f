"""The desk where outcomes come in: each (source, id) counts once, and nothing is acknowledged before it is on disk.

The desk remembers a hash of every pair it has seen (about 150 bytes each), filled from the log at start. Another server
on the same directory has a desk of its own; what both accepted is counted once by `reading.read_log`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Raw

from martello.errors import MartelloError
from martello.serve.entries import Outcome, content_digest, encode_line, key_digest
from martello.serve.log import LogWriter, now
from martello.serve.problem import problem
from martello.serve.reading import read_log
from martello.serve.shapes import Receipt, SentOutcome, parse_outcome

__all__ = ["OutcomeDesk", "seen_outcomes"]

Ticket = asyncio.Future[BaseException | None]


def seen_outcomes(directory: Path) -> dict[bytes, bytes]:
    """Give what the log of a directory already holds: key digest to content digest."""
    if not directory.is_dir():
        return {}
    return {
        key_digest(entry.source, entry.id): content_digest(entry.decision, entry.unit, entry.outcome)
        for entry in read_log(directory, outcomes_only=True)
        if isinstance(entry, Outcome)
    }


class OutcomeDesk:
    """Take outcomes in for one server.

    Parameters
    ----------
    classes
        The outcomes that can happen.
    log
        Where they are written.
    seen
        What was accepted before, from `seen_outcomes`; grown in place.
    """

    def __init__(self, classes: Sequence[str], log: LogWriter, seen: dict[bytes, bytes]) -> None:
        self._classes = tuple(classes)
        self._log = log
        self._seen = seen
        self._on_the_way: dict[bytes, Ticket] = {}  # seen, but not yet on disk

    async def take(self, rows: Iterable[Raw]) -> list[Receipt]:
        """Give a receipt for each row, once all that is accepted or repeated is on disk.

        Raises
        ------
        EnvironmentFault
            ``serve.log-behind``, ``serve.log-not-writable``: then none of the rows was acknowledged.
        """
        ticket: Ticket = asyncio.get_running_loop().create_future()
        waits: set[Ticket] = set()
        lines: dict[bytes, bytes] = {}
        receipts = [self._receipt(row, ticket, lines, waits) for row in rows]
        if lines:
            ticket.add_done_callback(lambda done: self._settle(lines, done))
            waits.add(ticket)
            try:
                self._log.append(b"".join(lines.values()), ticket)
            except MartelloError as fault:
                ticket.set_result(fault)
        for wait in waits:
            trouble = await asyncio.shield(wait)
            if trouble is not None:
                raise trouble if isinstance(trouble, MartelloError) else self._log.fault(trouble)
        return receipts

    def _receipt(self, row: Raw, ticket: Ticket, lines: dict[bytes, bytes], waits: set[Ticket]) -> Receipt:
        try:
            sent = parse_outcome(row, self._classes)
        except MartelloError as fault:
            return Receipt(status="rejected", error=problem(fault))
        key = key_digest(sent.source, sent.id)
        content = content_digest(sent.decision, sent.unit, sent.outcome)
        known = self._seen.setdefault(key, content)
        if known is content:
            self._on_the_way[key] = ticket
            lines[key] = encode_line(_entry(sent))
            return Receipt(status="accepted", source=sent.source, id=sent.id)
        if key in self._on_the_way:  # a repeat is as good as the first: wait until that one is on disk
            waits.add(self._on_the_way[key])
        return Receipt(status="duplicate" if known == content else "conflict", source=sent.source, id=sent.id)

    def _settle(self, keys: Iterable[bytes], done: Ticket) -> None:
        is_lost = done.cancelled() or done.result() is not None
        for key in keys:
            del self._on_the_way[key]
            if is_lost:
                del self._seen[key]


def _entry(sent: SentOutcome) -> Outcome:
    return Outcome(
        id=sent.id,
        source=sent.source,
        decision=sent.decision,
        unit=sent.unit,
        outcome=sent.outcome,
        at=None if sent.at is None else round(sent.at.timestamp() * 1e6),
        received_at=now(),
    )
