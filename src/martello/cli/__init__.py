"""The command line: one table of commands, each in a file of its own, loaded when it is called.

Every command takes `--json` (one object on stdout and nothing else) and `--project DIR`. Exit codes: 0 done, 1 refused
(a verdict), 2 wrong input, 3 environment, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence

from martello._version import __version__
from martello.cli.table import COMMANDS, Command

__all__ = ["build_parser", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code.

    Parameters
    ----------
    argv
        Words after `martello`; those of the process when None.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--version"]:
        print(__version__)
        return 0
    command = _named(words)
    parser = build_parser(only=command)
    arguments = parser.parse_args(words)
    if command is None:
        parser.print_help()
        return 2
    return _guarded(command, arguments)


def _named(words: Sequence[str]) -> Command | None:
    """Find the command among the words, so that only its own options are built."""
    return next((command for word in words for command in COMMANDS if command.name == word), None)


def build_parser(*, only: Command | None = None) -> argparse.ArgumentParser:
    """Build the parser; with `only`, the options of just that command are loaded, and the rest keep their help."""
    parser = argparse.ArgumentParser(
        prog="martello",
        description="The machine-learning loop of a product team, with the science left in.",
        epilog="First steps: `martello demo adult`, or `martello spec init FILE --label COLUMN` and `martello run`.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in COMMANDS:
        added = commands.add_parser(command.name, help=command.summary, description=command.summary)
        added.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")
        added.add_argument("--project", metavar="DIR", default=".", help="the project's directory (default: this one)")
        if command is only:
            importlib.import_module(command.module).add_options(added)
    return parser


def _guarded(command: Command, arguments: argparse.Namespace) -> int:
    """Run a command and turn what goes wrong into a message and an exit code."""
    try:
        return int(importlib.import_module(command.module).run(arguments))
    except KeyboardInterrupt:
        print("\nStopped. What was finished is kept; the same command goes on from there.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing left to say
        return 0
    except Exception as err:
        from martello.errors import MartelloError

        if not isinstance(err, MartelloError):
            raise
        if arguments.json:
            print(json.dumps({"error": err.as_dict()}, ensure_ascii=False, indent=2))
        else:
            print(err, file=sys.stderr)
        return err.exit_code
