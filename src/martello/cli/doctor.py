"""`martello doctor`: versions, disk, engine, and what is missing."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import platform
import shutil
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from martello._version import __version__
from martello.cli.terminal import columns, print_json, say

__all__ = ["add_options", "run"]

_PACKAGES = ("duckdb", "lightgbm", "msgspec", "numpy", "pyarrow", "scikit-learn", "scipy", "sqlalchemy", "uvicorn")
_LEAST_FREE = 1 << 30  # a gigabyte: a project with its store and logs


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "note", "missing"]
    what: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """Take nothing more."""


def run(arguments: argparse.Namespace) -> int:
    """Look at the machine and the project; exit 3 when something is missing."""
    checks = [
        *_python(),
        *_packages(),
        _engine(),
        _booster(),
        _disk(Path(arguments.project)),
        _project(arguments.project),
    ]
    is_well = all(check.state != "missing" for check in checks)
    if arguments.json:
        print_json({"ok": is_well, "checks": [check._asdict() for check in checks]})
    else:
        shapes = {"ok": "●", "note": "◐", "missing": "✕"}
        say(*columns([(shapes[check.state], check.name, check.what) for check in checks], indent=""), "")
        say("All that is needed is here." if is_well else "Something is missing: see the lines marked ✕.")
    return 0 if is_well else 3


def _python() -> list[Check]:
    is_new = sys.version_info >= (3, 11)
    return [
        Check("martello", "ok", __version__),
        Check(
            "python",
            "ok" if is_new else "missing",
            f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        ),
    ]


def _packages() -> list[Check]:
    checks = []
    for name in _PACKAGES:
        try:
            checks.append(Check(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            checks.append(Check(name, "missing", f"not installed; try: pip install {name}"))
    return checks


def _engine() -> Check:
    from martello.engines.duckdb import DuckDBEngine
    from martello.errors import MartelloError

    try:
        with DuckDBEngine(Path()) as engine:
            digest = engine.arrow("SELECT md5('martello') AS digest").column("digest")[0].as_py()
    except (ImportError, MartelloError) as err:
        return Check("engine", "missing", f"DuckDB does not answer: {err}")
    is_right = digest == hashlib.md5(b"martello", usedforsecurity=False).hexdigest()
    return Check("engine", "ok" if is_right else "missing", "DuckDB answers" if is_right else "DuckDB's md5 is wrong")


def _booster() -> Check:
    from martello.errors import MartelloError
    from martello.train.booster import library_path

    try:
        return Check("scorer", "ok", f"LightGBM's library at {library_path()}")
    except MartelloError as err:
        return Check("scorer", "missing", err.what)


def _disk(directory: Path) -> Check:
    free = shutil.disk_usage(directory if directory.exists() else Path()).free
    enough = free >= _LEAST_FREE
    return Check(
        "disk", "ok" if enough else "note", f"{free / 1e9:.1f} GB free" + ("" if enough else "; at least 1 GB is wise")
    )


def _project(directory: str) -> Check:
    from martello.corridor.project import open_project
    from martello.errors import MartelloError

    try:
        with open_project(directory) as project:
            return Check("project", "ok", f"task {project.spec.task.name!r} in {project.directory}")
    except MartelloError as err:
        return Check("project", "note", f"none to open here: {err.what}")
