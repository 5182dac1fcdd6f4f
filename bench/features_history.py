"""History features over ten million events and a million moments, against the bare window query, in one run.

Targets: backfill within 2 times of the bare DuckDB window query of the same aggregates (last, count in 7 days, sum in
30 days); reading the same aggregates of one key from the online state under 50 µs at the median. Rounds time the bare
query and each backfill one after the other, so that ratios are paired; seconds of processors are given beside seconds
by the clock, since a busy machine disturbs them less. Writes bench/results/features_history.json.
"""

from __future__ import annotations

import json
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from martello import __version__
from martello.engines.duckdb import DuckDBEngine
from martello.features.history import History, HistoryFeature, Source, State, backfill, declare_history

EVENTS, MOMENTS, KEYS = 10_000_000, 1_000_000, 100_000
ONLINE_EVENTS, ONLINE_KEYS, READS = 500_000, 5_000, 20_000
RUNS = 3
DAY = 86_400_000_000
YEAR = 90 * DAY
START = 1_700_000_000_000_000

OPENS = Source(
    table="events.parquet",
    id="id",
    key=("k",),
    time="ts",
    known_at="ts",
    columns={"id": "integer", "k": "integer", "ts": "time", "v": "number", "title": "category"},
)
COUNTED = {
    "last": HistoryFeature(source="opens", agg="last", value="ts", window="90d"),
    "count_7d": HistoryFeature(source="opens", agg="count", window="7d"),
    "sum_30d": HistoryFeature(source="opens", agg="sum", value="v", window="30d"),
}
SETS = {
    "last time, count 7d, sum 30d": COUNTED,
    "the same, and the last title": COUNTED
    | {"title": HistoryFeature(source="opens", agg="last", value="title", window="90d")},
    "the same, and the last 10 titles": COUNTED
    | {"recent": HistoryFeature(source="opens", agg="last_k", value="title", window="30d", k=10)},
}
BARE = f"""
select id, last_ts, c7, s30 from (
  select id, max(ets) over (partition by k order by ts range between {90 * DAY} preceding and 1 preceding) last_ts,
    count(ets) over (partition by k order by ts range between {7 * DAY} preceding and 1 preceding) c7,
    sum(v) over (partition by k order by ts range between {30 * DAY} preceding and 1 preceding) s30
  from (select null id, k, ts, ts ets, v from {{events}} union all select "row", k, "now", null, null from {{moments}})
) where id is not null"""


def make(directory: Path, events: int, moments: int, keys: int) -> None:
    duckdb.sql(
        f"""copy (select i as id, cast(hash(i) % {keys} as bigint) as k,
              cast({START} + (hash(i + 1000000007) % {YEAR // 1_000_000}) * 1000000 as bigint) as ts,
              (i % 1000) / 10.0 as v, 'title ' || (i % 5000) as title
            from range({events}) as t(i)) to '{directory}/events.parquet' (format parquet)"""
    )
    duckdb.sql(
        f"""copy (select i as "row", cast(hash(i + 77) % {keys} as bigint) as k,
              cast({START} + (hash(i + 2000000011) % {YEAR // 1_000_000}) * 1000000 as bigint) as "now"
            from range({moments}) as t(i)) to '{directory}/moments.parquet' (format parquet)"""
    )


def cost(call: Callable[[], object]) -> tuple[float, float]:
    """Give seconds by the clock and seconds of processors."""
    started = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - started[0], time.process_time() - started[1]


def offline(directory: Path) -> dict[str, object]:
    make(directory, EVENTS, MOMENTS, KEYS)
    histories = {name: declare_history({"opens": OPENS}, features) for name, features in SETS.items()}
    with DuckDBEngine(directory) as engine:
        events, moments = engine.relation("events.parquet"), engine.relation("moments.parquet")
        calls: dict[str, Callable[[], object]] = {
            "bare window query": lambda: engine.arrow(BARE.format(events=events, moments=moments)),
            **{name: _backfilling(engine, history, events, moments) for name, history in histories.items()},
        }
        rounds = [{name: cost(call) for name, call in calls.items()} for _ in range(RUNS)]
    found: dict[str, object] = {}
    for name in calls:
        clock = sorted(each[name][0] / each["bare window query"][0] for each in rounds)
        cpu = sorted(each[name][1] / each["bare window query"][1] for each in rounds)
        found[name] = {
            "seconds_median": round(statistics.median(each[name][0] for each in rounds), 2),
            "ratio_by_clock": {"median": round(statistics.median(clock), 2), "high": round(clock[-1], 2)},
            "ratio_by_processors": {"median": round(statistics.median(cpu), 2), "high": round(cpu[-1], 2)},
        }
    return found


def _backfilling(engine: DuckDBEngine, history: History, events: str, moments: str) -> Callable[[], object]:
    return lambda: backfill(engine.arrow, history, {"opens": events}, moments)


def online(directory: Path) -> dict[str, object]:
    make(directory, ONLINE_EVENTS, 1, ONLINE_KEYS)
    rows = duckdb.sql(f"select id, k, ts, v, title from '{directory}/events.parquet' order by ts").fetchall()
    stream = [dict(zip(("id", "k", "ts", "v", "title"), row, strict=True)) for row in rows]
    result: dict[str, object] = {}
    for name, features in SETS.items():
        path = directory / f"state{len(result)}.sqlite"
        with State(path, declare_history({"opens": OPENS}, features)) as state:
            started = time.perf_counter()
            for begin in range(0, len(stream), 1000):
                assert not state.put("opens", stream[begin : begin + 1000]).faults
            taking = time.perf_counter() - started
            draw = random.Random(7)
            times = []
            for _ in range(READS):
                key, now = draw.randrange(ONLINE_KEYS), START + YEAR + draw.randrange(DAY)
                started = time.perf_counter_ns()
                state.read({"k": key}, now)
                times.append(time.perf_counter_ns() - started)
        times.sort()
        result[name] = {
            "read_us_median": round(times[READS // 2] / 1000, 1),
            "read_us_p99": round(times[READS * 99 // 100] / 1000, 1),
            "events_taken_per_second": round(len(stream) / taking),
        }
    return result


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        found_online = online(Path(directory))
        print(json.dumps(found_online, indent=1), file=sys.stderr)
        found_offline = offline(Path(directory))
    result = {
        "what": f"{EVENTS:,} events of {KEYS:,} keys, {MOMENTS:,} moments; online: {ONLINE_EVENTS:,} events of "
        f"{ONLINE_KEYS:,} keys (100 each), file on disk",
        "date": datetime.now(UTC).date().isoformat(),
        "martello": __version__,
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "runs": RUNS,
        "targets": {"ratio of the first set": 2, "read_us_median": 50},
        "offline": found_offline,
        "online": found_online,
    }
    text = json.dumps(result, indent=2)
    (Path(__file__).parent / "results" / "features_history.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
