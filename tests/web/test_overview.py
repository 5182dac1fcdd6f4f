"""The loop, its words, its records and its ledger as pages of a project that has begun."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import adult_records as world
import msgspec
import pytest
from labeling_world import Served

from martello.corridor.project import open_project
from martello.records import record_id
from martello.web.overview import QUESTIONS

RTL = "מהנדסת תוכנה בכירה"
TOML = f"""
[task]
name = "income"
question = "Does <b>this</b> person earn more than 50,000 a year? {RTL}"
kind = "binary"
[population]
source = "people.csv"
unit = ["person"]
[input]
age = "integer"
job = {{ type = "category", optional = true }}
[output]
from = "column"
column = "income"
positive = "high"
[requirement]
precision = 0.6
[owners]
ml = "Ada"
product_engineering = "Grace"
product_management = "Mary"
second = "Katherine"
"""


def write_project(directory: Path) -> Path:
    directory.mkdir()
    (directory / "martello.toml").write_text(TOML, encoding="utf-8")
    rows = "".join(
        f"{i},{20 + i % 50},{'clerk' if i % 3 else ''},{'high' if i % 50 > 30 else 'low'}\n" for i in range(900)
    )
    (directory / "people.csv").write_text("person,age,job,income\n" + rows, encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A project that has come as far as its answers, and holds an evaluation of another round."""
    directory = write_project(tmp_path_factory.mktemp("begun") / "income")
    with open_project(directory) as project:
        project.run(until="label")
        project.store.put_record(world.adult().records["evaluation"])
    return directory


@pytest.fixture(scope="module")
def served(begun, tmp_path_factory):
    one = Served(tmp_path_factory.mktemp("served"), {"project": str(begun)}).start()
    yield one
    one.stop()


def page(served: Served, path: str) -> str:
    status, answer = served.ask(path, name="lead")
    assert status == 200
    return answer["text"].decode()


def test_the_overview_is_the_loop_with_thirteen_words_each_a_page(served):
    text = page(served, "/")
    for word in QUESTIONS:
        path = "/labels" if word == "label" else f"/{word}"
        assert f'href="{path}"' in text
        assert f"<h1>{word.capitalize()}" in page(served, path)
    assert len(QUESTIONS) == 13


def test_states_and_the_next_action_are_said_in_words(served):
    text = page(served, "/")
    for state in ("step-done", "step-next", "step-not-begun", "step-later"):
        assert state in text
    assert "martello run" in text
    words = {state["word"]: state["state"] for state in served.ask("/?format=json", name="lead")[1]["states"]}
    assert (words["sample"], words["label"], words["train"]) == ("done", "done", "not begun")


def test_from_a_number_one_click_leads_to_who_made_it_when_from_what_and_with_which_version(served, begun):
    from martello._version import __version__

    with open_project(begun) as project:
        line = project.ledger.lines(word="label")[0]
    text = page(served, "/labels")
    assert line.who in text
    assert f"with Martello {__version__}" in text
    assert f'href="/records/{line.parents[0]}"' in text
    record = page(served, f"/records/{line.records[0]}")
    assert f'href="/records/{line.parents[0]}"' in record
    assert "Stands now" in record
    assert f'href="/records/{line.records[0]}"' in page(served, f"/records/{line.parents[0]}")  # what it was used for


def test_a_record_as_json_is_the_record(served, begun):
    evaluation = world.adult().records["evaluation"]
    status, told = served.ask(f"/records/{record_id(evaluation)}?format=json", name="lead")
    assert status == 200
    assert told.pop("id") == record_id(evaluation)
    assert msgspec.convert(told, type(evaluation)) == evaluation


def test_a_record_shows_its_tables_and_pictures_and_says_when_it_does_not_stand(served):
    text = page(served, f"/records/{record_id(world.adult().records['evaluation'])}")
    assert "Does not stand now" in text
    assert "not in the ledger" in text
    assert 'id="table-metrics"' in text
    assert '<svg class="chart"' in text


@pytest.mark.parametrize("path", ["/records/gate-000000000000", "/records/..", "/records/gate", "/nowhere"])
def test_what_is_not_there_is_said_so(served, path):
    status, problem = served.ask(path, name="lead")
    assert status == 404
    assert problem["code"] in ("store.missing-record", "web.unknown-page")


def test_names_of_the_data_are_text_and_never_markup(served):
    text = page(served, "/")
    assert "<b>this</b>" not in text
    assert "Does &lt;b&gt;this&lt;/b&gt; person" in text


def test_a_change_of_the_agreement_is_seen_and_a_faulty_one_is_explained(tmp_path):
    directory = write_project(tmp_path / "income")
    served = Served(tmp_path / "served", {"project": str(directory)}).start()
    try:
        toml = directory / "martello.toml"
        toml.write_text(TOML.replace("50,000", "60,000"), encoding="utf-8")
        assert "60,000" in page(served, "/")
        toml.write_text(TOML.replace("[input]", "[inputs]"), encoding="utf-8")
        status, problem = served.ask("/", name="lead")
        assert (status, problem["code"]) == (400, "spec.unknown-key")
        toml.write_text(TOML, encoding="utf-8")
        assert "50,000" in page(served, "/")
    finally:
        served.stop()


def lines_in(directory: Path, n: int) -> None:
    """Write ledger lines by hand: as many as one likes, each taking other seconds."""
    with open_project(directory) as project:
        _ = project.ledger
    names = ("ada", "Bo", RTL, "a very long name " * 6)
    rows = [
        (i, f"2026-01-01T00:00:{i % 60:02d}+00:00", names[i % 4], ("sample", "train")[i % 2], f"k{i}", (i * 37) % 1001)
        for i in range(1, n + 1)
    ]
    database = sqlite3.connect(directory / ".martello" / "ledger.sqlite")
    database.executemany(
        "insert into lines (seq, at, who, word, key, records, parents, seconds, version)"
        " values (?, ?, ?, ?, ?, '[\"gate-0123456789ab\"]', '[]', ?, '0.1')",
        rows,
    )
    database.commit()
    database.close()


@pytest.mark.parametrize(("n", "shown"), [(0, 0), (1, 1), (50, 50), (10_000, 50)])
def test_the_ledger_is_paged_and_sorted_on_the_server(tmp_path, n, shown):
    directory = write_project(tmp_path / "income")
    lines_in(directory, n)
    served = Served(tmp_path / "served", {"project": str(directory)}).start()
    try:
        text = page(served, "/ledger")
        assert text.count('<th scope="row" class="moment">') == shown
        assert ("Next</a>" in text) == (n > 50)
        told = served.ask("/ledger?sort=took&down=1&word=train&format=json", name="lead")[1]
        seconds = [line["seconds"] for line in told["lines"]]
        assert seconds == sorted(((i * 37) % 1001 for i in range(1, n + 1, 1) if i % 2), reverse=True)[:50]
        last = served.ask("/ledger?sort=when&down=0&offset=999999999&format=json", name="lead")[1]
        assert [line["seq"] for line in last["lines"]] == ([n] if n else [])
    finally:
        served.stop()


@pytest.mark.browser
def test_every_page_fits_the_screen_and_keeps_nobody_out(served, begun, browse):
    evaluation = record_id(world.adult().records["evaluation"])
    tab = browse()
    tab.page.goto(served.link("lead"))
    tab.page.wait_for_url(served.url + "/")
    for path in ("/", "/spec", "/sample", "/labels", "/plan", "/ledger", "/report", f"/records/{evaluation}"):
        tab.page.goto(served.url + path)
        tab.assert_fits_and_keeps_nobody_out(path)
    assert tab.complaints == []
    tab.page.goto(served.url + "/nowhere")
    assert tab.violations() == []


def test_the_command_prints_the_owners_link_and_one_whose_port_is_taken_names_it(served, begun, tmp_path):
    words = [sys.executable, "-c", _COMMAND, str(shutil.copytree(begun, tmp_path / "income"))]
    with (
        subprocess.Popen([*words, "0"], stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen([*words, str(served.port)], stderr=subprocess.PIPE, text=True) as second,
    ):
        url = json.loads(first.stdout.readline())["url"]
        _, refused = second.communicate(timeout=60)
        first.terminate()
        assert first.wait(timeout=20) == 0
    assert "/enter/" in url
    assert second.returncode == 3
    assert "web.port-in-use" in refused


#: The command without the table of commands, in which it has its row.
_COMMAND = """
import argparse, sys
from martello.cli import web
from martello.errors import MartelloError
parser = argparse.ArgumentParser()
web.add_options(parser)
options = parser.parse_args(["--port", sys.argv[2], "--no-open"])
options.project, options.json = sys.argv[1], True
try:
    sys.exit(web.run(options))
except MartelloError as fault:
    print(fault, file=sys.stderr)
    sys.exit(fault.exit_code)
"""
