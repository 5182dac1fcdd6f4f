"""The writer of the log: append-only files, one process each, committed to disk in groups by a thread of its own.

A line is acknowledged only after `fdatasync`. While the disk works on one group the next one collects, so a lone
request waits for one commit and a thousand share it. A file that failed once is cut back to what was acknowledged and
never written again; the next group opens a new one, which is also how the log recovers by itself when there is room.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from martello.errors import EnvironmentFault
from martello.serve.entries import FORMAT, Segment, encode_line

__all__ = ["LogWriter", "now"]

Settle = Callable[[list[object], BaseException | None], None]

MAX_SEGMENT = (
    64 << 20
)  # a decision id is looked up by scanning the files of one session: small enough to scan in milliseconds
MAX_WAITING = 16 << 20  # about 40,000 decisions: more than a healthy disk ever leaves waiting


def now() -> int:
    """Give the time in microseconds, UTC."""
    return time.time_ns() // 1000


class _File:
    """One segment on disk, and how much of it is committed."""

    def __init__(self, path: Path, header: bytes) -> None:
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.committed = 0
        try:
            self.write(header)
            _sync_directory(path.parent)
        except BaseException:
            self.committed = 0
            self.abandon()
            raise
        self._header = len(header)

    def write(self, data: bytes) -> None:
        """Put all of `data` on disk, or raise."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        os.fdatasync(self._fd)
        if os.fstat(self._fd).st_nlink == 0:  # the file was removed under us: what is written is nowhere
            raise FileNotFoundError(2, "the log file was removed", str(self._path))
        self.committed += len(data)

    @property
    def has_entries(self) -> bool:
        return self.committed > self._header

    def abandon(self) -> None:
        """Cut back to what was committed, and let go of the file."""
        try:
            if self.committed:
                os.ftruncate(self._fd, self.committed)
            else:
                self._path.unlink(missing_ok=True)
        except OSError:
            pass  # the reader tells torn lines from whole ones; whole ones too many were refused, not acknowledged
        self.close()

    def close(self) -> None:
        os.close(self._fd)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class LogWriter:
    """Append lines to the log of one process.

    Parameters
    ----------
    directory
        Made when absent. Several processes may share it: each writes files of its own session.
    releases
        Classes of each release that may decide, written at the head of every file.
    settle
        Called in the writer's thread once per commit with the tickets of its lines, and with None or what went wrong.
    max_segment, max_waiting
        Bytes after which a new file begins; bytes that may wait for the disk before lines are refused.

    Raises
    ------
    EnvironmentFault
        ``serve.log-not-writable`` when the first file cannot be made.
    """

    def __init__(
        self,
        directory: Path,
        *,
        releases: Mapping[str, tuple[str, ...]],
        settle: Settle,
        max_segment: int = MAX_SEGMENT,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.directory = directory
        self.session = secrets.token_hex(6)
        self.trouble: BaseException | None = None  # what went wrong in the last commit
        self._releases = dict(releases)
        self._settle = settle
        self._max_segment = max_segment
        self._max_waiting = max_waiting
        self._n_files = 0
        self._queue: SimpleQueue[tuple[bytes, object] | None] = SimpleQueue()
        # Two counters, each written by one thread only, so that neither needs a lock.
        self._bytes_queued = 0
        self._bytes_settled = 0
        try:
            self._file: _File | None = self._open()
        except OSError as error:
            raise self.fault(error) from error
        self._thread = threading.Thread(target=self._run, name="martello-log", daemon=True)
        self._thread.start()

    def append(self, line: bytes, ticket: object) -> None:
        """Queue whole lines that stand or fall together. Call it from one thread only.

        Raises
        ------
        EnvironmentFault
            ``serve.log-behind`` when too much is waiting for the disk.
        """
        if self._bytes_queued - self._bytes_settled + len(line) > self._max_waiting:
            raise EnvironmentFault(
                "serve.log-behind",
                "the disk is behind: too much is waiting to be logged",
                where=str(self.directory),
                fix="send it again a little later",
            )
        self._bytes_queued += len(line)
        self._queue.put((line, ticket))

    def close(self) -> None:
        """Commit what is queued and stop."""
        self._queue.put(None)
        self._thread.join()
        if self._file is not None:
            self._file.close()
            self._file = None

    def has_room(self) -> bool:
        """Say whether the disk takes writes: known from the last commit, tried out when that one failed."""
        if self.trouble is None:
            return True
        probe = self.directory / f"{self.session}.probe"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            _File(probe, bytes(1 << 16)).close()
            probe.unlink()
        except OSError:
            return False
        return True

    def fault(self, cause: BaseException) -> EnvironmentFault:
        """Say that the log cannot be written, and why."""
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        return EnvironmentFault(
            "serve.log-not-writable",
            f"the log cannot be written: {reason}",
            where=str(self.directory),
            expected="a directory with room that this process may write to",
            fix="make room or mend the rights; a running server goes on by itself",
        )

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            batch += [self._queue.get() for _ in range(self._queue.qsize())]
            lines = [item for item in batch if item is not None]
            if lines:
                self._commit(lines)
            if len(lines) < len(batch):
                return

    def _commit(self, lines: list[tuple[bytes, object]]) -> None:
        data = b"".join(line for line, _ in lines)
        try:
            self._write(data)
            self.trouble = None
        except (OSError, MemoryError) as error:
            self.trouble = error
            if self._file is not None:
                self._file.abandon()
                self._file = None
        self._bytes_settled += len(data)
        self._settle([ticket for _, ticket in lines], self.trouble)

    def _write(self, data: bytes) -> None:
        file = self._file
        if file is not None and file.has_entries and file.committed + len(data) > self._max_segment:
            file.close()
            file = self._file = None
        if file is None:
            file = self._file = self._open()
        file.write(data)

    def _open(self) -> _File:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._n_files += 1
        opened = datetime.now(UTC)
        header = Segment(format=FORMAT, session=self.session, opened_at=now(), releases=self._releases)
        name = f"{opened:%Y%m%dT%H%M%S}-{self.session}-{self._n_files:05d}.log"
        return _File(self.directory / name, encode_line(header))
