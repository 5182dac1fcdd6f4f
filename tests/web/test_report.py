from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

import adult_records as world
import msgspec
import pytest
import vl_convert
from rendered import html_of

from martello.records import BoughtGold
from martello.stats.estimate import Estimate
from martello.web.report import report_html

STORIES = [world.adult, world.refused, world.undecided, world.nothing_known, world.many_slices, world.several_classes]
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """A reader that keeps the tree's shape: what is open, what was seen, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.faults: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-3:]}")
        if tag in {"td", "th", "li", "p"}:
            self.text += " "
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@cache
def page_of(story) -> Page:
    return Page(html_of(story))


def page_from(story) -> Page:
    return Page(report_html(story.spec, story.records))


def plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


@pytest.mark.parametrize("story", STORIES)
def test_the_page_is_well_formed_and_its_ids_are_unique(story):
    page = page_of(story)
    assert page.faults == []
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    anchors = {attrs["href"] for attrs in page.all("a")}
    assert {anchor.removeprefix("#") for anchor in anchors} <= set(ids)


@pytest.mark.parametrize("story", STORIES)
def test_the_page_loads_nothing_and_runs_nothing(story):
    html = html_of(story)
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", html)
    page = page_of(story)
    assert page.all("script") == []
    assert [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)] == []
    loading = [
        attrs for tag, attrs in page.tags if tag in {"img", "iframe", "object", "embed", "video", "audio", "source"}
    ]
    assert loading == []
    assert [attrs["href"] for attrs in page.all("link")] == ["data:,"]


def test_equal_records_give_equal_pages(monkeypatch):
    monkeypatch.setattr(vl_convert, "vegalite_to_svg", vl_convert.vegalite_to_svg.__wrapped__)  # drawn anew
    assert html_of.__wrapped__(world.refused) == html_of(world.refused)


def test_the_sentence_comes_first_then_the_loop_then_pictures_then_evidence():
    html = html_of(world.adult)
    places = [html.index(mark) for mark in ("<h1>", 'class="loop"', 'id="pictures"', 'id="evidence"')]
    assert places == sorted(places)


def measures_of(value) -> list[Estimate]:
    """Find every estimate in a record, whatever holds it."""
    if isinstance(value, Estimate):
        return [value]
    if isinstance(value, msgspec.Struct):
        return [m for name in value.__struct_fields__ for m in measures_of(getattr(value, name))]
    if isinstance(value, dict):
        return [m for part in value.values() for m in measures_of(part)]
    if isinstance(value, tuple):
        return [m for part in value for m in measures_of(part)]
    return []


def spellings(m: Estimate) -> list[str]:
    def minus(text: str) -> str:
        return text.replace("-", "−")

    shares = [f"{100 * m.value:.{d}f} % {100 * m.low:.{d}f} to {100 * m.high:.{d}f}" for d in (0, 1)]
    decimals = [minus(f"{m.value:.{d}f} {m.low:.{d}f} to {m.high:.{d}f}") for d in (3, 4)]
    points = minus(f"{100 * m.value:+.1f} points {100 * m.low:+.1f} to {100 * m.high:+.1f}")
    return [*shares, *decimals, points]


@pytest.mark.parametrize("story", [world.adult, world.many_slices, world.several_classes])
def test_every_estimate_of_the_records_is_shown_with_its_interval(story):
    told = story()
    # The dev numbers of the threshold give way to gold's; the losers of another algorithm stand in "What was tried".
    left_out = {"operating_point"}
    text = plain(page_of(story).text)
    records = {kind: record for kind, record in told.records.items() if kind not in left_out}
    advice = records["advice"]
    records["advice"] = msgspec.structs.replace(
        advice,
        arms=tuple(msgspec.structs.replace(a, detail=()) if a.kind == "another algorithm" else a for a in advice.arms),
    )
    measures = [m for record in records.values() for m in measures_of(record)]
    assert len(measures) > 60
    missing = [m for m in measures if not any(spelling in text for spelling in spellings(m))]
    assert missing == []


def test_hostile_words_of_the_agreement_are_text_and_nothing_else():
    told = world.adult().only("frame", "sample", "labels", "features")
    renamed = msgspec.structs.replace(told.spec, task=msgspec.structs.replace(told.spec.task, question=world.HOSTILE))
    owners = msgspec.structs.replace(renamed.owners, ml="<b>Ada</b>")
    page = Page(report_html(msgspec.structs.replace(renamed, owners=owners), told.records))
    assert page.all("script") == []
    assert world.HOSTILE in page.text
    assert "<b>Ada</b>" in page.text


def test_hostile_slices_are_text_in_pictures_and_tables():
    page = page_of(world.many_slices)
    assert page.all("script") == []
    assert page.text.count(world.HOSTILE) >= 4
    assert world.RTL in page.text
    assert world.LONG in page.text


@pytest.mark.parametrize(
    ("story", "n"),
    [(world.adult, 8), (world.refused, 7), (world.undecided, 4), (world.nothing_known, 0), (world.several_classes, 6)],
)
def test_there_is_a_picture_for_every_question_that_has_an_answer(story, n):
    charts = [attrs for attrs in page_of(story).all("svg") if attrs.get("class") == "chart"]
    assert len(charts) == n
    for chart in charts:
        assert chart["role"] == "img"
        assert re.fullmatch(r"0 0 [\d.]+ [\d.]+", chart["viewbox"])
        assert len(chart["aria-labelledby"].split()) == 2


def test_every_picture_is_described_and_most_have_their_numbers_beside_them():
    page = page_of(world.adult)
    ids = {attrs.get("id") for _, attrs in page.tags}
    for chart in page.all("svg"):
        if chart.get("class") == "chart":
            assert set(chart["aria-labelledby"].split()) <= ids
    assert page.text.count("The same in numbers") == 6  # the two slice pictures have theirs in the evidence


def test_a_number_that_is_not_known_says_why_instead_of_an_empty_picture():
    text = plain(page_of(world.nothing_known).text)
    assert text.count("Not known yet: no unit was flagged; needs at least 1 flagged unit.") >= 6


def test_the_page_can_be_written_at_every_place_of_the_loop():
    story = world.adult()
    kinds = list(story.records)
    for n in (0, 1, 2, 4, 6, 7, 8, 9):  # what has pictures of its own after that is drawn elsewhere
        page = Page(report_html(story.spec, {kind: story.records[kind] for kind in kinds[:n]}))
        assert page.faults == []
        assert len(page.all("h1")) == 1


def test_the_loop_says_where_it_stands_and_what_to_type():
    text = plain(page_from(world.adult().only("frame", "sample")).text)
    assert "The loop stands before label. martello run goes on from there" in text


STATES = {
    world.adult: ["done"] * 3 + ["later"] + ["done"] * 5 + ["later"] + ["done"] * 2 + ["later"],
    world.refused: ["done"] * 3
    + ["later"]
    + ["done"] * 3
    + ["refused", "not-begun", "later", "not-begun", "done", "later"],
    world.undecided: ["done"] * 3
    + ["later"]
    + ["done"] * 3
    + ["waiting", "not-begun", "later", "not-begun", "not-begun", "later"],
}


@pytest.mark.parametrize("story", list(STATES))
def test_the_map_shows_thirteen_words_with_their_states(story):
    steps = [attrs["class"] for attrs in page_of(story).all("li")]
    assert steps == [f"step step-{state}" for state in STATES[story]] + ["step step-again"]


def test_a_verdict_is_a_word_and_a_shape():
    for story, word in (
        (world.adult, "Gate met"),
        (world.refused, "Gate not met"),
        (world.undecided, "Gate undecided"),
    ):
        assert word in plain(page_of(story).text)


def test_every_column_and_row_of_a_table_is_headed():
    page = page_of(world.adult)
    assert {attrs.get("scope") for attrs in page.all("th")} == {"col", "row"}


def test_lineage_tells_when_and_by_whom():
    text = plain(page_of(world.adult).text)
    assert "2026-11-23 10:01 UTC ada 1.5 s" in text
    assert "not in the ledger" not in text
    assert "not in the ledger" in plain(page_from(world.adult().only("frame")).text)


def test_where_it_errs_most_is_a_table_and_says_that_dev_said_so():
    page = page_of(world.adult)
    text = plain(page.text)
    assert "Where it errs most (dev)" in text
    assert "marital_status = Married-civ-spouse 4,047" in text
    assert f"sex = {world.HOSTILE} and age = 48 to 90" in text
    told = world.adult()
    nothing = {"worst_slices": (), "slices": (), "calibration": (), "curve": None}
    told.records["evaluation"] = msgspec.structs.replace(told.records["evaluation"], **nothing)
    assert "Where it errs most" not in page_from(told.only("evaluation")).text


def bought_story(**changes):
    """The adult round as it is when its gold labels were asked for one by one."""
    told = world.adult()
    evaluation = told.records["evaluation"]
    bought = BoughtGold(
        n_pool=8872, n_labels=390, n_unsure=0, budget=2000, sampler="weighted", seed=1, restarts=0, holds_for="pool",
        floors={"precision": 0.8},
    )  # fmt: skip
    nothing = {"slices": (), "calibration": (), "curve": None, "confusion": (), "classes": (), "label_cost": None}
    told.records["evaluation"] = msgspec.structs.replace(evaluation, bought=bought, **nothing)
    return told.only("operating_point", "evaluation")


def test_gold_that_was_asked_label_by_label_shows_its_intervals_against_what_was_agreed():
    page = page_from(bought_story())
    text = plain(page.text)
    assert "What was agreed is surely met" in text
    assert "Intervals after 390 labels, valid at whatever moment one stops." in text
    assert "precision, agreed 80 %" in text
    assert "What the threshold trades on dev" in text
    assert "How gold was asked" in text
    assert "Gold was asked one label at a time, until the verdict was known: 390 of at most 2,000" in text
    assert "gain over the constant rule on dev" in text
    assert page.faults == []
