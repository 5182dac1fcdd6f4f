"""Where it runs: typed settings from the environment. What was agreed is the spec; settings are not.

Every variable starts with `MARTELLO_`; `docs/settings.md` lists them and a test compares.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping

import msgspec

from martello.errors import EnvironmentFault

__all__ = ["Settings", "read_settings"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as whom this process runs.

    Attributes
    ----------
    who
        Name written into the ledger (`MARTELLO_WHO`; default: the login name).
    ledger
        SQLAlchemy URL of the ledger (`MARTELLO_LEDGER`; default: SQLite in the project's `.martello`).
    threads
        Threads for the engine (`MARTELLO_THREADS`; default: all).
    token
        Token the server asks of callers (`MARTELLO_TOKEN`; default: one is made and kept in `.martello/token`).
    warehouse
        URL of the database that sources ``warehouse:TABLE`` are read from (`MARTELLO_WAREHOUSE`; default: none).
    """

    who: str
    ledger: str | None = None
    threads: int | None = None
    token: str | None = None
    warehouse: str | None = None


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment.

    Raises
    ------
    EnvironmentFault
        ``settings.bad-value`` when a variable does not read as its type.

    Examples
    --------
    >>> read_settings({"MARTELLO_WHO": "ada", "MARTELLO_THREADS": "2"}).threads
    2
    """
    env = os.environ if environment is None else environment
    threads = env.get("MARTELLO_THREADS")
    if threads is not None and not (threads.isdigit() and int(threads) > 0):
        raise EnvironmentFault(
            "settings.bad-value",
            f"MARTELLO_THREADS is {threads!r}",
            where="the environment",
            expected="a whole number of at least 1",
            fix="unset MARTELLO_THREADS, or set it to a number",
        )
    return Settings(
        who=env.get("MARTELLO_WHO") or _login(),
        ledger=env.get("MARTELLO_LEDGER"),
        threads=int(threads) if threads else None,
        token=env.get("MARTELLO_TOKEN"),
        warehouse=env.get("MARTELLO_WAREHOUSE") or None,
    )


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a user without a name
        return f"uid {os.getuid()}"
