"""A small campaign with a real room, served by a real process that tests may kill.

The parent process invites people through the register's file and reads the answers back from the book's, so what it
counts is what is on disk.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import signal
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from martello.label.choose_gold import GoldPlan
from martello.label.choose_training import TrainingPlan
from martello.label.contract import ShownField, UnitView
from martello.label.register import Register
from martello.label.room import Room, RoomPlan, open_room

__all__ = ["CLASSES", "QUESTION", "Served", "open_world"]

QUESTION = "Does this person earn more than 50,000 a year?"
CLASSES = ("no", "yes")
LONG = "I ordered this in my usual size and it runs large. " * 40
RTL = "מהנדסת תוכנה בכירה"
#: Processes begin as copies of one that has read the program already, so that a start costs little.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["martello.web.app", "martello.web.server", "martello.label.room"])
#: A picture of one pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@dataclass
class InOrder:
    """A sampler that gives the pool in its order."""

    n: int
    name: str = "in order"
    seed: int = 0

    def draw(self, k, labeled, labels, *, drawn):
        left = np.setdiff1d(np.arange(self.n), drawn)[:k]
        return _Draws(left, None, tuple("Next in the list." for _ in left))


@dataclass
class _Draws:
    position: np.ndarray
    probability: np.ndarray | None
    why: tuple[str, ...]


def view(position: int) -> UnitView:
    """Every fifth unit shows something else."""
    fields = [
        ShownField(name="age", show="line", value=20 + position % 50),
        ShownField(name="hours_per_week", show="line", value=None if position % 7 == 0 else 40),
        ShownField(name="name", show="line", value=RTL if position % 3 == 0 else f"Person <b>{position}</b>"),
    ]
    special = {
        1: ShownField(name="note", show="text", value=LONG),
        2: ShownField(name="two notes", show="pair", value=["first text", "second text"]),
        3: ShownField(name="photo", show="image", value="one.png"),
        4: ShownField(name="results", show="candidates", value=["a boot", "a sock", "a hat"]),
    }
    if position % 5:
        fields.append(special[position % 5])
    return UnitView(unit=f"u{position}", fields=tuple(fields))


def open_world(
    directory: Path, *, purpose: str = "training", n: int = 400, target: int = 300, classes: tuple[str, ...] = CLASSES
) -> Room:
    """Open the campaign in a directory; gold is proved after a few answers "yes"."""
    units = [f"u{i}" for i in range(n)]
    plan = RoomPlan(
        name="income",
        question=QUESTION,
        classes=classes,
        positive=classes[-1] if len(classes) == 2 else None,
        purpose=purpose,
        overlap=0.0,
        check_share=0.0,
    )
    if purpose == "training":
        training = TrainingPlan(side=np.full(n, "train"), target=target, sampler=InOrder(n))
        return open_room(directory, plan, units, view, training=training)
    gold = GoldPlan(scores=np.full(n, 0.9), threshold=0.5, precision=0.6, sampler="random")
    return open_room(directory, plan, units, view, gold=gold)


@dataclass
class Served:
    """The server process of one campaign, always on one port, so that a browser finds it again."""

    directory: Path
    options: dict = field(default_factory=dict)
    open: Callable[..., Room] = open_world
    port: int = 0
    process: multiprocessing.Process | None = None

    def __post_init__(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "one.png").write_bytes(PNG)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.register = Register(self.directory / "room")
        self.tokens = {
            "Ada": self.register.invite("Ada"),
            "Bo": self.register.invite("Bo"),
            "lead": self.register.invite("lead", role="owner", days=None),
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def link(self, name: str) -> str:
        return f"{self.url}/enter/{self.tokens[name]}"

    def start(self) -> Served:
        listening, ready = _PROCESSES.Pipe(duplex=False)
        self.process = _PROCESSES.Process(
            target=_main, args=(self.directory, self.port, self.open, self.options, ready)
        )
        self.process.start()
        ready.close()
        assert listening.recv() == self.url
        listening.close()
        return self

    def kill(self) -> None:
        """SIGKILL: nothing is said goodbye to."""
        self.process.kill()
        self.process.join()
        assert self.process.exitcode == -signal.SIGKILL

    def stop(self) -> int:
        self.process.terminate()
        self.process.join(timeout=20)
        return self.process.exitcode

    def ask(self, path: str, body: object = None, *, name: str = "Ada", **headers: str) -> tuple[int, dict]:
        """Ask as a program would, with a bearer token."""
        sent = {"authorization": f"Bearer {self.tokens[name]}"} if name else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        payload = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, payload, sent | headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if "json" in answer.getheader("content-type", "") else {"text": text}

    def answers(self) -> list[tuple[str, str, str | None]]:
        """Read what is on disk once the server has stopped: (annotator, unit, answer)."""
        self.stop()
        with self.open(self.directory / "room", **self.options) as room:
            return [
                (name, each.view.unit, each.answer if each.act == "label" else each.act)
                for name in ("Ada", "Bo", "lead")
                for each in room.answered(name, limit=10_000)
            ]

    def assert_each_once(self, expected: dict[str, str]) -> None:
        """Hold the book to what a person did: every unit, its answer, once."""
        found = self.answers()
        twice = [unit for unit, n in Counter(unit for _, unit, _ in found).items() if n > 1]
        kept = {unit: answer for _, unit, answer in found}
        assert (twice, kept) == ([], expected), f"twice: {twice}; on disk: {kept}; given: {expected}"


def _main(directory: Path, port: int, open: Callable[..., Room], options: dict, ready: Connection) -> None:
    from martello.corridor.project import open_project
    from martello.web.app import create_app
    from martello.web.server import run

    register = Register(directory / "room")
    if "project" in options:
        with open_project(options["project"]) as project:
            run(create_app(project=project, room=None, register=register), port=port, ready=ready.send)
        return
    with open(directory / "room", **options) as room:
        run(create_app(project=None, room=room, register=register, images=directory), port=port, ready=ready.send)
