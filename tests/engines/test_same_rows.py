"""Real tables give the same sample from a file and from a database: units, probabilities, sides, to the last byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engines import postgres_server
from martello.engines import open_engine
from martello.records import Frame, Sample
from martello.sample import draw_sample
from martello.settings import Settings
from martello.spec.schema import Field, Output, Population, SampleDesign
from martello.store import Store

CLIENTS = (
    Field(name="age", type="integer"),
    Field(name="job", type="category", optional=True),
    Field(name="housing", type="category", optional=True),
    Field(name="emp.var.rate", type="number"),
    Field(name="euribor3m", type="number"),
)
SCHOOLS = (
    Field(name="api99", type="number"),
    Field(name="meals", type="integer", optional=True),
    Field(name="avg.ed", type="number", optional=True),
    Field(name="sname", type="text"),
    Field(name="yr.rnd", type="boolean", optional=True),
)


def sampled(
    source: str, directory: Path, url: str | None, fields: tuple[Field, ...], keys: dict[str, Any]
) -> tuple[Frame, Sample, pa.Table]:
    """Run the whole stage from a source."""
    keys = dict(keys)
    label = keys.pop("label")
    population = Population(
        source=source,
        unit=keys.pop("unit", ()),
        group=keys.pop("group", ()),
        where=keys.pop("where", None),
        missing=("unknown",),
    )
    store = Store(directory / "store" / source.replace(":", "-"))
    with open_engine(source, directory, Settings(who="", warehouse=url)) as engine:
        frame, sample = draw_sample(
            store,
            engine,
            population=population,
            fields=fields,
            output=Output(column=label),
            slices=(),
            design=SampleDesign(seed=8, **keys),
            n_reserve=50,
            spec_id="spec-1",
        )
    return frame, sample, store.get_table(sample.units)


def compare(table: pa.Table, directory: Path, url: str, fields: tuple[Field, ...], keys: dict[str, Any]) -> None:
    pq.write_table(table, directory / "real.parquet")
    postgres_server.load(url, "real", table)
    frame, sample, units = sampled("real.parquet", directory, None, fields, keys)
    other_frame, other, other_units = sampled("warehouse:real", directory, url, fields, keys)
    assert (frame.n_units, frame.n_groups) == (other_frame.n_units, other_frame.n_groups)
    assert units.num_rows > 100
    for name in units.column_names:
        assert units[name].equals(other_units[name]), name
    assert (sample.units, sample.splits, sample.design) == (other.units, other.splits, other.design)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "keys",
    [
        {"n": 2000},
        {"n": 2000, "where": "age >= 40 AND job IS NOT NULL"},
        {"unit": ("row_order",), "design": "simple", "n": 1500},
        {"unit": ("row_order",), "design": "stratified", "by": ("job", "marital"), "n": 900},
        {
            "unit": ("row_order",),
            "design": "stratified",
            "by": ("job",),
            "n": 900,
            "allocation": "neyman",
            "spread": "euribor3m",
        },
        {"unit": ("row_order",), "design": "pps", "size": "campaign", "n": 800},
        {"unit": ("row_order",), "design": "score_weighted", "score": "chance", "n": 800},
    ],
    ids=lambda keys: "-".join(map(str, keys.values())),
)
def test_clients_of_a_bank(keys: dict[str, Any], postgres: str, shared: Callable[[str], Path], tmp_path: Path) -> None:
    table = pq.read_table(shared("bank_marketing"))
    chance = [1 / (1 + seconds / 300) for seconds in table["duration"].to_pylist()]
    compare(table.append_column("chance", pa.array(chance)), tmp_path, postgres, CLIENTS, {"label": "y", **keys})


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "keys",
    [
        {"design": "cluster", "clusters": 60},
        {"design": "two_stage", "clusters": 120, "per_cluster": 4},
        {"design": "pps", "size": "api.stu", "n": 600},
        {"design": "simple", "n": 700},
    ],
    ids=lambda keys: keys["design"],
)
def test_schools_in_their_districts(keys: dict[str, Any], postgres: str, tmp_path: Path) -> None:
    path = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "survey_api" / "apipop.parquet"
    if not path.exists():
        pytest.skip(f"the schools may not be carried in the repository and are not at {path}")
    more = {"label": "stype", "unit": ("cds",), "group": ("dname", "cname")}
    compare(pq.read_table(path), tmp_path, postgres, SCHOOLS, more | keys)
