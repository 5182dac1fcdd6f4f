"""Events come in, decisions are made as of a moment, and the log says which; a release without features has neither."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from running_server import lines_on_disk, start_server
from tiny_server import TOKEN

from martello.errors import DataError
from martello.serve import Client

MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)
MAY_MICROS = 1_777_636_800_000_000


@pytest.fixture(scope="module")
def featured(tmp_path_factory):
    with start_server(tmp_path_factory.mktemp("log"), "--featured") as running:
        yield running


@pytest.fixture
def client(featured):
    with Client(featured.url, TOKEN) as asking:
        yield asking


def visit(id_: int, at: int = 0, user: str = "ann") -> dict:
    return {"id": id_, "user": user, "at": at}


def test_events_are_counted_once_and_those_at_fault_are_named(client):
    first = client.post_events("visits", [visit(1), visit(2), {"user": "ann"}])
    assert (first.accepted, first.duplicates, first.late) == (2, 0, 0)
    assert [each["code"] for each in first.rejected] == ["features.event-incomplete"]
    again = client.post_events("visits", [visit(1), visit(3)])
    assert (again.accepted, again.duplicates) == (1, 1)


def test_a_decision_says_as_of_when_and_with_which_features(client, featured):
    client.post_events("visits", [visit(100, MAY_MICROS - 1), visit(101, MAY_MICROS)])
    before = client.decide({"age": 50}, at=MAY)
    (logged,) = [entry for entry in lines_on_disk(featured.log_dir) if entry.get("id") == before.id]
    assert (logged["as_of"], logged["definition"]) == (MAY_MICROS, "definition-tiny")
    read = client.decision(before.id)
    assert (read.as_of, read.definition) == (MAY, "definition-tiny")
    later = client.decision(client.decide({"age": 50}).id)
    assert later.values["visits"] == read.values["visits"] + 1
    assert abs((later.as_of - later.at).total_seconds()) < 1


def test_several_units_have_a_moment_each(client):
    client.post_events("visits", [visit(200, MAY_MICROS - 1)])
    answers = client.decide_many([{"age": 1}, {"age": 2}], at=[datetime(1970, 1, 1, tzinfo=UTC), MAY])
    early, late = (client.decision(answer.id).values["visits"] for answer in answers)
    assert early == 0 < late


def test_a_moment_ahead_of_us_is_refused(client):
    with pytest.raises(DataError) as caught:
        client.decide({"age": 50}, at=datetime(2999, 1, 1, tzinfo=UTC))
    assert caught.value.code == "serve.no-such-moment"


def test_an_unknown_source_is_named_with_the_nearest(client):
    with pytest.raises(DataError) as caught:
        client.post_events("visit", [])
    assert (caught.value.code, caught.value.fix) == ("serve.unknown-source", "did you mean 'visits'?")


@pytest.mark.parametrize("body", [{"source": "visits"}, {"source": "visits", "events": [1]}, {"events": []}, []])
def test_a_body_of_another_shape_is_refused(featured, body):
    status, _, problem = featured.ask("POST", "/events", body)
    assert (status, problem["code"]) == (400, "serve.wrong-shape")


def test_too_many_events_at_once_are_refused(featured):
    body = {"source": "visits", "events": [{}] * 1001}
    status, _, problem = featured.ask("POST", "/events", body)
    assert (status, problem["code"]) == (413, "serve.too-many-rows")


def test_a_state_that_cannot_be_written_is_told_as_such(featured):
    body = {"source": "visits", "events": [visit(7, user="full")]}
    status, _, problem = featured.ask("POST", "/events", body)
    assert (status, problem["code"]) == (503, "features.state-unavailable")


def test_decisions_do_not_wait_for_events_that_take_long(featured):
    """The slow delivery has begun and not ended when the decision is answered: order, not time, is looked at."""
    done: list[str] = []

    def slow():
        featured.ask("POST", "/events", {"source": "visits", "events": [visit(900, user="slow")] * 4})
        done.append("events")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slow)
        for _ in range(20):
            assert featured.decide(50)[0] == 200
        done.append("decisions")
        waiting.result()
    assert done == ["decisions", "events"]


def test_the_document_says_what_an_event_is(featured):
    _, _, document = featured.ask("GET", "/openapi.json")
    schemas = document["components"]["schemas"]
    assert document["paths"]["/events"]["post"]["operationId"] == "send_events"
    assert schemas["SentEvents"]["properties"]["source"]["enum"] == ["visits"]
    assert set(schemas["Event1"]["properties"]) == {"id", "user", "at"}
    assert "at" in schemas["Row"]["properties"]
    example = document["paths"]["/events"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert featured.ask("POST", "/events", {**example["one"]["value"], "events": []})[0] == 200


def test_without_features_there_is_neither_a_route_nor_a_moment(server):
    assert server.ask("POST", "/events", {"source": "visits", "events": []})[0] == 404
    status, _, problem = server.ask("POST", "/decide", {"input": {"age": 50}, "at": "2026-05-01T12:00:00Z"})
    assert (status, problem["code"]) == (400, "serve.no-such-moment")
    _, _, document = server.ask("GET", "/openapi.json")
    assert "/events" not in document["paths"]
    assert "at" not in document["components"]["schemas"]["Row"]["properties"]
    _, answer = server.decide(50)
    (logged,) = [entry for entry in lines_on_disk(server.log_dir) if entry.get("id") == answer["id"]]
    assert not {"as_of", "definition"} & set(logged)
