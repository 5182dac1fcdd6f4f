"""The book of answers: every draw, act and settlement of a campaign on disk before anybody relies on it.

One SQLite file for a project (`book.sqlite`), entries only ever added and chained by hashes; leases beside
them may be lost without harm. One thread commits in groups, so twenty people share one wait for the
disk. What the entries mean together is `martello.label.tally`'s.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import msgspec

from martello.errors import EnvironmentFault, IntegrityError, MartelloError
from martello.label.contract import Purpose
from martello.label.entries import Act, Entry, Withdrawal, chained, decode, encode

__all__ = ["FILE_NAME", "AnswerBook", "Lease", "Ticket", "connect", "entries_on_disk"]

FILE_NAME = "book.sqlite"
SCHEMA = 1
_TABLES = f"""
PRAGMA user_version = {SCHEMA};
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, submit_id TEXT, annotator TEXT, unit TEXT,
    stands INTEGER, body BLOB NOT NULL, link BLOB NOT NULL
);
CREATE UNIQUE INDEX one_entry_a_submit ON entries (campaign, submit_id) WHERE submit_id IS NOT NULL;
CREATE UNIQUE INDEX one_act_a_unit ON entries (campaign, annotator, unit) WHERE stands = 1;
CREATE INDEX acts_in_order ON entries (campaign, annotator, seq) WHERE stands = 1;
CREATE TABLE heads (campaign TEXT PRIMARY KEY, n INTEGER NOT NULL, link BLOB NOT NULL);
CREATE TABLE leases (
    assignment TEXT PRIMARY KEY, campaign TEXT NOT NULL, annotator TEXT NOT NULL, unit TEXT NOT NULL,
    until REAL NOT NULL, why TEXT NOT NULL, is_check INTEGER NOT NULL
);
"""
_FIRST_LINK = b"martello label book 1"

Statement = tuple[str, Sequence[Any]]


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that was handed to an annotator, and until when it is theirs (seconds since the epoch)."""

    assignment: str
    annotator: str
    unit: str
    until: float
    why: str
    is_check: bool


class book_faults:
    """Name what SQLite says: a damaged file is an IntegrityError, a full or locked disk an EnvironmentFault."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise self.named(error) from error

    def named(self, error: BaseException) -> MartelloError:
        """Give the fault of the family for what SQLite or the machine said."""
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, (sqlite3.OperationalError, sqlite3.IntegrityError)
        ):
            return damaged(self._path, str(error))
        return EnvironmentFault(
            "label.book-not-writable",
            f"the book of answers cannot be used: {error}",
            where=str(self._path),
            expected="a disk with room, and rights to write",
            fix="make room or mend the rights; answers that were acknowledged are kept, send the others again",
        )


def damaged(path: Path, what: str) -> IntegrityError:
    """Say that the book is not as it was written."""
    return IntegrityError(
        "label.book-damaged",
        f"the book of answers is not as it was written: {what}",
        where=str(path),
        expected="the file as this program left it",
        fix="put back a copy of the whole .martello/label folder",
    )


class Ticket:
    """A place in the writer's queue: `wait` returns when all that was queued before it is on disk, or raises."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._trouble: MartelloError | None = None

    @property
    def is_done(self) -> bool:
        """Whether it is on disk already."""
        return self._done.is_set() and self._trouble is None

    def settle(self, trouble: MartelloError | None) -> None:
        """Say how it went; the writer's."""
        self._trouble = trouble
        self._done.set()

    def wait(self) -> None:
        """Wait for the disk."""
        self._done.wait()
        if self._trouble is not None:
            raise self._trouble


class AnswerBook:
    """Keep the entries of one campaign. Queue with `add` from one thread at a time, wait on tickets from any.

    Parameters
    ----------
    directory
        The folder of the labelling room; made when absent.
    campaign
        Whose entries.

    Raises
    ------
    EnvironmentFault
        ``label.room-open-elsewhere`` when another process (or room) writes this campaign,
        ``label.book-not-writable``.
    IntegrityError
        ``label.book-damaged``, ``label.book-version``.
    """

    def __init__(self, directory: Path, campaign: Purpose) -> None:
        self.path, self.campaign = directory / FILE_NAME, campaign
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(directory / f"{campaign}.lock")
        try:
            with book_faults(self.path):
                self._write = connect(self.path)
                self._read = connect(self.path)
        except BaseException:
            os.close(self._lock)
            raise
        self._reading = threading.Lock()
        self._queue: SimpleQueue[tuple[list[Statement], list[Entry], Ticket] | None] = SimpleQueue()
        self.has_failed = False
        self._thread = threading.Thread(target=self._run, name=f"martello-label-{campaign}", daemon=True)
        self._thread.start()

    def add(self, entries: Sequence[Entry] = (), *, leases: Sequence[Lease] = (), ended: Sequence[str] = ()) -> Ticket:
        """Queue entries, new leases and ended ones; they stand or fall together. Empty: a mark to wait on."""
        statements: list[Statement] = [
            (
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?)",
                (x.assignment, self.campaign, x.annotator, x.unit, x.until, x.why, x.is_check),
            )
            for x in leases
        ]
        statements += [("DELETE FROM leases WHERE assignment = ?", (assignment,)) for assignment in ended]
        return self._put(statements, list(entries))

    def _put(self, statements: list[Statement], entries: list[Entry]) -> Ticket:
        ticket = Ticket()
        self._queue.put((statements, entries, ticket))
        return ticket

    def recover(self) -> None:
        """Take writes again after a failure; all that was queued meanwhile has failed, too."""
        ticket = self.add()
        ticket._done.wait()
        self.has_failed = False

    def close(self) -> None:
        """Commit what is queued and let go of the file."""
        self._queue.put(None)
        self._thread.join()
        self._write.close()
        self._read.close()
        os.close(self._lock)

    # --- the writer's thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            batch += [self._queue.get() for _ in range(self._queue.qsize())]
            jobs = [job for job in batch if job is not None]
            if jobs:
                trouble = self._commit(jobs)
                for _, _, ticket in jobs:
                    ticket.settle(trouble)
            if len(jobs) < len(batch):
                return

    def _commit(self, jobs: list[tuple[list[Statement], list[Entry], Ticket]]) -> MartelloError | None:
        if self.has_failed:  # what was queued behind a failure rests on what is not on disk
            return book_faults(self.path).named(OSError("an earlier write failed"))
        if not any(statements or entries for statements, entries, _ in jobs):
            return None
        try:
            self._write.execute("BEGIN IMMEDIATE")
            write_entries(self._write, self.campaign, [entry for _, entries, _ in jobs for entry in entries])
            for statements, _, _ in jobs:
                for sql, values in statements:
                    self._write.execute(sql, values)
            self._write.execute("COMMIT")
        except Exception as error:  # whatever it was, those who wait must hear of it
            self.has_failed = True
            with contextlib.suppress(sqlite3.Error):
                self._write.execute("ROLLBACK")
            return book_faults(self.path).named(error)
        return None

    # --- reading -----------------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[Entry]:
        """Give all entries that are on disk in their order, each checked against its link."""
        yield from entries_on_disk(self.path, self.campaign)

    def standing_acts(self) -> Iterator[Act]:
        """Give the acts that were not withdrawn, those of one unit together."""
        sql = "SELECT body FROM entries WHERE campaign = ? AND stands = 1 ORDER BY unit, seq"
        with book_faults(self.path):
            connection = connect(self.path, read_only=True)
            try:
                for (body,) in connection.execute(sql, (self.campaign,)):
                    yield cast(Act, decode(body))
            finally:
                connection.close()

    def leases(self) -> list[Lease]:
        """Give the leases that stand."""
        sql = "SELECT assignment, annotator, unit, until, why, is_check FROM leases WHERE campaign = ?"
        return [
            Lease(assignment=a, annotator=b, unit=c, until=d, why=e, is_check=bool(f))
            for a, b, c, d, e, f in self._select(sql, (self.campaign,))
        ]

    def act(self, submit_id: str) -> Act | None:
        """Give the act that was sent under an id, withdrawn or not."""
        return self._act("submit_id = ?", (submit_id,))

    def act_on(self, annotator: str, unit: str) -> Act | None:
        """Give what an annotator did on a unit."""
        return self._act("stands = 1 AND annotator = ? AND unit = ?", (annotator, unit))

    def stands(self, submit_id: str) -> bool:
        """Whether an act was never withdrawn."""
        return bool(
            self._select(
                "SELECT 1 FROM entries WHERE campaign = ? AND submit_id = ? AND stands = 1", (self.campaign, submit_id)
            )
        )

    def acts_of(self, annotator: str, *, offset: int, limit: int) -> list[Act]:
        """Give an annotator's standing acts, latest first."""
        condition = "campaign = ? AND annotator = ? AND stands = 1"
        sql = f"SELECT body FROM entries WHERE {condition} ORDER BY seq DESC LIMIT ? OFFSET ?"
        rows = self._select(sql, (self.campaign, annotator, limit, offset))
        return [cast(Act, decode(body)) for (body,) in rows]

    def _act(self, condition: str, values: tuple[str, ...]) -> Act | None:
        rows = self._select(f"SELECT body FROM entries WHERE campaign = ? AND {condition}", (self.campaign, *values))
        return cast(Act, decode(rows[0][0])) if rows else None

    def _select(self, sql: str, values: Sequence[Any]) -> list[Any]:
        with self._reading, book_faults(self.path):
            return self._read.execute(sql, values).fetchall()


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file, make it when it is new, and check that this program can read it."""
    address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _make_tables(connection)
        _check_version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
    finally:
        connection.execute("COMMIT")


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA:
        raise IntegrityError(
            "label.book-version",
            f"the book of answers has version {version}",
            where=str(path),
            expected=f"version {SCHEMA}",
            fix="use the version of martello that wrote it, or export there and import here",
        )


def _lock(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise EnvironmentFault(
            "label.room-open-elsewhere",
            "another process has this campaign open",
            where=str(path),
            fix="stop that one, or work through its page",
        ) from error
    return handle


def write_entries(connection: sqlite3.Connection, campaign: str, entries: Sequence[Entry]) -> None:
    """Add entries behind the last one of a campaign; within a transaction."""
    if not entries:
        return
    found = connection.execute("SELECT n, link FROM heads WHERE campaign = ?", (campaign,)).fetchone()
    n, link = found or (0, _FIRST_LINK)
    for entry in entries:
        body = encode(entry)
        link = chained(link, body)
        named = (entry.submit_id, entry.annotator, entry.unit, 1) if isinstance(entry, Act) else (None,) * 4
        connection.execute(
            "INSERT INTO entries (campaign, submit_id, annotator, unit, stands, body, link) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (campaign, *named, body, link),
        )
        if isinstance(entry, Withdrawal):
            connection.execute(
                "UPDATE entries SET stands = 0 WHERE campaign = ? AND submit_id = ?", (campaign, entry.submit_id)
            )
    connection.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", (campaign, n + len(entries), link))


def entries_on_disk(path: Path, campaign: str) -> Iterator[Entry]:
    """Give a campaign's entries without opening the room; nothing when there is no book yet.

    Raises
    ------
    IntegrityError
        ``label.book-damaged``, ``label.book-version``.
    """
    if not path.exists():
        return
    with book_faults(path):
        connection = connect(path, read_only=True)
        try:
            yield from read_entries(connection, path, campaign)
        finally:
            connection.close()


def read_entries(connection: sqlite3.Connection, path: Path, campaign: str) -> Iterator[Entry]:
    """Give a campaign's entries in their order, as of one moment; IntegrityError at the first that was changed."""
    connection.execute("BEGIN")
    head = connection.execute("SELECT n, link FROM heads WHERE campaign = ?", (campaign,)).fetchone()
    upto, end = head or (0, _FIRST_LINK)
    link, n = _FIRST_LINK, 0
    fallen: set[str] = set()
    withdrawn: set[str] = set()
    sql = "SELECT submit_id, annotator, unit, stands, body, link FROM entries WHERE campaign = ? ORDER BY seq"
    for *named, stands, body, kept in connection.execute(sql, (campaign,)):
        n += 1
        if not isinstance(body, bytes) or (link := chained(link, body)) != kept:
            raise damaged(path, f"entry {n} of {campaign} was changed")
        entry = _decode(path, n, body)
        if isinstance(entry, Act):
            if named != [entry.submit_id, entry.annotator, entry.unit]:
                raise damaged(path, f"entry {n} of {campaign} was changed")
            fallen |= set() if stands else {entry.submit_id}
        elif isinstance(entry, Withdrawal):
            withdrawn.add(entry.submit_id)
        yield entry
    if n != upto or link != end or fallen != withdrawn:
        raise damaged(path, f"{upto} entries of {campaign} were written, and what is there does not fit together")


def _decode(path: Path, n: int, body: bytes) -> Entry:
    try:
        return decode(body)
    except msgspec.MsgspecError as error:
        raise damaged(path, f"entry {n} cannot be read: {error}") from error
