"""How long an annotator waits: twenty people on a pool of a million units, each answer on disk when acknowledged.

    python bench/label_room.py                    # 1,000,000 units, 20 threads, as fast as they can
    python bench/label_room.py --think 0.5        # each person looks half a second at a unit

Prints one JSON object. `measure` takes any two callables, so the same load can be sent through the page.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from martello.label.choose_gold import GoldPlan
from martello.label.contract import Assignment, Submission, UnitView
from martello.label.room import Room, RoomPlan, open_room

Next = Callable[[str, int, list[str]], list[Assignment]]
Submit = Callable[[str, Submission], object]


def measure(next_: Next, submit: Submit, *, annotators: int, answers: int, think: float) -> dict[str, list[float]]:
    """Let people answer and give the seconds that each request took."""
    waits: dict[str, list[float]] = {"next": [], "submit": []}
    start = threading.Barrier(annotators)

    def annotate(seed: int) -> None:
        name, rng = f"annotator-{seed}", np.random.default_rng(seed)
        mine: dict[str, list[float]] = {"next": [], "submit": []}
        taken: list[Assignment] = []
        start.wait()
        for n in range(answers):
            began = time.perf_counter()
            taken += next_(name, 3 - len(taken), [each.assignment for each in taken])  # always three at hand
            mine["next"].append(time.perf_counter() - began)
            if not taken:
                break
            time.sleep(think * rng.uniform(0.5, 1.5))
            here = taken.pop(0)
            sent = Submission(
                submit_id=f"{name}-{n}", assignment=here.assignment, unit=here.view.unit, act="label",
                answer="yes" if rng.random() < 0.8 else "no",
            )  # fmt: skip
            began = time.perf_counter()
            submit(name, sent)
            mine["submit"].append(time.perf_counter() - began)
        for key, found in mine.items():
            waits[key] += found

    threads = [threading.Thread(target=annotate, args=(i,)) for i in range(annotators)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits


def told(seconds: list[float]) -> dict[str, float]:
    """Give median, 95th and 99th percentile and maximum, in milliseconds."""
    p50, p95, p99, top = np.percentile(np.array(seconds) * 1000, [50, 95, 99, 100]).round(2).tolist()
    return {"n": len(seconds), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "max_ms": top}


def open_big(directory: Path, n_units: int) -> Room:
    """Open a gold campaign over a big pool whose verdict stays open."""
    scores = np.random.default_rng(1).uniform(0, 1, n_units)
    units = [f"unit-{i}" for i in range(n_units)]
    plan = RoomPlan(name="bench", question="?", classes=("no", "yes"), positive="yes", purpose="gold", seed=1)
    gold = GoldPlan(scores=scores, threshold=0.5, precision=0.80)
    return open_room(directory, plan, units, lambda at: UnitView(unit=units[at], fields=()), gold=gold)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--annotators", type=int, default=20)
    parser.add_argument("--answers", type=int, default=100, help="of each annotator")
    parser.add_argument("--think", type=float, default=0.0, help="seconds a person looks at a unit")
    parser.add_argument("--directory", type=Path, help="where the book is kept (default: a temporary directory)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as place:
        began = time.perf_counter()
        room = open_big(Path(place), options.units)
        opened = time.perf_counter() - began
        began = time.perf_counter()
        waits = measure(
            lambda name, k, holding: room.next(name, k, holding=holding), room.submit,
            annotators=options.annotators, answers=options.answers, think=options.think,
        )  # fmt: skip
        took = time.perf_counter() - began
        began = time.perf_counter()
        room.meter()
        metered = time.perf_counter() - began
        room.close()
        began = time.perf_counter()
        with open_big(Path(place), options.units):
            again = time.perf_counter() - began
    print(
        json.dumps(
            {
                "units": options.units,
                "annotators": options.annotators,
                "think_s": options.think,
                "open_s": round(opened, 2),
                "reopen_s": round(again, 2),
                "meter_first_s": round(metered, 2),
                "answers_per_s": round(len(waits["submit"]) / took, 1),
                "next": told(waits["next"]),
                "submit": told(waits["submit"]),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
