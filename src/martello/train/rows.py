"""From the records of sample, labels and features to rows that a learner takes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from martello.errors import DataError, IntegrityError
from martello.records import FeatureSet, Labels, Sample
from martello.spec.schema import Field
from martello.store import Store
from martello.train.learner import UNIT, TrainingData

__all__ = ["train_and_dev"]


def train_and_dev(
    store: Store, sample: Sample, labels: Labels, features: FeatureSet, fields: tuple[Field, ...]
) -> tuple[TrainingData, TrainingData, list[str]]:
    """Give the labeled rows of train and of dev, in the sample's order, and the names of the dev units.

    Raises
    ------
    IntegrityError
        ``train.units-differ`` when the three tables do not hold the same units in the same order.
    DataError
        ``train.no-rows`` when a side is empty, ``train.one-class`` when training rows show one class only.
    """
    units = store.get_table(sample.units)
    codes = store.get_table(labels.table)
    values = store.get_table(features.table)
    if not (units["unit"].equals(codes["unit"]) and units["unit"].equals(values["unit"])):
        raise IntegrityError(
            "train.units-differ",
            "sample, labels and features do not hold the same units in the same order",
            expected="tables made from one sample",
            fix="make labels and features again from this sample",
        )
    table = units.append_column("code", codes["code"])
    train = _side(table, values, _labeled(table, "train"), fields, labels.classes)
    if len(set(train.codes.tolist())) < 2:
        raise DataError(
            "train.one-class",
            f"every training unit is {labels.classes[train.codes[0]]!r}: there is nothing to tell apart",
            where=f"train, {len(train)} units",
            expected="units of at least two classes",
            fix="label more units of the other class, or sample more units",
        )
    dev = _side(table, values, _labeled(table, "dev"), fields, labels.classes)
    return train, dev, list(dev.columns[UNIT])


def _labeled(table: pa.Table, split: str) -> list[int]:
    """Give the places of the labeled units of one side."""
    codes = table["code"].to_pylist()
    rows = [i for i, side in enumerate(table["split"].to_pylist()) if side == split and codes[i] is not None]
    if not rows:
        raise DataError(
            "train.no-rows",
            f"{split} has no labeled unit",
            where=f"split {split}",
            expected="labeled units on both sides",
            fix="sample or label more units",
        )
    return rows


def _side(
    table: pa.Table, values: pa.Table, rows: list[int], fields: tuple[Field, ...], classes: tuple[str, ...]
) -> TrainingData:
    """Give some rows, weighted by 1 / inclusion probability with mean 1."""
    some, typed = table.take(rows), values.take(rows)
    weights = 1.0 / some["inclusion_probability"].to_numpy()
    return TrainingData(
        fields=fields,
        columns={field.name: typed[field.column].to_pylist() for field in fields}
        | {UNIT: [str(unit) for unit in some["unit"].to_pylist()]},
        codes=some["code"].to_numpy().astype(np.int64),
        weights=weights / weights.mean(),
        clusters=[str(cluster) for cluster in some["cluster"].to_pylist()],
        classes=classes,
    )
