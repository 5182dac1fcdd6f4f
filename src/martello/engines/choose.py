"""Which engine a source belongs to: `warehouse:TABLE` to the database of the settings, all else to DuckDB."""

from __future__ import annotations

from pathlib import Path

from martello.engines.base import WAREHOUSE, Engine
from martello.errors import EnvironmentFault
from martello.settings import Settings

__all__ = ["open_engine"]


def open_engine(source: str, directory: Path, settings: Settings) -> Engine:
    """Open the engine that holds a source; close it, or use it in a ``with``.

    Parameters
    ----------
    source
        `population.source`: ``warehouse:people`` or ``warehouse:sales.people``, or a file or glob.
    directory
        Where relative files start.
    settings
        Their `warehouse` is the URL; it is never shown and never kept.

    Raises
    ------
    EnvironmentFault
        ``engine.no-warehouse``, ``engine.not-reached``; PluginError ``engine.no-driver``.
    """
    if not source.startswith(WAREHOUSE):
        from martello.engines.duckdb import DuckDBEngine

        return DuckDBEngine(directory, threads=settings.threads)
    url = settings.warehouse
    if url is None or not url.startswith(("postgresql://", "postgres://")):
        raise EnvironmentFault(
            "engine.no-warehouse",
            f"{source} is a table of the warehouse, and "
            + ("nothing says where that is" if url is None else "its URL is of no kind that is known"),
            where="MARTELLO_WAREHOUSE in the environment",
            expected="postgresql://user@host/database",
            fix="export MARTELLO_WAREHOUSE=postgresql://…; a password is better kept in ~/.pgpass",
        )
    from martello.engines.postgres import PostgresEngine

    return PostgresEngine(url)
