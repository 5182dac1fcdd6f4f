"""`martello serve`: a real HTTP server on a release, on loopback unless told otherwise."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from martello.errors import EnvironmentFault

if TYPE_CHECKING:
    from martello.corridor.opened import FeaturedRelease

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add where to listen and what to serve."""
    parser.add_argument("--release", metavar="DIR", help="release directory (default: the project's newest)")
    parser.add_argument(
        "--log", metavar="DIR", help="where decisions are logged (default: .martello/log in the project)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument(
        "--events",
        choices=("auto", "load", "none"),
        default="auto",
        help="read the declared events into the state: when it is empty, now, or not at all (default: auto)",
    )
    parser.add_argument(
        "--state", metavar="DIR", help="where events are kept that features look back on (default: .martello/state)"
    )
    parser.add_argument("--port", type=int, default=8377, help="port; 0 takes a free one (default: 8377)")


def run(arguments: argparse.Namespace) -> int:
    """Open the release, check it, and answer until stopped."""
    # Imported here and not above: the serving process holds only what it needs.
    from martello.corridor.opened import FeaturedRelease, open_served
    from martello.serve.server import run as answer

    project = Path(arguments.project)
    directory = Path(arguments.release) if arguments.release else newest_release(project)
    log = Path(arguments.log) if arguments.log else project / ".martello" / "log"
    state = Path(arguments.state) if arguments.state else project / ".martello" / "state"
    served = open_served(directory, state=state)
    if isinstance(served, FeaturedRelease):
        _fill(served, state, project, arguments.events)
    token, token_file = _token(project)

    def ready(port: int) -> None:
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        url = f"http://{host}:{port}"
        if arguments.json:
            print(msgspec.json.encode({"url": url, "release": served.release_id}).decode(), flush=True)
        else:
            _explain(url, served.release_id, token_file, log)

    answer(served, host=arguments.host, port=arguments.port, log_dir=log, token=token, ready=ready)
    return 0


def _fill(served: FeaturedRelease, state: Path, project: Path, events: str) -> None:
    """Read the declared events into the state, if that is asked for or it is empty."""
    state.mkdir(parents=True, exist_ok=True)
    is_empty = served.wants_events  # opens the state, so that a fault in it is said before anyone asks
    if events == "load" or (events == "auto" and is_empty):
        from martello.corridor.filling import fill_state
        from martello.corridor.opened import state_file
        from martello.settings import read_settings

        filled = fill_state(state_file(state, served.declared), served.declared, project, read_settings())
        for name, n in filled.accepted.items():
            print(f"source {name}: {n:,} events read", file=sys.stderr)
        if filled.faults:
            print(f"{len(filled.faults):,} events were not taken; the first:\n{filled.faults[0]}", file=sys.stderr)


def newest_release(project: Path) -> Path:
    """Give the release that the project's pointer names.

    Raises
    ------
    EnvironmentFault
        ``serve.no-release`` when nothing has passed the gate yet.
    """
    pointer = project / "releases" / "current"
    if not pointer.is_file():
        raise EnvironmentFault(
            "serve.no-release",
            "there is no release to serve",
            where=str(pointer),
            expected="a release that passed the gate",
            fix="martello run, or name a release with --release DIR",
        )
    return project / "releases" / pointer.read_text(encoding="utf-8").strip()


def _token(project: Path) -> tuple[str, Path | None]:
    """Take the token from the environment, or make one and keep it readable by this user alone."""
    if token := os.environ.get("MARTELLO_TOKEN"):
        return token, None
    path = project / ".martello" / "token"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text(encoding="ascii").strip(), path


def _explain(url: str, release: str, token_file: Path | None, log: Path) -> None:
    where = f"$(cat {token_file})" if token_file else "$MARTELLO_TOKEN"
    print(
        f"Serving {release} at {url}\n"
        f"  API:  {url}/docs\n"
        f"  log:  {log}\n"
        f'  ask:  curl -H "Authorization: Bearer {where}" {url}/openapi.json\n'
        "  stop: Ctrl-C",
        file=sys.stderr,
        flush=True,
    )
