"""From a table of events or requests to the shape that the statement of `sql` reads, per engine.

Here, and only here, engines differ: times become whole microseconds in UTC, what is not a finite number and the empty
text become null, categories become text, and an id is ordered by its code points.
"""

from __future__ import annotations

from collections.abc import Mapping

from martello.engines.base import quote

__all__ = ["event_relation"]

_TEXTS = ("TEXT", "VARCHAR", "CHAR", "STRING")


def event_relation(table: str, declared: Mapping[str, str], held: Mapping[str, str], dialect: str) -> str:
    """Write a relation of the declared columns, each as its declared type wants it.

    Parameters
    ----------
    table
        SQL text that reads the table, for use after FROM.
    declared
        Declared type by column.
    held
        The engine's own type name by column.
    dialect
        `duckdb`, `sqlite` or `postgres`.

    Examples
    --------
    >>> event_relation("opens", {"at": "time", "n": "integer"}, {"at": "TIMESTAMP", "n": "BIGINT"}, "duckdb")
    '(select epoch_us(cast("at" as timestamp)) as "at", "n" as "n" from opens as raw)'
    """
    columns = (f"{_typed(name, kind, held[name].upper(), dialect)} as {quote(name)}" for name, kind in declared.items())
    return f"(select {', '.join(columns)} from {table} as raw)"


def _typed(name: str, kind: str, held: str, dialect: str) -> str:
    column = quote(name)
    if kind == "time":
        return _microseconds(column, held, dialect)
    if kind == "number":
        return _finite(column, dialect)
    if kind in ("category", "text"):
        text = (
            column if held.startswith(_TEXTS) else f"cast({column} as {'text' if dialect == 'sqlite' else 'varchar'})"
        )
        ordered = f'{text} collate "C"' if dialect == "postgres" else text
        return f"nullif({ordered}, '')"
    return column


def _microseconds(column: str, held: str, dialect: str) -> str:
    """Turn timestamps and dates into whole microseconds; one without a zone is in UTC."""
    if not held.startswith(("TIMESTAMP", "DATE")):
        return column
    if dialect == "postgres":
        return f"cast(extract(epoch from {column}) * 1000000 as bigint)"
    zoned = "TIME ZONE" in held or held.startswith("TIMESTAMPTZ")
    return f"epoch_us({column})" if zoned else f"epoch_us(cast({column} as timestamp))"


def _finite(column: str, dialect: str) -> str:
    if dialect == "sqlite":
        return f"nullif(nullif({column} * 1.0, 9e999), -9e999)"
    number = f"cast({column} as double precision)"
    if dialect == "duckdb":
        return f"case when isfinite({number}) then {number} end"
    return f"nullif(nullif(nullif({number}, 'nan'), 'infinity'), '-infinity')"
