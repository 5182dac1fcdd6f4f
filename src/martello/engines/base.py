"""The `Engine` protocol: what Martello asks of a place where data lies."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa

from martello.engines.dialect import Dialect, quote

__all__ = ["WAREHOUSE", "Engine", "quote"]

#: A source that begins so is a table of the warehouse; where that is, the settings say.
WAREHOUSE = "warehouse:"


class Engine(Protocol):
    """Run SQL where the data lies and give Arrow back; `martello.testing.check_engine` checks one.

    Attributes
    ----------
    name
        The engine and its version, such as "duckdb-1.5.6"; it names whose hash a fingerprint is.
    dialect
        How it writes the SQL that is not portable.
    """

    @property
    def name(self) -> str:
        """Give the engine and its version."""
        ...

    @property
    def dialect(self) -> Dialect:
        """Give the writer of the SQL that is not portable."""
        ...

    def relation(self, source: str) -> str:
        """Give the SQL text that reads a source, for use after FROM; raise DataError when it cannot be read."""
        ...

    def columns(self, relation: str) -> dict[str, str]:
        """Give the columns of a relation with the engine's type names, in order."""
        ...

    def arrow(self, sql: str) -> pa.Table:
        """Run one query and give its whole result."""
        ...

    def all_differ(self, relation: str, column: str, n: int) -> bool:
        """Say whether n texts are known to differ from each other; False asks for an exact count.

        Hashes that all differ prove that the texts do; two equal hashes prove nothing.
        """
        ...

    def close(self) -> None:
        """Let go of the data."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
