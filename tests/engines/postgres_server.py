"""A Postgres server of our own while tests run: in a temporary directory, on a socket, not as root."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa

__all__ = ["execute", "load", "missing", "running", "url_of_shared"]


def binaries() -> Path | None:
    """Find the server's programs; Debian keeps them off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def missing() -> str | None:
    """Say what is not here, or None."""
    try:
        import adbc_driver_postgresql  # noqa: F401
    except ImportError:
        return "the driver adbc-driver-postgresql is not installed"
    return None if binaries() else "no Postgres server is installed (Debian: apt-get install postgresql)"


def _as_user() -> tuple[list[str], str | None]:
    """Postgres will not run as root: step down to the user of the package, or to nobody."""
    if os.geteuid() != 0:
        return [], None
    user = next(name for name in ("postgres", "nobody") if any(each.pw_name == name for each in pwd.getpwall()))
    group = str(pwd.getpwnam(user).pw_gid)
    return ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"], user


@contextmanager
def running() -> Iterator[str]:
    """Start a server and give the URL of an empty database."""
    programs = binaries()
    assert programs is not None
    step_down, user = _as_user()
    with tempfile.TemporaryDirectory(prefix="pg-") as name:  # short: the path of a socket has at most 107 letters
        home = Path(name)
        if user is not None:
            shutil.chown(home, user)

        def run(*command: str) -> None:
            done = subprocess.run([*step_down, *command], cwd=home, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

        data = str(home / "data")
        options = ["-U", "martello", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        run(str(programs / "initdb"), "-D", data, *options)
        settings = f"-k {home} -c listen_addresses= -c fsync=off -c timezone=Asia/Tokyo"
        run(str(programs / "pg_ctl"), "-D", data, "-o", settings, "-w", "-l", str(home / "log"), "start")
        try:
            yield f"postgresql://martello@/postgres?host={home}"
        finally:
            run(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")


@cache
def url_of_shared() -> str:
    """Give the URL of a server that is started once for a process of tests and stopped with it."""
    server = running()
    url = server.__enter__()
    atexit.register(server.__exit__, None, None, None)
    return url


def execute(url: str, *statements: str) -> None:
    """Run statements that change the database."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(url) as connection:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.commit()


def load(url: str, name: str, table: pa.Table) -> None:
    """Put a table into the database, in place of one that is there."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(url) as connection:
        with connection.cursor() as cursor:
            cursor.adbc_ingest(name, table, mode="replace")
        connection.commit()
