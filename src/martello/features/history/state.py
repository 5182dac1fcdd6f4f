"""Events as they arrive, kept in SQLite as long as the longest window, and read by key while a request waits.

An event counts once, however often it is sent. What cannot be taken is named and handed back; everything else of the
same delivery is taken. A state belongs to one declaration and refuses another. One connection, one thread; several
processes may read one file while one writes.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from martello.errors import DataError, EnvironmentFault, IntegrityError
from martello.features.history.declare import Group, History
from martello.features.history.intake import Intake
from martello.features.history.lookup import Lookup, lookup

__all__ = ["State", "Taken"]


#: Longer than any time there is, and short enough to be taken from one within 64 bits.
_ENDLESS = 2**62

#: How far ahead of ours the clock of a sender may be, and so how much longer than any window events are kept.
_SKEW = 300_000_000


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a delivery of events."""

    accepted: int
    duplicates: int  # the same event again
    late: int  # accepted, though newer ones were known already: answers given in between did not see it
    faults: tuple[DataError, ...]  # one per event that was not taken


class State:
    """Hold the recent events of every key.

    Parameters
    ----------
    path
        The SQLite file; made when it is not there. `:memory:` for one that is not kept.
    history
        The checked declarations.
    forgets
        Let go of what no window of the newest moment holds. False to replay the past, whose moments lie anywhere.

    Raises
    ------
    IntegrityError
        ``features.state-differs`` when the file belongs to other declarations, or is no state.
    EnvironmentFault
        ``features.state-unavailable`` when the file cannot be opened or written.
    """

    def __init__(self, path: Path | str, history: History, *, forgets: bool = True) -> None:
        self._history = history
        self._intakes = {name: Intake(name, source, history.groups) for name, source in history.sources.items()}
        self._lookups = [lookup(group) for group in history.groups]
        self._spans = {
            name: max((group.span for group in history.groups if group.source_name == name), default=0) + _SKEW
            if forgets
            else _ENDLESS
            for name in history.sources
        }
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        except sqlite3.Error as err:
            raise _unavailable(err) from err
        try:
            self._prepare(str(path))
        except sqlite3.OperationalError as err:
            self.close()
            raise _unavailable(err) from err
        except sqlite3.DatabaseError as err:
            self.close()
            raise _differs(str(path), str(err)) from err
        except IntegrityError:
            self.close()
            raise

    def __enter__(self) -> State:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _prepare(self, path: str) -> None:
        """Make the tables, or see that they are ours."""
        execute = self._connection.execute
        execute("pragma journal_mode = wal")
        execute("pragma synchronous = full")  # what was taken is on disk
        execute("begin immediate")
        execute("create table if not exists declaration (id text primary key)")
        found = execute("select id from declaration").fetchone()
        if found and found[0] != self._history.definition:
            raise _differs(path, f"it was made for {found[0]}")
        execute("insert or ignore into declaration values (?)", (self._history.definition,))
        execute("create table if not exists clock (source text primary key, newest integer, cut integer) without rowid")
        for name in self._history.sources:
            execute("insert or ignore into clock values (?, ?, ?)", (name, -(2**63), -(2**63)))
        for name in self._intakes:
            table = _seen(name, self._history)
            execute(f"create table if not exists {table} (id primary key, ts integer, digest blob) without rowid")
            execute(f"create index if not exists {table}_ts on {table} (ts)")
        for group in self._history.groups:
            execute(_create(group))
            execute(f"create index if not exists {group.name}_ts on {group.name} (ts)")
        execute("commit")

    @property
    def newest(self) -> int | None:
        """Give the clock of the newest event of all, None where none was ever taken."""
        found: int = self._connection.execute("select max(newest) from clock").fetchone()[0]
        return None if found == -(2**63) else found

    def keeps(self, source: str) -> int:
        """Give how long an event of a source is kept beside the newest, in microseconds."""
        return self._spans[source]

    def put(self, source: str, events: Iterable[Mapping[str, object]], *, now: int | None = None) -> Taken:
        """Take a delivery of events of one source, whole or, when the disk fails, not at all.

        Parameters
        ----------
        source
            Name of the source.
        events
            Raw events; columns that are not declared are passed over.
        now
            The present, in microseconds. An event known more than five minutes later is refused, since the newest
            event decides what is forgotten. None while old events are replayed.

        Returns
        -------
        Taken
            How many were taken, and a fault for each that was not: those of `Reader.read`,
            ``features.event-incomplete``, ``features.event-too-old``, ``features.event-too-new`` and
            ``features.event-changed``.

        Raises
        ------
        EnvironmentFault
            ``features.state-unavailable``.
        """
        execute = self._connection.execute
        try:
            execute("begin immediate")
            taken = self._take(source, events, math.inf if now is None else now + _SKEW)
            execute("commit")
        except sqlite3.Error as err:
            raise _unavailable(err) from err
        finally:
            if self._connection.in_transaction:
                self._connection.rollback()
        return taken

    def _take(self, source: str, events: Iterable[Mapping[str, object]], latest: float) -> Taken:
        execute, intake, span = self._connection.execute, self._intakes[source], self._spans[source]
        newest, cut = execute("select newest, cut from clock where source = ?", (source,)).fetchone()
        seen = _seen(source, self._history)
        accepted = duplicates = late = 0
        faults: list[DataError] = []
        for event in events:
            try:
                found = intake.read(event)
            except DataError as fault:
                faults.append(fault)
                continue
            if not newest - span <= found.ts <= latest:
                refuse = _too_old if found.ts < latest else _too_new
                faults.append(refuse(source, found.id, newest - span))
                continue
            earlier = execute(f"select digest from {seen} where id = ?", (found.id,)).fetchone()
            if earlier and earlier[0] != found.digest:
                faults.append(_changed(source, found.id))
                continue
            if earlier:
                duplicates += 1
                continue
            execute(f"insert into {seen} values (?, ?, ?)", (found.id, found.ts, found.digest))
            for table, row in found.rows:
                execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)
            accepted += 1
            late += found.ts < newest
            newest = max(newest, found.ts)
        if newest - span > cut + span // 16:  # cut now and then: each cut looks through an index
            cut = newest - span
            for table in (seen, *(group.name for group in self._history.groups if group.source_name == source)):
                execute(f"delete from {table} where ts < ?", (cut,))
        execute("update clock set newest = ?, cut = ? where source = ?", (newest, cut, source))
        return Taken(accepted=accepted, duplicates=duplicates, late=late, faults=tuple(faults))

    def read(self, given: Mapping[str, Any], now: int) -> dict[str, Any]:
        """Give every history feature as of a moment, from the events known strictly before it.

        Parameters
        ----------
        given
            What the request says of each of `History.parameters`; null or absent: whom it concerns is not known.
        now
            The moment, in microseconds.

        Raises
        ------
        DataError
            ``features.read-too-early`` when events that would count are forgotten already.
        EnvironmentFault
            ``features.state-unavailable``.
        """
        values: dict[str, Any] = {}
        try:
            for each in self._lookups:
                self._read_group(each, given, now, values)
        except sqlite3.Error as err:
            raise _unavailable(err) from err
        return values

    def read_group(self, place: int, given: Mapping[str, Any], now: int) -> dict[str, Any]:
        """Give the features of one group, by its place among the groups of the history."""
        values: dict[str, Any] = {}
        self._read_group(self._lookups[place], given, now, values)
        return values

    def _read_group(self, each: Lookup, given: Mapping[str, Any], now: int, values: dict[str, Any]) -> None:
        key = [given.get(name) for name in each.parameters]
        if None in key:
            values.update(dict.fromkeys(each.features))
            return
        arguments = (*key, now)
        cut, *found = self._connection.execute(each.sql, arguments).fetchone()
        if now - each.span < cut:
            raise DataError(
                "features.read-too-early",
                f"the moment {now} lies too far back: events that count for it are forgotten",
                where=f"source {each.source_name}",
                expected=f"a moment from {cut + each.span} on",
                fix="compute features of past moments by backfill",
            )
        for name, convert, value in zip(each.columns, each.converts, found, strict=True):
            values[name] = value if convert is None or value is None else convert(value)
        for name, sql in each.lists:
            rows = self._connection.execute(sql, arguments).fetchall()
            values[name] = [item for (item,) in rows if item is not None]


def _seen(source: str, history: History) -> str:
    """Name the table of ids of a source by its place, so that no declared name is part of SQL."""
    return f"seen{list(history.sources).index(source)}"


def _create(group: Group) -> str:
    keys = ", ".join(f"k{place}" for place in range(len(group.key)))
    values = "".join(f", v{place}" for place in range(len(group.values)))
    return (
        f"create table if not exists {group.name} ({keys}, ts integer, id{values}, primary key ({keys}, ts, id)) "
        "without rowid"
    )


def _too_old(source: str, id_: object, cut: int) -> DataError:
    return DataError(
        "features.event-too-old",
        f"event {id_} became known before everything the windows of {source} still hold",
        where=f"source {source}, event {id_}",
        expected=f"events from {cut} microseconds on",
        fix="it counts for no decision any more; backfill reads it from the table",
    )


def _too_new(source: str, id_: object, cut: int) -> DataError:
    return DataError(
        "features.event-too-new",
        f"event {id_} says it became known later than now",
        where=f"source {source}, event {id_}",
        expected="a clock no more than five minutes ahead",
        fix="look at the clock, or the unit of time, of whoever sends it",
    )


def _changed(source: str, id_: object) -> DataError:
    return DataError(
        "features.event-changed",
        f"event {id_} was sent before with other values; the first ones stand",
        where=f"source {source}, event {id_}",
        expected="an event that does not change, or a new id for a correction",
        fix="send the correction as an event of its own",
    )


def _differs(path: str, why: str) -> IntegrityError:
    return IntegrityError(
        "features.state-differs",
        f"the state does not belong to these declarations: {why}",
        where=path,
        expected="a state made for the same sources and features",
        fix="name another file and replay the events into it",
    )


def _unavailable(err: sqlite3.Error) -> EnvironmentFault:
    return EnvironmentFault(
        "features.state-unavailable",
        f"the event state cannot be used: {err}",
        expected="a file on a disk with room, written by one process",
        fix="see to the disk and its rights; of a delivery that failed nothing was taken",
    )
