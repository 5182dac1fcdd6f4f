"""Values of the declared features for every candidate, and the rankers' view of them.

The declaration is `features.toml`; the feature library computes, from the events strictly before each moment.
"""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from martello.demo.files.task import Events
from martello.engines.duckdb import DuckDBEngine
from martello.features.declared import DeclaredFeatures, declare_features
from martello.features.table import compute_table
from martello.spec.schema import Feature, Field, Source

__all__ = ["RECENCY", "compute", "declared", "ranker_fields"]

#: The feature that the order by recency goes by: the logarithm of the hours since anyone touched the file.
RECENCY = "any_age"

#: Rows computed at once, so that progress can be shown.
_ROWS = 20_000


@cache
def declared() -> DeclaredFeatures:
    """Read and check what `features.toml` declares."""
    return declare_features(*_read())


@cache
def _read() -> tuple[tuple[Field, ...], tuple[Source, ...], tuple[Feature, ...]]:
    text = resources.files("martello.demo.files").joinpath("features.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    features = {name: {"expression": own} if isinstance(own, str) else own for name, own in tables["feature"].items()}
    return (
        msgspec.convert(_named(tables["input"]), tuple[Field, ...]),
        msgspec.convert(_named(tables["source"]), tuple[Source, ...]),
        msgspec.convert(_named(features), tuple[Feature, ...]),
    )


def _named(tables: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, **own} for name, own in tables.items()]


def ranker_fields(*, with_words: bool = True) -> tuple[Field, ...]:
    """Give what a ranker sees; without what the person says, if so wanted."""
    fields = declared().model_fields(_read()[0])
    return tuple(field for field in fields if with_words or not field.name.startswith("words_"))


def compute(
    events: Events, rows: pa.Table, *, advanced: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, list[Any]]:
    """Compute the features that a ranker sees.

    Parameters
    ----------
    events
        What happened.
    rows
        Candidates with `at`, `user`, `latest`, `words` and `path`.
    advanced
        Told of rows done and rows in all.
    """
    found: dict[str, list[Any]] = {field.name: [] for field in ranker_fields()}
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(events.touches, Path(folder, "touches.parquet"))
        pq.write_table(events.pairs, Path(folder, "pairs.parquet"))
        for start in range(0, len(rows), _ROWS):
            part = _inputs(rows.slice(start, _ROWS))
            moments: Sequence[int] = part.pop("at")
            units = [str(start + i) for i in range(len(moments))]
            computed = compute_table(declared(), part, moments, lambda table: DuckDBEngine(Path(folder)), units=units)
            for name, values in found.items():
                values.extend(computed.columns[name])
            advanced(min(start + _ROWS, len(rows)), len(rows))
    return found


def _inputs(rows: pa.Table) -> dict[str, list[Any]]:
    """Give what a request says of each candidate; no words are the empty text."""
    columns: dict[str, list[Any]] = {name: rows[name].to_pylist() for name in ("at", "user", "latest", "path")}
    return columns | {
        "words": [words or "" for words in rows["words"].to_pylist()],
        "name": [PurePosixPath(path).stem or path for path in columns["path"]],
    }
