from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from datetime import UTC, datetime

import pytest
from running_server import ids_on_disk, start_server
from tiny_server import TOKEN

from martello.errors import DataError, EnvironmentFault
from martello.serve import Client
from martello.serve import client as client_module


@pytest.fixture
def client(server):
    with Client(server.url, TOKEN) as made:
        yield made


@contextlib.contextmanager
def scripted_server(*answers: bytes | None):
    """A server that reads one request per connection and gives the next answer; None closes without a word."""
    received = []

    def serve():
        for answer in answers:
            connection, _ = listening.accept()
            with connection:
                received.append(read_request(connection))
                if answer is not None:
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", received
        thread.join(20)


def read_request(connection) -> bytes:
    request = b""
    while True:
        request += connection.recv(65536)
        head, found, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if found and len(body) >= (int(length[1]) if length else 0):
            return request


def answer(status, body: bytes, kind="application/json"):
    head = f"HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def test_a_decision_is_typed_and_can_be_read_back(client):
    decided = client.decide({"age": 62}, "ann")
    assert (decided.unit, decided.output, decided.release) == ("ann", "yes", "release-tiny")
    assert decided.scores == {"no": 1 - 0.62, "yes": 0.62}
    logged = client.decision(decided.id)
    assert (logged.values, logged.scores, logged.arm, logged.propensity) == ({"age": 62}, decided.scores, None, 1.0)
    assert abs((datetime.now(UTC) - logged.at).total_seconds()) < 60


def test_many_are_decided_in_order_with_or_without_names(client):
    assert [a.unit for a in client.decide_many([{"age": 1}, {"age": 2}], ["a", None])] == ["a", None]
    assert [a.scores["yes"] for a in client.decide_many([{"age": age} for age in (9, 4)])] == [0.09, 0.04]
    assert client.decide_many([]) == []


def test_names_must_be_as_many_as_inputs(client):
    with pytest.raises(ValueError, match="shorter"):
        client.decide_many([{"age": 1}, {"age": 2}], ["a"])


def test_outcomes_get_a_receipt_each(client):
    decided = client.decide({"age": 1})
    row = {"source": "shop", "id": "o", "decision": decided.id, "outcome": "no", "at": datetime.now(UTC)}
    receipts = client.post_outcomes([row, row, row | {"outcome": "yes"}, row | {"outcome": "perhaps"}])
    assert [receipt.status for receipt in receipts] == ["accepted", "duplicate", "conflict", "rejected"]
    assert receipts[3].error["code"] == "serve.unknown-outcome"


def test_the_servers_faults_arrive_as_they_left(client):
    with pytest.raises(DataError) as refused:
        client.decide_many([{"age": "old"}, {"age": 1, "agee": 1}])
    fault = refused.value
    assert (fault.code, fault.where, fault.expected) == ("features.wrong-type", "units[0], field age", "a whole number")
    assert [(other.code, other.where) for other in fault.others] == [("features.unknown-field", "units[1], field agee")]


def test_a_wrong_token_is_named(server):
    with Client(server.url, "wrong") as client, pytest.raises(DataError) as refused:
        client.decide({"age": 1})
    assert refused.value.code == "serve.unauthorized"


def test_an_unknown_decision_is_named_whatever_its_id(client):
    for wanted in ("0123456789ab-1", "a/b", "a b\r\nX: y", "\N{SNOWMAN}"):
        with pytest.raises(DataError) as refused:
            client.decision(wanted)
        assert refused.value.code == "serve.unknown-decision"


def test_the_connection_is_kept(client):
    client.decide({"age": 1})
    kept = client._connection.sock
    client.decide({"age": 2})
    assert client._connection.sock is kept


def test_a_server_that_was_restarted_is_found_again(tmp_path):
    with start_server(tmp_path) as server:
        client = Client(server.url, TOKEN)
        client.decide({"age": 1})
        server.stop()
        assert not client.healthy()
    with start_server(tmp_path, "--port", str(server.address[1])), client:
        assert client.healthy()
        client.decide({"age": 2})
    assert len(ids_on_disk(tmp_path, "decision")) == 2


def test_a_connection_closed_while_idle_costs_no_fault(tmp_path):
    with start_server(tmp_path) as server, Client(server.url, TOKEN) as client:
        client.decide({"age": 1})
        server.stop()
        with start_server(tmp_path, "--port", str(server.address[1])):
            assert client.decide({"age": 2}).output == "no"


def test_nobody_there_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with Client(url, "t") as client:
        assert not client.healthy()
        with pytest.raises(EnvironmentFault) as refused:
            client.decide({})
    assert (refused.value.code, refused.value.where) == ("serve.unreachable", url)


def test_no_answer_in_time_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with Client(url, "t", timeout=0.2) as client, pytest.raises(EnvironmentFault) as refused:
            client.decide({})
    assert refused.value.code == "serve.no-answer"


@pytest.mark.parametrize("status", [200, 404, 502])
def test_something_else_that_answers_is_named(status):
    with (
        scripted_server(answer(status, b"<html>hello", "text/html")) as (url, _),
        Client(url, "t") as client,
        pytest.raises(EnvironmentFault) as refused,
    ):
        client.decide({})
    assert refused.value.code == "serve.not-a-server"


def test_a_decision_is_never_sent_twice():
    with scripted_server(None) as (url, received), Client(url, "t") as client:
        with pytest.raises(EnvironmentFault) as refused:
            client.decide({"age": 1})
        assert refused.value.code == "serve.unreachable"
    assert len(received) == 1


def test_outcomes_are_sent_again_until_they_are_taken(monkeypatch):
    waited = []
    monkeypatch.setattr(client_module.time, "sleep", waited.append)
    busy = json.dumps({"code": "serve.log-behind", "what": "the disk is behind"}).encode()
    taken = answer(200, b'{"outcomes": [{"status": "accepted", "source": "s", "id": "1"}]}')
    row = {"source": "s", "id": "1", "unit": "u", "outcome": "yes"}
    with scripted_server(None, answer(503, busy), None, taken) as (url, received), Client(url, "t") as client:
        assert [receipt.status for receipt in client.post_outcomes(iter([row]))] == ["accepted"]
    assert len({request.split(b"\r\n\r\n")[1] for request in received}) == 1
    assert len(received) == 4
    assert waited == sorted(waited)


def test_outcomes_are_given_up_after_a_few_tries(monkeypatch):
    waited = []
    monkeypatch.setattr(client_module.time, "sleep", waited.append)
    with scripted_server(*[None] * 5) as (url, received), Client(url, "t") as client:
        with pytest.raises(EnvironmentFault) as refused:
            client.post_outcomes([])
        assert refused.value.code == "serve.unreachable"
    assert len(received) == 5
    assert 5 < sum(waited) < 15


def test_a_fault_of_the_caller_is_not_sent_again():
    wrong = json.dumps({"code": "serve.unauthorized", "what": "no"}).encode()
    with scripted_server(answer(401, wrong)) as (url, received), Client(url, "t") as client:
        with pytest.raises(DataError) as refused:
            client.post_outcomes([])
        assert refused.value.code == "serve.unauthorized"
    assert len(received) == 1


@pytest.mark.parametrize("url", ["localhost:80", "ftp://x", "", "http://"])
def test_an_address_of_another_kind_is_named(url):
    with pytest.raises(DataError) as refused:
        Client(url, "t")
    assert refused.value.code == "serve.bad-url"
