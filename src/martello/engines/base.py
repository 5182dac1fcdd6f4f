"""The `Engine` protocol: what Martello asks of a place where data lies."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

__all__ = ["Engine", "quote"]


class Engine(Protocol):
    """Run SQL where the data lies and give Arrow back."""

    def relation(self, source: str) -> str:
        """Give the SQL text that reads a source, for use after FROM; raise DataError when it cannot be read."""
        ...

    def columns(self, relation: str) -> dict[str, str]:
        """Give the columns of a relation with the engine's type names, in order."""
        ...

    def arrow(self, sql: str) -> pa.Table:
        """Run one query and give its whole result."""
        ...


def quote(name: str) -> str:
    """Write a column name as a SQL identifier.

    Examples
    --------
    >>> quote('Recommended "IND"')
    '"Recommended ""IND\"""'
    """
    return '"' + name.replace('"', '""') + '"'
