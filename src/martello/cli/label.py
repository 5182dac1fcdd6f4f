"""`martello label`: the page on which people answer, or the answers of a column; and answers in files."""

from __future__ import annotations

import argparse

from martello.cli import word
from martello.cli.progress import Progress
from martello.cli.terminal import paragraph, print_json, say
from martello.cli.web import add_listening

__all__ = ["add_options", "run"]

_ACTIONS = {
    "aggregate": "settle the answers of a file: majority or Dawid-Skene, whichever its check units say is better",
    "import": "take answers in from a file",
    "export": "write every answer to a file",
    "invite": "make a link for an annotator",
    "revoke": "end an annotator's access; the answers stay",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the page takes, and the actions on files and people."""
    word.add_options(parser)
    parser.add_argument("--for", dest="purpose", choices=["training", "gold"], help="campaign (default: the one due)")
    add_listening(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions")
    for name, summary in _ACTIONS.items():
        added = actions.add_parser(name, help=summary, description=summary)
        for option, settings in (("--json", {"action": "store_true"}), ("--project", {"metavar": "DIR"})):
            # The parser above has these, too: here they must not overwrite what was said there.
            added.add_argument(option, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **settings)  # type: ignore[arg-type]
        _add_action(name, added)


def _add_action(name: str, parser: argparse.ArgumentParser) -> None:
    if name == "aggregate":
        from martello.cli.label_aggregate import add_options as add_aggregate

        add_aggregate(parser)
    elif name in ("import", "export"):
        from martello.cli.label_exchange import add_export_options, add_import_options

        (add_import_options if name == "import" else add_export_options)(parser)
        parser.add_argument(
            "--for", dest="purpose", choices=["training", "gold"], help="campaign (default: the one due)"
        )
    else:
        parser.add_argument("name", metavar="NAME", help="the annotator's name")
        if name == "invite":
            parser.add_argument("--days", type=float, default=30, help="days the link holds (default: 30)")
            parser.add_argument("--url", default="http://127.0.0.1:8378", help="where the page is reached")


def run(arguments: argparse.Namespace) -> int:
    """Open the page, or do one action."""
    if arguments.action == "aggregate":
        from martello.cli.label_aggregate import run as run_aggregate

        return run_aggregate(arguments)
    from martello.corridor.project import open_project

    if arguments.action is None:
        with open_project(arguments.project) as project:
            if project.spec.output.source == "column" and arguments.purpose is None:
                return word.run(arguments)
        return _open_page(arguments)
    return {"import": _exchange, "export": _exchange, "invite": _invite, "revoke": _revoke}[arguments.action](arguments)


def _exchange(arguments: argparse.Namespace) -> int:
    from martello.cli.label_exchange import run_export, run_import
    from martello.corridor.labeling import open_labeling
    from martello.corridor.project import open_project

    with open_project(arguments.project) as project, open_labeling(project, purpose=arguments.purpose) as room:
        if arguments.action == "import":
            return run_import(arguments, room, classes=project.spec.output.classes, units=room.is_unit)
        return run_export(arguments, room, inputs=room.inputs)


def _invite(arguments: argparse.Namespace) -> int:
    from martello.corridor.labeling import open_register
    from martello.corridor.project import open_project

    with open_project(arguments.project) as project:
        token = open_register(project).invite(arguments.name, days=arguments.days)
    link = f"{arguments.url.rstrip('/')}/enter/{token}"
    if arguments.json:
        print_json({"annotator": arguments.name, "link": link, "days": arguments.days})
    else:
        say(paragraph(f"{arguments.name}'s own link, shown only now; it holds for {arguments.days:g} days:"), "", link)
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    from martello.corridor.labeling import open_register
    from martello.corridor.project import open_project

    with open_project(arguments.project) as project:
        open_register(project).revoke(arguments.name)
    if arguments.json:
        print_json({"annotator": arguments.name, "revoked": True})
    else:
        say(f"{arguments.name} can no longer enter; the answers stay.")
    return 0


def _open_page(arguments: argparse.Namespace) -> int:
    from martello.cli.web import serve_project
    from martello.corridor.labeling import open_labeling
    from martello.corridor.project import open_project

    with open_project(arguments.project) as project:
        with Progress(is_wanted=not arguments.json) as progress:
            room = open_labeling(project, purpose=arguments.purpose, listener=progress)
        with room:
            serve_project(project, room, arguments, page="/label")
    return 0
