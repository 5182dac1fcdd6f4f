"""What sampling from ten million rows costs, as a ratio to a bare scan-and-hash of the same rows, in one run.

Target: at most 2 for counting the frame and drawing together, for every design that DuckDB draws by itself. The file is
made by DuckDB in a temporary directory; a round times the bare query, the frame and each design one after the other, so
that each ratio is paired. Writes bench/results/draw.json.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from martello import __version__
from martello.engines.duckdb import DuckDBEngine
from martello.records import Frame
from martello.sample.draw import draw_units
from martello.sample.frame import count_frame
from martello.sample.source import open_source
from martello.spec.schema import Field, Output, Population, SampleDesign

ROWS = 10_000_000
GROUPS = 100_000
N = 10_000
RUNS = 5
FIELDS = (Field(name="x", type="number"),)
DESIGNS = {
    "bernoulli": {"n": N},
    "simple": {"design": "simple", "n": N},
    "stratified": {"design": "stratified", "by": ("kind",), "n": N},
    "neyman": {"design": "stratified", "by": ("kind",), "n": N, "allocation": "neyman", "spread": "x"},
    "cluster": {"design": "cluster", "clusters": N * GROUPS // ROWS},
    "two_stage": {"design": "two_stage", "clusters": N * GROUPS // ROWS * 5, "per_cluster": 20},
}
FRAMES = {"count_frame": False, "count_frame with groups": True}
# Said before the first run, from counting passes: hashing takes nearly all of the bare query; a design adds reading the
# columns it keeps (0.1), counting its strata (0.2; 0.4 with spreads) and ranking the few rows under the cut (0).
PREDICTED = {"bernoulli": 1.1, "simple": 1.1, "stratified": 1.3, "neyman": 1.5, "cluster": 1.1, "two_stage": 1.1}
# From single queries: the engine's own hash of key and content 0.25, fetching hashes of keys 0.25, sorting them 0.05;
# with groups, counting 100,000 of them 0.1.
PREDICTED_FRAME = {"count_frame": 0.55, "count_frame with groups": 0.65}


def make(path: Path) -> None:
    duckdb.sql(
        f"""COPY (SELECT i AS id, i % {GROUPS} AS house, ['a', 'b', 'c', 'd'][1 + (i % 7) % 4] AS kind,
                  (i * 7919 % 10007) / 10007.0 AS x FROM range({ROWS}) AS t(i)) TO '{path}' (FORMAT parquet)"""
    )


def cost(call: Callable[[], object]) -> tuple[float, float]:
    """Give seconds by the clock and seconds of processors, which a busy machine disturbs less."""
    started = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - started[0], time.process_time() - started[1]


def drawing(engine: DuckDBEngine, key: str, design: SampleDesign) -> Callable[[], pa.Table]:
    """Give the call that draws; opening the source and counting the frame are once for all designs, and not in it."""
    is_grouped = design.clusters is not None
    population = Population(source="units.parquet", unit=(key,), group=("house",) if is_grouped else ())
    source = open_source(engine, population, FIELDS, Output(), (), design)
    frame = Frame(
        parents=(),
        source="units.parquet",
        fingerprint="",
        n_units=ROWS,
        n_groups=GROUPS if is_grouped else None,
        unit=(key,),
        findings=(),
    )
    return lambda: draw_units(engine, source, frame, FIELDS, Output(), (), design=design, n_reserve=0).units


def counting(engine: DuckDBEngine, has_group: bool) -> Callable[[], Frame]:
    """Give the call that counts the frame: distinct keys, groups, fingerprint."""
    population = Population(source="units.parquet", unit=("id",), group=("house",) if has_group else ())
    source = open_source(engine, population, FIELDS, Output(), ())
    return lambda: count_frame(engine, source, population, "")


def frame_of(name: str) -> str:
    return list(FRAMES)[name in ("cluster", "two_stage")]


def summary(found: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(found), 2), "low": round(min(found), 2), "high": round(max(found), 2)}


def ratio(rounds: list[dict[str, float]], *names: str) -> dict[str, float]:
    return summary([sum(each[name] for name in names) / each["bare"] for each in rounds])


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        make(Path(directory) / "units.parquet")
        with DuckDBEngine(Path(directory)) as engine:
            relation = engine.relation("units.parquet")
            hashing = (
                f"SELECT count(*) FROM {relation} WHERE md5('0|draw|' || CAST(id AS VARCHAR)) < '004189374bc6a7f0'"
            )
            calls: dict[str, Callable[[], object]] = {"bare": lambda: engine.arrow(hashing)}
            calls |= {name: drawing(engine, "id", SampleDesign(**keys)) for name, keys in DESIGNS.items()}
            calls |= {name: counting(engine, has_group) for name, has_group in FRAMES.items()}
            rows = {name: calls[name]().num_rows for name in DESIGNS}  # type: ignore[attr-defined]
            calls["bare"]()  # warm the file cache
            rounds = [{name: cost(call) for name, call in calls.items()} for _ in range(RUNS)]
    clock, work = ([{name: both[i] for name, both in each.items()} for each in rounds] for i in (0, 1))
    result = {
        "what": "time to draw as a ratio to count(*) where md5(seed | key) < threshold over the same Parquet file, "
        "paired within each round; together: with count_frame (distinct keys, groups, fingerprint)",
        "date": datetime.now(UTC).date().isoformat(),
        "martello": __version__,
        "duckdb": duckdb.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "rows": ROWS,
        "runs": RUNS,
        "target": "at most 2 together",
        "bare_s": summary([each["bare"] for each in clock]),
        "drawn": rows,
        "ratios": {name: ratio(clock, name) for name in DESIGNS},
        "frames": {name: ratio(clock, name) for name in FRAMES},
        "together": {name: ratio(clock, frame_of(name), name) for name in DESIGNS},
        "together_in_processor_time": {name: ratio(work, frame_of(name), name) for name in DESIGNS},
        "predicted": PREDICTED | PREDICTED_FRAME,
    }
    text = json.dumps(result, indent=2)
    if "--dry" not in sys.argv:
        (Path(__file__).parent / "results" / "draw.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
