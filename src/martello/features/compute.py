"""The features stage: typed values of every sampled unit, what was seen of each input, what one should know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from martello.errors import IntegrityError
from martello.features.alone import alone_auc
from martello.features.declared import DeclaredFeatures
from martello.features.leaks import KnownAfterwards, leak_findings
from martello.features.source import plain_columns
from martello.features.table import ARROW, OpenEngine, compute_table
from martello.features.values import Reader
from martello.records import Column, FeatureSet, Finding, Labels, Measure, Sample, record_id
from martello.spec.schema import Field
from martello.stats.estimate import NotEstimable
from martello.store import Store

__all__ = ["compute_features", "typed_table"]


def compute_features(
    store: Store,
    sample: Sample,
    labels: Labels,
    *,
    fields: tuple[Field, ...],
    missing: tuple[str, ...] = (),
    known_afterwards: KnownAfterwards = lambda name: None,
    declared: DeclaredFeatures | None = None,
    open_engine: OpenEngine | None = None,
    seed: int = 0,
) -> FeatureSet:
    """Read the declared inputs of every sampled unit, compute its features, and look at what the model will see.

    Parameters
    ----------
    store
        Where the tables are.
    sample, labels
        The units, and their answers (read on train and dev only).
    fields, missing
        The declared inputs, and the texts that mean "no value".
    known_afterwards
        Says why a column of this name may be known only after the decision, or None.
    declared, open_engine
        The features beside the inputs, and what opens the engine of their events; None where there are none.
    seed
        For the intervals.

    Raises
    ------
    DataError
        ``features.unknown-column`` or any fault of `Reader.read_columns`, all of them at once; those of
        `compute_table`.
    IntegrityError
        ``features.units-differ`` when labels are not of this sample.
    """
    units = store.get_table(sample.units)
    codes = store.get_table(labels.table)
    if not units["unit"].equals(codes["unit"]):
        raise IntegrityError(
            "features.units-differ",
            "sample and labels do not hold the same units in the same order",
            expected="labels made from this sample",
            fix="make the labels again from this sample",
        )
    reader = Reader(fields, missing)
    table = typed_table(reader, units)
    seen = tuple(field for field in fields if not field.feature_only)
    found: tuple[Finding, ...] = ()
    if declared is not None and open_engine is not None:
        seen = declared.model_fields(fields)
        table, found = _with_features(table, units, fields, declared, open_engine)
    values = {field.name: table[field.column] for field in seen}
    sides = _Sides(units.append_column("code", codes["code"]), values, sample.is_clustered)
    columns = tuple(_profile(field, sides, len(labels.classes), seed) for field in seen)
    return FeatureSet(
        parents=(record_id(sample), record_id(labels)),
        columns=columns,
        definition=reader.definition if declared is None else declared.definition(reader.definition),
        missing=missing,
        table=store.put_table(table),
        findings=(
            *found,
            *_constants(columns),
            *_copies(columns, sides.train),
            *leak_findings(columns, sides.train, sides.times, known_afterwards),
        ),
    )


def typed_table(reader: Reader, table: pa.Table) -> pa.Table:
    """Give `unit` and the declared inputs of a table as typed columns (`input.*`), in the table's order."""
    units: list[Any] = table["unit"].to_pylist()
    typed = reader.read_columns(plain_columns(table, reader.fields, reader.missing), units)
    arrays = {field.column: pa.array(typed[field.name], ARROW[field.type]) for field in reader.fields}
    return pa.table({"unit": table["unit"], **arrays})


def _with_features(
    table: pa.Table, units: pa.Table, fields: tuple[Field, ...], declared: DeclaredFeatures, open_engine: OpenEngine
) -> tuple[pa.Table, tuple[Finding, ...]]:
    """Put the features beside the inputs, each as of the time of its unit."""
    inputs = {field.name: table[field.column].to_pylist() for field in fields}
    names = [str(unit) for unit in units["unit"].to_pylist()]
    computed = compute_table(declared, inputs, units["time"].to_pylist(), open_engine, units=names)
    for name, (kind, _) in declared.types.items():
        table = table.append_column(f"input.{name}", pa.array(computed.columns[name], ARROW[kind]))
    return table, computed.findings


class _Sides:
    """The training rows, for what was seen of them, and the labeled rows of train and dev, for what a column can do."""

    def __init__(self, units: pa.Table, typed: dict[str, pa.ChunkedArray[Any]], is_clustered: bool) -> None:
        split = np.array(units["split"].to_pylist())
        code = np.array(units["code"].to_pylist(), dtype=np.float64)
        on_train = np.flatnonzero(split == "train")
        self.train = {name: values.take(on_train).to_pylist() for name, values in typed.items()}
        self.times = units["time"].take(on_train).to_pylist()
        self._typed = typed
        self._code = code
        self._weight = 1.0 / units["inclusion_probability"].to_numpy()
        self._rows = {side: np.flatnonzero((split == side) & ~np.isnan(code)) for side in ("train", "dev")}
        self.dev_cluster = np.array(units["cluster"].take(self._rows["dev"]).to_pylist()) if is_clustered else None

    def labeled(self, name: str, side: str) -> tuple[list[Any], Any, Any]:
        """Give values, class codes and weights of the labeled rows of a side."""
        rows = self._rows[side]
        return self._typed[name].take(rows).to_pylist(), self._code[rows], self._weight[rows]


def _profile(field: Field, sides: _Sides, n_classes: int, seed: int) -> Column:
    """Say what was seen of an input in training."""
    values = sides.train[field.name]
    known = [value for value in values if value is not None]
    return Column(
        name=field.name,
        type=field.type,
        optional=field.optional,
        missing_share=1.0 - len(known) / len(values) if values else 0.0,
        n_distinct=len(set(known)),
        alone=_alone(field, sides, n_classes, seed),
    )


def _alone(field: Field, sides: _Sides, n_classes: int, seed: int) -> Measure:
    if n_classes != 2:
        return NotEstimable(reason="the AUC is defined for two classes", needs="a binary task")
    train, dev = sides.labeled(field.name, "train"), sides.labeled(field.name, "dev")
    return alone_auc(field.type, train, dev, cluster=sides.dev_cluster, seed=seed)


def _constants(columns: Sequence[Column]) -> tuple[Finding, ...]:
    """Name the inputs that never vary in training, be it that they are never there."""
    return tuple(
        Finding(
            code="features.constant",
            what=f"{column.name} "
            + (
                "has the same value in every training unit"
                if column.n_distinct
                else "has no value in any training unit"
            ),
            severity="note",
            columns=(column.name,),
        )
        for column in columns
        if column.n_distinct == 0 or (column.n_distinct == 1 and column.missing_share == 0)
    )


def _copies(columns: Sequence[Column], values: dict[str, list[Any]]) -> tuple[Finding, ...]:
    """Name the inputs that repeat an earlier one in every training unit."""
    first: dict[tuple[Any, ...], str] = {}
    found = []
    for column in columns:
        if column.n_distinct < 2:
            continue
        original = first.setdefault(tuple(values[column.name]), column.name)
        if original != column.name:
            found.append(
                Finding(
                    code="features.copy",
                    what=f"{column.name} equals {original} in every training unit: one of them is enough",
                    severity="note",
                    columns=(column.name, original),
                )
            )
    return tuple(found)
