"""The commands named for a word of the loop: run as far as that word, then show what it made."""

from __future__ import annotations

import argparse

import msgspec

from martello.cli.progress import Progress
from martello.cli.show import show_record
from martello.cli.terminal import paragraph, print_json, say
from martello.corridor.project import StageState, open_project
from martello.records import record_id

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what every word takes."""
    parser.add_argument("--fresh", action="store_true", help="repeat the stages, also those that stand")


def run(arguments: argparse.Namespace) -> int:
    """Run the loop as far as one word and show what that word made."""
    word = arguments.command
    with open_project(arguments.project) as project:
        with Progress(is_wanted=not arguments.json) as progress:
            project.run(until=word, listener=progress, fresh=arguments.fresh)
        state = next(state for state in project.states() if state.word == word)
        made = [project.store.get_record(id) for id in state.records]
    if arguments.json:
        records = [{"id": record_id(record), **msgspec.to_builtins(record)} for record in made]
        print_json({"word": word, "state": state, "records": records})
    else:
        for record in made:
            say(*show_record(record), "")
        say(*_where_it_stands(state))
    return {"done": 0}.get(state.state, 1)


def _where_it_stands(state: StageState) -> list[str]:
    if state.state == "done":
        return [f"{state.word}: done at {state.at}"]
    return [paragraph(f"{state.word}: {state.state}. {state.why}")]
