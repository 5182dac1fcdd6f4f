"""`martello demo`: once round the loop on real data, or the files of a repository in the order they are wanted."""

from __future__ import annotations

import argparse
import shutil
from importlib import resources
from pathlib import Path

from martello.cli.progress import Progress
from martello.cli.run import run_project
from martello.cli.terminal import bold, columns, paragraph, print_json, say
from martello.corridor.project import open_project
from martello.errors import EnvironmentFault

__all__ = ["add_options", "run"]

_MARK = "# made by `martello demo"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the name of the demo and its place."""
    parser.add_argument("name", nargs="?", choices=["adult", "files"], default="adult", help="which (default: adult)")
    parser.add_argument(
        "directory",
        nargs="?",
        metavar="DIR",
        help="adult: where to write the project (default: ./adult); files: a git repository (default: this one)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run one of the demos."""
    return _run_files(arguments) if arguments.name == "files" else _run_adult(arguments)


def _run_adult(arguments: argparse.Namespace) -> int:
    """Write the demo's project, unless it is there already, and run it."""
    directory = Path(arguments.directory or arguments.name)
    write_demo(arguments.name, directory)
    if not arguments.json:
        say(f"UCI Adult, 48,842 people, in {directory}/: does this person earn more than 50,000 dollars a year?", "")
    with open_project(directory) as project:
        tries = (
            f"martello status --project {directory}",
            f"martello serve --project {directory}",
            "martello spec init YOUR.csv --label COLUMN",
        )
        return run_project(project, as_json=arguments.json, tries=tries)


def _run_files(arguments: argparse.Namespace) -> int:
    """Learn which file of a repository is wanted, judge it on later moments, and say what came of it."""
    # Only this demo needs them: they bring the trainer and the engine.
    from martello.demo.files.recall import recall_files
    from martello.demo.files.wording import notes, sentence, table

    with Progress(is_wanted=not arguments.json) as progress:
        found = recall_files(Path(arguments.directory or "."), progress)
    if arguments.json:
        print_json(found)
        return 0
    say(bold(paragraph(sentence(found))), "", *columns(table(found)), "")
    say(*(paragraph(note) for note in notes(found)), "")
    features = resources.files("martello.demo.files") / "features.toml"
    say("Next: the features are data, to be read and to be taken over into a martello.toml:", f"  {features}")
    return 0


def write_demo(name: str, directory: Path) -> None:
    """Write the project of a demo; a project that is there already is left as it is.

    Raises
    ------
    EnvironmentFault
        ``demo.directory-taken`` when the directory holds something else.
    """
    spec = directory / "martello.toml"
    if spec.exists() and spec.read_text(encoding="utf-8").startswith(_MARK):
        return
    if directory.exists() and any(directory.iterdir()):
        raise EnvironmentFault(
            "demo.directory-taken",
            f"{directory} is there already and holds something else",
            where=str(directory.resolve()),
            expected="a new or empty directory",
            fix=f"martello demo {name} ANOTHER_DIR",
        )
    directory.mkdir(parents=True, exist_ok=True)
    files = resources.files("martello.demo")
    for source, target in ((f"{name}.parquet", "people.parquet"), ("ATTRIBUTION.md", "ATTRIBUTION.md")):
        with resources.as_file(files / source) as path:
            shutil.copyfile(path, directory / target)
    text = (files / f"{name}.toml").read_text(encoding="utf-8")
    spec.write_text(f"{_MARK} {name}`\n{text}", encoding="utf-8")
