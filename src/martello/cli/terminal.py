"""What a command prints: the sentence first, numbers aligned with their intervals, the next command last.

Colour only on a terminal and never needed. `--json` prints one object and nothing else.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence

import msgspec

__all__ = ["bold", "columns", "paragraph", "print_json", "say"]

_WIDTH = 80


def print_json(value: object) -> None:
    """Print one JSON object on stdout."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def say(*lines: str) -> None:
    """Print lines on stdout."""
    for line in lines:
        print(line)


def bold(text: str) -> str:
    """Make text bold on a terminal that wants it."""
    wanted = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return f"\033[1m{text}\033[0m" if wanted else text


def paragraph(text: str, *, indent: str = "") -> str:
    """Wrap a sentence to the width of a page."""
    return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


def columns(rows: Iterable[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """Align rows of text in columns.

    Examples
    --------
    >>> columns([("a", "1"), ("long", "2")])
    ['  a     1', '  long  2']
    """
    table = [tuple(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)] if table else []
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in table
    ]
