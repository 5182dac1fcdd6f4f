"""DuckDB: the engine on one machine. Reads Parquet and CSV, one file or a glob, straight from disk."""

from __future__ import annotations

import glob
from pathlib import Path
from types import TracebackType

import duckdb
import numpy as np
import pyarrow as pa

from martello.engines.dialect import Dialect, Kind, literal
from martello.errors import DataError, EngineError

__all__ = ["DuckDBDialect", "DuckDBEngine"]

_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("VARCHAR", "ENUM"), "text"),
    **{f"{sign}{size}INT": "integer" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")},
    **dict.fromkeys(("INTEGER", "UINTEGER"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "float"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "moment"),
    "DECIMAL": "decimal",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "zoned",
}
# Above this many keys (a gigabyte of hashes) DuckDB counts by itself, on disk if it must.
_MOST_IN_MEMORY = 2**27


class DuckDBDialect(Dialect):
    """The SQL of DuckDB."""

    def kind(self, stored: str) -> Kind:
        """Give the family of a type name."""
        return _KINDS.get(stored.upper().split("(")[0].strip(), "other")

    def matches(self, text: str, pattern: str) -> str:
        """Write whether the whole of a text has a form."""
        return f"regexp_full_match({text}, {literal(pattern)})"

    def text(self, value: str, kind: Kind) -> str:
        """Write a value as text."""
        return f"CAST({f'CAST({value} AS DOUBLE)' if kind == 'float' else value} AS VARCHAR)"

    def is_nan(self, value: str) -> str:
        """Write whether a float is not a number: "= NaN" is decided by Parquet statistics, which leave NaN out."""
        return f"isnan({value})"

    def double(self, text: str) -> str:
        """Write a number; DuckDB reads what is too large as infinite."""
        number = f"TRY_CAST({text} AS DOUBLE)"
        return f"(CASE WHEN isfinite({number}) THEN {number} END)"

    def long(self, value: str) -> str:
        """Write a 64-bit integer."""
        return f"TRY_CAST({value} AS BIGINT)"

    def stamp(self, value: str, kind: Kind) -> str:
        """Write a timestamp in UTC."""
        moment = {"text": f"TRY_CAST({value} AS TIMESTAMPTZ)", "zoned": value}.get(kind, f"CAST({value} AS TIMESTAMP)")
        return f"make_timestamp(epoch_us({moment}))"

    def micros(self, stamp: str) -> str:
        """Write the microseconds since 1970."""
        return f"epoch_us({stamp})"

    def fingerprint(self, columns: tuple[str, ...]) -> str:
        """Write the sum of DuckDB's own hashes."""
        return f"CAST(sum(hash({', '.join(columns)})) AS VARCHAR)"


class DuckDBEngine:
    """An in-process DuckDB over files below one directory.

    Parameters
    ----------
    directory
        Where relative sources start.
    threads
        Threads DuckDB may use; None leaves it to DuckDB.

    Notes
    -----
    CSV is read as text and cast by the declared types, so that what a type means does not depend on a sniffer. A time
    without a zone is in UTC, wherever the machine stands.
    """

    name = f"duckdb-{duckdb.__version__}"
    dialect = DuckDBDialect()

    def __init__(self, directory: Path, *, threads: int | None = None) -> None:
        self._directory = directory
        # Without these DuckDB would try to fetch extensions over the network when a file asks for one.
        config: dict[str, str | bool | int | float | list[str]] = {"autoinstall_known_extensions": False}
        if threads is not None:
            config["threads"] = threads
        self._connection = duckdb.connect(config=config)
        self._connection.execute("SET GLOBAL TimeZone = 'UTC'")

    def __enter__(self) -> DuckDBEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _files(self, source: str) -> list[str]:
        path = self._directory / source
        if path.is_file():
            return [str(path)]
        found = sorted(glob.glob(str(path)))
        if not found:
            raise DataError(
                "data.not-found",
                f"there is no file {source}",
                where=str(path),
                expected="a CSV or Parquet file, or a glob that matches some",
                fix="check population.source in martello.toml; it is relative to that file",
            )
        return found

    def relation(self, source: str) -> str:
        """Give the SQL text that reads a file or glob.

        Raises
        ------
        DataError
            ``data.not-found``, ``data.empty``, ``data.unknown-format``, ``data.not-utf8`` or ``data.unreadable``.
        """
        files = self._files(source)
        listed = "[" + ", ".join(literal(file) for file in files) + "]"
        names = [file.lower() for file in files]
        for file in files:
            if Path(file).stat().st_size == 0:
                raise DataError("data.empty", f"{Path(file).name} is empty", where=file, expected="a header and rows")
        if all(name.endswith(_PARQUET) for name in names):
            relation = f"read_parquet({listed})"
        elif all(name.endswith(_CSV) for name in names):
            relation = f"read_csv({listed}, all_varchar = true, header = true, union_by_name = true)"
        else:
            raise DataError(
                "data.unknown-format",
                f"{source} is neither CSV nor Parquet",
                where=files[0],
                expected="files that end in .csv, .tsv or .parquet, all of one kind",
                fix="convert the file, or name only the files that belong to the source",
            )
        self.columns(relation)
        return relation

    def columns(self, relation: str) -> dict[str, str]:
        """Give the columns of a relation with DuckDB's type names, in order."""
        described = self.arrow(f"DESCRIBE SELECT * FROM {relation}")
        return {str(row["column_name"]): str(row["column_type"]) for row in described.to_pylist()}

    def all_differ(self, relation: str, column: str, n: int) -> bool:
        """Say whether n texts are known to differ: sorting their hashes is several times cheaper than counting them."""
        if n > _MOST_IN_MEMORY:
            counted = self.arrow(f"SELECT count(DISTINCT hash({column})) AS n FROM {relation} AS keys")
            return bool(counted["n"][0].as_py() == n)
        hashes = np.sort(self.arrow(f"SELECT hash({column}) AS h FROM {relation} AS keys")["h"].to_numpy())
        return not (hashes[1:] == hashes[:-1]).any()

    def arrow(self, sql: str) -> pa.Table:
        """Run one query and give its whole result.

        Raises
        ------
        DataError
            When the data cannot be read; EngineError when the query itself is at fault.
        """
        cursor = self._connection.cursor()
        try:
            return cursor.sql(sql).to_arrow_table()
        except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException) as err:
            raise EngineError(
                "engine.query-refused",
                f"DuckDB refused a query: {str(err).splitlines()[0]}",
                expected="column names and SQL that the source knows",
                fix="check population.where and the column names in martello.toml",
            ) from err
        except duckdb.Error as err:
            raise _unreadable(str(err)) from err
        finally:
            cursor.close()


def _unreadable(message: str) -> DataError:
    """Name the fault behind DuckDB's message about a file."""
    first = message.splitlines()[0]
    if any(sign in message.lower() for sign in ("not utf-8 encoded", "invalid unicode", "invalid utf")):
        return DataError(
            "data.not-utf8",
            f"the source holds text that is not UTF-8: {first}",
            expected="UTF-8 text",
            fix="convert it, for example: iconv -f latin1 -t utf-8 old.csv > new.csv",
        )
    return DataError(
        "data.unreadable",
        f"the source cannot be read: {first}",
        expected="a whole CSV file with a header, or a whole Parquet file",
        fix="open the file and look at the place the message names",
    )
