"""The reader of the log: entries in order, every line checked, torn tails cut and counted, each outcome once.

It works on the files of stopped, killed and running servers alike and never writes.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from martello.errors import EnvironmentFault, IntegrityError
from martello.serve.entries import Decision, Entry, Outcome, Segment, content_digest, decode_line, intact, key_digest

__all__ = ["FoundDecision", "Tally", "find_decision", "read_log"]

_DECISION_ID = re.compile(r"([0-9a-f]{12})-[0-9a-f]{1,16}")


class Tally(msgspec.Struct):
    """What a reading met: counts of files and entries, and of what was passed over.

    `duplicates` and `conflicts` are outcomes whose (source, id) was there before, with the same and with other content;
    a torn tail is what a kill or power cut left at the end of a file; damaged lines have whole lines after them.
    """

    files: int = 0
    decisions: int = 0
    outcomes: int = 0
    duplicates: int = 0
    conflicts: int = 0
    torn_tails: int = 0
    torn_bytes: int = 0
    damaged_lines: int = 0


class FoundDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision from the log, with the classes its scores belong to (None where the file's head is lost)."""

    decision: Decision
    classes: tuple[str, ...] | None


def read_log(directory: Path, *, tally: Tally | None = None, outcomes_only: bool = False) -> Iterator[Entry]:
    """Give the entries of all files of a directory, oldest file first.

    Parameters
    ----------
    directory
        Where a server keeps its log.
    tally
        Filled while reading; whole when the iteration has ended.
    outcomes_only
        Pass decisions over without decoding them.

    Raises
    ------
    EnvironmentFault
        ``serve.no-log`` when there is no such directory.
    IntegrityError
        ``serve.unknown-entry`` for a whole line that this version cannot read.

    Examples
    --------
    >>> tally = Tally()
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     list(read_log(Path(folder), tally=tally)), tally.files
    ([], 0)
    """
    if not directory.is_dir():
        raise EnvironmentFault("serve.no-log", "there is no log here", where=str(directory), expected="a directory")
    counts = Tally() if tally is None else tally
    seen: dict[bytes, bytes] = {}
    for path in sorted(directory.glob("*.log")):
        counts.files += 1
        for line in _whole_lines(path, counts):
            if outcomes_only and not line.startswith(b'{"type":"outcome"', 18):
                continue
            entry = _decode(line, path)
            if isinstance(entry, Decision):
                counts.decisions += 1
                yield entry
            elif isinstance(entry, Outcome) and _is_first(entry, seen, counts):
                counts.outcomes += 1
                yield entry


def _whole_lines(path: Path, counts: Tally) -> Iterator[bytes]:
    broken: list[
        int
    ] = []  # sizes of broken lines since the last whole one: damage if another whole one follows, else the torn tail
    with path.open("rb") as file:
        for line in file:
            if intact(line):
                counts.damaged_lines += len(broken)
                broken.clear()
                yield line
            else:
                broken.append(len(line))
    if broken:
        counts.torn_tails += 1
        counts.torn_bytes += sum(broken)


def _decode(line: bytes, path: Path) -> Segment | Entry:
    try:
        return decode_line(line)
    except msgspec.MsgspecError as error:
        raise IntegrityError(
            "serve.unknown-entry",
            f"a whole line of the log is no entry of this version: {error}",
            where=str(path),
            expected="a segment, a decision or an outcome",
            fix="read it with the version of Martello that wrote it, or a newer one",
        ) from error


def _is_first(entry: Outcome, seen: dict[bytes, bytes], counts: Tally) -> bool:
    content = content_digest(entry.decision, entry.unit, entry.outcome)
    known = seen.setdefault(key_digest(entry.source, entry.id), content)
    if known is content:
        return True
    if known == content:
        counts.duplicates += 1
    else:
        counts.conflicts += 1
    return False


def find_decision(directory: Path, decision_id: str) -> FoundDecision | None:
    """Find one decision by its id, or give None. The id names the session, so only that session's files are scanned."""
    match = _DECISION_ID.fullmatch(decision_id)
    if match is None:
        return None
    for path in sorted(directory.glob(f"*-{match[1]}-*.log")):
        found = _find_in_file(path, decision_id)
        if found is not None:
            return found
    return None


def _find_in_file(path: Path, decision_id: str) -> FoundDecision | None:
    needle = b'{"type":"decision","id":"%b"' % decision_id.encode()
    with path.open("rb") as file:
        if path.stat().st_size == 0:  # an empty file cannot be mapped
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            at = content.find(needle)
            start = content.rfind(b"\n", 0, at) + 1
            end = content.find(b"\n", at) + 1
            line = content[start:end] if at >= 0 else b""
            head = content[: content.find(b"\n") + 1]
    if not line or not intact(line):
        return None
    decision = _decode(line, path)
    segment = _decode(head, path) if intact(head) else None
    assert isinstance(decision, Decision)
    classes = segment.releases.get(decision.release) if isinstance(segment, Segment) else None
    return FoundDecision(decision=decision, classes=classes)
