"""The drawn units as a table, with the inclusion probability and the stratum on every row, and a reserve beside them.

`lot` decides who is drawn; this fetches them with the columns that a project declares.
"""

from __future__ import annotations

import msgspec
import pyarrow as pa

from martello.engines.base import Engine, quote
from martello.records import Frame
from martello.sample.lot import cast_lots
from martello.sample.source import Source
from martello.spec.schema import Field, Output, SampleDesign

__all__ = ["Draw", "draw_units"]


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """The drawn units and, if asked for, some of those that were not drawn.

    Both tables hold `unit`, `group`, `time`, `stratum`, `content`, `inclusion_probability`, `label`, `author` and
    `input.*`, `slice.*` columns; the units in order of `unit`, the reserve in an order of chance.
    """

    units: pa.Table
    reserve: pa.Table
    design: str


def draw_units(
    engine: Engine,
    source: Source,
    frame: Frame,
    fields: tuple[Field, ...],
    output: Output,
    slices: tuple[str, ...],
    *,
    design: SampleDesign,
    n_reserve: int,
) -> Draw:
    """Draw units by a design and give up to `n_reserve` of those that have nothing to do with a drawn one.

    Raises
    ------
    DataError
        Faults of the design, see `cast_lots`.
    """
    lot = cast_lots(engine, source, frame, design)
    columns = _columns(source, fields, output, slices)
    units = engine.arrow(f"SELECT {columns} FROM {lot.drawn} AS drawn ORDER BY unit")
    reserve = units.slice(0, 0)
    if n_reserve:
        order = f"{lot.rest_order}, unit LIMIT {n_reserve}"
        reserve = engine.arrow(f"SELECT {columns} FROM {lot.rest} AS rest ORDER BY {order}")
    return Draw(units=units, reserve=reserve, design=lot.design)


def _columns(source: Source, fields: tuple[Field, ...], output: Output, slices: tuple[str, ...]) -> str:
    def text(name: str | None) -> str:
        return source.texts[name] if name else "CAST(NULL AS VARCHAR)"

    return ", ".join(
        [
            "_unit AS unit",
            '_group AS "group"',
            "_time AS time",
            "_stratum AS stratum",
            f"{source.content} AS content",
            "_pi * _pi_within AS inclusion_probability",
            f"{text(output.column)} AS label",
            f"{text(output.author)} AS author",
            *(f"{quote(field.name)} AS {quote(field.column)}" for field in fields),
            *(f"{source.texts[name]} AS {quote('slice.' + name)}" for name in slices),
        ]
    )
