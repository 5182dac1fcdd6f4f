"""The pictures as Vega-Lite specifications: plain dicts in, plain dicts out, nothing drawn here.

All are made for one width, so that letters keep one size on a page and stay readable on a phone. Every estimate is a
dot with its interval; a floor is a line with its name on it; colors are CSS variables of the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from martello.records import CalibrationPoint, Curve, Measure
from martello.ship.words import is_share, percent, say_compact, say_short
from martello.stats.estimate import Estimate

__all__ = ["Row", "calibration_chart", "curve_chart", "learning_chart", "rows_chart"]

Spec = dict[str, Any]

WIDTH = 440
_SIZE = 13
_INK, _MUTED, _RULE, _PAGE = "var(--ink)", "var(--muted)", "var(--rule)", "var(--page)"
_DATA, _FLOOR = "var(--data)", "var(--floor)"
_AS_PERCENT = "format(datum.value * 100, '.4~g') + ' %'"
_CONFIG: Spec = {
    "background": "transparent",
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": _SIZE,
        "labelColor": _MUTED,
        "labelPadding": 6,
        "titleFontSize": _SIZE,
        "titleFontWeight": "normal",
        "titleColor": _MUTED,
        "titlePadding": 8,
        "gridColor": _RULE,
        "domain": False,
        "ticks": False,
    },
    "text": {"fontSize": _SIZE, "color": _INK},
}


@dataclass(frozen=True, slots=True)
class Row:
    """One named number of a row chart; `n` is the count of units it stands on, where that helps the reader."""

    name: str
    measure: Measure
    n: int | None = None
    floor: float | None = None  # what was agreed for this row alone


def _chart(layers: Sequence[Spec], height: int) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": WIDTH,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 2, "right": 8, "top": 6, "bottom": 2},
        "config": _CONFIG,
        "layer": list(layers),
    }


def _axis(field: str, title: str | None, low: float, high: float, **axis: Any) -> Spec:
    scale = {"domain": [low, high], "zero": False, "nice": False, "clamp": True}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": {"tickCount": 5, **axis}}


#: A rim in the color of the page keeps words readable where they cross a line.
_RIM: Spec = {"stroke": _PAGE, "strokeWidth": 7, "strokeJoin": "round", "color": _PAGE}
#: The title of a vertical axis stands above it, where it is read without turning the head.
_UPRIGHT: Spec = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": 0, "titleY": -12}


def _words(text: str | list[str], at: Spec, **mark: Any) -> list[Spec]:
    """Write words at a place of the chart."""
    style = {"type": "text", "text": text, **mark}
    return [{**at, "mark": {**style, **_RIM}}, {**at, "mark": style}]


def _at(x: Spec, y: Spec, across: float, up: float) -> Spec:
    """Give one place on the axes of a chart."""
    return {
        "data": {"values": [{"x": across, "y": up}]},
        "encoding": {"x": {**x, "field": "x"}, "y": {**y, "field": "y"}},
    }


def _line(axis: str, scale: Spec, value: float, color: str = _FLOOR) -> Spec:
    """Draw a line across the whole chart: what was agreed in its own color, anything else in gray."""
    mark = {"type": "rule", "color": color, "strokeWidth": 1.5, "strokeDash": [5, 3]}
    return {"data": {"values": [{"v": value}]}, "mark": mark, "encoding": {axis: {**scale, "field": "v"}}}


# --- Precision and recall -------------------------------------------------------------------------------------------


def curve_chart(curve: Curve, precision: Measure, recall: Measure, floors: dict[str, float]) -> Spec:
    """Show every threshold's precision and recall with their band, and the chosen one with both its intervals."""
    points = sorted(curve.points, key=lambda point: point.recall)
    values = [{"r": p.recall, "p": p.precision, "low": p.precision_low, "high": p.precision_high} for p in points]
    lowest = min([p.precision_low for p in points] + [floor for m, floor in floors.items() if m == "precision"])
    bottom = max(0.0, math.floor(lowest * 10 - 0.5) / 10)
    x = _axis("r", "finds, of all cases", 0, 1, labelExpr=_AS_PERCENT)
    y = _axis("p", "right, of what it flags", bottom, 1, labelExpr=_AS_PERCENT, **_UPRIGHT)
    band = {**y, "field": "low"}
    layers: list[Spec] = [
        {
            "mark": {"type": "area", "color": _DATA, "opacity": 0.18},
            "encoding": {"x": x, "y": band, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "line", "color": _DATA, "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "order": {"field": "r"}},
        },
    ]
    for layer in layers:
        layer["data"] = {"values": values}
    lines = _floor_lines(floors, x, y, bottom)
    return _chart([*layers, *lines, *_operating_point(precision, recall, x, y)], 330)


def _floor_lines(floors: dict[str, float], x: Spec, y: Spec, bottom: float) -> list[Spec]:
    layers: list[Spec] = []
    if "precision" in floors:
        floor = floors["precision"]
        text = f"agreed: {percent(floor)} right"
        layers += [_line("y", y, floor), *_words(text, _at(x, y, 1, floor), align="right", dx=-4, dy=-9)]
    if "recall" in floors:
        floor = floors["recall"]
        text = f"agreed: finds {percent(floor)}"
        layers += [_line("x", x, floor), *_words(text, _at(x, y, floor, bottom), align="left", dx=6, dy=-11)]
    return layers


def _operating_point(precision: Measure, recall: Measure, x: Spec, y: Spec) -> list[Spec]:
    if not (isinstance(precision, Estimate) and isinstance(recall, Estimate)):
        return []
    stroke = {"type": "rule", "color": _INK, "strokeWidth": 2}
    at = _at(x, y, recall.value, precision.value)
    ends = {"rl": recall.low, "rh": recall.high, "pl": precision.low, "ph": precision.high}
    data = {"values": [{"r": recall.value, "p": precision.value, **ends}]}
    across = {"x": {**x, "field": "rl"}, "x2": {"field": "rh"}, "y": y}
    upright = {"y": {**y, "field": "pl"}, "y2": {"field": "ph"}, "x": x}
    text = [f"here: {say_short(precision)} right,", f"finds {say_short(recall)}"]
    # Above and right of a falling curve there is room, but for the last third: then below and left of it.
    right, left = {"align": "left", "dx": 10, "dy": -28}, {"align": "right", "dx": -12, "dy": 16}
    return [
        {"data": data, "mark": stroke, "encoding": across},
        {"data": data, "mark": stroke, "encoding": upright},
        {**at, "mark": {**_dot(_INK), "size": 90}},
        *_words(text, at, fontWeight="bold", lineHeight=16, **(right if recall.value < 0.68 else left)),
    ]


# --- Calibration ----------------------------------------------------------------------------------------------------


def calibration_chart(points: Sequence[CalibrationPoint]) -> Spec:
    """Show, for units of like score, the share that is true, beside the diagonal where score and share are one."""
    values = [
        {"s": p.mean_score, "o": p.observed.value, "low": p.observed.low, "high": p.observed.high}
        for p in points
        if isinstance(p.observed, Estimate)
    ]
    x = _axis("s", "score, mean of units with like score", 0, 1, labelExpr=_AS_PERCENT)
    y = _axis("o", "share that is true", 0, 1, labelExpr=_AS_PERCENT, **_UPRIGHT)
    ends = {"values": [{"s": 0, "o": 0}, {"s": 1, "o": 1}]}
    diagonal = {"type": "line", "color": _MUTED, "strokeWidth": 1.5, "strokeDash": [5, 3]}
    interval = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    return _chart(
        [
            {"data": ends, "mark": diagonal, "encoding": {"x": x, "y": y}},
            {
                "data": {"values": values},
                "mark": {"type": "rule", "color": _DATA, "strokeWidth": 2},
                "encoding": interval,
            },
            {"data": {"values": values}, "mark": _dot(_DATA), "encoding": {"x": x, "y": y}},
            *_words("score = share", _at(x, y, 0.2, 0.2), align="left", dx=14, dy=14, color=_MUTED),
        ],
        330,
    )


def _dot(color: str) -> Spec:
    return {"type": "point", "filled": True, "size": 70, "color": color, "opacity": 1}


# --- Rows -----------------------------------------------------------------------------------------------------------

_STEP = 44  # a line of words above a line of picture


def rows_chart(rows: Sequence[Row], *, metric: str, floor: float | None = None, zero: str | None = None) -> Spec:
    """Show named numbers below one another: the name above, dot and interval below, the value at the right.

    Names stand above their line, not beside it, so that long ones have room on a narrow screen.
    """
    line = floor if zero is None else 0.0
    own = [(i, row.floor) for i, row in enumerate(rows) if row.floor is not None]
    low, high = _range([row.measure for row in rows], [*([] if line is None else [line]), *(f for _, f in own)])
    labels = {"labelExpr": _AS_PERCENT} if is_share(metric) else {"format": "~g"}
    y = {"type": "quantitative", "axis": None, "scale": {"domain": [len(rows), -0.35], "nice": False, "zero": False}}
    x = _axis("value", None, low, high, grid=True, **labels)
    data = {"values": [_row_values(i, row, metric) for i, row in enumerate(rows)]}
    at = {"y": {**y, "field": "y"}}
    above = {"y": {**y, "field": "name_y"}}
    interval = {**at, "x": {**x, "field": "low"}, "x2": {"field": "high"}}
    layers: list[Spec] = [
        *_told({**above, "x": {"value": 0}}, "name", align="left", limit=WIDTH - 175),
        *_told({**above, "x": {"value": "width"}}, "told", align="right", color=_MUTED),
        *_told({**at, "x": {"value": 0}}, "reason", align="left", color=_MUTED, fontStyle="italic", limit=WIDTH - 20),
        {"mark": {"type": "rule", "color": _DATA, "strokeWidth": 2}, "encoding": interval},
        {"mark": _dot(_DATA), "encoding": {**at, "x": x}},
    ]
    for layer in layers:
        layer["data"] = data
    if line is not None:
        text = zero or f"agreed: {percent(line)}"
        side = {"align": "left", "dx": 5} if line < (low + high) / 2 else {"align": "right", "dx": -5}
        layers[:0] = [_line("x", x, line, _FLOOR if zero is None else _MUTED)]
        layers += _words(text, _at(x, y, line, -0.12), **side)
    return _chart(
        [*layers, *(layer for i, floor in own for layer in _own_floor(i, floor, x, y))], _STEP * len(rows) + 40
    )


def _own_floor(i: int, floor: float, x: Spec, y: Spec) -> list[Spec]:
    """Mark what was agreed for one row."""
    place = {"data": {"values": [{"v": floor, "top": i + 0.5, "end": i + 1.0}]}}
    mark = {"type": "rule", "color": _FLOOR, "strokeWidth": 2.5}
    across = {"x": {**x, "field": "v"}, "y": {**y, "field": "top"}, "y2": {"field": "end"}}
    return [{**place, "mark": mark, "encoding": across}]


def _told(encoding: Spec, field: str, **mark: Any) -> list[Spec]:
    """Write a field of each row."""
    encoding = {**encoding, "text": {"field": field}}
    return [
        {"mark": {"type": "text", **mark, **_RIM}, "encoding": encoding},
        {"mark": {"type": "text", **mark}, "encoding": encoding},
    ]


def _row_values(i: int, row: Row, metric: str) -> Spec:
    # Isolates keep names that are written from right to left from turning the count around.
    name = f"\u2068{row.name}\u2069" + (f" · n {row.n:,}" if row.n is not None else "")
    values: Spec = {"y": i + 0.74, "name_y": i + 0.36, "name": name, "reason": "", "told": ""}
    if isinstance(row.measure, Estimate):
        m = row.measure
        return values | {"value": m.value, "low": m.low, "high": m.high, "told": say_compact(m, metric)}
    return values | {"reason": f"not known: {row.measure.reason}"}


def _range(measures: Sequence[Measure], others: Sequence[float]) -> tuple[float, float]:
    """Give the ends of an axis that holds every interval, with a little room."""
    ends = [end for m in measures if isinstance(m, Estimate) for end in (m.low, m.high)] + list(others)
    if not ends:
        return 0.0, 1.0
    low, high = min(ends), max(ends)
    room = 0.04 * (high - low) or 0.01
    return low - room, high + room


# --- Learning curve -------------------------------------------------------------------------------------------------


def learning_chart(points: Sequence[tuple[int, Estimate]], *, title: str) -> Spec:
    """Show how the loss on dev falls with the number of training units; each step to the right is a doubling."""
    values = [{"n": n, "v": m.value, "low": m.low, "high": m.high} for n, m in points]
    low, high = _range([m for _, m in points], [])
    sizes = [n for n, _ in points]
    x = {
        "field": "n",
        "type": "quantitative",
        "title": "units trained on",
        "scale": {"type": "log", "base": 2, "domain": [min(sizes) * 0.9, max(sizes) * 1.1], "nice": False},
        "axis": {"values": sizes, "format": ",", "grid": False},
    }
    y = _axis("v", title, low, high, **_UPRIGHT)
    data = {"values": values}
    interval = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    return _chart(
        [
            {
                "data": data,
                "mark": {"type": "line", "color": _DATA, "strokeWidth": 1, "opacity": 0.6},
                "encoding": {"x": x, "y": y},
            },
            {"data": data, "mark": {"type": "rule", "color": _DATA, "strokeWidth": 2}, "encoding": interval},
            {"data": data, "mark": _dot(_DATA), "encoding": {"x": x, "y": y}},
        ],
        280,
    )
