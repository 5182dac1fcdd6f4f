from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engines import postgres_server
from martello.cli import main
from martello.engines.postgres import PostgresEngine
from martello.errors import DataError, EngineError, EnvironmentFault, MartelloError


@pytest.fixture
def engine(postgres: str) -> Iterator[PostgresEngine]:
    with PostgresEngine(postgres) as opened:
        yield opened


def test_floats_are_written_as_python_writes_them(postgres: str) -> None:
    rng = np.random.default_rng(6)
    bits = [struct.unpack("d", rng.bytes(8))[0] for _ in range(3000)]
    large = (10.0 ** rng.uniform(13, 15.9, 3000)).tolist()
    short = [round(value, place % 9) for place, value in enumerate(rng.normal(0, 1e3, 3000).tolist())]
    values = [value for value in (*bits, *large, *(-value for value in large), *short) if value == value]
    values = [value for value in values if not 2**53 < abs(value) < 1e24]
    postgres_server.load(postgres, "floats", pa.table({"x": values}))
    with PostgresEngine(postgres) as engine:
        text = engine.dialect.text('"x"', "float")
        table = engine.arrow(f"SELECT x, {text} AS text FROM floats")
    for value, written in zip(table["x"].to_pylist(), table["text"].to_pylist(), strict=True):
        assert written == repr(value)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM not_there", "data.not-found"),
        ("SELECT nothing FROM pg_class", "engine.query-refused"),
        ("SELEC 1", "engine.query-refused"),
        ("SELECT 1 / (oid::int - oid::int) FROM pg_class", "data.unreadable"),
        ("CREATE TABLE mine (x int)", "engine.failed"),
    ],
)
def test_a_fault_is_named_and_the_engine_goes_on(sql: str, code: str, engine: PostgresEngine) -> None:
    with pytest.raises(MartelloError) as caught:
        engine.arrow(sql)
    assert caught.value.code == code
    assert engine.arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_table_that_may_not_be_read_says_so(postgres: str) -> None:
    postgres_server.execute(postgres, "CREATE TABLE secrets (x int)", "CREATE ROLE guest LOGIN")
    with PostgresEngine(postgres.replace("martello@", "guest@")) as engine:
        with pytest.raises(EngineError) as caught:
            engine.arrow(f"SELECT * FROM {engine.relation('warehouse:secrets')}")
        assert caught.value.code == "engine.not-allowed"


@pytest.mark.parametrize("name", ["nope", "public.nope", "nope.people", 'people" AS p; DROP TABLE people; --'])
def test_a_table_that_is_not_there_is_named(name: str, engine: PostgresEngine) -> None:
    with pytest.raises(DataError) as caught:
        engine.relation(f"warehouse:{name}")
    assert caught.value.code == "data.not-found"


def test_rows_that_arrive_while_it_reads_are_not_seen(postgres: str) -> None:
    postgres_server.load(postgres, "arriving", pa.table({"x": [1, 2]}))
    with PostgresEngine(postgres) as engine:
        count = "SELECT count(*) AS n FROM arriving"
        assert engine.arrow(count)["n"].to_pylist() == [2]
        postgres_server.execute(postgres, "INSERT INTO arriving VALUES (3)")
        assert engine.arrow(count)["n"].to_pylist() == [2]


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with pytest.raises(EnvironmentFault) as caught:
        PostgresEngine(f"postgresql://ada:hunter2@/shop?host={tmp_path}")
    assert caught.value.code == "engine.not-reached"
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_database_of_another_encoding_is_refused(postgres: str) -> None:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(postgres, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(EngineError) as caught:
        PostgresEngine(postgres.replace("/postgres?", "/latin?"))
    assert caught.value.code == "engine.not-utf8"


def test_types_that_arrow_does_not_have_are_shown_as_text(postgres: str) -> None:
    postgres_server.execute(
        postgres,
        "CREATE TYPE mood AS ENUM ('calm', 'odd')",
        "CREATE TABLE mixed (a uuid, b mood, c numeric, d jsonb, e char(4), f varchar(9), g real)",
        "INSERT INTO mixed VALUES ('57992d9c-ef32-4d28-99ee-9cd93b978b54', 'odd', 1.50, '{\"a\": 1}', 'x', 'y', 0.5)",
    )
    with PostgresEngine(postgres) as engine:
        kinds = {name: engine.dialect.kind(type_) for name, type_ in engine.columns("mixed").items()}
        shown = ", ".join(f"{engine.dialect.shown(name, kind)} AS {name}" for name, kind in kinds.items())
        row = engine.arrow(f"SELECT {shown} FROM mixed").to_pylist()[0]
    assert [row[name] for name in "abcd"] == ["57992d9c-ef32-4d28-99ee-9cd93b978b54", "odd", "1.50", '{"a": 1}']
    assert [kinds[name] for name in "abcdefg"] == ["other", "text", "decimal", "other", "text", "text", "float"]


def test_the_command_draws_from_a_table(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pa.table({"id": list(range(900)), "kind": ["a", "b", "c"] * 300, "pay": [i % 17 + 0.5 for i in range(900)]})
    postgres_server.execute(postgres, "CREATE SCHEMA sales")
    postgres_server.load(postgres, "people", table)
    postgres_server.execute(postgres, "ALTER TABLE people SET SCHEMA sales")
    pq.write_table(table, tmp_path / "people.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARTELLO_WAREHOUSE", postgres)
    options = ["--n", "90", "--by", "kind", "--unit", "id", "--estimate", "pay", "--json", "--out"]
    assert main(["sample", "warehouse:sales.people", *options, "there.parquet"]) == 0
    there = json.loads(capsys.readouterr().out)
    assert main(["sample", "people.parquet", *options, "here.parquet"]) == 0
    here = json.loads(capsys.readouterr().out)
    assert pq.read_table("there.parquet").equals(pq.read_table("here.parquet"))
    assert there["estimate"] == here["estimate"]
