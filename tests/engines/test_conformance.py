"""Every engine keeps the contract, and the checks see one that does not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engines import postgres_server
from martello.engines.dialect import Kind
from martello.engines.duckdb import DuckDBDialect, DuckDBEngine
from martello.engines.postgres import PostgresEngine
from martello.errors import PluginError
from martello.testing.engines import Load, check_engine


def into_files(directory: Path) -> Load:
    def load(name: str, table: pa.Table) -> str:
        pq.write_table(table, directory / f"{name}.parquet")
        return f"{name}.parquet"

    return load


def into_tables(url: str) -> Load:
    def load(name: str, table: pa.Table) -> str:
        postgres_server.load(url, name, table)
        return f"warehouse:public.{name}"

    return load


def test_duckdb_keeps_the_contract(tmp_path: Path) -> None:
    check_engine(lambda: DuckDBEngine(tmp_path), into_files(tmp_path))


def test_postgres_keeps_the_contract(postgres: str) -> None:
    check_engine(lambda: PostgresEngine(postgres), into_tables(postgres))


class Rounding(DuckDBDialect):
    """Reads 3.7 as 4, as a plain cast does."""

    def cast(self, value: str, kind: Kind, declared: str) -> str:
        is_it = (kind, declared) == ("float", "integer")
        return f"TRY_CAST({value} AS BIGINT)" if is_it else super().cast(value, kind, declared)


class Parsing(DuckDBDialect):
    """Takes for a number whatever the engine's own parser takes."""

    def matches(self, text: str, pattern: str) -> str:
        return "TRUE"


class Folding(DuckDBDialect):
    """Keeps text in an order that is not that of its bytes."""

    def text(self, value: str, kind: Kind) -> str:
        return f"CAST({value} AS VARCHAR) COLLATE NOCASE"


class Printing(DuckDBDialect):
    """Prints floats in a form of its own."""

    def text(self, value: str, kind: Kind) -> str:
        return f"printf('%g', {value})" if kind == "float" else super().text(value, kind)


@pytest.mark.parametrize(
    ("dialect", "fault"),
    [
        (Rounding(), "3.7 is taken as integer of double"),
        (Parsing(), "'1_000' is taken as number of string"),
        (Folding(), "not ordered, by their bytes"),
        (Printing(), "1.0 as category of double reads '1', not '1.0'"),
    ],
)
def test_an_engine_that_reads_otherwise_is_found_out(dialect: DuckDBDialect, fault: str, tmp_path: Path) -> None:
    engine = DuckDBEngine(tmp_path)
    engine.dialect = dialect
    with pytest.raises(PluginError) as caught:
        check_engine(lambda: engine, into_files(tmp_path))
    assert caught.value.code == "testing.engine-broken"
    assert fault in caught.value.what


class Trusting(DuckDBEngine):
    """Believes that keys differ."""

    def all_differ(self, relation: str, column: str, n: int) -> bool:
        return True


class Salting(DuckDBEngine):
    """Draws by other hashes than all the others."""

    def arrow(self, sql: str) -> pa.Table:
        return super().arrow(sql.replace("md5('5|draw|'", "md5('6|draw|'"))


@pytest.mark.parametrize(
    ("engine", "fault"),
    [(Trusting, "'twice' is not answered with sample.duplicate-key"), (Salting, "are not those of martello.stats")],
)
def test_an_engine_that_draws_otherwise_is_found_out(engine: type[DuckDBEngine], fault: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=fault):
        check_engine(lambda: engine(tmp_path), into_files(tmp_path))
