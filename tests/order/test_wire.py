"""An answer comes out of the wire as it went in, and what a page sends is read or refused by name."""

from __future__ import annotations

import json

import pytest

from martello.errors import DataError
from martello.order.facts import Click, RankedDecision
from martello.order.keys import Keyring, SecretKey, SigningKey
from martello.order.reconcile import State, judge
from martello.order.seal import Sealer
from martello.order.wire import answer_of, read_answer, read_event

DECISION = RankedDecision(decision="d1", items=("10", "9", "a"), at=1)


def test_an_answer_with_its_seal_survives_the_wire():
    signing = SigningKey.new()
    seal = Sealer(SecretKey.new(), signing).seal(DECISION)
    jobs = read_answer(json.dumps(answer_of(DECISION, seal)).encode())
    assert (jobs.decision, tuple(jobs), jobs.seal) == ("d1", DECISION.items, seal)
    assert jobs.check(Keyring(public=[signing.public])) is True


def test_what_a_ranked_list_tells_is_what_a_server_reads():
    jobs = read_answer(json.dumps(answer_of(DECISION)).encode())
    render = read_event(json.loads(json.dumps(jobs.page(1, 2).event(source="home@7"))))
    assert judge(render, DECISION).state is State.KEPT
    assert read_event({"type": "martello.click.v1", "data": {"did": "d1", "item": "a"}}) == Click(
        decision="d1", item="a"
    )
    assert read_event({"id": "v", "type": "martello.view.v1", "data": {"did": "d1", "item": "a"}}) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"decision": "d", "items": [1]}',
        b'{"decision": "d", "items": [{"id": 1}]}',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_a_body_that_is_no_answer_is_refused(body):
    with pytest.raises(DataError) as fault:
        read_answer(body)
    assert fault.value.code == "order.not-an-answer"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"id": "r", "data": 3},
        {"id": "r", "data": {"did": "d"}},
        {"id": "r", "data": {"did": {}, "shown": []}},
        {"id": "r", "data": {"did": "d", "shown": [3]}},
        {"id": "r", "data": {"did": "d", "shown": [{"id": "a", "slot": "1"}]}},
        {"id": "r", "time": "yesterday", "data": {"did": "d", "shown": []}},
        {"data": {"did": "d", "shown": []}},
        {"type": "martello.click.v1", "data": {"did": "d"}},
    ],
)
def test_an_event_that_says_nothing_usable_is_refused(event):
    with pytest.raises(DataError) as fault:
        read_event(event)
    assert fault.value.code == "order.not-an-event"


def test_a_clock_that_runs_ahead_makes_no_list_stale():
    decision = RankedDecision(decision="d1", items=("a",), at=0, expires_at=1_795_478_460_000_000)  # 00:01
    event = {"id": "r", "time": "2026-11-24T05:00:00Z", "data": {"did": "d1", "shown": ["a"]}}
    late = {**event, "received_at": "2026-11-24T05:00:01Z"}
    ahead = {**event, "received_at": "2026-11-24T00:00:30Z"}
    assert [judge(read_event(each), decision).state for each in (late, ahead)] == [State.VIOLATED, State.KEPT]
