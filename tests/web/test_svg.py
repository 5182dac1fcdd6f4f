from __future__ import annotations

from xml.etree import ElementTree

import adult_records as world
import pytest

from martello.web.charts import Row, rows_chart
from martello.web.svg import draw


def drawn(name: str) -> ElementTree.Element:
    chart = rows_chart([Row(name, world.share(0.8, 100))], metric="precision", floor=0.7)
    return ElementTree.fromstring(draw(chart, name="figure", title="<A & B>", description="what it shows"))


NAMES = ["<b>&amp;</b>", "\x00", "a\x0bb", "\x1f", "\ufffe\uffff", world.RTL, world.LONG, "", "line\nbreak", "𝒳 😀"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_gives_a_well_formed_picture(name):
    assert drawn(name).tag == "svg"


def test_the_picture_is_one_described_image():
    root = drawn("a")
    told = {node.get("id"): node.text for node in root if node.tag in {"title", "desc"}}
    assert told == {"figure-title": "<A & B>", "figure-desc": "what it shows"}
    assert [node.tag for node in root.iter() if node.get("role")] == ["svg"]


def test_every_color_is_one_of_the_page():
    colors = {node.get(key) for node in drawn("a").iter() for key in ("fill", "stroke") if node.get(key)}
    assert {"var(--data)", "var(--ink)", "var(--floor)"} <= colors
    assert all(color.startswith("var(--") or color in {"none", "transparent"} for color in colors)


def test_words_carry_no_font_of_their_own():
    assert [node for node in drawn("a").iter() if node.get("font-family")] == []
