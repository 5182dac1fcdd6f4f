"""The whole stage: every design comes out divided, weighted, and without a leak."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.records import Finding, Sample
from martello.sample import audit_sides, draw_sample, stage
from martello.spec.schema import Field, Output, Population, SampleDesign
from martello.store import Store

FIELDS = (Field(name="x", type="integer"), Field(name="note", type="text", optional=True))
N = 1200
WORDS = [chr(97 + i % 26) + chr(97 + i // 26 % 26) + chr(97 + i // 676) for i in range(5000)]  # numbers read alike


def notes() -> list[str]:
    """Long notes, every tenth nearly that of the unit before it."""
    rng = random.Random(5)
    texts = [" ".join(rng.choices(WORDS, k=60)) for _ in range(N)]
    return [texts[i - 1] + " indeed" if i % 10 == 9 else text for i, text in enumerate(texts)]


def sampled(directory: Path, group: tuple[str, ...] = (), **keys: Any) -> tuple[Sample, pa.Table]:
    table = pa.table(
        {
            "id": list(range(N)),
            "x": list(range(N)),
            "note": notes(),
            "y": ["a"] * N,
            "house": [i // 3 for i in range(N)],
            "kind": ["a" if i // 3 % 5 else "b" for i in range(N)],
            "size": [1.0 + i % 13 for i in range(N)],
        }
    )
    pq.write_table(table, directory / "units.parquet")
    store = Store(directory / "store")
    with DuckDBEngine(directory) as engine:
        _, sample = draw_sample(
            store,
            engine,
            population=Population(source="units.parquet", unit=("id",), group=group),
            fields=FIELDS,
            output=Output(column="y"),
            slices=(),
            design=SampleDesign(**keys),
            n_reserve=100,
            spec_id="spec-1",
        )
    return sample, store.get_table(sample.units)


@pytest.mark.parametrize(
    ("group", "keys"),
    [
        ((), {}),
        ((), {"n": 400}),
        ((), {"design": "simple", "n": 400}),
        ((), {"design": "stratified", "by": ("kind",), "allocation": "equal", "per_stratum": 300}),
        ((), {"design": "pps", "size": "size", "n": 400}),
        (("house",), {"design": "cluster", "clusters": 100}),
        (("house",), {"design": "two_stage", "clusters": 100, "per_cluster": 2}),
    ],
)
def test_every_design_comes_out_divided_and_without_a_leak(
    group: tuple[str, ...], keys: dict[str, Any], tmp_path: Path
) -> None:
    sample, units = sampled(tmp_path, group, **keys)
    assert audit_sides(units) == ()
    pi = units["inclusion_probability"].to_numpy()
    assert ((pi > 0) & (pi <= 1)).all()
    assert {"train", "dev", "gold"} <= {side.split for side in sample.splits}
    assert units["stratum"].null_count == (0 if "by" in keys else units.num_rows)
    rows = dict(zip(units["unit"].to_pylist(), units["split"].to_pylist(), strict=True))
    judged = ("train", "dev", "gold")
    pairs = [(rows.get(str(i)), rows.get(str(i - 1))) for i in range(9, N, 10)]
    both = [(one, other) for one, other in pairs if one in judged and other in judged]
    assert len(both) > 5
    assert all(one == other for one, other in both)
    assert ("train", "reserve") not in pairs
    assert ("reserve", "train") not in pairs


def test_a_draw_too_small_to_judge_by_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        sampled(tmp_path, design="stratified", by=("kind",), allocation="equal", per_stratum=20)
    assert caught.value.code == "sample.too-small"


def test_a_leak_is_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leak = Finding(code="sample.on-two-sides", what="1 unit on two sides", severity="warning")
    monkeypatch.setattr(stage, "audit_sides", lambda units: (leak,))
    with pytest.raises(DataError) as caught:
        sampled(tmp_path, n=400)
    assert caught.value.code == "sample.on-two-sides"
