"""`martello evaluate --show-gold N`: the worst errors of a random tenth of gold, at the price of that tenth."""

from __future__ import annotations

import argparse

from martello.cli.terminal import bold, columns, paragraph, print_json, say
from martello.corridor.gold_errors import GoldError, show_gold_errors
from martello.corridor.project import open_project

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Show the errors and say what they cost."""
    with open_project(arguments.project) as project:
        errors = show_gold_errors(project, arguments.show_gold)
    if arguments.json:
        print_json({"shown": errors})
        return 0
    say(bold(paragraph(f"The {len(errors)} worst errors in a random tenth of gold, worst first.")), "")
    for error in errors:
        say(*_lines(error), "")
    say(
        paragraph(
            "That tenth of gold is in the ledger as shown: from the next run on it judges no more. It was drawn at "
            "random, so that what is left of gold is not kinder than it was."
        )
    )
    return 0


def _lines(error: GoldError) -> list[str]:
    inputs = [(name, "-" if value is None else str(value)[:60]) for name, value in error.inputs.items()]
    return [
        f"{error.unit}: is {error.truth!r}, which the model gave {error.score:.3f}",
        *columns(inputs, indent="    "),
    ]
