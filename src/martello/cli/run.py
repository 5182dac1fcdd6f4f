"""`martello run`: round the loop as far as possible without a person, then the sentence, the numbers, what next."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from martello.cli.progress import Progress
from martello.cli.summary import summarize, write_report
from martello.cli.terminal import print_json, say
from martello.corridor.project import Project, Run, open_project
from martello.records import record_id
from martello.stats.estimate import Verdict

__all__ = ["add_options", "run", "run_project"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` takes."""
    parser.add_argument("--until", metavar="WORD", help="stop after this word of the loop")
    parser.add_argument("--fresh", action="store_true", help="repeat every stage, also those that stand")


def run(arguments: argparse.Namespace) -> int:
    """Run the loop in a project."""
    with open_project(arguments.project) as project:
        return run_project(project, until=arguments.until, fresh=arguments.fresh, as_json=arguments.json)


def run_project(
    project: Project,
    *,
    until: str | None = None,
    fresh: bool = False,
    as_json: bool = False,
    tries: tuple[str, ...] = (),
) -> int:
    """Run the loop, write the report, print what came of it, and give the exit code.

    Parameters
    ----------
    project
        The project.
    until, fresh
        As `Project.run` takes them.
    as_json
        Print one object instead of text.
    tries
        Commands to suggest; chosen from the state of the loop when empty.
    """
    with Progress(is_wanted=not as_json) as progress:
        done = project.run(until=until, listener=progress, fresh=fresh)
    path = write_report(project)
    if as_json:
        print_json(_as_object(project, done, path))
    else:
        say(*summarize(project, done, tries=tries))
    return 0 if done.verdict in (Verdict.MET, None) else 1


def _as_object(project: Project, done: Run, report: Path) -> dict[str, object]:
    records = project.records()
    return {
        "verdict": done.verdict,
        "repeated": done.repeated,
        "states": done.states,
        "records": {kind: {"id": record_id(record), **msgspec.to_builtins(record)} for kind, record in records.items()},
        "report": str(report),
    }
