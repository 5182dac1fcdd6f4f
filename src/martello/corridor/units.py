"""From the tables of sample, labels and features to arrays of one side, in one order of units."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from martello.errors import IntegrityError
from martello.records import FeatureSet, Labels, Sample
from martello.store import Store
from martello.train.learner import UNIT

__all__ = ["Side", "units_of"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """The labeled units of one side.

    Attributes
    ----------
    unit
        Keys, in order.
    codes
        Class codes, shape (n,).
    weight
        Design weights, 1 / inclusion probability.
    cluster
        What belongs together; None when all units are independent.
    columns
        Typed inputs and features, by name; and the units under `UNIT`, for scores that were made elsewhere.
    slices
        Slice columns, by name.
    time
        The time of each unit in microseconds, where one is declared.
    """

    unit: list[str]
    codes: NDArray[np.int64]
    weight: NDArray[np.float64]
    cluster: NDArray[np.str_] | None
    columns: dict[str, list[Any]]
    slices: dict[str, list[str | None]]
    time: list[int | None] = []


def units_of(
    store: Store, sample: Sample, labels: Labels, features: FeatureSet, split: str, *, only_labeled: bool = True
) -> Side:
    """Give the units of one side that have a label; or all of them, those without one with the code -1.

    Raises
    ------
    IntegrityError
        ``project.units-differ`` when the tables do not hold the same units in the same order.
    """
    units = store.get_table(sample.units)
    answers = store.get_table(labels.table)
    values = store.get_table(features.table)
    if not (units["unit"].equals(answers["unit"]) and units["unit"].equals(values["unit"])):
        raise IntegrityError(
            "project.units-differ",
            "sample, labels and features do not hold the same units in the same order",
            expected="tables made from one sample",
            fix="martello run --fresh",
        )
    code = answers["code"].to_pylist()
    on_side = [i for i, side in enumerate(units["split"].to_pylist()) if side == split]
    rows = [i for i in on_side if code[i] is not None or not only_labeled]
    some, values = units.take(pa.array(rows, pa.int64())), values.take(pa.array(rows, pa.int64()))
    slices = [name for name in units.column_names if name.startswith("slice.")]
    return Side(
        unit=[str(key) for key in some["unit"].to_pylist()],
        codes=np.asarray([-1 if code[i] is None else code[i] for i in rows], dtype=np.int64),
        weight=1 / some["inclusion_probability"].to_numpy(),
        cluster=np.asarray(some["cluster"].to_pylist(), dtype=str) if sample.is_clustered else None,
        columns={
            name.removeprefix("input."): values[name].to_pylist()
            for name in values.column_names
            if name.startswith("input.")
        }
        | {UNIT: [str(key) for key in some["unit"].to_pylist()]},
        slices={name.removeprefix("slice."): some[name].to_pylist() for name in slices},
        time=some["time"].to_pylist(),
    )
