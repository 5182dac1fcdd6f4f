"""The append-only list of what was made, from what, when, by whom; and of every look at gold.

SQLite beside the blobs by default; any SQLAlchemy URL (Postgres) by setting. Never imported by the serving process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa

from martello.errors import EnvironmentFault

__all__ = ["Ledger", "LedgerLine"]

_METADATA = sa.MetaData()
_LINES = sa.Table(
    "lines",
    _METADATA,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("word", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, index=True),
    sa.Column("records", sa.Text, nullable=False),  # JSON list of record ids
    sa.Column("parents", sa.Text, nullable=False),  # JSON list of record ids
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
)
_LOOKS = sa.Table(
    "gold_looks",
    _METADATA,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("gold", sa.Text, nullable=False),  # the sample whose gold was asked
    sa.Column("asked_by", sa.Text, nullable=False),  # the operating point that was judged
    sa.UniqueConstraint("gold", "asked_by"),
)
_SHOWN = sa.Table(
    "gold_shown",
    _METADATA,
    sa.Column("unit", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
)


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: the stage that ran, what it made from what, who ran it, when and how long it took."""

    seq: int
    at: str
    who: str
    word: str
    key: str
    records: tuple[str, ...]
    parents: tuple[str, ...]
    seconds: float
    version: str


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Ledger:
    """Append and read ledger lines.

    Parameters
    ----------
    url
        SQLAlchemy URL of the database.
    who
        Name written on every line this process appends.
    """

    def __init__(self, url: str, *, who: str) -> None:
        self._who = who
        self._engine = sa.create_engine(url)
        with self._faults():
            _METADATA.create_all(self._engine)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Name what stands between this process and its database."""
        try:
            yield
        except sa.exc.DBAPIError as err:
            raise EnvironmentFault(
                "ledger.not-writable",
                f"the ledger cannot be used: {err.orig}",
                where=self._engine.url.render_as_string(hide_password=True),
                expected="a database this user may write to, with free disk space",
                fix="check rights and free space; what was finished before is kept",
            ) from err

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._faults(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._faults(), self._engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def append(
        self, *, word: str, key: str, records: Sequence[str], parents: Sequence[str], seconds: float, version: str
    ) -> None:
        """Write one line; lines are never changed or removed."""
        with self._writing() as connection:
            connection.execute(
                _LINES.insert().values(
                    at=_now(),
                    who=self._who,
                    word=word,
                    key=key,
                    records=msgspec.json.encode(list(records)).decode(),
                    parents=msgspec.json.encode(list(parents)).decode(),
                    seconds=seconds,
                    version=version,
                )
            )

    def find(self, key: str) -> LedgerLine | None:
        """Give the newest line that was made under a key, or None."""
        with self._reading() as connection:
            row = connection.execute(
                sa.select(_LINES).where(_LINES.c.key == key).order_by(_LINES.c.seq.desc()).limit(1)
            ).first()
        return None if row is None else _line(row)

    def lines(self, *, limit: int = 50, before: int | None = None, word: str | None = None) -> list[LedgerLine]:
        """Give lines, newest first, a page at a time.

        Parameters
        ----------
        limit
            Lines on the page.
        before
            Only lines older than this sequence number.
        word
            Only lines of this stage.
        """
        query = sa.select(_LINES).order_by(_LINES.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(_LINES.c.seq < before)
        if word is not None:
            query = query.where(_LINES.c.word == word)
        with self._reading() as connection:
            return [_line(row) for row in connection.execute(query)]

    def look_at_gold(self, *, gold: str, asked_by: str) -> int:
        """Record that a gold set is about to be asked and give the number of this look, from 1.

        Asking again with the same operating point gives the same answer, reveals nothing new and keeps its number. The
        line is written before the answer is computed, so that an interrupted look counts.
        """
        with self._writing() as connection:
            asked = [
                row.asked_by
                for row in connection.execute(
                    sa.select(_LOOKS.c.asked_by).where(_LOOKS.c.gold == gold).order_by(_LOOKS.c.seq)
                )
            ]
            if asked_by in asked:
                return asked.index(asked_by) + 1
            connection.execute(_LOOKS.insert().values(at=_now(), who=self._who, gold=gold, asked_by=asked_by))
            return len(asked) + 1

    def show_gold(self, units: Sequence[str]) -> None:
        """Write down that the answers of these gold units are about to be shown; from then on they judge no more."""
        known = set(self.shown_units())
        new = [{"unit": unit, "at": _now(), "who": self._who} for unit in units if unit not in known]
        if new:
            with self._writing() as connection:
                connection.execute(_SHOWN.insert(), new)

    def shown_units(self) -> tuple[str, ...]:
        """Give the units whose gold answers were shown, in order."""
        with self._reading() as connection:
            return tuple(connection.execute(sa.select(_SHOWN.c.unit).order_by(_SHOWN.c.unit)).scalars())


def _line(row: sa.Row[tuple[object, ...]]) -> LedgerLine:
    values = dict(row._mapping)
    for name in ("records", "parents"):
        values[name] = tuple(msgspec.json.decode(str(values[name])))
    return LedgerLine(**values)
