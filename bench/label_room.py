"""How long an annotator waits: twenty people on a pool of a million units, each answer on disk when acknowledged.

    python bench/label_room.py                     # everything below, three times; writes bench/results/label_room.json
    python bench/label_room.py --http --dry        # over HTTP only, against a real server process; prints
    python bench/label_room.py --units 10000 --answers 20 --runs 1 --dry

Three loads: straight at the room from twenty threads, as fast as they can; over HTTP from twenty kept connections of
one other process, each person looking half a second at a unit and asking for the meter after each answer, as the page
does; and over HTTP as fast as the twenty can, which no people are. Targets, at a person's pace on 2 cores: an answer is
acknowledged, and the next unit is there, within 50 ms for 95 of 100.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from martello import __version__
from martello.label.choose_gold import GoldPlan
from martello.label.contract import ShownField, Submission, UnitView
from martello.label.register import Register
from martello.label.room import Room, RoomPlan, open_room

_RESULTS = Path(__file__).parent / "results" / "label_room.json"
_TARGET_MS = 50.0
_METER_AFTER = 0.3  # the page asks for the meter so long after an answer, unless another one follows


class Desk(Protocol):
    """What one annotator sits at; gives and takes (assignment, unit)."""

    def next(self, k: int, holding: list[str]) -> list[tuple[str, str]]: ...

    def submit(self, sent: Submission) -> None: ...

    def meter(self) -> None: ...


class RoomDesk:
    """At the room itself, in its own process."""

    def __init__(self, room: Room, name: str) -> None:
        self._room, self._name = room, name

    def next(self, k: int, holding: list[str]) -> list[tuple[str, str]]:
        found = self._room.next(self._name, k, holding=holding)
        return [(each.assignment, each.view.unit) for each in found]

    def submit(self, sent: Submission) -> None:
        self._room.submit(self._name, sent)

    def meter(self) -> None:
        pass  # the page's server shares one among all


class HttpDesk:
    """At a page in another process, over one kept connection."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.connect()
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def _ask(self, path: str, body: object = None) -> Any:
        payload = None if body is None else json.dumps(body)
        self._connection.request("GET" if body is None else "POST", path, payload, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def next(self, k: int, holding: list[str]) -> list[tuple[str, str]]:
        found = self._ask("/label/next", {"k": k, "holding": holding})
        return [(each["assignment"], each["unit"]) for each in found["units"]]

    def submit(self, sent: Submission) -> None:
        fields = ("submit_id", "assignment", "unit", "act", "answer")
        self._ask("/label/submit", {name: getattr(sent, name) for name in fields})

    def meter(self) -> None:
        self._ask("/label/meter")


def measure(desks: Sequence[Desk], *, answers: int, think: float, run: int) -> dict[str, Any]:
    """Let people answer, and say how long each request took."""
    waits: dict[str, list[float]] = {"next": [], "submit": [], "meter": []}
    start = threading.Barrier(len(desks) + 1)

    def annotate(desk: Desk, seed: int) -> None:
        rng, taken = np.random.default_rng([run, seed]), list[tuple[str, str]]()
        mine: dict[str, list[float]] = {name: [] for name in waits}

        def timed(name: str, work: Callable[[], Any]) -> Any:
            began = time.perf_counter()
            found = work()
            mine[name].append(time.perf_counter() - began)
            return found

        start.wait()
        for n in range(answers):
            # always three at hand, as the page does
            held = [assignment for assignment, _ in taken]
            taken += timed("next", partial(desk.next, 3 - len(held), held))
            if not taken:
                break
            pause = think * rng.uniform(0.5, 1.5)
            time.sleep(min(pause, _METER_AFTER))
            if pause > _METER_AFTER:
                timed("meter", desk.meter)
                time.sleep(pause - _METER_AFTER)
            assignment, unit = taken.pop(0)
            answer = "yes" if rng.random() < 0.8 else "no"
            sent = Submission(
                submit_id=f"{run}-{seed}-{n}", assignment=assignment, unit=unit, act="label", answer=answer
            )
            timed("submit", partial(desk.submit, sent))
        for name, found in mine.items():
            waits[name] += found

    threads = [threading.Thread(target=annotate, args=(desk, i)) for i, desk in enumerate(desks)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    told = {name: _told(seconds) for name, seconds in waits.items() if seconds}
    return {"answers_per_s": round(len(waits["submit"]) / took, 1), **told}


def _told(seconds: list[float]) -> dict[str, float]:
    """Give median, 95th and 99th percentile and maximum, in milliseconds."""
    p50, p95, p99, top = np.percentile(np.array(seconds) * 1000, [50, 95, 99, 100]).round(2).tolist()
    return {"n": len(seconds), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "max_ms": top}


def open_big(directory: Path, n_units: int) -> Room:
    """Open a gold campaign over a big pool whose verdict stays open."""
    scores = np.random.default_rng(1).uniform(0, 1, n_units)
    units = [f"unit-{i}" for i in range(n_units)]
    plan = RoomPlan(name="bench", question="?", classes=("no", "yes"), positive="yes", purpose="gold", seed=1)
    gold = GoldPlan(scores=scores, threshold=0.5, precision=0.80)

    def view(at: int) -> UnitView:
        fields = [ShownField(name=f"input {i}", show="line", value=at * i) for i in range(8)]
        return UnitView(unit=units[at], fields=(*fields, ShownField(name="text", show="text", value="a word " * 60)))

    return open_room(directory, plan, units, view, gold=gold)


def _serve(directory: Path, n_units: int, ready: Connection) -> None:
    from martello.web.app import create_app
    from martello.web.server import run

    with open_big(directory, n_units) as room:
        app = create_app(project=None, room=room, register=Register(directory))
        run(app, port=0, ready=lambda url: ready.send(int(url.rpartition(":")[2])))


def at_the_room(options: argparse.Namespace, run: int) -> dict[str, Any]:
    """Measure the room without its page."""
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        began = time.perf_counter()
        with open_big(Path(place), options.units) as room:
            opened = time.perf_counter() - began
            desks = [RoomDesk(room, f"annotator-{i}") for i in range(options.annotators)]
            found = measure(desks, answers=options.answers, think=0.0, run=run)
            began = time.perf_counter()
            room.meter()
            metered = time.perf_counter() - began
        began = time.perf_counter()
        with open_big(Path(place), options.units):
            again = time.perf_counter() - began
    times = {"open_s": opened, "reopen_s": again, "meter_first_s": metered}
    return {name: round(seconds, 2) for name, seconds in times.items()} | found


def over_http(options: argparse.Namespace, run: int, *, think: float) -> dict[str, Any]:
    """Measure the page's server, a process of its own."""
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        register = Register(Path(place))
        tokens = [register.invite(f"annotator-{i}") for i in range(options.annotators)]
        context = multiprocessing.get_context("spawn")
        listening, ready = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(Path(place), options.units, ready))
        process.start()
        port = listening.recv()
        try:
            desks = [HttpDesk(port, token) for token in tokens]
            return measure(desks, answers=options.answers, think=think, run=run)
        finally:
            process.terminate()
            process.join()


def spread(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Give every figure of the runs, smallest to largest."""
    first = runs[0]
    return {
        name: spread([run[name] for run in runs])
        if isinstance(first[name], dict)
        else sorted(run[name] for run in runs)
        for name in first
    }


def main() -> None:
    """Run and write, or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--annotators", type=int, default=20)
    parser.add_argument("--answers", type=int, default=60, help="of each annotator")
    parser.add_argument("--think", type=float, default=0.5, help="seconds a person looks at a unit")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--http", action="store_true", help="only over HTTP")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    parser.add_argument("--directory", type=Path, help="where the book is kept (default: a temporary directory)")
    options = parser.parse_args()
    loads: dict[str, Callable[[int], dict[str, Any]]] = {
        "http": lambda run: over_http(options, run, think=options.think),
        "http_as_fast_as_they_can": lambda run: over_http(options, run, think=0.0),
    }
    if not options.http:
        loads["room_as_fast_as_they_can"] = lambda run: at_the_room(options, run)
    found = {name: spread([load(run) for run in range(options.runs)]) for name, load in loads.items()}
    worst = {name: found["http"][name]["p95_ms"][-1] for name in ("submit", "next")}
    report = {
        "what": "milliseconds a request takes while all annotators answer; figures of the runs, smallest to largest",
        "date": datetime.now(UTC).date().isoformat(),
        "martello": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}, {os.cpu_count()} cores",
        "units": options.units,
        "annotators": options.annotators,
        "answers_each": options.answers,
        "think_s": options.think,
        "target": f"http: p95 of submit and of next under {_TARGET_MS:g} ms",
        "met": all(each < _TARGET_MS for each in worst.values()),
        **found,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if not options.dry:
        _RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
