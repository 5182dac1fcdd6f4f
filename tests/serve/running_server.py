"""A tiny server as its own process, and what tests ask of it without the client under test."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from zlib import crc32

from tiny_server import TOKEN

SCRIPT = Path(__file__).with_name("tiny_server.py")


class Running:
    """A server that listens: where, with which process, and where its log lies."""

    def __init__(self, process: subprocess.Popen, url: str, log_dir: Path) -> None:
        self.process = process
        self.url = url
        self.log_dir = log_dir
        self.address = (urlsplit(url).hostname, urlsplit(url).port)

    def ask(self, method, path, body=None, *, headers=None, token=TOKEN):
        """Send one request on a fresh connection; give status, headers and the decoded body."""
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        is_json = "json" in response.headers.get("content-type", "")
        return response.status, response.headers, json.loads(content) if is_json and content else content

    def decide(self, age, unit=None):
        status, _, answer = self.ask("POST", "/decide", {"unit": unit, "input": {"age": age}})
        return status, answer

    def stop(self, number=signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=20)

    def peak_memory(self) -> int:
        """Largest resident size of the process so far, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


@contextmanager
def start_server(log_dir: Path, *options: str) -> Iterator[Running]:
    command = [sys.executable, str(SCRIPT), str(log_dir), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as process:
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(process.stderr.read().decode())
            yield Running(process, json.loads(line)["url"], log_dir)
        finally:
            process.kill()


def lines_on_disk(log_dir: Path) -> list[dict]:
    """Read whole lines of a log with the standard library only, as the format is described."""
    found = []
    for path in sorted(log_dir.glob("*.log")):
        for line in path.read_bytes().split(b"\n"):
            length, checksum, payload = line[:8], line[9:17], line[18:]
            if payload and int(length, 16) == len(payload) and int(checksum, 16) == crc32(payload):
                found.append(json.loads(payload))
    return found


def ids_on_disk(log_dir: Path, kind: str) -> list[str]:
    return [entry["id"] for entry in lines_on_disk(log_dir) if entry["type"] == kind]
