"""`martello log`: what was made from what, when and by whom, newest first."""

from __future__ import annotations

import argparse

from martello.cli.terminal import columns, print_json, say
from martello.corridor.project import open_project

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add paging."""
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="lines on the page (default: 20)")
    parser.add_argument("--before", type=int, metavar="SEQ", help="only lines older than this number")


def run(arguments: argparse.Namespace) -> int:
    """Print a page of the ledger."""
    with open_project(arguments.project) as project:
        lines = project.ledger.lines(limit=arguments.limit, before=arguments.before)
    if arguments.json:
        print_json({"lines": lines})
        return 0
    if not lines:
        say("Nothing has been made yet. Next: martello run")
        return 0
    rows = [("no.", "when (UTC)", "who", "word", "made", "from", "seconds")]
    rows += [
        (
            str(line.seq),
            line.at[:19].replace("T", " "),
            line.who,
            line.word,
            ", ".join(line.records),
            ", ".join(line.parents) or "-",
            f"{line.seconds:.1f}",
        )
        for line in lines
    ]
    say(*columns(rows, indent=""))
    if len(lines) == arguments.limit and lines[-1].seq > 1:
        say("", f"Older: martello log --before {lines[-1].seq}")
    return 0
