"""The sample stage: count the frame, draw, divide, keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from martello.engines.base import Engine
from martello.errors import DataError
from martello.records import Frame, Sample, SplitCount, record_id
from martello.sample.audit import audit_sides
from martello.sample.draw import draw_units
from martello.sample.frame import count_frame
from martello.sample.near import near_copies
from martello.sample.source import open_source
from martello.sample.split import divide_units, retire_shown
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
    shown: frozenset[str] = frozenset(),
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
    shown
        Units whose gold answers were shown: they are gold no more.

    Raises
    ------
    DataError
        Faults of the source (see `open_source`, `count_frame`, `draw_units`), or ``sample.too-small``.
    """
    source = open_source(engine, population, fields, output, slices, design)
    frame = count_frame(engine, source, population, spec_id)
    # Twice as many, since those like a unit that was trained on are left out of the reserve.
    draw = draw_units(engine, source, frame, fields, output, slices, design=design, n_reserve=2 * n_reserve)
    _check_size(draw.units.num_rows if design.n is None else min(frame.n_units, design.n), population)
    near = near_copies(pa.concat_tables([draw.units, draw.reserve]), fields)
    inside = near[(near < draw.units.num_rows).all(axis=1)]
    division = divide_units(draw.units, dev=design.dev, gold=design.gold, seed=design.seed, near=inside)
    keys = [str(key) for key in draw.units["unit"].to_pylist()]
    division = retire_shown(division, keys, shown, is_timed=source.has_time)
    units = _with_sides(draw.units, division.split, division.cluster)
    unseen = _unlike_train(units, draw.reserve, near).slice(0, n_reserve)
    unseen = _with_sides(unseen, ["reserve"] * unseen.num_rows, unseen["unit"].to_pylist())
    both = pa.concat_tables([units, unseen])
    _check_sides(both.drop_columns(["content"]) if division.copies_are_types else both)
    kept = both.drop_columns(["group", "content"])
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


def _check_size(n: int, population: Population) -> None:
    if n < _FEWEST_UNITS:
        raise DataError(
            "sample.too-small",
            f"{n} units are too few to learn from and judge by",
            where=population.source,
            expected=f"at least {_FEWEST_UNITS}",
            fix="gather more rows; a few hundred are the least that can show anything",
        )


def _unlike_train(units: pa.Table, reserve: pa.Table, near: NDArray[np.int64]) -> pa.Table:
    """Give the units of the reserve that are no copy, and no near copy, of one that is trained on."""
    is_train = pc.equal(units["split"], pa.scalar("train"))
    is_copy = pc.is_in(reserve["content"], value_set=pc.unique(units.filter(is_train)["content"]))
    graph = coo_array((np.ones(len(near)), (near[:, 0], near[:, 1])), shape=(len(units) + len(reserve),) * 2)
    component = connected_components(graph, directed=False)[1]
    trained = np.unique(component[: len(units)][is_train.to_numpy()])
    is_near = np.isin(component[len(units) :], trained)
    return reserve.filter(pa.array(~(is_copy.to_numpy() | is_near)))


def _check_sides(units: pa.Table) -> None:
    """Hold the promise of this stage: it fails here rather than hand on a leak."""
    leaks = audit_sides(units)
    if leaks:
        raise DataError(
            "sample.on-two-sides",
            "; ".join(leak.what for leak in leaks),
            expected="every unit, group and copy on one side",
            fix="report this with your martello.toml: the division is at fault, not your data",
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
