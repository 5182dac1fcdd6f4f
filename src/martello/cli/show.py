"""One record as lines for a terminal: its id, then what it says, one fact a line."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from martello.cli.terminal import bold, columns, paragraph
from martello.records import AnyRecord, Finding, record_id
from martello.stats.estimate import Estimate, NotEstimable

__all__ = ["show_record"]

_MOST_ROWS = 40


def show_record(record: AnyRecord) -> list[str]:
    """Write a record as lines.

    Examples
    --------
    >>> from martello.records import Gate
    >>> from martello.stats.estimate import Verdict
    >>> print("\\n".join(show_record(Gate(parents=(), conditions=(), verdict=Verdict.MET))))
    gate-...
      verdict  met
    """
    facts = [(name, getattr(record, name)) for name in record.__struct_fields__ if name not in ("parents", "curve")]
    plain = [(name, str(value)) for name, value in facts if _is_plain(value)]
    lines = [bold(record_id(record)), *columns(plain)]
    for name, value in facts:
        if not _is_plain(value) and not _is_reference(value):
            lines += _block(name, value)
    return lines


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float, bool, Estimate, NotEstimable))


def _is_reference(value: object) -> bool:
    return type(value).__name__ in ("TableRef", "FileRef") or value is None


def _block(name: str, value: object) -> list[str]:
    rows = list(_rows(value))
    if not rows:
        return []
    if rows and isinstance(rows[0], str):
        return [f"  {name}", *(paragraph(str(row), indent="    ") for row in rows)]
    width = max(len(row) for row in rows)
    table = [tuple(row) + ("",) * (width - len(row)) for row in rows[:_MOST_ROWS] if isinstance(row, tuple)]
    more = [f"    … and {len(rows) - _MOST_ROWS} more; --json has all"] if len(rows) > _MOST_ROWS else []
    return [f"  {name}", *columns(table, indent="    "), *more]


def _rows(value: object) -> Iterator[tuple[str, ...] | str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
    for key, item in items:
        if isinstance(item, Finding):
            yield f"{'!' if item.severity == 'warning' else '-'} {item.what}"
        elif isinstance(item, msgspec.Struct) and not _is_plain(item):
            yield tuple(_cell(getattr(item, name)) for name in item.__struct_fields__)
        elif isinstance(value, dict):
            yield (str(key), _cell(item))
        else:
            yield (_cell(item),)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, dict):
        return "; ".join(f"{key} {_cell(item)}" for key, item in value.items() if _is_plain(item))
    if isinstance(value, tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)
