"""Nothing is lost: networks that go, servers that are killed, tabs that are closed, tabs that are two.

The server is a real process, killed with SIGKILL; the browser is a real Chromium. What counts is what is in the book
after everything has stopped: every answer that a person gave, once.
"""

from __future__ import annotations

import uuid

import pytest

pytestmark = pytest.mark.browser


def units_of(tab) -> str:
    return tab.page.evaluate("JSON.parse(sessionStorage['martello units Ada income/training']).queue[0].unit")


def answer(tab, key: str, given: dict[str, str]) -> None:
    """Answer the unit shown and remember what a person would remember."""
    tab.unit()
    given[units_of(tab)] = {"1": "no", "2": "yes", "?": "unsure", "s": "skip"}[key]
    tab.press(key)


def try_now(tab) -> None:
    """Spare the test the wait between two attempts."""
    tab.page.evaluate("dispatchEvent(new Event('online'))")


def answer_last(tab, key: str, given: dict[str, str]) -> None:
    """Answer when no further unit is loaded."""
    before = tab.unit()
    given[units_of(tab)] = {"1": "no", "2": "yes"}[key]
    tab.page.keyboard.press(key)
    tab.wait_for_another(before)


def test_answers_given_without_a_network_go_out_when_it_is_back(serve, browse):
    served, tab, given = serve(), browse(), {}
    tab.enter(served)
    answer(tab, "1", given)
    tab.wait_until_sent()
    tab.page.wait_for_function(
        "() => JSON.parse(sessionStorage['martello units Ada income/training']).queue.length === 4"
    )
    tab.page.context.set_offline(True)
    for key in "212":
        answer(tab, key, given)
    answer_last(tab, "1", given)
    tab.page.wait_for_function(
        "() => document.querySelector('#sending').textContent === '4 answers waiting for the network'"
    )
    assert tab.page.is_visible("#sending")
    assert len(tab.waiting()) == 4
    tab.page.context.set_offline(False)
    tab.wait_until_sent()
    tab.page.wait_for_selector("#sending", state="hidden")
    answer(tab, "2", given)
    tab.wait_until_sent()
    assert len(given) == 6
    served.assert_each_once(given)


def test_an_answer_not_yet_sent_is_undone_without_a_network(serve, browse):
    served, tab, given = serve(), browse(), {}
    tab.enter(served)
    tab.unit()
    tab.page.wait_for_function(
        "() => JSON.parse(sessionStorage['martello units Ada income/training']).queue.length === 4"
    )
    tab.page.context.set_offline(True)
    answer(tab, "1", given)
    before = tab.unit()
    tab.page.keyboard.press("u")
    tab.wait_for_another(before)
    answer(tab, "2", given)
    tab.page.context.set_offline(False)
    tab.wait_until_sent()
    served.assert_each_once(given)
    assert given == {"u0": "yes"}


def test_a_server_killed_in_the_middle_and_started_again_loses_nothing(serve, browse):
    served, tab, given = serve(), browse(), {}
    tab.enter(served)
    for key in "121":
        answer(tab, key, given)
    tab.page.wait_for_function(
        "() => JSON.parse(sessionStorage['martello units Ada income/training']).queue.length >= 3"
    )
    served.kill()
    for key in "22":
        answer(tab, key, given)
    assert len(tab.waiting()) >= 2
    served.start()
    for key in "?s1":
        answer(tab, key, given)
    tab.wait_until_sent()
    served.assert_each_once(given)
    assert len(given) == 8


def test_killed_while_answers_pour_in(serve, browse):
    served, tab, given = serve(), browse(), {}
    tab.enter(served)
    for round_ in range(3):
        for key in "12":
            answer(tab, key, given)
        served.kill()  # whatever was under way is cut off
        answer(tab, "1", given)
        served.start()
        try_now(tab)
        tab.wait_until_sent()
        assert len(given) == 3 * (round_ + 1)
    served.assert_each_once(given)


def test_an_answer_whose_receipt_was_lost_is_sent_again_and_counts_once(serve, browse):
    served, tab, given = serve(), browse(), {}
    tab.enter(served)
    tab.unit()
    lost = []

    def lose(route):
        if not lost:
            lost.append(route.fetch())  # the server has taken it; the browser is not told
            route.abort()
        else:
            route.continue_()

    tab.page.route("**/label/submit", lose)
    answer(tab, "2", given)
    tab.page.wait_for_selector("#sending", state="visible")
    assert lost[0].status == 200
    assert [act["wasTried"] for act in tab.waiting()] == [True]
    try_now(tab)
    tab.wait_until_sent()
    served.assert_each_once(given)


def test_a_tab_closed_before_sending_sends_when_the_page_is_opened_again(serve, browse):
    served, tab, given = serve(), browse(), {}
    tab.enter(served)
    tab.unit()
    keeper = browse(beside=tab)  # keeps the browser open
    tab.page.wait_for_function(
        "() => JSON.parse(sessionStorage['martello units Ada income/training']).queue.length === 4"
    )
    served.kill()
    for key in "21":
        answer(tab, key, given)
    assert len(tab.waiting()) == 2
    tab.page.close()
    served.start()
    keeper.enter(served)
    keeper.wait_until_sent()
    served.assert_each_once(given)


def test_a_page_reloaded_without_a_server_shows_its_unit_and_takes_answers_once_it_is_back(serve, browse):
    served, tab, given = serve(), browse(), {}
    tab.enter(served)
    answer(tab, "1", given)
    tab.wait_until_sent()
    shown = tab.unit()
    tab.page.reload()
    assert tab.unit() == shown
    answer(tab, "2", given)
    tab.wait_until_sent()
    served.assert_each_once(given)


def test_two_tabs_of_one_person_show_different_units_and_each_answer_counts_once(serve, browse):
    served, first, given = serve(), browse(), {}
    first.enter(served)
    first.unit()
    second = browse(beside=first).enter(served)
    assert first.unit() != second.unit()
    for _ in range(4):
        answer(first, "1", given)
        answer(second, "2", given)
    first.wait_until_sent()
    assert len(given) == 8
    served.assert_each_once(given)


def test_the_outbox_of_one_tab_is_emptied_by_the_other(serve, browse):
    served, first, given = serve(), browse(), {}
    first.enter(served)
    first.unit()
    second = browse(beside=first).enter(served)
    second.unit()
    first.page.wait_for_function(
        "() => JSON.parse(sessionStorage['martello units Ada income/training']).queue.length === 4"
    )
    served.kill()
    answer(first, "1", given)
    answer(first, "2", given)
    first.page.close()
    served.start()
    try_now(second)
    second.wait_until_sent()
    served.assert_each_once(given)


def test_the_same_submit_twice_is_one_label(serve):
    served = serve()
    unit = served.ask("/label/next", {"k": 1})[1]["units"][0]
    act = {"submit_id": str(uuid.uuid4()), "assignment": unit["assignment"], "unit": unit["unit"], "act": "label"}
    receipts = [served.ask("/label/submit", {**act, "answer": "yes"}) for _ in range(3)]
    assert [status for status, _ in receipts] == [200, 200, 200]
    assert [receipt["was_known"] for _, receipt in receipts] == [False, True, True]
    served.assert_each_once({unit["unit"]: "yes"})


def test_an_undo_sent_twice_takes_back_one_answer(serve):
    served = serve()
    acts = []
    for unit in served.ask("/label/next", {"k": 2})[1]["units"]:
        acts.append({"submit_id": str(uuid.uuid4()), "assignment": unit["assignment"], "unit": unit["unit"]})
        served.ask("/label/submit", {**acts[-1], "act": "label", "answer": "no"})
    for _ in range(2):
        status, again = served.ask("/label/undo", {"submit_id": acts[1]["submit_id"]})
        assert (status, again["unit"]["unit"]) == (200, acts[1]["unit"])
    served.assert_each_once({acts[0]["unit"]: "no"})


def test_a_refused_answer_is_shown_with_its_reason_and_can_be_given_again(serve, browse):
    served, tab, given = serve(), browse(), {}
    tab.enter(served)
    tab.unit()
    tab.page.evaluate("document.querySelector('[data-answer=yes]').dataset.answer = 'perhaps'")
    tab.page.click("[data-answer=perhaps]")
    refused = tab.page.locator("#refused")
    refused.wait_for(state="visible")
    assert "'perhaps' is not a class of this task" in refused.inner_text()
    assert len(tab.waiting()) == 1
    tab.page.reload()
    refused.wait_for(state="visible")  # still there: nothing is dropped in silence
    tab.page.get_by_role("button", name="Answer again").click()
    answer(tab, "1", given)
    tab.wait_until_sent()
    refused.wait_for(state="hidden")
    served.assert_each_once({"u0": "no"})


def test_answers_of_one_person_are_never_taken_for_anothers(serve, browse):
    served, tab, given = serve(), browse(), {}
    tab.enter(served)
    tab.unit()
    other = browse(beside=tab).enter(served, "Bo")  # the same browser, opened with another link
    answer(tab, "1", given)
    tab.page.wait_for_selector("#sending", state="visible")
    assert "open as Bo" in tab.page.inner_text("#sending")
    assert len(tab.waiting()) == 1
    other.enter(served, "Ada")
    tab.wait_until_sent()
    assert served.answers() == [("Ada", "u0", "no")]
