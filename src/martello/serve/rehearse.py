"""A rehearsal: the real server as its own process, real HTTP, outcomes sent back, and then the log read from disk.

It returns what lies in the log, not what was answered; a decision that was answered and is not in the log is a fault.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

import msgspec

from martello.errors import EnvironmentFault, IntegrityError
from martello.serve.client import Client
from martello.serve.entries import Decision
from martello.serve.reading import Tally, read_log

__all__ = ["Rehearsed", "RehearsedUnit", "rehearse"]

BATCH_ROWS = 100
BATCH_BYTES = 256 << 10  # well below what a server takes by default
START_SECONDS = 60.0  # a loaded machine, a large model; a server that is not up by then has a fault
STOP_SECONDS = 20.0
STDERR_TAIL = 4000  # characters of what a dead server said last

Progress = Callable[[int, int], object]


class RehearsedUnit(msgspec.Struct, frozen=True, kw_only=True):
    """One unit as it lies in the log."""

    unit: str
    scores: tuple[float, ...]
    output: str
    outcome: str | None  # None where none was known


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal left on disk; `units` in order of their names."""

    units: tuple[RehearsedUnit, ...]
    n_sent: int
    n_decisions: int
    n_outcomes: int
    n_torn: int


def rehearse(
    command: Sequence[str],
    rows: Sequence[Mapping[str, object]],
    units: Sequence[str],
    outcomes: Sequence[str | None],
    *,
    token: str,
    log_dir: Path,
    at: Sequence[datetime | None] | None = None,
    progress: Progress | None = None,
    start_seconds: float = START_SECONDS,
) -> Rehearsed:
    """Start a server, send it the rows, report the outcomes, stop it, and read its log.

    Parameters
    ----------
    command
        Starts the server; it must print one line ``{"url": "http://…"}`` on stdout when it listens, keep its log in
        `log_dir` and take its token from the environment variable ``MARTELLO_TOKEN``.
    rows, units, outcomes
        Inputs, their names, and what happened (None where unknown), of equal length.
    at
        The moment of each row, where the release computes features as of one.
    progress
        Called with the rows done so far and their number.

    Raises
    ------
    DataError
        What the server refuses of the rows.
    EnvironmentFault
        ``serve.did-not-start``, ``serve.died``, both with the last words of the server.
    IntegrityError
        ``serve.rehearsal-lost`` when something acknowledged is not in the log exactly once; ``serve.outcome-refused``.
    """
    with _running(command, token, start_seconds) as url, Client(url, token, timeout=start_seconds) as client:
        unit_of: dict[str, tuple[str, str | None]] = {}  # by decision id
        done = 0
        for batch in _batches(rows):
            part = slice(done, done + len(batch))
            answers = client.decide_many(batch, units[part], at=None if at is None else at[part])
            known = zip((answer.id for answer in answers), units[part], outcomes[part], strict=True)
            sent = {decision: (unit, outcome) for decision, unit, outcome in known}
            _report(client, {decision: outcome for decision, (_, outcome) in sent.items() if outcome is not None})
            unit_of |= sent
            done += len(batch)
            if progress is not None:
                progress(done, len(rows))
    return _from_log(log_dir, unit_of)


def _report(client: Client, happened: Mapping[str, str]) -> None:
    receipts = client.post_outcomes(
        {"source": "rehearsal", "id": decision, "decision": decision, "outcome": outcome}
        for decision, outcome in happened.items()
    )
    refused = [receipt for receipt in receipts if receipt.status not in ("accepted", "duplicate")]
    if refused:
        raise IntegrityError(
            "serve.outcome-refused",
            f"the server refused {len(refused)} outcomes of the rehearsal",
            where=str((refused[0].error or {}).get("what", refused[0].status)),
        )


def _batches(rows: Sequence[Mapping[str, object]]) -> Iterator[Sequence[Mapping[str, object]]]:
    start, size = 0, 0
    for position, row in enumerate(rows):
        row_size = len(msgspec.json.encode(row))
        if position - start == BATCH_ROWS or (position > start and size + row_size > BATCH_BYTES):
            yield rows[start:position]
            start, size = position, 0
        size += row_size
    if start < len(rows):
        yield rows[start:]


def _from_log(log_dir: Path, unit_of: Mapping[str, tuple[str, str | None]]) -> Rehearsed:
    tally = Tally()
    decisions: list[Decision] = []
    happened: dict[str, str] = {}
    for entry in read_log(log_dir, tally=tally):
        if isinstance(entry, Decision):
            if entry.id in unit_of:
                decisions.append(entry)
        elif entry.source == "rehearsal" and entry.id in unit_of:
            happened[entry.id] = entry.outcome
    expected = {decision: outcome for decision, (_, outcome) in unit_of.items() if outcome is not None}
    if len(decisions) != len(unit_of) or len({d.id for d in decisions}) != len(decisions) or happened != expected:
        raise IntegrityError(
            "serve.rehearsal-lost",
            f"in the log: {len(decisions)} of {len(unit_of)} decisions, {len(happened)} of {len(expected)} outcomes",
            where=str(log_dir),
            expected="everything that was acknowledged, exactly once",
        )
    found = [
        RehearsedUnit(unit=unit_of[d.id][0], scores=d.scores, output=d.output, outcome=happened.get(d.id))
        for d in decisions
    ]
    return Rehearsed(
        units=tuple(sorted(found, key=lambda row: row.unit)),
        n_sent=len(unit_of),
        n_decisions=len(decisions),
        n_outcomes=len(happened),
        n_torn=tally.torn_tails,
    )


@contextmanager
def _running(command: Sequence[str], token: str, start_seconds: float) -> Iterator[str]:
    """Run the server and give its URL; it is stopped whatever happens, and a server that died is reported as such."""
    with (
        tempfile.TemporaryFile() as said,  # a file, since a full pipe would stop the server
        subprocess.Popen(  # noqa: S603 (the caller's own command)
            command, stdout=subprocess.PIPE, stderr=said, env={**os.environ, "MARTELLO_TOKEN": token}
        ) as process,
    ):
        try:
            yield from _guarded(process, _url_of(process, start_seconds, said), said)
        finally:
            _stop(process)
        if process.returncode != 0:
            raise _died("the server did not stop cleanly", process, said)


def _guarded(process: subprocess.Popen[bytes], url: str, said: IO[bytes]) -> Iterator[str]:
    try:
        yield url
    except EnvironmentFault as fault:
        if _has_ended(process):
            raise _died("the server died", process, said) from fault
        raise


def _url_of(process: subprocess.Popen[bytes], start_seconds: float, said: IO[bytes]) -> str:
    assert process.stdout is not None
    lines: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read_away, args=(process.stdout, lines), daemon=True).start()
    try:
        return str(msgspec.json.decode(lines.get(timeout=start_seconds), type=dict[str, str])["url"])
    except (Empty, msgspec.MsgspecError, KeyError) as error:
        _stop(process)
        raise EnvironmentFault(
            "serve.did-not-start",
            f"the server did not say where it listens{_last_words(process, said)}",
            where=_shown(process),
            expected=f'a line {{"url": "http://…"}} on stdout within {start_seconds:g} s',
            fix="start it by hand and look",
        ) from error


def _read_away(stdout: IO[bytes], lines: SimpleQueue[bytes]) -> None:
    """Hand over every line, the last of them empty: whoever waits hears of the end, and the pipe never fills up."""
    for line in stdout:
        lines.put(line)
    lines.put(b"")


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=1.0)  # a closed connection is seen a moment before the end of the process
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except BaseException as error:  # Ctrl-C while waiting must not leave a server behind either
        process.kill()
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise


def _died(reason: str, process: subprocess.Popen[bytes], said: IO[bytes]) -> EnvironmentFault:
    what = f"{reason}{_last_words(process, said)}"
    return EnvironmentFault("serve.died", what, where=_shown(process), fix="start it by hand and look")


def _last_words(process: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    said.seek(0)
    words = said.read().decode(errors="replace")[-STDERR_TAIL:].strip()
    return f" (exit code {process.returncode})" + (f"; its last words:\n{words}" if words else "")


def _shown(process: subprocess.Popen[bytes]) -> str:
    return shlex.join(map(str, process.args))  # type: ignore[arg-type]
