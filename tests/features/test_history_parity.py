"""One history, four ways to compute it: by definition, by SQL on each engine, and online as events arrive.

Postgres is asked where a server is installed; the tests start one of their own.
"""

from __future__ import annotations

import math
import random
import sqlite3
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines import postgres_server
from martello.engines.duckdb import DuckDBEngine
from martello.features.history import HistoryFeature, Source, State, backfill, declare_history, event_relation
from martello.features.history.sql import history_sql

SECOND = 1_000_000
COLUMNS = {
    "id": "integer", "user": "category", "file": "category", "at": "time", "seen": "time", "size": "number",
    "rank": "integer", "starred": "boolean",
}  # fmt: skip
SOURCE = Source(table="events", id="id", key=("user",), time="at", known_at="seen", columns=COLUMNS)
PAIR = "file = :path"


def feature(agg: str, window: str, **more) -> HistoryFeature:
    return HistoryFeature(source="events", agg=agg, window=window, **more)


FEATURES = {
    "count": feature("count", "10s"),
    "count_long": feature("count", "60s"),
    "rate": feature("rate", "10s"),
    "sum": feature("sum", "20s", value="size"),
    "sum_ranks": feature("sum", "60s", value="rank"),
    "mean": feature("mean", "30s", value="size"),
    "files": feature("distinct_count", "40s", value="file"),
    "sizes": feature("distinct_count", "40s", value="size"),
    "last_file": feature("last", "15s", value="file"),
    "first_file": feature("first", "15s", value="file"),
    "last_seen": feature("last", "15s", value="seen"),
    "first_seen": feature("first", "15s", value="seen"),
    "last_at": feature("last", "60s", value="at"),
    "last_star": feature("last", "60s", value="starred"),
    "recent": feature("last_k", "30s", value="file", k=3),
    "moments": feature("last_k", "30s", value="seen", k=2),
    "pair_count": feature("count", "60s", where=PAIR),
    "pair_last": feature("last", "60s", value="size", where=PAIR),
    "big": feature("count", "60s", where="size > 1.5 and not starred"),
    "pair_stars": feature("count", "60s", where=f"{PAIR} and coalesce(starred, false)"),
}
HISTORY = declare_history({"events": SOURCE}, FEATURES)

# Whole seconds in a short span make ties; sizes are sums of halves, which every order of adding gives exactly.
USERS = st.sampled_from(["ann", "İda", "日本"])
FILES = st.sampled_from(["a", "b/ß", "👩‍💻", None])
EVENT = st.fixed_dictionaries(
    {
        "user": USERS,
        "file": FILES,
        "at": st.integers(0, 90).map(lambda s: s * SECOND),
        "seen": st.integers(0, 90).map(lambda s: s * SECOND),
        "size": st.sampled_from([None, 0.0, -0.0, 0.5, 2.0, -3.5]),
        "rank": st.sampled_from([None, 0, 1, -7, 2**40]),
        "starred": st.sampled_from([None, True, False]),
    }
)
MOMENT = st.fixed_dictionaries(
    {"user": USERS | st.none() | st.just("nobody"), "path": FILES, "now": st.integers(0, 100).map(lambda s: s * SECOND)}
)
EVENTS = st.lists(EVENT, max_size=25).map(lambda found: [{"id": place, **each} for place, each in enumerate(found)])
MOMENTS = st.lists(MOMENT, min_size=1, max_size=8).map(
    lambda found: [{"row": place, **each} for place, each in enumerate(found)]
)


def by_definition(events: list[dict], moment: dict) -> dict:
    """Say in plain words what each feature is."""
    return {name: one_by_definition(name, each, events, moment) for name, each in FEATURES.items()}


def one_by_definition(name: str, each: HistoryFeature, events: list[dict], moment: dict):
    wanted = [moment["user"], *([moment["path"]] if each.where and PAIR in each.where else [])]
    if None in wanted:
        return None
    low = moment["now"] - int(each.window[:-1]) * SECOND
    among = [
        event
        for event in events
        if event["user"] == moment["user"]
        and low <= event["seen"] < moment["now"]
        and (not each.where or PAIR not in each.where or event["file"] == moment["path"])
        and (name != "big" or (event["size"] is not None and event["size"] > 1.5 and event["starred"] is False))
        and (name != "pair_stars" or event["starred"] is True)
    ]
    among.sort(key=lambda event: (event["seen"], event["id"]))
    values = [event[each.value] for event in among] if each.value else []
    known = [value for value in values if value is not None]
    if each.agg in ("count", "rate"):
        return len(among) if each.agg == "count" else len(among) / (10 / 86_400)
    if each.agg in ("sum", "mean"):
        return float(sum(known)) / (len(known) if each.agg == "mean" else 1) if known else None
    if each.agg == "distinct_count":
        return len(set(known))
    if each.agg == "last_k":
        return [value for value in reversed(values[-(each.k or 1) :]) if value is not None]
    return values[-1 if each.agg == "last" else 0] if values else None


ARROW = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "category": pa.string(),
    "time": pa.int64(),
    "boolean": pa.bool_(),
}
MOMENT_TYPES = {"row": "integer", "user": "category", "path": "category", "now": "time"}


def arrow(rows: list[dict], kinds: dict[str, str]) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in rows], ARROW[kind]) for name, kind in kinds.items()})


class Duck:
    dialect = "duckdb"

    def __init__(self) -> None:
        self.connection = duckdb.connect()

    def load(self, name: str, rows: list[dict], kinds: dict[str, str]) -> None:
        self.connection.register("given", arrow(rows, kinds))
        self.connection.execute(f"create or replace table {name} as select * from given")

    def run(self, sql: str) -> pa.Table:
        return self.connection.sql(sql).to_arrow_table()


SQL_TYPES = {
    "number": "double precision", "integer": "bigint", "category": "varchar", "time": "bigint", "boolean": "boolean",
}  # fmt: skip


class Other:
    """SQLite and Postgres through the interface that Python has for both."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        if dialect == "sqlite":
            self.connection, self.mark = sqlite3.connect(":memory:"), "?"
            return
        psycopg = pytest.importorskip("psycopg")
        if reason := postgres_server.missing():
            pytest.skip(reason)
        url = postgres_server.url_of_shared()
        self.connection, self.mark = psycopg.connect(url), "%s"

    def load(self, name: str, rows: list[dict], kinds: dict[str, str]) -> None:
        cursor = self.connection.cursor()
        cursor.execute(f"drop table if exists {name}")
        columns = ", ".join(f'"{column}" {SQL_TYPES[kind]}' for column, kind in kinds.items())
        cursor.execute(f"create {'temporary ' if self.mark == '%s' else ''}table {name} ({columns})")
        marks = ", ".join([self.mark] * len(kinds))
        if rows:
            cursor.executemany(
                f"insert into {name} values ({marks})", [tuple(row[column] for column in kinds) for row in rows]
            )

    def run(self, sql: str) -> pa.Table:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        names = [each[0] for each in cursor.description]
        columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(names)
        return pa.table(
            {
                name: pa.array([int(value) if isinstance(value, bool) else value for value in column])
                for name, column in zip(names, columns, strict=True)
            }
        )


@pytest.fixture(scope="module", params=["duckdb", "sqlite", "postgres"])
def engine(request):
    found = Duck() if request.param == "duckdb" else Other(request.param)
    yield found
    found.connection.close()


def offline(engine, events: list[dict], moments: list[dict]) -> list[dict]:
    engine.load("events", events, COLUMNS)
    engine.load("moments", moments, MOMENT_TYPES)
    table = backfill(engine.run, HISTORY, {"events": "events"}, "moments", dialect=engine.dialect).table
    return [{name: value for name, value in row.items() if name != "row"} for row in table.to_pylist()]


@settings(max_examples=30, deadline=None)
@given(events=EVENTS, moments=MOMENTS)
def test_backfill_is_the_definition_on_every_engine(engine, events, moments):
    assert offline(engine, events, moments) == [by_definition(events, moment) for moment in moments]


@settings(max_examples=120, deadline=None)
@given(events=EVENTS, moments=MOMENTS)
def test_replaying_the_stream_online_is_the_definition(events, moments):
    assert replayed(HISTORY, "events", events, moments) == [by_definition(events, moment) for moment in moments]


def replayed(history, source: str, events: list[dict], moments: list[dict]) -> list[dict]:
    """Let time pass: events as they become known, a question at each moment."""
    clock = history.sources[source].clock
    stream = [(event[clock], 1, place, event) for place, event in enumerate(events)]
    stream += [(moment["now"], 0, place, moment) for place, moment in enumerate(moments)]
    found: dict[int, dict] = {}
    with State(":memory:", history) as state:
        for _, is_event, place, each in sorted(stream, key=lambda entry: entry[:3]):
            if is_event:
                assert state.put(source, [each]).faults == ()
            else:
                found[place] = state.read(each, each["now"])
    return [found[place] for place in range(len(moments))]


def test_the_statement_has_the_same_text_on_every_engine():
    for group in HISTORY.groups:
        texts = {history_sql(group, "events", "moments", dialect) for dialect in ("duckdb", "sqlite", "postgres")}
        assert len(texts) == 1


def test_two_thousand_random_moments_agree_online_and_offline(engine):
    draw = random.Random(1)
    events = [
        {
            "id": place,
            "user": draw.choice(["ann", "bob", "cem"]),
            "file": draw.choice(["a", "b", None]),
            "at": draw.randrange(600) * SECOND,
            "seen": draw.randrange(600_000_000),
            "size": draw.choice([None, 0.25, 3.0, -1.5]),
            "rank": draw.choice([None, 5]),
            "starred": draw.choice([None, True, False]),
        }
        for place in range(3000)
    ]
    moments = [
        {
            "row": place,
            "user": draw.choice(["ann", "bob"]),
            "path": draw.choice("ab"),
            "now": draw.randrange(610_000_000),
        }
        for place in range(2000 if engine.dialect == "duckdb" else 200)
    ]
    assert offline(engine, events, moments) == replayed(HISTORY, "events", events, moments)


def test_a_raw_table_is_brought_into_shape_on_duckdb(tmp_path):
    duckdb.sql(
        f"""copy (select * from (values
            (1, '', timestamp '2024-02-29 12:00:00', timestamptz '2024-02-29 12:00:00+02', 'nan'::double, 12),
            (2, 'x', timestamp '2024-03-31 01:30:00.000001', null, 'inf'::double, 13))
            t(id, "user", "at", seen, size, n)) to '{tmp_path}/raw.parquet' (format parquet)"""
    )
    with DuckDBEngine(tmp_path) as found:
        relation = found.relation("raw.parquet")
        declared = {
            "id": "integer",
            "user": "category",
            "at": "time",
            "seen": "time",
            "size": "number",
            "n": "category",
        }
        shaped = found.arrow(f"select * from {event_relation(relation, declared, found.columns(relation), 'duckdb')}")
    assert shaped.to_pylist() == [
        {"id": 1, "user": None, "at": 1709208000000000, "seen": 1709200800000000, "size": None, "n": "12"},
        {"id": 2, "user": "x", "at": 1711848600000001, "seen": None, "size": None, "n": "13"},
    ]


def test_a_raw_table_is_brought_into_shape_on_the_others(engine):
    if engine.dialect == "duckdb":
        pytest.skip("has a test of its own")
    is_sqlite = engine.dialect == "sqlite"
    table = (
        "(select 1 as id, '' as name, 1709208000000000 as at, 9e999 as size, 12 as n)"
        if is_sqlite
        else "(select 1 as id, '' as name, timestamp '2024-02-29 12:00:00.000001' as at, float8 'nan' as size, 12 as n)"
    )
    held = {
        "id": "bigint",
        "name": "text",
        "at": "bigint" if is_sqlite else "timestamp",
        "size": "real",
        "n": "integer",
    }
    declared = {"id": "integer", "name": "category", "at": "time", "size": "number", "n": "category"}
    (row,) = engine.run(f"select * from {event_relation(table, declared, held, engine.dialect)} as r").to_pylist()
    assert row == {"id": 1, "name": None, "at": 1709208000000000 + (not is_sqlite), "size": None, "n": "12"}


def test_copies_and_incomplete_events_are_named_and_count_as_online(engine):
    event = {"user": "ann", "file": "a", "at": 0, "seen": 5 * SECOND, "size": 1.0, "rank": 1, "starred": None}
    events = [
        {"id": 1, **event},
        {"id": 1, **event, "seen": 3 * SECOND},
        {"id": None, **event},
        {"id": 2, **event, "user": None},
        {"id": 3, **event, "seen": None},
    ]
    moments = [{"row": 7, "user": "ann", "path": "a", "now": 9 * SECOND}]
    engine.load("events", events, COLUMNS)
    engine.load("moments", moments, MOMENT_TYPES)
    found = backfill(engine.run, HISTORY, {"events": "events"}, "moments", dialect=engine.dialect)
    assert [each.code for each in found.findings] == ["features.event-incomplete", "features.duplicate-events"]
    assert found.findings[0].what.startswith("3 of 5")
    (row,) = found.table.to_pylist()
    assert (row["row"], row["count"], row["last_seen"]) == (7, 1, 3 * SECOND)
    with State(":memory:", HISTORY) as state:
        taken = state.put("events", sorted(events, key=lambda each: each["seen"] or 0))
        assert (taken.accepted, sorted(fault.code for fault in taken.faults)) == (
            1,
            ["features.event-changed"] + ["features.event-incomplete"] * 3,
        )
        assert state.read(moments[0], moments[0]["now"]) == {name: row[name] for name in FEATURES}


def test_odd_numbers_are_added_alike(engine):
    sizes = [1e300, -1e-300, 5e-324, -0.0, 0.1, 0.2, 0.3, 1e16, 1.0]
    events = [
        {"id": i, "user": "ann", "file": "a", "at": 0, "seen": i * SECOND, "size": size, "rank": 1, "starred": None}
        for i, size in enumerate(sizes)
    ]
    moments = [{"row": i, "user": "ann", "path": "a", "now": i * SECOND} for i in range(12)]
    for on, off in zip(replayed(HISTORY, "events", events, moments), offline(engine, events, moments), strict=True):
        for name in ("sum", "mean"):
            assert off[name] == on[name] or math.isclose(off[name], on[name], rel_tol=1e-12)


# What real people did: who touched which file of a project when, and what was asked for later.
TOUCHES = {"id": "integer", "user": "category", "path": "category", "ts": "time"}
BY_USER = Source(table="touches", id="id", key=("user",), time="ts", known_at="ts", columns=TOUCHES)
BY_FILE = Source(table="touches", id="id", key=("path",), time="ts", known_at="ts", columns=TOUCHES)
RECALL = declare_history(
    {"mine": BY_USER, "all": BY_FILE},
    {
        "touched": HistoryFeature(source="mine", agg="last", value="ts", window="365d", where="path = :path"),
        "often": HistoryFeature(source="mine", agg="count", window="90d", where="path = :path"),
        "recent": HistoryFeature(source="mine", agg="last_k", value="path", k=10, window="30d"),
        "files": HistoryFeature(source="mine", agg="distinct_count", value="path", window="30d"),
        "touched_by_anyone": HistoryFeature(source="all", agg="last", value="ts", window="365d"),
        "last_toucher": HistoryFeature(source="all", agg="last", value="user", window="365d"),
        "people": HistoryFeature(source="all", agg="distinct_count", value="user", window="365d"),
    },
)


def test_real_touches_of_files_replay_without_a_mismatch():
    directory = Path(__file__).resolve().parents[3] / "shared" / "data" / "file_recall_datasette"
    if not directory.exists():
        pytest.skip("file_recall_datasette may not be carried in the repository and is not there")
    connection = duckdb.connect()
    connection.execute(
        f"""create table events as select row_number() over () as id, "user", path, epoch_us(ts) as ts
            from '{directory}/touches.parquet'"""
    )
    connection.execute(
        f"""create table moments as select * from (
              select row_number() over (order by query_id, path, label) as "row", "user", path, epoch_us(ts) as "now"
              from '{directory}/candidates.parquet') where "row" % 20 = 0"""
    )
    events = connection.sql("from events order by ts, id").to_arrow_table().to_pylist()
    moments = connection.sql('from moments order by "now", "row"').to_arrow_table().to_pylist()
    tables = {"mine": "events", "all": "events"}
    found = backfill(lambda sql: connection.sql(sql).to_arrow_table(), RECALL, tables, "moments").table.to_pylist()
    by_row = {row.pop("row"): row for row in found}
    place, mismatches = 0, 0
    with State(":memory:", RECALL) as state:
        for moment in moments:
            until = place
            while until < len(events) and events[until]["ts"] < moment["now"]:
                until += 1
            for source in tables:
                assert state.put(source, events[place:until]).faults == ()
            place = until
            mismatches += state.read(moment, moment["now"]) != by_row[moment["row"]]
    assert (len(moments) > 2000, place > 8000, mismatches) == (True, True, 0)
