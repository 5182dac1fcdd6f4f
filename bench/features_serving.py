"""The hot route with eight row features and with history, against the same route without: in process and over HTTP.

One request has seven inputs; the model is the constant rule, so that what differs is the features. History reads two
groups of one key from a state of 200,000 events, a hundred per key. Writes bench/results/features_serving.json.
"""

from __future__ import annotations

import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from martello import Client, __version__
from martello.corridor.opened import Contract, make_release, state_file
from martello.features.declared import DeclaredFeatures, declare_features
from martello.features.history.state import State
from martello.features.values import Reader
from martello.serve import run
from martello.spec.schema import Feature, Field, Source

INPUTS = (
    Field(name="user", type="category", feature_only=True),
    Field(name="views", type="integer"),
    Field(name="clicks", type="integer"),
    Field(name="price", type="number", optional=True),
    Field(name="title", type="text"),
    Field(name="query", type="text"),
    Field(name="country", type="category", optional=True),
)
ROW_FEATURES = {
    "ctr": "clicks / views",
    "hour": "hour(now)",
    "hit": "contains(lower(title), lower(query))",
    "title_length": "length(title)",
    "band": "case when price is null then 'none' when price < 20 then 'low' when price < 100 then 'mid' "
    "else 'high' end",
    "log_price": "ln(1 + coalesce(price, 0))",
    "is_home": "coalesce(country, '??') in ('DE', 'AT', 'CH')",
    "is_long": "title_length > 30",
}
EVENTS = Source(
    name="opens", table="none", id="id", key=("user",), time="at", known_at="at",
    columns={"id": "integer", "user": "category", "at": "time", "size": "number"},
)  # fmt: skip
HISTORY = (
    Feature(name="n", source="opens", agg="count", window="7d"),
    Feature(name="total", source="opens", agg="sum", value="size", window="7d"),
    Feature(name="last", source="opens", agg="last", value="at", window="7d"),
    Feature(name="large", source="opens", agg="count", window="7d", where="size > 0.5"),
)
ASKED = {
    "user": "u17",
    "views": 20,
    "clicks": 3,
    "price": 19.5,
    "title": "A walk in the Park",
    "query": "park",
    "country": "DE",
}
N_EVENTS, N_USERS = 200_000, 2_000
CALLS, ROUNDS, REQUESTS = 5_000, 11, 2_000
TOKEN = "bench"


def features(kind: str) -> DeclaredFeatures | None:
    """Give the features of a case."""
    rows = tuple(Feature(name=name, expression=text) for name, text in ROW_FEATURES.items())
    if kind == "without":
        return None
    return (
        declare_features(INPUTS, (), rows)
        if kind == "8 row features"
        else declare_features(INPUTS, (EVENTS,), (*HISTORY, *rows))
    )


def release(kind: str, state: Path) -> Any:
    """Make a release of a case in memory."""
    declared = features(kind)
    read = Reader(INPUTS).definition
    contract = Contract(
        name="bench", question="?", fields=INPUTS, missing=(), learner="constant", classes=("no", "yes"),
        positive="yes", threshold=0.5, definition=declared.definition(read) if declared else read,
    )  # fmt: skip
    return make_release(f"release-{kind}", contract, MODEL, declared, state)


def fill(state: Path) -> None:
    """Put events of a week into the state."""
    declared = features("8 row features and history")
    assert declared is not None
    rng, newest = random.Random(1), time.time_ns() // 1000
    span = 7 * 86_400_000_000
    with State(state_file(state, declared), declared.history) as own:
        own.put(
            "opens",
            (
                {
                    "id": n,
                    "user": f"u{rng.randrange(N_USERS)}",
                    "at": newest - span + n * span // N_EVENTS,
                    "size": rng.random(),
                }
                for n in range(N_EVENTS)
            ),
        )


def per_call(call: Callable[[], object]) -> float:
    """Give microseconds of processor time per call: the best of some rounds, since others use the machine, too."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS):
            call()
        rounds.append((time.process_time() - started) / CALLS * 1e6)
    return min(rounds)


def over_http(kind: str, state: Path) -> dict[str, float]:
    """Ask one request after the other on one connection; give the median and the 99th percentile in milliseconds."""
    with (
        tempfile.TemporaryDirectory() as log,
        subprocess.Popen([sys.executable, __file__, "serve", kind, str(state), log], stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        try:
            with Client(f"http://127.0.0.1:{int(process.stdout.readline())}", TOKEN) as client:
                times = []
                for _ in range(REQUESTS):
                    started = time.perf_counter()
                    client.decide(ASKED)
                    times.append((time.perf_counter() - started) * 1e3)
        finally:
            process.terminate()
    times.sort()
    return {"p50_ms": statistics.median(times), "p99_ms": times[int(0.99 * len(times))]}


#: The constant rule as it is stored.
MODEL = {"shares.json": b"[0.7,0.3]"}


def main() -> None:
    """Measure, print and write."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        fill(state)
        found: dict[str, Any] = {}
        for kind in ("without", "8 row features", "8 row features and history"):
            served = release(kind, state)
            found[kind] = {"decide_us": per_call(partial(served.decide, ASKED)), **over_http(kind, state)}
            print(kind, found[kind], flush=True)
    result = {
        "martello": __version__, "python": platform.python_version(), "machine": platform.machine(),
        "events": N_EVENTS, "users": N_USERS, "cases": found,
    }  # fmt: skip
    Path(__file__).parent.joinpath("results", "features_serving.json").write_text(json.dumps(result, indent=2) + "\n")


def serve(kind: str, state: str, log: str) -> None:
    """Serve a case until stopped."""
    run(release(kind, Path(state)), log_dir=Path(log), token=TOKEN, ready=lambda port: print(port, flush=True))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        main()
