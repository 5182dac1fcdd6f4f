"""Features of a whole table, each as of its row's own time, held against the words that define them."""

from __future__ import annotations

import random
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from engines import postgres_server
from martello.engines import open_engine
from martello.errors import DataError
from martello.features.declared import declare_features
from martello.features.table import compute_table
from martello.settings import Settings
from martello.spec.schema import Feature, Field, Source

HERE = Settings(who="tester")
HOUR = 3_600_000_000
START = 1_700_000_000_000_000
INPUTS = (Field(name="user", type="category", optional=True), Field(name="limit", type="number"))
COLUMNS = {"id": "integer", "user": "category", "at": "time", "seen": "time", "size": "number"}


def declared(table: str):
    source = Source(name="opens", table=table, id="id", key=("user",), time="at", known_at="seen", columns=COLUMNS)
    return declare_features(
        INPUTS,
        (source,),
        (
            Feature(name="n", source="opens", agg="count", window="5h"),
            Feature(name="total", source="opens", agg="sum", value="size", window="5h"),
            Feature(name="last_at", source="opens", agg="last", value="at", window="9h"),
            Feature(name="sizes", source="opens", agg="last_k", value="size", k=2, window="9h"),
            Feature(name="over", expression="total > limit"),
            Feature(name="idle_h", expression="hours(now, last_at)"),
        ),
    )


def events_and_rows(seed: int = 5):
    rng = random.Random(seed)
    events = []
    for number in range(60):
        at = START + rng.randrange(20) * HOUR
        size = rng.choice([None, 0.5, 2.0, 7.0])
        events.append(
            {"id": number, "user": rng.choice("ab"), "at": at, "seen": at + rng.randrange(3) * HOUR, "size": size}
        )
    rows = [
        {"user": rng.choice(["a", "b", "c", None]), "limit": 4.0, "now": START + rng.randrange(30) * HOUR}
        for _ in range(25)
    ]
    return events, rows


def by_definition(events, row):
    """Say in plain words what each feature is."""
    if row["user"] is None:
        return {"n": None, "total": None, "last_at": None, "sizes": None, "over": None, "idle_h": None}

    def known(hours):
        ours = [each for each in events if each["user"] == row["user"]]
        within = [each for each in ours if row["now"] - hours * HOUR <= each["seen"] < row["now"]]
        return sorted(within, key=lambda each: (each["seen"], each["id"]))

    sizes = [each["size"] for each in known(5) if each["size"] is not None]
    total = sum(sizes) if sizes else None
    last_at = known(9)[-1]["at"] if known(9) else None
    return {
        "n": len(known(5)),
        "total": total,
        "last_at": last_at,
        "sizes": [each["size"] for each in reversed(known(9)[-2:]) if each["size"] is not None],
        "over": None if total is None else total > row["limit"],
        "idle_h": None if last_at is None else (row["now"] - last_at) / HOUR,
    }


def arrow(events) -> pa.Table:
    stamps = {name: pa.timestamp("us", tz="UTC") for name in ("at", "seen")}
    types = {"id": pa.int64(), "user": pa.string(), **stamps, "size": pa.float64()}
    return pa.table({name: pa.array([each[name] for each in events], kind) for name, kind in types.items()})


def computed(directory: Path, table: str, rows, *, settings=HERE, features=None):
    return compute_table(
        features or declared(table),
        {"user": [row["user"] for row in rows], "limit": [row["limit"] for row in rows]},
        [row["now"] for row in rows],
        lambda source: open_engine(source, directory, settings),
        units=[str(place) for place in range(len(rows))],
    )


@contextmanager
def placed(kind: str, directory: Path, table: pa.Table):
    """Put events where an engine finds them; give how they are declared, and the settings that find them."""
    if kind == "parquet":
        pq.write_table(table, directory / "opens.parquet")
        yield "opens.parquet", HERE
    elif kind == "csv":
        pa_csv.write_csv(table, directory / "opens.csv")
        yield "opens.csv", HERE
    else:
        if reason := postgres_server.missing():
            pytest.skip(reason)
        with postgres_server.running() as url:
            postgres_server.load(url, "opens", table)
            yield "warehouse:opens", Settings(who="tester", warehouse=url)


@pytest.mark.parametrize("kind", ["parquet", "csv", "postgres"])
def test_every_row_gets_what_was_known_strictly_before_its_own_time(kind, tmp_path):
    events, rows = events_and_rows()
    with placed(kind, tmp_path, arrow(events)) as (table, settings):
        found = computed(tmp_path, table, rows, settings=settings)
    wanted = [by_definition(events, row) for row in rows]
    assert found.columns == {name: [row[name] for row in wanted] for name in wanted[0]}
    assert {None, 0} < set(found.columns["n"]), "the case shows unknown keys and keys without events"


def test_events_in_files_and_in_the_warehouse_meet_in_one_row(tmp_path):
    if reason := postgres_server.missing():
        pytest.skip(reason)
    events, rows = events_and_rows()
    pq.write_table(arrow(events), tmp_path / "opens.parquet")
    with postgres_server.running() as url:
        postgres_server.load(url, "opens", arrow(events))
        keys = {"id": "id", "key": ("user",), "time": "at", "known_at": "seen", "columns": COLUMNS}
        both = declare_features(
            INPUTS,
            (Source(name="a", table="opens.parquet", **keys), Source(name="b", table="warehouse:opens", **keys)),
            (
                Feature(name="here", source="a", agg="count", window="5h"),
                Feature(name="there", source="b", agg="count", window="5h"),
                Feature(name="same", expression="here = there"),
            ),
        )
        found = computed(tmp_path, "", rows, settings=Settings(who="tester", warehouse=url), features=both)
    assert found.columns["same"] == [None if row["user"] is None else True for row in rows]


def test_a_row_without_a_time_is_named(tmp_path):
    events, rows = events_and_rows()
    pq.write_table(arrow(events), tmp_path / "opens.parquet")
    rows[3]["now"] = None
    with pytest.raises(DataError) as caught:
        computed(tmp_path, "opens.parquet", rows)
    assert (caught.value.code, caught.value.where) == ("features.no-moment", "unit 3")


def test_a_column_that_the_events_do_not_have_is_named_with_the_nearest(tmp_path):
    events, rows = events_and_rows()
    pq.write_table(arrow(events).rename_columns(["id", "user", "at", "seen", "sizes"]), tmp_path / "opens.parquet")
    with pytest.raises(DataError) as caught:
        computed(tmp_path, "opens.parquet", rows)
    assert (caught.value.code, caught.value.fix) == ("features.unknown-column", "did you mean sizes?")


def test_a_value_that_does_not_read_as_declared_is_never_silently_null(tmp_path):
    events, rows = events_and_rows()
    lines = [f"{each['id']},{each['user']},{each['at']},2023-11-14T22:13:20Z,much" for each in events[:2]]
    (tmp_path / "opens.csv").write_text("id,user,at,seen,size\n" + "\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        computed(tmp_path, "opens.csv", rows)
    assert caught.value.code == "features.event-wrong-type"
    assert "2 values" in caught.value.what


def test_events_that_are_gone_are_named(tmp_path):
    with pytest.raises(DataError) as caught:
        computed(tmp_path, "opens.parquet", events_and_rows()[1])
    assert caught.value.code == "data.not-found"
    assert caught.value.where.startswith("[source.opens] table, ")
    assert "table of [source.opens]" in caught.value.fix
