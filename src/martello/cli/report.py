"""`martello report`: write report.html again from the records as they stand."""

from __future__ import annotations

import argparse

from martello.cli.summary import write_report
from martello.cli.terminal import print_json, say
from martello.corridor.project import open_project

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Take nothing more."""


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say where it lies."""
    with open_project(arguments.project) as project:
        path = write_report(project)
    if arguments.json:
        print_json({"report": str(path)})
    else:
        say(f"Report: {path}")
    return 0
