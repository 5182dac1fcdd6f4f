"""Eight row features of one request: our closure, hand-written Python, Polars and DuckDB, in one run.

Targets: within 5 times of hand-written Python, at least 50 times faster than Polars and DuckDB. Polars and DuckDB are
called as kindly as their interfaces allow: expressions and the statement are made beforehand, the row is handed over as
it is. All four give the same values on every row of the run, which is checked first. Polars is needed for this file
only. Writes bench/results/features_row.json.
"""

from __future__ import annotations

import json
import math
import platform
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from martello import __version__
from martello.features.expressions import RowFeatures, declare, to_sql

ROUNDS = 15
CALLS = {"martello": 20_000, "hand-written": 40_000, "Polars": 100, "DuckDB": 100}
N_COLUMNS = 100_000
NOW = 1_790_000_000_000_000

COLUMNS = {
    "views": ("integer", False),
    "clicks": ("integer", False),
    "price": ("number", True),
    "title": ("text", False),
    "query": ("text", False),
    "last_open": ("time", True),
    "country": ("category", True),
}
TEXTS = {
    "ctr": "clicks / views",
    "age_h": "hours(now, last_open)",
    "is_fresh": "age_h < 24",
    "hit": "contains(lower(title), lower(query))",
    "title_length": "length(title)",
    "band": "case when price is null then 'none' when price < 20 then 'low' when price < 100 then 'mid' "
    "else 'high' end",
    "log_price": "ln(1 + coalesce(price, 0))",
    "is_home": "coalesce(country, '??') in ('DE', 'AT', 'CH')",
}
Row = dict[str, Any]


def by_hand(row: Row) -> Row:
    """What one writes without a library, for the same values."""
    price, last_open, views = row["price"], row["last_open"], row["views"]
    age = None if last_open is None else (row["now"] - last_open) / 3.6e9
    if price is None:
        band = "none"
    elif price < 20:
        band = "low"
    else:
        band = "mid" if price < 100 else "high"
    return {
        "ctr": row["clicks"] / views if views else None,
        "age_h": age,
        "is_fresh": None if age is None else age < 24,
        "hit": row["query"].lower() in row["title"].lower(),
        "title_length": len(row["title"]),
        "band": band,
        "log_price": math.log(1 + (price or 0)),
        "is_home": row["country"] in ("DE", "AT", "CH"),
    }


def polars_features() -> Callable[[Row], Row]:
    price, age = pl.col("price"), (pl.col("now") - pl.col("last_open")) / 3.6e9
    views = pl.col("views")
    band = pl.when(price.is_null()).then(pl.lit("none")).when(price < 20).then(pl.lit("low"))
    expressions = [
        pl.when(views != 0).then(pl.col("clicks") / views).alias("ctr"),
        age.alias("age_h"),
        (age < 24).alias("is_fresh"),
        pl.col("title").str.to_lowercase().str.contains(pl.col("query").str.to_lowercase(), literal=True).alias("hit"),
        pl.col("title").str.len_chars().alias("title_length"),
        band.when(price < 100).then(pl.lit("mid")).otherwise(pl.lit("high")).alias("band"),
        (1 + price.fill_null(0)).log().alias("log_price"),
        pl.col("country").fill_null("??").is_in(["DE", "AT", "CH"]).alias("is_home"),
    ]
    types = {"integer": pl.Int64, "number": pl.Float64, "text": pl.String, "category": pl.String, "time": pl.Int64}
    schema = {name: types[kind] for name, (kind, _) in COLUMNS.items()} | {"now": pl.Int64}
    return lambda row: pl.DataFrame([row], schema=schema).select(expressions).row(0, named=True)


def duckdb_features() -> Callable[[Row], Row]:
    declared = declare(TEXTS, COLUMNS)
    types = {"integer": "bigint", "number": "double", "text": "varchar", "category": "varchar", "time": "bigint"}
    names = {name: types[kind] for name, (kind, _) in COLUMNS.items()} | {"now": "bigint"}
    given = ", ".join(f'cast(${name} as {kind}) as "{name}"' for name, kind in names.items())
    wanted = ", ".join(f'{to_sql(declared, name, "duckdb")} as "{name}"' for name in TEXTS)
    connection = duckdb.connect(config={"threads": 1})
    statement = f"select {wanted} from (select {given})"
    return lambda row: dict(zip(TEXTS, connection.execute(statement, row).fetchone(), strict=True))


def rows(n: int) -> list[Row]:
    draw = random.Random(5)
    words = ["Settings", "page", "Quarterly", "report", "of", "the", "team", "budget", "draft"]
    return [
        {
            "views": draw.choice([0, 1, 7, 500]),
            "clicks": draw.randrange(7),
            "price": draw.choice([None, 3.5, 20.0, 99.0, 250.0]),
            "title": " ".join(draw.choices(words, k=5)),
            "query": draw.choice(words).upper(),
            "last_open": draw.choice([None, NOW - draw.randrange(10**12)]),
            "country": draw.choice([None, "DE", "FR", "CH"]),
            "now": NOW,
        }
        for _ in range(n)
    ]


def same(found: Row, expected: Row) -> bool:
    return all(
        math.isclose(found[name], value, rel_tol=1e-12) if isinstance(value, float) else found[name] == value
        for name, value in expected.items()
    )


def microseconds(call: Callable[[Row], Row], sample: list[Row], n: int) -> float:
    started = time.perf_counter()
    for place in range(n):
        call(sample[place % len(sample)])
    return (time.perf_counter() - started) / n * 1e6


def main() -> None:
    closure = RowFeatures(declare(TEXTS, COLUMNS))
    calls: dict[str, Callable[[Row], Row]] = {
        "martello": closure.row,
        "hand-written": by_hand,
        "Polars": polars_features(),
        "DuckDB": duckdb_features(),
    }
    sample = rows(200)
    for row in sample:
        assert all(same(call(row), closure.row(row)) for call in calls.values()), row
    found = [{name: microseconds(call, sample, CALLS[name]) for name, call in calls.items()} for _ in range(ROUNDS)]
    many = rows(N_COLUMNS)
    columns = {name: [row[name] for row in many] for name in [*COLUMNS, "now"]}
    started = time.perf_counter()
    closure.columns(columns, N_COLUMNS)
    per_row = (time.perf_counter() - started) / N_COLUMNS * 1e6

    def ratio(above: str, below: str) -> dict[str, float]:
        ratios = sorted(each[above] / each[below] for each in found)
        return {
            "median": round(statistics.median(ratios), 2), "low": round(ratios[0], 2), "high": round(ratios[-1], 2)
        }  # fmt: skip

    result = {
        "what": "eight row features of one request; ratios are paired within each round",
        "date": datetime.now(UTC).date().isoformat(),
        "martello": __version__,
        "python": platform.python_version(),
        "polars": pl.__version__,
        "duckdb": duckdb.__version__,
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "rounds": ROUNDS,
        "targets": {"to hand-written": 5, "Polars to ours": 50, "DuckDB to ours": 50},
        "microseconds_median": {name: round(statistics.median(each[name] for each in found), 2) for name in calls},
        "microseconds_per_row_in_columns": round(per_row, 2),
        "to hand-written": ratio("martello", "hand-written"),
        "Polars to ours": ratio("Polars", "martello"),
        "DuckDB to ours": ratio("DuckDB", "martello"),
    }
    text = json.dumps(result, indent=2)
    (Path(__file__).parent / "results" / "features_row.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
