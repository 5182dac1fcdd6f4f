"""Declared events into the online state: what the windows hold for a server, all of somebody's for a rehearsal."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martello.corridor.filling import fill_state
from martello.errors import DataError
from martello.features.declared import DeclaredFeatures, declare_features
from martello.features.history.state import State
from martello.settings import Settings
from martello.spec.schema import Feature, Field, Source

HERE = Settings(who="tester")
DAY = 86_400_000_000
NEWEST = 1_800_000_000_000_000


@pytest.fixture
def declared() -> DeclaredFeatures:
    columns = {"id": "integer", "user": "category", "at": "time"}
    source = Source(name="opens", table="opens.parquet", id="id", key=("user",), time="at", columns=columns)  # type: ignore[arg-type]
    week = Feature(name="n", source="opens", agg="count", window="7d")
    return declare_features((Field(name="user", type="category"),), (source,), (week,))


def write(directory: Path, events: list[tuple[int, str | None, int]]) -> None:
    """Write events as (id, user, days before the newest)."""
    table = pa.table(
        {
            "id": [each[0] for each in events],
            "user": [each[1] for each in events],
            "at": pa.array([NEWEST - each[2] * DAY for each in events], pa.timestamp("us")),
        }
    )
    pq.write_table(table, directory / "opens.parquet")


def count(path: Path, declared: DeclaredFeatures, user: str, days_before: int = 0) -> int | None:
    with State(path, declared.history) as state:
        found: int | None = state.read({"user": user}, NEWEST - days_before * DAY + 1)["n"]
        return found


def test_a_server_starts_with_what_its_windows_hold(tmp_path, declared):
    write(tmp_path, [(1, "ann", 0), (2, "ann", 6), (3, "ann", 9), (4, "bob", 1)])
    path = tmp_path / "state" / "s.sqlite"
    filled = fill_state(path, declared, tmp_path, HERE)
    assert (filled.accepted, filled.faults) == ({"opens": 3}, ())
    assert [count(path, declared, user) for user in ("ann", "bob", "cy")] == [2, 1, 0]


def test_events_that_are_there_already_count_once(tmp_path, declared):
    write(tmp_path, [(1, "ann", 0), (2, "ann", 6)])
    path = tmp_path / "s.sqlite"
    fill_state(path, declared, tmp_path, HERE)
    write(tmp_path, [(1, "ann", 0), (2, "ann", 6), (3, "ann", 1)])
    assert fill_state(path, declared, tmp_path, HERE).accepted == {"opens": 1}
    assert count(path, declared, "ann") == 3


def test_a_rehearsal_holds_all_of_whom_it_asks_about_and_nobody_else(tmp_path, declared):
    write(tmp_path, [(1, "ann", 0), (2, "ann", 400), (3, "bob", 400)])
    path = tmp_path / "s.sqlite"
    filled = fill_state(path, declared, tmp_path, HERE, only={"user": ["ann", None, "ann"]})
    assert filled.accepted == {"opens": 2}
    assert [count(path, declared, "ann", days) for days in (0, 399, 401)] == [1, 1, 0]


def test_a_rehearsal_of_nobody_holds_nothing(tmp_path, declared):
    write(tmp_path, [(1, "ann", 0)])
    assert fill_state(tmp_path / "s.sqlite", declared, tmp_path, HERE, only={"user": [None]}).accepted == {"opens": 0}


def test_copies_and_events_of_nobody_are_named_and_the_rest_is_taken(tmp_path, declared):
    write(tmp_path, [(1, "ann", 2), (1, "ann", 1), (2, None, 1), (3, "it's", 0)])
    path = tmp_path / "s.sqlite"
    filled = fill_state(path, declared, tmp_path, HERE)
    assert filled.accepted == {"opens": 2}
    assert sorted(fault.code for fault in filled.faults) == ["features.event-changed", "features.event-incomplete"]
    quoted = tmp_path / "quoted.sqlite"
    assert fill_state(quoted, declared, tmp_path, HERE, only={"user": ["it's"]}).accepted == {"opens": 1}


def test_events_that_are_gone_are_named(tmp_path, declared):
    with pytest.raises(DataError) as caught:
        fill_state(tmp_path / "s.sqlite", declared, tmp_path, HERE)
    assert caught.value.code == "data.not-found"
