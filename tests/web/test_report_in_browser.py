"""The report in a real Chromium: it asks nothing of the network, fits the screen, and its letters can be read."""

from __future__ import annotations

import adult_records as world
import pytest
from rendered import html_of

pytestmark = pytest.mark.browser

STORIES = [world.adult, world.refused, world.nothing_known, world.many_slices, world.several_classes]


@pytest.fixture
def opened(chromium, tmp_path):
    pages = []

    def show(story, *, width: int):
        file = tmp_path / "report.html"
        file.write_text(html_of(story), encoding="utf-8")
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme="light")
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(file.as_uri())
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()


@pytest.mark.parametrize("story", STORIES)
def test_nothing_is_wider_than_the_screen_and_nothing_is_asked_of_the_network(opened, story):
    page = opened(story, width=1024)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in (390, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []


def test_letters_in_pictures_can_be_read_on_a_phone(opened):
    page = opened(world.many_slices, width=390)
    smallest = page.evaluate(
        """Math.min(...[...document.querySelectorAll('svg.chart text')].map(
            t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a))"""
    )
    assert smallest >= 10


# Relative luminance and contrast as in WCAG 2.2, success criterion 1.4.3.
_CONTRAST = """() => {
  const rgb = c => {
    const m = c.match(/[\\d.]+/g).map(Number);
    return m.length > 3 && m[3] === 0 ? null : m;
  };
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const luminance = c => {
    const [r, g, b] = c.slice(0, 3).map(v => linear(v / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c) return c;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || ['title', 'desc'].includes(e.tagName)) continue;
    const style = getComputedStyle(e), inPicture = e.namespaceURI.includes('svg');
    if (inPicture && style.stroke !== 'none') continue;  // the rim behind words
    const a = luminance(rgb(inPicture ? style.fill : style.color)), b = luminance(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) faint.push([e.tagName, e.textContent.slice(0, 30), ratio]);
  }
  return faint;
}"""


@pytest.mark.parametrize("story", [world.adult, world.refused, world.nothing_known])
def test_every_word_stands_out_from_its_ground_in_light_and_dark(opened, story):
    page = opened(story, width=1024)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        dark_ground = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark_ground == (scheme == "dark")
        assert page.evaluate(_CONTRAST) == [], scheme
