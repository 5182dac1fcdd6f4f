"""`martello status`: where in the loop the task stands, and what a person can do about it."""

from __future__ import annotations

import argparse

from martello.cli.terminal import columns, paragraph, print_json, say
from martello.corridor.project import StageState, open_project

__all__ = ["add_options", "run"]

_SHAPES = {"done": "●", "refused": "✕", "waiting": "◐", "not begun": "○"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Take nothing more."""


def run(arguments: argparse.Namespace) -> int:
    """Print the state of every word."""
    with open_project(arguments.project) as project:
        states = project.states()
        name, question = project.spec.task.name, project.spec.task.question
    if arguments.json:
        print_json({"task": name, "states": states})
        return 0
    rows = [
        (_SHAPES[state.state], state.word, state.state, (state.at or "")[:19].replace("T", " ")) for state in states
    ]
    say(f"{name}: {question}", "", *columns(rows), "", *_next(states))
    return 0


def _next(states: tuple[StageState, ...]) -> list[str]:
    for state in states:
        if state.state in ("refused", "waiting"):
            return [paragraph(f"{state.word} is {state.state}: {state.why}")]
    if any(state.state == "not begun" for state in states):
        return ["Next: martello run"]
    return ["The loop is done once. Open report.html, or serve the release: martello serve"]
