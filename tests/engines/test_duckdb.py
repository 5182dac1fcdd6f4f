from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from martello.engines import open_engine
from martello.engines.duckdb import DuckDBEngine
from martello.errors import EnvironmentFault
from martello.settings import Settings, read_settings

TIMES = """
from pathlib import Path
from martello.engines.duckdb import DuckDBEngine
from martello.sample.source import open_source
from martello.spec.schema import Output, Population
with DuckDBEngine(Path()) as engine:
    source = open_source(engine, Population(source="t.csv", unit=("id",), time="at"), (), Output(), ())
    print(engine.arrow(f"SELECT _time FROM {source.typed} AS t")["_time"].to_pylist())
"""


def test_a_time_without_a_zone_is_in_utc_wherever_the_machine_stands(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,at\n1,1970-01-01 00:00:01\n")
    told = {
        zone: subprocess.run(
            [sys.executable, "-c", TIMES],
            cwd=tmp_path,
            env=os.environ | {"TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for zone in ("Asia/Tokyo", "UTC")
    }
    assert told == {"Asia/Tokyo": "[1000000]\n", "UTC": "[1000000]\n"}


def test_keys_that_differ_are_known_to(tmp_path: Path) -> None:
    with DuckDBEngine(tmp_path) as engine:
        assert engine.all_differ("(SELECT CAST(i AS VARCHAR) AS k FROM range(5000) AS t(i))", "k", 5000)
        assert not engine.all_differ("(SELECT CAST(i % 4999 AS VARCHAR) AS k FROM range(5000) AS t(i))", "k", 5000)


def test_many_keys_are_counted_by_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("martello.engines.duckdb._MOST_IN_MEMORY", 10)
    with DuckDBEngine(tmp_path) as engine:
        assert engine.all_differ("(SELECT CAST(i AS VARCHAR) AS k FROM range(50) AS t(i))", "k", 50)
        assert not engine.all_differ("(SELECT CAST(i % 49 AS VARCHAR) AS k FROM range(50) AS t(i))", "k", 50)


def test_a_file_is_opened_by_duckdb(tmp_path: Path) -> None:
    with open_engine("people.parquet", tmp_path, Settings(who="")) as engine:
        assert engine.name.startswith("duckdb-")


@pytest.mark.parametrize("url", [None, "mysql://ada:secret@db/shop"])
def test_a_table_of_no_known_warehouse_is_refused_without_showing_the_url(url: str | None, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        open_engine("warehouse:people", tmp_path, Settings(who="", warehouse=url))
    assert caught.value.code == "engine.no-warehouse"
    assert "secret" not in str(caught.value)


def test_the_warehouse_is_read_from_the_environment() -> None:
    settings = read_settings({"MARTELLO_WHO": "ada", "MARTELLO_WAREHOUSE": "postgresql://db/shop"})
    assert settings.warehouse == "postgresql://db/shop"
