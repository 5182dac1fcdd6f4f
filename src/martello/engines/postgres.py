"""Postgres: tables of a warehouse, read over Arrow Database Connectivity (ADBC) and never written to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import pyarrow as pa

from martello.engines.base import WAREHOUSE
from martello.engines.dialect import Dialect, Kind, literal, quote
from martello.errors import DataError, EngineError, EnvironmentFault, MartelloError, PluginError

__all__ = ["PostgresDialect", "PostgresEngine"]

_KINDS: dict[str, Kind] = {
    "text": "text",
    "bigint": "integer",
    "double precision": "float",
    "numeric": "decimal",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "moment",
    "timestamptz": "zoned",
}
# What a value looks like as text must not depend on who logs in; and one snapshot for all queries, so that the number
# of units that was counted is that of the units that are drawn from.
_SESSION = (
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO'",
    "SET extra_float_digits = 1",
    "SET standard_conforming_strings = on",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
)


class PostgresDialect(Dialect):
    """The SQL of Postgres, from version 14 on."""

    def kind(self, stored: str) -> Kind:
        """Give the family of a type name."""
        return _KINDS.get(stored, "other")

    def matches(self, text: str, pattern: str) -> str:
        """Write whether the whole of a text has a form."""
        return f"{text} ~ {literal(f'^({pattern})$')}"

    def text(self, value: str, kind: Kind) -> str:
        """Write a value as text, floats as Python and DuckDB write them."""
        text = f"CAST({value} AS text)"
        if kind == "float":
            text = _float_text(f"CAST({value} AS double precision)")
        return f'({text} COLLATE "C")'

    def is_nan(self, value: str) -> str:
        """Write whether a float is not a number, which to Postgres equals itself."""
        return f"{value} = CAST('NaN' AS float8)"

    def double(self, text: str) -> str:
        """Write a number; Postgres would refuse the whole query for one that is too large or too near to 0."""
        exact = f"abs(CAST({text} AS numeric))"
        rounded = f"CASE WHEN {exact} > 0 AND {exact} < 2.4703282292062328e-324 THEN 0 ELSE CAST({text} AS float8) END"
        return f"(CASE WHEN {exact} < 1.797693134862315807e308 THEN {rounded} END)"

    def long(self, value: str) -> str:
        """Write a 64-bit integer."""
        exact = f"CAST({value} AS numeric)"
        fits = f"{exact} BETWEEN -9223372036854775808 AND 9223372036854775807"
        return f"(CASE WHEN {fits} THEN CAST({exact} AS bigint) END)"

    def stamp(self, value: str, kind: Kind) -> str:
        """Write a timestamp in UTC."""
        if kind == "text":
            return f"(CAST({value} AS timestamptz) AT TIME ZONE 'UTC')"
        moment = f"({value} AT TIME ZONE 'UTC')" if kind == "zoned" else f"CAST({value} AS timestamp)"
        return f"(CASE WHEN isfinite({value}) THEN {moment} END)"

    def micros(self, stamp: str) -> str:
        """Write the microseconds since 1970."""
        return f"CAST(extract(epoch FROM {stamp}) * 1000000 AS bigint)"

    def shown(self, value: str, kind: Kind) -> str:
        """Write a value as a person gets it; what Arrow has no type for, as text."""
        return self.text(value, kind) if kind in ("decimal", "other") else value

    def fingerprint(self, columns: tuple[str, ...]) -> str:
        """Write the sum of Postgres' own hashes, those by which it divides tables."""
        return f"CAST(sum(hash_record_extended(ROW({', '.join(columns)}), 0)) AS text)"


def _float_text(value: str) -> str:
    """Write the shortest digits of a float in the form of the others.

    Postgres leaves out ".0", and turns to an exponent at 1e15, where the others do so at 1e16. What is left: of whole
    numbers between 2**53 and 1e24, kept as floats, it writes some with a digit more than is needed.
    """
    text = f"CAST({value} AS text)"
    digits = f"regexp_replace({text}, '^-|[.]|e.*$', '', 'g')"
    sign = f"CASE WHEN {value} < 0 THEN '-' ELSE '' END"
    fraction = f"coalesce(nullif(substr({digits}, 17), ''), '0')"
    written = f"{sign} || rpad(substr({digits}, 1, 16), 16, '0') || '.' || {fraction}"
    return (
        f"(CASE WHEN {text} ~ '^-?[0-9]+$' THEN {text} || '.0' WHEN {text} LIKE '%e+15' THEN {written} "
        f"WHEN {text} = 'NaN' THEN 'nan' WHEN {text} LIKE '%Infinity' THEN replace({text}, 'Infinity', 'inf') "
        f"ELSE {text} END)"
    )


class PostgresEngine:
    """A database of a Postgres server, read in one transaction that cannot write.

    Parameters
    ----------
    url
        How libpq reaches it: ``postgresql://user:password@host/database``. It is never shown.

    Raises
    ------
    PluginError
        ``engine.no-driver``; EnvironmentFault ``engine.not-reached``; EngineError ``engine.not-utf8``.
    """

    dialect = PostgresDialect()

    def __init__(self, url: str) -> None:
        self._driver = _driver()
        self._connection = self._connect(url)
        with self._connection.cursor() as cursor:
            for setting in _SESSION:
                cursor.execute(setting)
        self._connection.commit()
        facts = self.arrow(
            "SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding"
        ).to_pylist()[0]
        self.name = "postgres-" + str(facts["version"]).split()[0]
        if facts["encoding"] != "UTF8":
            self.close()
            raise EngineError(
                "engine.not-utf8",
                f"the database keeps its text in {facts['encoding']}",
                expected="UTF8: the draw hashes the bytes of keys, which must be the same on every engine",
                fix="copy the tables into a database made with ENCODING 'UTF8'",
            )

    def _connect(self, url: str) -> Any:
        try:
            return self._driver.connect(url)
        except self._driver.Error as err:
            raise EnvironmentFault(
                "engine.not-reached",
                f"Postgres cannot be reached: {_message(err)}",
                where="MARTELLO_WAREHOUSE",
                expected="a URL such as postgresql://user@host/database, and a server that answers there",
                fix="try the same URL with psql",
            ) from None

    def __enter__(self) -> PostgresEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def relation(self, source: str) -> str:
        """Give the SQL text that reads a table, or a view, named TABLE or SCHEMA.TABLE.

        Raises
        ------
        DataError
            ``data.not-found``; EngineError ``engine.not-allowed``.
        """
        relation = ".".join(quote(part) for part in source.removeprefix(WAREHOUSE).split("."))
        self.columns(relation)
        return relation

    def columns(self, relation: str) -> dict[str, str]:
        """Give the columns of a relation with the names of their types, in order."""
        with self._asking() as cursor:
            schema = cursor.adbc_execute_schema(f"SELECT * FROM {relation} AS asked")
        return {field.name: _type_name(field) for field in schema}

    def arrow(self, sql: str) -> pa.Table:
        """Run one query and give its whole result.

        Raises
        ------
        DataError
            When a table is missing or a value cannot be computed; EngineError when the query itself is at fault.
        """
        with self._asking() as cursor:
            cursor.execute(sql)
            table: pa.Table = cursor.fetch_arrow_table()
        return table.cast(pa.schema([field.remove_metadata() for field in table.schema]))

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except self._driver.Error as err:
            self._connection.rollback()
            raise _fault(err) from None

    def all_differ(self, relation: str, column: str, n: int) -> bool:
        """Say whether n texts are known to differ."""
        hashes = f"SELECT hashtextextended({column}, 0) AS h FROM {relation} AS keys GROUP BY 1"
        return bool(self.arrow(f"SELECT count(*) AS n FROM ({hashes}) AS hashes")["n"][0].as_py() == n)


def _driver() -> Any:
    try:
        import adbc_driver_postgresql.dbapi
    except ImportError as err:
        raise PluginError(
            "engine.no-driver",
            f"the driver for Postgres is not installed: {err}",
            expected="the package adbc-driver-postgresql",
            fix="pip install 'martello[postgres]'",
        ) from err
    return adbc_driver_postgresql.dbapi


def _type_name(field: pa.Field[Any]) -> str:
    """Name a type from what the driver makes of it."""
    named = (field.metadata or {}).get(b"ADBC:postgresql:typname")
    type_ = field.type
    if pa.types.is_timestamp(type_):
        return "timestamptz" if type_.tz else "timestamp"
    for is_such, name in (
        (pa.types.is_string, "text"),
        (pa.types.is_integer, "bigint"),
        (pa.types.is_floating, "double precision"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_date, "date"),
    ):
        if is_such(type_):
            return name
    return named.decode() if named else str(type_)


def _message(err: Exception) -> str:
    """Give the server's own sentence, without the query."""
    first = str(err).splitlines()[0]
    return re.sub(r"^.*?(?:ERROR|FATAL):\s+", "", first.removeprefix("IO: [libpq] "))


def _fault(err: Exception) -> MartelloError:
    """Name the fault behind a code of SQLSTATE."""
    state, message = getattr(err, "sqlstate", None) or "", _message(err)
    if state in ("42P01", "3F000"):
        return DataError(
            "data.not-found",
            f"the warehouse has no such table: {message}",
            expected="warehouse:TABLE or warehouse:SCHEMA.TABLE, spelled as the database does",
            fix="check population.source in martello.toml",
        )
    if state == "42501":
        return EngineError(
            "engine.not-allowed",
            f"Postgres does not let this user read it: {message}",
            expected="a user that may SELECT from the table",
            fix="ask for that right: GRANT SELECT ON the table TO the user",
        )
    if state.startswith("42"):
        return EngineError(
            "engine.query-refused",
            f"Postgres refused a query: {message}",
            expected="column names and SQL that the source knows",
            fix="check population.where and the column names in martello.toml",
        )
    if state.startswith("22"):
        return DataError(
            "data.unreadable",
            f"Postgres cannot compute with a value of the source: {message}",
            expected="values for which population.where has an answer",
            fix="look at the value the message names",
        )
    return EngineError("engine.failed", f"Postgres gave up: {message}", fix="run it again, or ask who runs the server")
