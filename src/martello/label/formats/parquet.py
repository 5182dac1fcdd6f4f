"""Answers as Parquet: read in batches, only the columns that are answers; written in row groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from martello.errors import DataError
from martello.label.answer_row import AnswerRow
from martello.label.formats.flat import chosen_columns
from martello.label.formats.raw import FIELDS, RawRow

__all__ = ["read_parquet", "write_parquet"]

_BATCH = 4096
_GROUP = 50_000
_TYPES: dict[str, pa.DataType] = {
    "seconds": pa.float64(),
    "probability": pa.float64(),
    "draw": pa.int64(),
    "seed": pa.int64(),
}
_SCHEMA = pa.schema([pa.field(field, _TYPES.get(field, pa.string())) for field in FIELDS])


def read_parquet(file: BinaryIO, name: str, columns: Mapping[str, str], *, is_authored: bool) -> Iterator[RawRow]:
    """Give the rows of a Parquet file.

    Raises
    ------
    DataError
        ``data.unreadable`` when it is no whole Parquet file, ``data.no-such-column``.
    """
    try:
        source = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 16)
        chosen = chosen_columns(source.schema_arrow.names, columns, file=name, is_authored=is_authored)
        number = 0
        for batch in source.iter_batches(_BATCH, columns=list(dict.fromkeys(chosen.values())), use_threads=False):
            found = [_column(batch, column) for column in chosen.values()]
            for values in zip(*found, strict=True):
                number += 1
                yield RawRow(number, f"row {number}", dict(zip(chosen, values, strict=True)))
    except (pa.ArrowException, OSError) as err:
        raise DataError(
            "data.unreadable",
            f"{name} is no whole Parquet file: {str(err).splitlines()[0]}",
            where=name,
            expected="a Parquet file, not cut short",
            fix="write it again, or name its format with --format",
        ) from err


def _column(batch: pa.RecordBatch, name: str) -> list[Any]:
    column: Any = batch.column(batch.schema.names.index(name))
    if pa.types.is_timestamp(column.type):  # Python's moments hold microseconds
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:  # Parquet does not promise that its text is UTF-8; the row check names the row
        return [
            None if value is None else value.decode(errors="surrogateescape")
            for value in column.cast(pa.binary()).to_pylist()
        ]


def write_parquet(rows: Iterable[AnswerRow], file: BinaryIO) -> None:
    """Write rows as Parquet, every value in a column of its own name."""
    source = iter(rows)
    with pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
        while group := list(islice(source, _GROUP)):
            arrays = [pa.array([getattr(row, name) for row in group], _SCHEMA.field(name).type) for name in FIELDS]
            writer.write_table(pa.table(arrays, schema=_SCHEMA))
