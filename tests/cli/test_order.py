"""`martello order audit` says whether the order is kept, in a sentence, in JSON and on a page that stands alone."""

from __future__ import annotations

import argparse
import json
import re
from html.parser import HTMLParser

import pytest

import order.logged_world as logs
from martello.cli.order import _SHAPES, add_options, run
from martello.errors import DataError
from martello.order.shapes import SHAPES


def call(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--project")
    add_options(parser)
    return run(parser.parse_args(["audit", *map(str, words)]))


@pytest.fixture
def files(tmp_path):
    return logs.write(tmp_path, "martello", logs.world(300))


def test_the_sentence_comes_first_then_numbers_then_the_next_step(files, capsys):
    assert call(*files) == 1
    said = capsys.readouterr().out
    first, last = said.split("\n\n")[0], said.rstrip().split("\n\n")[-1]
    assert re.match(r"The order is not kept: \d+% \(\d+% to \d+%\) of 300 lists were changed", first)
    assert last.startswith("Next: look in build b2, since 2026-11-24 00:00 UTC")
    for word in ("reorder", "foreign", "by build", "by arm", "clicks lost"):
        assert word in said


def test_a_kept_order_gives_exit_code_0(tmp_path, capsys):
    assert call(*logs.write(tmp_path, "ubi", logs.world(50, broken=0.0)), "--shape", "ubi") == 0
    assert capsys.readouterr().out.startswith("The order is kept: none of 50 lists was changed, surely under")


def test_json_is_one_object_with_the_same_numbers(files, capsys):
    assert call(*files, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "not met"
    assert report["lists"] == 300
    assert report["rate"]["low"] < report["rate"]["value"] < report["rate"]["high"]
    assert {kind["kind"] for kind in report["kinds"]} == {"reorder", "foreign", "drop"}


class Loads(HTMLParser):
    """Collect whatever a page would ask the network for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def handle_starttag(self, tag, attrs):
        self.asked += [(tag, name, value) for name, value in attrs if name in ("src", "href", "srcset", "action")]


def test_the_page_stands_alone_and_says_the_same_sentence(files, tmp_path, capsys):
    for each in logs.world(3):
        each["build"] = "<script>alert(1)</script>"
    page = tmp_path / "order.html"
    assert call(*files, "--page", page) == 1
    html = page.read_text(encoding="utf-8")
    first = " ".join(capsys.readouterr().out.split("\n\n")[0].split())
    assert first in html
    parser = Loads()
    parser.feed(html)
    assert [each for each in parser.asked if not str(each[2]).startswith(("#", "data:"))] == []
    assert "<script" not in html


def test_names_from_the_logs_are_text_on_the_page(tmp_path, capsys):
    told = logs.world(40)
    for each in told:
        each["build"] = "<img src=x onerror=alert(1)>"
        each["shown"][0] = "<b>bold</b>"
    page = tmp_path / "order.html"
    call(*logs.write(tmp_path, "martello", told), "--page", page)
    assert "<img" not in page.read_text(encoding="utf-8")
    assert "<b>bold" not in page.read_text(encoding="utf-8")


def test_declared_edits_and_keys_come_from_files(files, tmp_path, capsys):
    rules, keys = tmp_path / "martello.toml", tmp_path / "keys.json"
    rules.write_text('[order]\nallow = [{ op = "drop", reasons = ["deleted"] }]\n')
    keys.write_text('{"public": []}')
    assert call(*files, "--allow", rules, "--keys", keys, "--tolerance", "0.5", "--window", "0.01") == 0
    assert "50% is tolerated" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--allow", "absent.toml"), "order.no-file"),
        (("--keys", "absent.json"), "order.no-file"),
        (("--tolerance", "1.5"), "order.not-a-share"),
        (("--page", "report.pdf"), "order.no-page"),
        (("--page", "nowhere/at/all.html"), "order.no-page"),
        (("--level", "95"), "stats.level-out-of-range"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(files, words, code):
    with pytest.raises(DataError) as fault:
        call(*files, *words)
    assert fault.value.code == code


def test_the_command_offers_every_shape_there_is():
    assert set(_SHAPES) == set(SHAPES)
