"""The sample stage: count the frame, draw, divide, keep."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from martello.engines.base import Engine
from martello.errors import DataError
from martello.records import Frame, Sample, SplitCount, record_id
from martello.sample.draw import count_frame, draw_units
from martello.sample.source import open_source
from martello.sample.split import divide_units
from martello.spec.schema import Field, Output, Population, SampleDesign
from martello.store import Store

__all__ = ["draw_sample"]

# Below this no interval on dev or gold says anything, and a split can be empty by chance.
_FEWEST_UNITS = 50


def draw_sample(
    store: Store,
    engine: Engine,
    *,
    population: Population,
    fields: tuple[Field, ...],
    output: Output,
    slices: tuple[str, ...],
    design: SampleDesign,
    n_reserve: int,
    spec_id: str,
) -> tuple[Frame, Sample]:
    """Make the frame and a sample of it, with the inclusion probability and the side on every row.

    Parameters
    ----------
    store, engine
        Where tables are kept, and where the source lies.
    population, fields, output, slices, design
        The parts of the spec this stage reads.
    n_reserve
        Units outside the sample to keep for a rehearsal.
    spec_id
        Id of those parts of the spec, the frame's parent.

    Raises
    ------
    DataError
        Faults of the source (see `open_source`, `count_frame`, `draw_units`), or ``sample.too-small``.
    """
    source = open_source(engine, population, fields, output, slices)
    frame = count_frame(engine, source, population, spec_id)
    if min(frame.n_units, design.n or frame.n_units) < _FEWEST_UNITS:
        raise DataError(
            "sample.too-small",
            f"{min(frame.n_units, design.n or frame.n_units)} units are too few to learn from and judge by",
            where=population.source,
            expected=f"at least {_FEWEST_UNITS}",
            fix="gather more rows; a few hundred are the least that can show anything",
        )
    # Twice as many, since those whose inputs were trained on are left out of the reserve.
    draw = draw_units(
        engine, source, frame, fields, output.column, slices, n=design.n, seed=design.seed, n_reserve=2 * n_reserve
    )
    division = divide_units(draw.units, dev=design.dev, gold=design.gold, seed=design.seed)
    units = _with_sides(draw.units, division.split, division.cluster)
    trained_on = pc.unique(units.filter(pc.equal(units["split"], pa.scalar("train")))["content"])
    is_trained_on = pc.is_in(draw.reserve["content"], value_set=trained_on)
    unseen = draw.reserve.filter(pc.invert(is_trained_on)).slice(0, n_reserve)
    unseen = _with_sides(unseen, ["reserve"] * unseen.num_rows, unseen["unit"].to_pylist())
    kept = pa.concat_tables([units, unseen]).drop_columns(["group", "content"])
    return frame, Sample(
        parents=(record_id(frame),),
        design=draw.design,
        seed=design.seed,
        splits=_count(kept),
        units=store.put_table(kept),
        is_clustered=division.is_clustered,
        split_by="time" if source.has_time else "hash",
        findings=division.findings,
    )


def _with_sides(units: pa.Table, split: list[str], cluster: list[Any]) -> pa.Table:
    return units.append_column("split", pa.array(split, pa.string())).append_column(
        "cluster", pa.array(cluster, pa.string())
    )


def _count(units: pa.Table) -> tuple[SplitCount, ...]:
    counts = []
    for name in ("train", "dev", "gold", "aside", "reserve"):
        side = units.filter(pc.equal(units["split"], pa.scalar(name)))
        if side.num_rows:
            n_clusters = len(set(side["cluster"].to_pylist()))
            counts.append(SplitCount(split=name, n_units=side.num_rows, n_clusters=n_clusters))
    return tuple(counts)
