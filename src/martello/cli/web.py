"""`martello web`: the loop, its records and the labeling page in a browser, on loopback unless told otherwise."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from contextlib import ExitStack

import msgspec

from martello.cli.progress import Progress
from martello.corridor.project import Project, open_project
from martello.errors import MartelloError
from martello.label.contract import LabelingRoom

__all__ = ["add_listening", "add_options", "run", "serve_project"]

#: Why the pages may open without labeling: then the loop is shown alone, and why is said.
_NO_ROOM = frozenset(
    {"label.no-annotators", "label.no-model-yet", "label.nothing-to-prove", "label.room-open-elsewhere"}
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add where to listen."""
    add_listening(parser)


def add_listening(parser: argparse.ArgumentParser) -> None:
    """Add where the pages listen, and whether a browser is opened."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument("--port", type=int, default=8378, help="port; 0 takes a free one (default: 8378)")
    parser.add_argument(
        "--name", action="append", default=[], help="a name this server goes by, if others reach it by one"
    )
    parser.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=None, help="open a browser (default: on a desktop)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show the pages until stopped."""
    with open_project(arguments.project) as project, ExitStack() as open_things:
        room = _room(project, open_things, is_quiet=arguments.json)
        serve_project(project, room, arguments, page="/")
    return 0


def serve_project(project: Project, room: LabelingRoom | None, arguments: argparse.Namespace, *, page: str) -> None:
    """Serve a project's pages until stopped, with labeling where a room is open, and say where they are."""
    # Imported here and not above: `--help` does not need a web server.
    from martello.corridor.labeling import image_directory, label_directory, open_register
    from martello.web.app import create_app
    from martello.web.entry import owner_token
    from martello.web.server import run as serve_pages

    register = open_register(project)
    token = owner_token(register, label_directory(project.directory) / "owner-token", name=project.settings.who)
    app = create_app(
        project=project, room=room, register=register, images=image_directory(project), names=arguments.name
    )
    link = f"/enter/{token}" + ("" if page == "/" else f"?next={page}")
    purpose = room.purpose if room is not None else None
    serve_pages(
        app,
        host=arguments.host,
        port=arguments.port,
        ready=lambda url: _tell(arguments, f"{url}{link}", purpose),
    )


def _room(project: Project, open_things: ExitStack, *, is_quiet: bool) -> LabelingRoom | None:
    """Open the campaign that is due, if people are asked in this project."""
    from martello.corridor.labeling import open_labeling

    if project.spec.output.source != "annotators":
        return None
    try:
        with Progress(is_wanted=not is_quiet) as progress:
            return open_things.enter_context(open_labeling(project, listener=progress))
    except MartelloError as fault:
        if fault.code not in _NO_ROOM:
            raise
        print(f"Labeling is not open: {fault.what}.", file=sys.stderr)
        return None


def _tell(arguments: argparse.Namespace, link: str, purpose: str | None) -> None:
    if arguments.json:
        print(msgspec.json.encode({"url": link, "purpose": purpose}).decode(), flush=True)
        return
    print(f"Your own link:\n  {link}\nStop: Ctrl-C", file=sys.stderr, flush=True)
    has_desktop = sys.stderr.isatty() and bool(os.environ.get("DISPLAY", os.name != "posix"))
    if arguments.open or (arguments.open is None and has_desktop):
        webbrowser.open(link)
