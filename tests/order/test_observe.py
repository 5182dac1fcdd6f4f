"""A page in a real browser that breaks the order in the six usual ways is caught, and one that does not is not."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from martello.order.edits import read_edits
from martello.order.facts import Dropped
from martello.order.reconcile import judge
from martello.order.shapes import SHAPES
from martello.testing.order import check_order, example_decision, read_page

pytestmark = pytest.mark.browser

DECISION = example_decision(10)
MODULE = resources.files("martello.order").joinpath("observe.js").read_text(encoding="utf-8")
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<style>li {{ height: 40px; margin: 4px; list-style: none }} {css}</style>
<body><ul id="list" aria-busy="true"></ul>
<script type="module">
import {{ observeRender }} from '/observe.js';
const list = document.querySelector('#list');
const ids = {ids};
const show = (id, more = {{}}) => {{
  const item = document.createElement('li');
  item.textContent = id;
  Object.assign(item.dataset, {{ martelloItem: id, ...more }});
  list.append(item);
  return item;
}};
const done = () => list.setAttribute('aria-busy', 'false');
window.events = [];
window.observed = observeRender(list, {{
  decision: '{decision}', surface: 'home.list', build: '7', quiet: 50, send: (event) => window.events.push(event),
  ...(window.options ?? {{}}),
}});
{script}
</script>"""

KEPT = "ids.forEach((id) => show(id)); done();"
BREAKS = {
    # The database gives rows in the order of its key, not in that of the list it was asked for.
    "where id in": ("const rows = [...ids].sort(); rows.forEach((id) => show(id)); done();", "", {"reorder"}),
    # Keys that look like whole numbers come first, and in their own order.
    "keys of an object": (
        "const byId = {}; for (const id of ids) byId[id] = { id }; for (const id in byId) show(id); done();",
        "",
        {"reorder"},
    ),
    # Each part is shown when it arrives.
    "completion order": (
        """const arrive = (id, k) => new Promise((there) => setTimeout(() => { show(id); there(); }, 90 - 9 * k));
           await Promise.all(ids.map(arrive)); done();""",
        "",
        {"reorder"},
    ),
    "client filter": ("ids.filter((id) => id !== '9').forEach((id) => show(id)); done();", "", {"drop"}),
    # The document is in order, the screen is not.
    "css order": (
        KEPT,
        "ul { display: flex; flex-direction: column } [data-martello-item='item-10'] { order: -1 }",
        {"reorder"},
    ),
    "fallback list": ("['popular-1', 'popular-2'].forEach((id) => show(id)); done();", "", {"foreign"}),
}


@pytest.fixture
def opened(chromium):
    pages = []

    def show(script, css="", *, before=""):
        page = chromium.new_page(viewport={"width": 900, "height": 900})
        page.set_default_timeout(15_000)
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        body = PAGE.format(css=css, script=script, ids=json.dumps(DECISION.items), decision=DECISION.decision)

        def answer(route):
            if route.request.url.endswith("/observe.js"):
                route.fulfill(body=MODULE, content_type="text/javascript")
            else:
                route.fulfill(body=body, content_type="text/html")

        page.route("http://shop.test/**", answer)
        if before:
            page.add_init_script(before)
        page.goto("http://shop.test/")
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()


def last_render(page):
    page.wait_for_function("() => events.some((event) => event.data.complete)")
    events = [event for event in page.evaluate("events") if event["type"] == "martello.render.v1"]
    assert page.complaints == []
    (render,) = SHAPES["martello"].renders(json.loads(json.dumps(events[-1])))
    return render


@pytest.mark.parametrize("way", BREAKS)
def test_each_of_the_six_usual_ways_is_caught_and_named(opened, way):
    script, css, expected = BREAKS[way]
    page = opened(script, css)
    render = last_render(page)
    assert {kind.value for kind in judge(render, DECISION).kinds} == expected
    assert (render.surface, render.build, render.decision) == ("home.list", "7", DECISION.decision)
    with pytest.raises(AssertionError, match="the order is not kept"):
        check_order(DECISION, read_page(page, "#list"))


@pytest.mark.parametrize(
    "css",
    [
        "",
        "ul { display: grid; grid-template-columns: repeat(3, 1fr) } li:nth-child(even) { height: 55px }",
        "ul { display: grid; grid-template-columns: repeat(4, 1fr); direction: rtl }",
        "li { float: left; width: 200px }",
    ],
    ids=["list", "grid", "right to left", "floats"],
)
def test_a_page_that_keeps_the_order_is_left_alone_in_every_layout(opened, css):
    page = opened(KEPT, css)
    assert judge(last_render(page), DECISION).kinds == {}
    check_order(DECISION, read_page(page, "#list"), least=10)


def test_what_is_hidden_is_not_shown(opened):
    page = opened(KEPT, "[data-martello-item='9'] { display: none }")
    assert {kind.value for kind in judge(last_render(page), DECISION).kinds} == {"drop"}


def test_declared_ads_and_drops_are_told_and_legal(opened):
    edits = read_edits([{"op": "insert", "kind": "ad", "slots": [2], "max": 1}, {"op": "drop", "reasons": ["deleted"]}])
    script = """ids.forEach((id, k) => {
      if (id !== '9') show(id);
      if (k === 0) show('x', { martelloKind: 'ad' });
    });
    done();"""
    page = opened(script, before="window.options = { dropped: () => [{ id: '9', reason: 'deleted' }], client: 'web' };")
    render = last_render(page)
    assert judge(render, DECISION, edits=edits).kinds == {}
    assert (render.dropped, render.client) == ((Dropped(id="9", reason="deleted"),), "web")
    assert {kind.value for kind in judge(render, DECISION).kinds} == {"insert", "drop"}
    check_order(DECISION, read_page(page, "#list"), edits=edits, dropped=render.dropped)


def test_items_of_another_answer_are_told_as_such(opened):
    page = opened(KEPT + "show('other', { martelloDecision: 'd-2' });")
    assert {kind.value for kind in judge(last_render(page), DECISION).kinds} == {"mixed"}


def test_a_list_that_changes_is_told_again_and_one_that_does_not_is_not(opened):
    page = opened(KEPT)
    first = last_render(page)
    page.evaluate("observed.flush()")
    assert page.evaluate("events.filter((event) => event.type === 'martello.render.v1').length") == 1
    page.evaluate("document.querySelector('#list').prepend(document.querySelector('#list').lastElementChild)")
    page.wait_for_function("() => events.filter((event) => event.type === 'martello.render.v1').length === 2")
    second = last_render(page)
    assert first.id != second.id
    assert {kind.value for kind in judge(second, DECISION).kinds} == {"reorder"}


def test_a_page_that_is_still_loading_says_so(opened):
    page = opened("ids.slice(0, 2).forEach((id) => show(id)); show(ids[4]);")
    page.wait_for_function("() => events.length > 0")
    (render,) = SHAPES["martello"].renders(page.evaluate("events[0]"))
    assert render.complete is False
    assert judge(render, DECISION).kinds == {}


def test_only_what_half_of_was_in_view_for_a_second_was_viewed(opened):
    # Ten items of 400 pixels on a screen of 900: two whole ones, and a third of which less than half is seen.
    page = opened(KEPT, "li { height: 396px; margin: 0 0 4px } ul { margin: 0; padding: 0 } body { margin: 0 }")
    viewed = "events.filter((event) => event.type === 'martello.view.v1').map((event) => event.data.item)"
    page.wait_for_function(f"() => {viewed}.length >= 2")
    assert page.evaluate(viewed) == list(DECISION.items[:2])
    started = page.evaluate("performance.now()")
    page.evaluate("scrollTo(0, 2000)")
    page.wait_for_function(f"() => {viewed}.length >= 4")
    assert page.evaluate("performance.now()") - started > 990
    assert set(page.evaluate(viewed)) == {*DECISION.items[:2], *DECISION.items[5:7]}


def test_a_sender_that_fails_does_not_break_the_page(opened):
    page = opened(KEPT, before="window.options = { send: () => { throw new Error('no network'); } };")
    page.wait_for_function("() => document.querySelectorAll('li').length === 10")
    page.evaluate("observed.flush(); observed.stop()")
    assert page.complaints == []
