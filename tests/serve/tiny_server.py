"""A real server process around a tiny rule: ``python tiny_server.py LOG_DIR``, with options for its limits.

The score of "yes" is age / 100. An age of 666 makes the model fail, 667 makes it give no number, 668 kills the
process, 669 makes the model give a score too few. With ``--featured`` it also counts the visits it was told of; a
visit of the user "slow" takes half a second to take, one of "full" finds no room on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from martello.errors import DataError, EnvironmentFault
from martello.serve import Decided, exchange, run, transport
from martello.serve.contract import EventsTaken
from martello.spec.schema import Field

TOKEN = "tiny-token"


class Tiny:
    release_id = "release-tiny"
    name = "tiny"
    question = "Is this person <old> enough?"
    fields = (
        Field(name="age", type="integer", description="in years"),
        Field(name="income", type="number", optional=True),
        Field(name="job", type="category", optional=True),
        Field(name="note", type="text", optional=True),
        Field(name="member", type="boolean", optional=True),
        Field(name="seen_at", type="time", optional=True),
    )
    classes = ("no", "yes")
    positive = "yes"
    threshold = 0.5

    def decide(self, record):
        for name in record:
            if name not in {field.name for field in self.fields}:
                raise DataError("features.unknown-field", f"{name} is no input", where=f"field {name}")
        age = record.get("age")
        if type(age) is not int:
            raise DataError("features.wrong-type", f"age is {age!r}", where="field age", expected="a whole number")
        if age == 666:
            raise ZeroDivisionError("a fault of the model")
        if age == 668:
            print("the model takes the process down", file=sys.stderr, flush=True)
            os._exit(9)
        score = float("nan") if age == 667 else age / 100
        return Decided(
            values=dict(record),
            scores=(score,) if age == 669 else (1 - score, score),
            output="yes" if score >= 0.5 else "no",
        )


class Featured(Tiny):
    definition = "definition-tiny"

    def __init__(self):
        self.sources = {"visits": {"id": "integer", "user": "category", "at": "time"}}
        self.visits = {}

    def decide_at(self, record, now):
        decided = self.decide(record)
        visits = sum(at < now for at in self.visits.values())
        return Decided(values={**decided.values, "visits": visits}, scores=decided.scores, output=decided.output)

    def take_events(self, source, events, now):
        accepted, faults = 0, []
        for event in events:
            if event.get("user") == "slow":
                time.sleep(0.5)
            if event.get("user") == "full":
                raise EnvironmentFault("features.state-unavailable", "no room on the disk")
            if "id" not in event:
                faults.append(DataError("features.event-incomplete", "an event has no id"))
                continue
            accepted += event["id"] not in self.visits
            self.visits.setdefault(event["id"], event["at"])
        duplicates = len(events) - accepted - len(faults)
        return EventsTaken(accepted=accepted, duplicates=duplicates, late=0, faults=tuple(faults))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("log_dir", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--patience", type=float, help="seconds for a request head and for a body")
    parser.add_argument("--featured", action="store_true")
    asked = parser.parse_args()
    if asked.patience is not None:
        exchange.BODY_SECONDS = exchange.LINGER_SECONDS = transport.HEAD_SECONDS = asked.patience
    run(
        Featured() if asked.featured else Tiny(),
        port=asked.port,
        log_dir=asked.log_dir,
        token=TOKEN,
        ready=lambda port: print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True),
    )


if __name__ == "__main__":
    main()
