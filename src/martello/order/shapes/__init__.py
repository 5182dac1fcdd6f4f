"""Logs that people already have, read as decisions and renders, row by row; one file per shape."""

from __future__ import annotations

from martello.order.shapes import algolia, metarank, personalize, ubi
from martello.order.shapes import martello as own
from martello.order.shapes.rows import Fields, Refused, Row, RowFault, Shape, read_rows

__all__ = ["SHAPES", "Fields", "Refused", "Row", "RowFault", "Shape", "read_rows"]

#: Every shape by its name on the command line.
SHAPES: dict[str, Shape] = {
    "martello": own.SHAPE,
    "ubi": ubi.SHAPE,
    "personalize": personalize.SHAPE,
    "algolia": algolia.SHAPE,
    "metarank": metarank.SHAPE,
}
