from __future__ import annotations

import contextlib
import http.client
import json
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from running_server import ids_on_disk, lines_on_disk, start_server
from tiny_server import TOKEN, Tiny

from martello.errors import MartelloError
from martello.serve import run


@contextlib.contextmanager
def raw_connection(server, timeout=20):
    with socket.create_connection(server.address, timeout=timeout) as connection:
        yield connection


def read_all(connection) -> bytes:
    """Read until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def head(path="/decide", *lines) -> bytes:
    fixed = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", "Content-Type: application/json"]
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


def problem_of(answer: bytes) -> dict:
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def test_the_serving_process_is_light():
    heavy = "pandas sklearn sqlalchemy duckdb scipy lightgbm pyarrow fastapi starlette"
    code = f"""
import sys
from martello import serve
import martello.serve.server
assert "uvicorn" not in sys.modules
import martello.serve.transport
print([name for name in {heavy.split()!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("token", ["", "two words", "naïve", "line\n"])
def test_a_server_without_a_plain_token_does_not_start(tmp_path, token):
    with pytest.raises(MartelloError) as refused:
        run(Tiny(), log_dir=tmp_path, token=token, ready=print)
    assert refused.value.code == "serve.bad-token"


def test_a_port_in_use_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(MartelloError) as refused:
            run(Tiny(), port=port, log_dir=tmp_path / "log", token="t", ready=print)
    assert refused.value.code == "serve.port-in-use"
    assert refused.value.where == f"127.0.0.1:{port}"
    assert not (tmp_path / "log").exists()


def test_a_host_that_is_not_ours_is_named(tmp_path):
    with pytest.raises(MartelloError) as refused:
        run(Tiny(), host="192.0.2.1", log_dir=tmp_path, token="t", ready=print)
    assert refused.value.code == "serve.cannot-listen"


def test_a_log_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "log").write_text("a file")
    with pytest.raises(MartelloError) as refused:
        run(Tiny(), log_dir=tmp_path / "log", token="t", ready=print)
    assert refused.value.code == "serve.log-not-writable"


def test_two_servers_may_share_a_log_directory(tmp_path):
    with start_server(tmp_path) as one, start_server(tmp_path) as other:
        ids = [server.decide(age)[1]["id"] for age in range(10) for server in (one, other)]
        assert one.ask("GET", f"/decisions/{ids[1]}")[2]["id"] == ids[1]
        assert (one.stop(), other.stop()) == (0, 0)
    assert sorted(ids_on_disk(tmp_path, "decision")) == sorted(ids)


def test_a_restarted_server_remembers_outcomes_and_decisions(tmp_path):
    row = {"source": "shop", "id": "o-1", "unit": "u", "outcome": "yes"}
    with start_server(tmp_path) as server:
        decision = server.decide(50)[1]["id"]
        server.ask("POST", "/outcomes", {"outcomes": [row]})
        server.stop(signal.SIGKILL)
    with start_server(tmp_path) as server:
        receipts = server.ask("POST", "/outcomes", {"outcomes": [row, row | {"outcome": "no"}]})[2]["outcomes"]
        assert [receipt["status"] for receipt in receipts] == ["duplicate", "conflict"]
        assert server.ask("GET", f"/decisions/{decision}")[0] == 200


class Load:
    """Callers who keep deciding and reporting on kept connections, and remember what was acknowledged."""

    def __init__(self, server, n_wanted, n_callers=4):
        self._server = server
        self._n_wanted = n_wanted
        self.decisions = {}
        self.outcomes = set()
        self.refused = []
        self._enough = threading.Event()
        self._callers = [threading.Thread(target=self._call, args=(number,)) for number in range(n_callers)]
        for caller in self._callers:
            caller.start()

    def wait(self):
        assert self._enough.wait(20)

    def join(self):
        for caller in self._callers:
            caller.join(20)
            assert not caller.is_alive()

    def _call(self, caller):
        connection = http.client.HTTPConnection(*self._server.address, timeout=20)
        with contextlib.suppress(OSError, http.client.HTTPException):
            for number in range(1_000_000):
                age = (number * 7 + caller) % 100
                decided = self._post(connection, "/decide", {"unit": f"{caller}-{number}", "input": {"age": age}})
                self.decisions[decided["id"]] = age
                row = {"source": f"caller-{caller}", "id": str(number), "decision": decided["id"], "outcome": "yes"}
                self._post(connection, "/outcomes", {"outcomes": [row]})
                self.outcomes.add((row["source"], row["id"]))
                if len(self.decisions) >= self._n_wanted:
                    self._enough.set()
        connection.close()

    def _post(self, connection, path, body):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            self.refused.append(answer)
            raise OSError("refused")
        return answer


def assert_all_on_disk_once(load, log_dir):
    entries = lines_on_disk(log_dir)
    decided = [entry for entry in entries if entry["type"] == "decision" and entry["id"] in load.decisions]
    assert sorted(entry["id"] for entry in decided) == sorted(load.decisions)
    assert all(entry["values"] == {"age": load.decisions[entry["id"]]} for entry in decided)
    reported = [(entry["source"], entry["id"]) for entry in entries if entry["type"] == "outcome"]
    assert len(reported) == len(set(reported))
    assert load.outcomes <= set(reported)


def test_killed_under_load_everything_acknowledged_is_on_disk_once(tmp_path):
    with start_server(tmp_path) as server:
        load = Load(server, 300)
        load.wait()
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        load.join()
    assert load.refused == []
    assert_all_on_disk_once(load, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_under_load_it_finishes_and_leaves_cleanly(tmp_path, number):
    with start_server(tmp_path) as server:
        load = Load(server, 300)
        load.wait()
        assert server.stop(number) == 0
        load.join()
        assert server.process.stderr.read() == b""
    assert load.refused == []
    assert_all_on_disk_once(load, tmp_path)
    # Nothing was decided that its caller did not hear of, either.
    assert len(ids_on_disk(tmp_path, "decision")) == len(load.decisions)


def test_a_request_under_way_is_answered_before_the_server_stops(tmp_path):
    with start_server(tmp_path) as server, raw_connection(server) as slow:
        body = b'{"input": {"age": 40}}'
        slow.sendall(head("/decide", f"Content-Length: {len(body)}") + body[:5])
        assert server.decide(1)[0] == 200  # the server has met the slow request by now
        server.process.send_signal(signal.SIGTERM)
        wait_until_refused(server)
        slow.sendall(body[5:])
        answer = read_all(slow)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert problem_of(answer)["id"] in ids_on_disk(tmp_path, "decision")
        assert server.process.wait(20) == 0


def wait_until_refused(server):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(server.address, timeout=20).close()
        except (ConnectionRefusedError, ConnectionResetError):
            return
    raise AssertionError("the server goes on listening")


@contextlib.contextmanager
def small_disk(folder):
    """A file system of 256 KB."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def decide_until_refused(server):
    acknowledged = []
    body = {"input": {"age": 1, "note": "n" * 3000}}
    for _ in range(1000):
        status, headers, answer = server.ask("POST", "/decide", body)
        if status != 200:
            return acknowledged, (status, headers, answer)
        acknowledged.append(answer["id"])
    raise AssertionError("never refused")


def test_a_full_disk_is_a_503_and_room_is_found_again(tmp_path):
    with small_disk(tmp_path / "disk") as disk, start_server(disk / "log") as server:
        filler = disk / "filler"
        filler.write_bytes(bytes(100_000))
        acknowledged, (status, headers, problem) = decide_until_refused(server)
        assert (status, problem["code"]) == (503, "serve.log-not-writable")
        assert "No space left" in problem["what"]
        assert int(headers["retry-after"]) >= 1
        row = {"source": "s", "id": "1", "unit": "u" * 400, "outcome": "yes"}
        filler_2 = disk / "filler_2"
        with contextlib.suppress(OSError):
            filler_2.write_bytes(bytes(300_000))
        assert server.ask("POST", "/outcomes", {"outcomes": [row]})[0] == 503
        assert server.ask("GET", "/readyz")[0] == 503
        assert server.ask("GET", "/healthz")[0] == 200
        assert ids_on_disk(disk / "log", "decision") == acknowledged
        filler.unlink()
        filler_2.unlink()
        assert server.ask("GET", "/readyz")[0] == 200
        status, answer = server.decide(33)
        assert status == 200
        receipts = server.ask("POST", "/outcomes", {"outcomes": [row]})[2]["outcomes"]
        assert receipts[0]["status"] == "accepted"
        assert server.stop() == 0
        assert ids_on_disk(disk / "log", "decision") == [*acknowledged, answer["id"]]


def test_a_file_that_may_not_grow_is_a_503_and_cut_back_to_what_was_acknowledged(tmp_path):
    with start_server(tmp_path) as server:
        first = server.decide(1)[1]["id"]
        (path,) = tmp_path.glob("*.log")
        size = path.stat().st_size
        unlimited = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
        status, problem = server.decide(2)
        assert (status, problem["code"]) == (503, "serve.log-not-writable")
        assert path.stat().st_size == size
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (50, resource.RLIM_INFINITY))
        assert [server.decide(3)[0] for _ in range(5)] == [503] * 5
        assert list(tmp_path.iterdir()) == [path]
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)
        status, answer = server.decide(4)
        assert status == 200
        assert ids_on_disk(tmp_path, "decision") == [first, answer["id"]]


def feed(connection, chunk: bytes, times: int) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(times):
            connection.sendall(chunk)


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_body_of_100_mb_is_refused_without_being_held(tmp_path, framing):
    chunk = bytes(1_000_000)
    with start_server(tmp_path) as server:
        server.decide(1)
        before = server.peak_memory()
        with raw_connection(server) as connection:
            if framing == "chunked":
                connection.sendall(head("/decide", "Transfer-Encoding: chunked"))
                feed(connection, b"%x\r\n%b\r\n" % (len(chunk), chunk), 100)
                feed(connection, b"0\r\n\r\n", 1)
            else:
                connection.sendall(head("/decide", "Content-Length: 100000000"))
                feed(connection, chunk, 100)
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert problem_of(answer)["code"] == "serve.body-too-large"
        assert server.peak_memory() - before < 10_000_000
        assert server.decide(1)[0] == 200


def test_a_large_body_is_refused_before_it_is_sent(tmp_path):
    with start_server(tmp_path) as server, raw_connection(server) as connection:
        connection.sendall(head("/decide", "Content-Length: 100000000", "Expect: 100-continue"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_the_largest_body_allowed_is_taken(tmp_path):
    empty = json.dumps({"input": {"age": 1, "note": ""}})
    body = empty.replace('""', '"' + "n" * (1_000_000 - len(empty)) + '"').encode()
    with start_server(tmp_path) as server:
        assert len(body) == 1_000_000
        assert server.ask("POST", "/decide", body)[0] == 200
        assert server.ask("POST", "/decide", body + b" ")[0] == 413


def test_slow_clients_hold_up_nobody_and_are_let_go(tmp_path):
    with start_server(tmp_path, "--patience", "1") as server, contextlib.ExitStack() as stack:
        slow_heads = [stack.enter_context(raw_connection(server)) for _ in range(30)]
        slow_bodies = [stack.enter_context(raw_connection(server)) for _ in range(30)]
        for connection in slow_heads:
            connection.sendall(b"POST /decide HTTP/1.1\r\nHost: x\r\n")
        for connection in slow_bodies:
            connection.sendall(head("/decide", "Content-Length: 1000") + b'{"input"')
        assert [server.decide(age)[0] for age in range(20)] == [200] * 20
        for connection in slow_heads + slow_bodies:
            answer = read_all(connection)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert problem_of(answer)["code"] == "serve.request-too-slow"


def test_a_silent_connection_is_let_go(tmp_path):
    with start_server(tmp_path, "--patience", "0.2") as server, raw_connection(server) as connection:
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with start_server(tmp_path_factory.mktemp("log")) as running:
        yield running


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
        head("/decide", "Content-Length: -1"),
        head("/decide", "Content-Length: 1", "Content-Length: 2"),
    ],
)
def test_bytes_that_are_no_request_get_the_same_shape_of_fault(shared, sent):
    with raw_connection(shared) as connection:
        connection.sendall(sent)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert problem_of(answer)["code"] == "serve.not-http"


def test_an_endless_head_is_refused_without_being_held(shared):
    before = shared.peak_memory()
    with raw_connection(shared) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        feed(connection, b"x" * 100_000, 500)
        answer = read_all(connection)
    assert answer == b"" or problem_of(answer)["code"] == "serve.head-too-large"
    assert shared.peak_memory() - before < 10_000_000
    assert shared.decide(1)[0] == 200


def test_requests_sent_at_once_are_answered_in_order(shared):
    ages = range(60)
    bodies = [json.dumps({"input": {"age": age, "note": "n" * 4000}}).encode() for age in ages]
    with raw_connection(shared) as connection:
        for body in bodies[:-1]:
            connection.sendall(head("/decide", f"Content-Length: {len(body)}") + body)
        connection.sendall(head("/decide", f"Content-Length: {len(bodies[-1])}", "Connection: close") + bodies[-1])
        answers = read_all(connection)
    bodies = [json.loads(part.split(b"\r\n\r\n", 1)[1]) for part in answers.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [answer["scores"]["yes"] for answer in bodies] == [age / 100 for age in ages]


def test_a_client_that_hangs_up_does_no_harm(shared):
    for sent in (b"POST", head("/decide", "Content-Length: 1000"), head("/decide", "Content-Length: 9") + b"{"):
        with raw_connection(shared) as connection:
            connection.sendall(sent)
    assert shared.decide(1)[0] == 200
