"""A real server process around a tiny rule: ``python tiny_server.py LOG_DIR``, with options for its limits.

The score of "yes" is age / 100. An age of 666 makes the model fail, 667 makes it give no number, 668 kills the
process, 669 makes the model give a score too few.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from martello.errors import DataError
from martello.serve import Decided, exchange, run, transport
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("log_dir", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--patience", type=float, help="seconds for a request head and for a body")
    asked = parser.parse_args()
    if asked.patience is not None:
        exchange.BODY_SECONDS = exchange.LINGER_SECONDS = transport.HEAD_SECONDS = asked.patience
    run(
        Tiny(),
        port=asked.port,
        log_dir=asked.log_dir,
        token=TOKEN,
        ready=lambda port: print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True),
    )


if __name__ == "__main__":
    main()
