"""Features from the agreement to a decision over HTTP and back: what serving saw is what training computes."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from journeys.conftest import SPEC, martello_json
from martello import Client
from martello.cli import features as features_command

TOKEN = "journey"
START = datetime(2026, 1, 1, tzinfo=UTC)

OPENS = """
[task]
name = "open"
question = "Will this person open the letter?"
[population]
source = "asked.parquet"
unit = ["ask"]
time = "asked_at"
[input]
user = { type = "category", feature_only = true }
title = "text"
hour = "integer"
[source.opens]
table = "opens.parquet"
id = "open_id"
key = ["user"]
time = "opened_at"
known_at = "known_at"
columns = { open_id = "integer", user = "category", title = "text", opened_at = "time", known_at = "time" }
[feature]
opens_3d = { from = "opens", agg = "count", window = "3d", owner = "Grace" }
last_open = { from = "opens", agg = "last", value = "opened_at", window = "30d", feature_only = true }
recent = { from = "opens", agg = "last_k", value = "title", k = 3, window = "30d" }
idle_h = "coalesce(hours(now, last_open), 999.0)"
likeness = "coalesce(trigram_sim(title, recent), 0.0)"
twice = "opens_3d * 2"
same = "2.0 * opens_3d"
always = "1"
[output]
column = "opened"
positive = "1"
[requirement]
precision = 0.55
recall = 0.2
[sample]
seed = 1
[train]
learners = ["logistic"]
[serve]
rehearsal = 40
[owners]
ml = "Ada"
second = "Edsger"
"""


def letters() -> tuple[pa.Table, pa.Table]:
    """Invent people who open letters the more the more they opened in the last days."""
    rng = random.Random(7)
    titles = ["sale of shoes", "news of the week", "your invoice", "shoes again", "weekly news"]
    asked: list[dict[str, Any]] = []
    opened: list[dict[str, Any]] = []
    for ask in range(1500):
        at = START + timedelta(minutes=20 * ask)
        user, title = f"u{rng.randrange(25)}", rng.choice(titles)
        since = at - timedelta(days=3)
        n = sum(each["user"] == user and since <= each["known_at"] < at for each in opened)
        does = rng.random() < 0.1 + 0.8 * min(n, 4) / 4 * (n % 5 != 4)
        asked.append({"ask": ask, "user": user, "title": title, "hour": at.hour, "asked_at": at, "opened": int(does)})
        if does or rng.random() < 0.05:
            when = at + timedelta(minutes=rng.randrange(1, 30))
            known = when + timedelta(minutes=rng.randrange(0, 90))
            opened.append({"open_id": ask, "user": user, "title": title, "opened_at": when, "known_at": known})
    return pa.Table.from_pylist(asked), pa.Table.from_pylist(opened)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    directory = tmp_path_factory.mktemp("letters")
    asked, opened = letters()
    pq.write_table(asked, directory / "asked.parquet")
    pq.write_table(opened, directory / "opens.parquet")
    (directory / "martello.toml").write_text(OPENS, encoding="utf-8")
    return directory, dict(martello_json("run", "--project", str(directory)))


@contextmanager
def serving(directory: Path, *options: str) -> Iterator[Client]:
    """Serve the project's release as its own process."""
    command = [
        sys.executable,
        "-m",
        "martello",
        "serve",
        "--json",
        "--port",
        "0",
        "--project",
        str(directory),
        *options,
    ]
    env = {**os.environ, "MARTELLO_TOKEN": TOKEN}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        try:
            with Client(json.loads(process.stdout.readline())["url"], TOKEN, timeout=30) as client:
                yield client
        finally:
            process.terminate()
            process.communicate(timeout=20)


def features(capsys: pytest.CaptureFixture[str], directory: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run `martello features … --json`; give the exit code and what it prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--project", default=".")
    features_command.add_options(parser)
    capsys.readouterr()
    code = features_command.run(parser.parse_args([*words, "--json", "--project", str(directory)]))
    return code, json.loads(capsys.readouterr().out)


def replay(
    client: Client,
    asked: list[dict[str, Any]],
    events: list[dict[str, Any]],
    *,
    time: str,
    known: str,
    sources: tuple[str, ...],
    inputs: tuple[str, ...],
) -> None:
    """Let the past happen again: each decision is asked for when all that was known before it was told."""
    events = sorted(events, key=lambda each: each[known])
    told = 0
    for row in sorted(asked, key=lambda each: each[time]):
        until = next((n for n in range(told, len(events)) if events[n][known] >= row[time]), len(events))
        for begin in range(told, until, 1000):
            for source in sources:
                receipt = client.post_events(source, events[begin : min(begin + 1000, until)])
                assert receipt.rejected == []
        told = until
        client.decide({name: row[name] for name in inputs}, at=row[time])


def test_the_loop_ends_in_a_release_that_serves_the_same_scores(finished: tuple[Path, dict[str, Any]]) -> None:
    _, done = finished
    records = done["records"]
    assert done["verdict"] == "met"
    seen = [(each["name"], each["type"]) for each in records["features"]["columns"]]
    assert seen == [
        ("title", "text"),
        ("hour", "integer"),
        ("opens_3d", "integer"),
        ("idle_h", "number"),
        ("likeness", "number"),
        ("twice", "number"),
        ("same", "number"),
        ("always", "integer"),
    ]
    rehearsal = records["rehearsal"]
    assert rehearsal["n_sent"] == rehearsal["n_decisions"] > 0
    assert rehearsal["n_score_differences"] == 0
    noted = {(each["code"], *each["columns"]) for each in records["features"]["findings"]}
    assert {("features.constant", "always"), ("features.copy", "same", "twice")} <= noted


def test_a_release_holds_its_features_and_tests_them_before_it_serves(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from martello.corridor.opened import open_served
    from martello.errors import IntegrityError
    from martello.ship.release import open_release, write_release

    (release,) = (finished[0] / "releases").glob("release-*")
    files = open_release(release)
    rows = json.loads(files["selftest.json"])
    assert all(set(row["history"]) == {"opens_3d", "last_open", "recent"} for row in rows)
    assert len({row["now"] for row in rows}) == len(rows)
    open_served(release)
    rows[0]["history"]["opens_3d"] += 3
    write_release(tmp_path / "changed", {**files, "selftest.json": json.dumps(rows).encode()})
    with pytest.raises(IntegrityError) as caught:
        open_served(tmp_path / "changed")
    assert caught.value.code == "ship.selftest-differs"
    declared = files["declaration.json"].replace(b'"3d"', b'"4d"')
    write_release(tmp_path / "other", {**files, "declaration.json": declared})
    with pytest.raises(IntegrityError) as caught:
        open_served(tmp_path / "other")
    assert caught.value.code == "ship.other-definition"


def test_the_serving_process_holds_no_engine_no_data_frame_and_no_parser(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    (release,) = (finished[0] / "releases").glob("release-*")
    code = (
        "import sys; from pathlib import Path; import martello.serve.transport;"
        "from martello.corridor.opened import open_served;"
        f"open_served(Path({str(release)!r})); print(' '.join(sorted(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlglot", "sqlalchemy", "pandas", "sklearn", "duckdb", "pyarrow", "lightgbm"} & set(loaded)


def test_the_state_is_filled_from_the_declared_events_when_it_is_empty(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    directory = shutil.copytree(finished[0], tmp_path / "copy")
    opened = letters()[1].to_pylist()
    newest = max(each["known_at"] for each in opened)
    now = newest + timedelta(minutes=1)
    wanted = sum(each["user"] == "u3" and each["known_at"] >= now - timedelta(days=3) for each in opened)
    assert wanted > 0
    asked = {"user": "u3", "title": "sale", "hour": 3}
    for _ in range(2):  # the second start finds what the first left, and reads nothing twice
        with serving(directory) as client:
            assert client.decision(client.decide(asked, at=now).id).values["opens_3d"] == wanted
    with serving(directory, "--events", "none", "--state", str(tmp_path / "fresh")) as client:
        assert client.decision(client.decide(asked, at=now).id).values["opens_3d"] == 0


def test_what_serving_saw_is_checked_and_keeps_the_gate(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = shutil.copytree(finished[0], tmp_path / "copy")
    asked, opened = (table.to_pylist() for table in letters())
    assert features(capsys, directory, "check") == (1, {"verdict": "undecided", "n_checked": 0})
    words: dict[str, Any] = {
        "time": "asked_at",
        "known": "known_at",
        "sources": ("opens",),
        "inputs": ("user", "title", "hour"),
    }
    with serving(directory, "--events", "none") as client:
        replay(client, asked[300:420], opened, **words)
    code, found = features(capsys, directory, "check")
    assert (code, found["verdict"], found["n_checked"]) == (0, "met", 120)
    assert [each["n_different"] + each["n_missing"] + each["n_extra"] for each in found["features"]] == [0] * 8
    assert martello_json("status", "--project", str(directory))  # a check that agrees makes nothing anew
    gate = martello_json("ship", "--fresh", "--project", str(directory))["records"][0]
    assert [each["verdict"] for each in gate["conditions"] if "serving saw" in each["name"]] == ["met"]

    # An event that serving is told of and the table never gets: the features it touches disagree, and no others.
    with serving(directory, "--events", "none") as client:
        last = asked[420]
        stray = {
            "open_id": 10**6,
            "user": last["user"],
            "title": "x",
            "opened_at": last["asked_at"] - timedelta(minutes=9),
        }
        client.post_events("opens", [{**stray, "known_at": stray["opened_at"]}])
        client.decide({name: last[name] for name in words["inputs"]}, at=last["asked_at"])
    code, found = features(capsys, directory, "check")
    disagree = {each["name"] for each in found["features"] if each["n_different"] + each["n_missing"] + each["n_extra"]}
    assert (code, found["verdict"], found["n_checked"]) == (1, "not met", 121)
    assert (
        {"opens_3d", "twice", "same", "idle_h"}
        <= disagree
        <= {"opens_3d", "twice", "same", "idle_h", "last_open", "recent", "likeness"}
    )
    stopped = martello_json("features", "--project", str(directory), check=1)
    assert stopped["state"]["state"] == "waiting"
    assert "opens_3d" in stopped["state"]["why"]

    # Who did not check finds the gate shut, which asks by itself.
    shutil.rmtree(directory / ".martello" / "parity")
    (gate,) = martello_json("ship", "--fresh", "--project", str(directory), check=1)["records"] or [None]
    assert gate is None, "a gate that features kept shut does not stand"
    assert "opens_3d" in martello_json("features", "--project", str(directory), check=1)["state"]["why"]

    # The table gets the event after all: the check agrees, and the loop goes on.
    table = pq.read_table(directory / "opens.parquet")
    late = pa.Table.from_pylist([{**stray, "known_at": stray["opened_at"]}], schema=table.schema)
    pq.write_table(pa.concat_tables([table, late]), directory / "opens.parquet")
    assert features(capsys, directory, "check")[0] == 0
    assert martello_json("features", "--project", str(directory))["state"]["state"] == "done"


def test_the_table_of_features_says_what_each_is_is_worth_and_costs(
    finished: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown = features(capsys, finished[0], "show")
    rows = {each["name"]: each for each in shown["features"]}
    assert code == 0
    assert list(rows)[:4] == ["user", "title", "hour", "opens_3d"]
    assert rows["opens_3d"]["definition"] == "count() of opens in 3d"
    assert (rows["opens_3d"]["owner"], rows["idle_h"]["owner"]) == ("Grace", "Ada")
    assert (rows["always"]["note"], rows["same"]["note"]) == ("constant", "repeats twice")
    assert rows["opens_3d"]["alone"]["low"] > 0.6
    assert {"low", "high"} <= set(rows["opens_3d"]["effect"])
    assert rows["idle_h"]["cost"] > 0
    assert [name for name, row in rows.items() if not row["is_seen"]] == ["user", "last_open", "recent"]


def test_a_project_says_what_its_features_are_before_anything_ran(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "martello.toml").write_text(OPENS, encoding="utf-8")
    code, shown = features(capsys, tmp_path, "show")
    assert code == 0
    assert {each["name"]: each["is_seen"] for each in shown["features"]}["recent"] is False
    assert all("reason" in each["alone"] for each in shown["features"])


def test_row_features_of_a_csv_need_no_time_and_no_events(make_project: Callable[..., Path]) -> None:
    declared = """
[feature]
per_month = "total_charges / tenure"
is_new = "tenure < 6 and contract = 'Month-to-month'"
[output]"""
    directory = make_project(
        "rows", SPEC.replace("[output]", declared, 1).replace("[serve]", "[train]\nlearners = ['logistic']\n[serve]")
    )
    records = martello_json("run", "--project", str(directory))["records"]
    (per_month,) = [each for each in records["features"]["columns"] if each["name"] == "per_month"]
    assert (per_month["type"], per_month["optional"]) == ("number", True)
    assert 0 < per_month["missing_share"] < 0.01, "eleven customers have paid nothing yet"
    assert records["rehearsal"]["n_score_differences"] == 0
    with serving(directory) as client:
        asked = {"tenure": 2, "contract": "Month-to-month", "internet_service": "No", "monthly_charges": 20.0}
        asked |= {"total_charges": 50.0, "payment_method": "Mailed check", "online_security": "No"}
        logged = client.decision(client.decide(asked).id)
    assert (logged.values["per_month"], logged.values["is_new"]) == (25.0, True)


FLIGHTS = """
[task]
name = "late"
question = "Will this flight arrive more than 15 minutes late?"
[population]
source = "flights.parquet"
unit = ["flight_id"]
time = "asked_at"
[input]
carrier = "category"
origin = "category"
dest = "category"
distance = "integer"
departs = { type = "time", feature_only = true }
tailnum = { type = "category", feature_only = true }
[source.landings]
table = "landings.parquet"
id = "flight_id"
key = ["carrier", "origin"]
time = "departed_at"
known_at = "landed_at"
[source.landings.columns]
flight_id = "integer"
carrier = "category"
origin = "category"
arr_delay = "integer"
was_late = "boolean"
departed_at = "time"
landed_at = "time"
[source.of_plane]
table = "landings.parquet"
id = "flight_id"
key = ["tailnum"]
time = "departed_at"
known_at = "landed_at"
[source.of_plane.columns]
flight_id = "integer"
tailnum = "category"
arr_delay = "integer"
departed_at = "time"
landed_at = "time"
[feature]
landed_6h = { from = "landings", agg = "count", window = "6h" }
late_6h = { from = "landings", agg = "count", window = "6h", where = "was_late" }
delay_6h = { from = "landings", agg = "mean", value = "arr_delay", window = "6h" }
delay_7d = { from = "landings", agg = "mean", value = "arr_delay", window = "7d" }
plane_delay = { from = "of_plane", agg = "last", value = "arr_delay", window = "1d" }
plane_landed = { from = "of_plane", agg = "last", value = "landed_at", window = "7d", feature_only = true }
plane_delays = { from = "of_plane", agg = "last_k", value = "arr_delay", window = "7d", k = 5 }
late_share = "late_6h / landed_6h"
hour_there = "hour(departs, 'America/New_York')"
plane_idle_h = "hours(now, plane_landed)"
plane_worst = "list_max(plane_delays)"
[output]
column = "late"
positive = "1"
[requirement]
precision = 0.4
recall = 0.1
[sample]
n = 8000
seed = 3
[serve]
rehearsal = 100
[owners]
ml = "Ada"
second = "Edsger"
"""
_FLIGHTS = """
with f as (
    select row_number() over (order by time_hour, carrier, flight, origin, dest, sched_dep_time) as flight_id, *,
        time_hour + to_minutes(minute) as departs
    from '{source}' where tailnum is not null and month <= 2 and arr_delay is not null
)
"""


def flights(source: Path, directory: Path) -> None:
    """Write flights, asked about an hour before they depart, and landings, known when the plane is on the ground."""
    with duckdb.connect() as db:
        db.execute("set TimeZone = 'UTC'")
        base = _FLIGHTS.format(source=source)
        asked = "flight_id, departs - interval 1 hour as asked_at, carrier, tailnum, origin, dest, distance, departs"
        db.execute(f"copy ({base} select {asked}, arr_delayed_15 as late from f) to '{directory}/flights.parquet'")
        landed = "departs + to_minutes(cast(dep_delay + air_time as bigint)) as landed_at"
        told = "flight_id, carrier, tailnum, origin, arr_delay, arr_delayed_15 = 1 as was_late, departs as departed_at"
        db.execute(f"copy ({base} select {told}, {landed} from f) to '{directory}/landings.parquet'")
    (directory / "martello.toml").write_text(FLIGHTS, encoding="utf-8")


@pytest.mark.shared_data
def test_will_this_flight_be_late(
    tmp_path: Path, shared: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    flights(shared("nycflights13"), tmp_path)
    done = martello_json("run", "--project", str(tmp_path))
    assert done["verdict"] == "met"
    assert done["records"]["rehearsal"]["n_score_differences"] == 0
    plain = tmp_path / "plain"
    plain.mkdir()
    shutil.copy(tmp_path / "flights.parquet", plain)
    begin, end = FLIGHTS.index("departs ="), FLIGHTS.index("[output]")
    (plain / "martello.toml").write_text(FLIGHTS[:begin] + FLIGHTS[end:], encoding="utf-8")
    without = martello_json("evaluate", "--project", str(plain))["records"]
    (without_auc,) = [each["metrics"]["roc_auc"] for each in without if "metrics" in each]
    assert done["records"]["evaluation"]["metrics"]["roc_auc"]["value"] > without_auc["high"], (
        "history is worth something"
    )

    week = (datetime(2013, 2, 10, tzinfo=UTC), datetime(2013, 2, 19, tzinfo=UTC))
    asked = pq.read_table(tmp_path / "flights.parquet").to_pylist()
    asked = [row for row in asked if week[0] + timedelta(days=7) <= row["asked_at"] < week[1]]
    landings = pq.read_table(tmp_path / "landings.parquet").to_pylist()
    landings = [row for row in landings if week[0] - timedelta(days=1) <= row["landed_at"] < week[1]]
    with serving(tmp_path, "--events", "none") as client:
        replay(
            client,
            random.Random(1).sample(asked, 300),
            landings,
            time="asked_at",
            known="landed_at",
            sources=("landings", "of_plane"),
            inputs=("carrier", "origin", "dest", "distance", "departs", "tailnum"),
        )
    code, found = features(capsys, tmp_path, "check")
    assert (code, found["n_checked"], len(found["features"])) == (0, 300, 11)
    assert sum(each["n_different"] + each["n_missing"] + each["n_extra"] for each in found["features"]) == 0
