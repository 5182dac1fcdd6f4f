"""Columns of a file of scores as arrays, every fault of them named with its column and row.

Files are read through the engine; what the columns are for is `scored_file`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from martello.engines.base import Engine, quote
from martello.errors import DataError, nearest

__all__ = ["Names", "numbers_of", "probabilities_of", "read_columns", "texts_of"]

#: Codes of each row (-1 where there is no value), and the name of each code.
Names = tuple[NDArray[np.int64], list[str]]


def read_columns(engine: Engine, source: str, names: Iterable[str]) -> pa.Table:
    """Give some columns of a file, whole and in the order of its rows.

    Raises
    ------
    DataError
        ``data.no-such-column``, ``data.no-rows``, ``data.not-found`` and what else the engine finds.
    """
    try:
        relation = engine.relation(source)
    except DataError as err:
        if err.code != "data.not-found":
            raise
        fix = "check the path; it starts at the current directory"
        raise DataError("data.not-found", err.what, where=err.where, expected=err.expected, fix=fix) from None
    known = engine.columns(relation)
    wanted = list(dict.fromkeys(names))
    absent = [_absent(name, source, known) for name in wanted if name not in known]
    if absent:
        absent[0].others = tuple(absent[1:])
        raise absent[0]
    table = engine.arrow(f"SELECT {', '.join(map(quote, wanted))} FROM {relation}")
    if table.num_rows == 0:
        raise DataError("data.no-rows", f"{source} has no rows", where=source, expected="a row per labeled unit")
    return table


def _absent(name: str, source: str, known: Iterable[str]) -> DataError:
    close = nearest(name, known)
    return DataError(
        "data.no-such-column",
        f"{source} has no column {name!r}",
        where=source,
        expected="one of " + ", ".join(known),
        fix=f"write {close}" if close else "",
    )


def numbers_of(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Give a column as numbers, NaN where it has no value.

    Raises
    ------
    DataError
        ``data.wrong-type`` when a value is no number.
    """
    column = table[name].combine_chunks()
    try:
        return np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return np.array([_number(value, name, row) for row, value in enumerate(column.to_pylist())])


def _number(value: object, name: str, row: int) -> float:
    try:
        return float("nan") if value is None else float(str(value))
    except ValueError:
        raise DataError(
            "data.wrong-type",
            f"{name} of row {row} is {value!r}, not a number",
            where=f"{name}, row {row}",
            expected="a number in every row",
        ) from None


def probabilities_of(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Give a column of inclusion probabilities.

    Raises
    ------
    DataError
        ``stats.pi-out-of-range`` where one is 0, missing or above 1.
    """
    pi = numbers_of(table, name)
    wrong = np.flatnonzero(~((pi > 0) & (pi <= 1)))
    if len(wrong):
        raise DataError(
            "stats.pi-out-of-range",
            f"{name} of row {wrong[0]} is {'missing' if np.isnan(pi[wrong[0]]) else f'{pi[wrong[0]]:g}'}",
            where=f"{name}, row {wrong[0]} ({len(wrong)} such rows)",
            expected="an inclusion probability in (0, 1] on every row",
            fix="take it from the draw; a row that could not be drawn cannot speak for the population",
        )
    return pi


def texts_of(table: pa.Table, name: str, *, if_missing: str | None = None) -> Names:
    """Give a column as codes and their names; whole numbers are written without a point.

    Parameters
    ----------
    if_missing
        What a row without a value is refused as; None: it gets the code -1.

    Raises
    ------
    DataError
        ``stats.cluster-missing`` or ``stats.label-missing``, as asked for.
    """
    column = table[name].combine_chunks()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    encoded: Any = pc.dictionary_encode(column)
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    missing = np.flatnonzero(codes < 0)
    if if_missing and len(missing):
        code = "stats.cluster-missing" if if_missing == "cluster" else "stats.label-missing"
        raise DataError(
            code,
            f"{name} of row {missing[0]} is missing, and it names the {if_missing}",
            where=f"{name}, row {missing[0]} ({len(missing)} such rows)",
            expected=f"the name of a {if_missing} in every row",
        )
    return codes, _names(encoded.dictionary.to_pylist())


def _names(values: Sequence[object]) -> list[str]:
    return [str(int(value)) if isinstance(value, float) and value.is_integer() else str(value) for value in values]
