"""The labeling page in a real Chromium, against a real room behind a real server."""

from __future__ import annotations

import pytest
from labeling_world import QUESTION

pytestmark = pytest.mark.browser


def test_one_unit_at_a_time_with_the_question_on_top_and_the_next_ones_loaded(serve, browse):
    tab = browse().enter(serve())
    tab.unit()
    assert tab.page.inner_text("h1") == QUESTION
    assert "Person <b>" in tab.page.inner_text("#stage") or "מהנדסת" in tab.page.inner_text("#stage")
    tab.page.wait_for_function(
        "() => JSON.parse(sessionStorage['martello units Ada income/training']).queue.length === 4"
    )
    assert tab.complaints == []


def test_digits_answer_and_every_answer_is_on_disk_once(serve, browse):
    served = serve()
    tab = browse().enter(served)
    for key in "1212":
        tab.press(key)
    tab.wait_until_sent()
    served.assert_each_once({"u0": "no", "u1": "yes", "u2": "no", "u3": "yes"})


def test_unsure_and_skip_are_said_by_their_keys(serve, browse):
    served = serve()
    tab = browse().enter(served)
    tab.press("?")
    tab.press("s")
    tab.wait_until_sent()
    served.assert_each_once({"u0": "unsure", "u1": "skip"})


def test_undo_gives_the_unit_back_and_the_second_answer_stands(serve, browse):
    served = serve()
    tab = browse().enter(served)
    tab.press("1")
    tab.wait_until_sent()
    shown = tab.page.inner_text("#stage")
    tab.page.keyboard.press("u")
    tab.page.wait_for_function("text => document.querySelector('#stage').innerText !== text", arg=shown)
    tab.press("2")
    tab.wait_until_sent()
    served.assert_each_once({"u0": "yes"})


def test_undo_after_a_reload_takes_back_the_latest_answer(serve, browse):
    served = serve()
    tab = browse().enter(served)
    tab.press("1")
    tab.press("1")
    tab.wait_until_sent()
    tab.page.reload()
    before = tab.unit()
    tab.page.keyboard.press("u")
    tab.wait_for_another(before)
    tab.press("2")
    tab.wait_until_sent()
    served.assert_each_once({"u0": "no", "u1": "yes"})


def test_a_held_down_key_answers_one_unit(serve, browse):
    served = serve()
    tab = browse().enter(served)
    first = tab.unit()
    for _ in range(5):  # without key up between: repeats
        tab.page.keyboard.down("1")
    tab.wait_for_another(first)
    tab.wait_until_sent()
    served.assert_each_once({"u0": "no"})


def test_buttons_and_candidates_answer_as_keys_do(serve, browse):
    served = serve(classes=["1", "2", "3", "none"])
    tab = browse().enter(served)
    for _ in range(4):
        tab.press("4")
    before = tab.unit()
    tab.page.get_by_role("button", name="a sock").click()
    tab.wait_for_another(before)
    before = tab.unit()
    tab.page.get_by_role("button", name="none").click()
    tab.wait_for_another(before)
    tab.wait_until_sent()
    served.assert_each_once({**{f"u{i}": "none" for i in range(4)}, "u4": "2", "u5": "none"})


def test_more_classes_than_keys_are_found_by_typing(serve, browse):
    served = serve(classes=[f"intent {i}" for i in range(30)])
    tab = browse().enter(served)
    before = tab.unit()
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("t 17")
    tab.page.keyboard.press("Enter")
    tab.wait_for_another(before)
    tab.wait_until_sent()
    served.assert_each_once({"u0": "intent 17"})


def test_single_keys_can_be_turned_off_and_stay_off(serve, browse):
    tab = browse().enter(serve())
    shown = tab.unit()
    tab.page.keyboard.press("h")
    tab.page.get_by_role("checkbox").uncheck()
    tab.page.get_by_role("button", name="Close").click()
    tab.page.reload()
    tab.unit()
    tab.page.keyboard.press("1")
    assert tab.unit() == shown
    assert tab.waiting() == []


def test_gold_ends_when_the_verdict_is_known_and_says_what_was_saved(serve, browse):
    served, tab = serve(purpose="gold", n=200), browse()
    tab.enter(served, "lead")
    done = tab.page.locator("#stage h2[tabindex]")
    while not done.count():
        tab.page.wait_for_selector("#stage[data-assignment], #stage h2[tabindex]")
        tab.page.keyboard.press("2")
        tab.wait_until_sent()
    told = tab.page.inner_text("#stage")
    assert "No more labels are needed" in told
    assert "martello run" in told
    assert tab.page.is_disabled("[data-answer=yes]")
    assert tab.page.evaluate("document.activeElement.tagName") == "H2"
    assert tab.violations() == []
    assert served.ask("/label/next", {"k": 3})[1] == {"units": []}


def test_a_new_unit_is_told_to_who_hears_the_page(serve, browse):
    tab = browse().enter(serve())
    tab.press("1")
    told = tab.page.locator("#say-unit")
    assert told.get_attribute("aria-live") == "polite"
    assert told.inner_text().startswith("New unit. age: 21; hours_per_week: 40")


def test_every_kind_of_unit_fits_the_screen_and_keeps_nobody_out(serve, browse):
    tab = browse().enter(serve())
    for i in range(5):
        tab.unit()
        tab.assert_fits_and_keeps_nobody_out(f"unit {i}")
        tab.press("1")
    assert tab.complaints == []


def test_the_owners_pages_fit_the_screen_and_keep_nobody_out(serve, browse):
    served, tab = serve(), browse()
    served.register.invite("a very long name " * 5, days=3)
    for path in ("/label/team", "/label/guidelines", "/label/disagreements", "/label/answered"):
        tab.enter(served, "lead", to=path)
        tab.assert_fits_and_keeps_nobody_out(path)
    assert tab.complaints == []


def test_guidelines_are_edited_in_place_shown_as_a_change_and_never_run(serve, browse):
    served, tab = serve(), browse()
    tab.enter(served, "lead", to="/label/guidelines")
    tab.page.fill("textarea", "# What counts\n\n- **yes**: paid <script>document.title = 'run'</script>")
    tab.page.get_by_role("button", name="Save").click()
    assert "What changed" in tab.page.inner_text("main")
    tab.page.goto(served.url + "/label")
    beside = tab.page.locator(".guidelines")
    assert beside.get_by_role("heading", name="What counts").is_visible()
    assert "<script>" in beside.inner_text()
    assert tab.page.title() == "income: label · Martello"


def test_two_owners_do_not_write_over_each_other(serve, browse):
    served, tab = serve(), browse()
    tab.enter(served, "lead", to="/label/guidelines")
    other = browse(beside=tab).enter(served, "lead", to="/label/guidelines")
    tab.page.fill("textarea", "first")
    tab.page.get_by_role("button", name="Save").click()
    tab.page.wait_for_selector(".saved")
    other.page.fill("textarea", "second")
    other.page.get_by_role("button", name="Save").click()
    assert other.page.get_by_role("alert").filter(has_text="somebody else").is_visible()
    assert other.page.input_value("textarea") == "second"


def test_the_owner_invites_and_the_link_opens_labeling_only(serve, browse):
    served, tab = serve(), browse()
    tab.enter(served, "lead", to="/label/team")
    tab.page.get_by_label("Name").fill("Cy")
    tab.page.get_by_role("button", name="Make a link").click()
    link = tab.page.inner_text("#invite-link")
    guest = browse()
    guest.page.goto(link)
    guest.page.wait_for_url("**/label")
    assert guest.page.inner_text(".who").endswith("Cy")
    tab.page.get_by_role("button", name="End the access of Cy").click()
    tab.page.wait_for_function("() => document.body.innerText.includes('ended')")
    guest.page.reload()
    assert "not valid" in guest.page.inner_text("h1")
