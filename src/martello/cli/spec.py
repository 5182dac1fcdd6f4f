"""`martello spec`: write a first agreement from a file, check it, show it, or print its JSON Schema."""

from __future__ import annotations

import argparse
from pathlib import Path

from martello.cli.terminal import paragraph, print_json, say
from martello.corridor.agreement import load_agreement
from martello.corridor.project import SPEC_FILE
from martello.errors import SpecError
from martello.spec.draft import draft_spec
from martello.spec.editor_schema import editor_schema
from martello.spec.lint import notes
from martello.spec.load import parse_spec
from martello.store.blobs import write_atomically

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the four actions take."""
    parser.add_argument("action", choices=["init", "check", "show", "schema"], help="what to do")
    parser.add_argument("file", nargs="?", help="init: the CSV or Parquet file (or a quoted glob) to draft from")
    parser.add_argument("--label", metavar="COLUMN", help="init: the column that holds the answer")
    parser.add_argument("--positive", metavar="VALUE", help="init: the answer that counts as yes")
    parser.add_argument("--name", metavar="NAME", help="init: name of the task (default: from the label)")
    parser.add_argument("--force", action="store_true", help="init: replace a martello.toml that is there")


def run(arguments: argparse.Namespace) -> int:
    """Do one of init, check, show, schema."""
    return {"init": _init, "check": _check, "show": _show, "schema": _schema}[arguments.action](arguments)


def _init(arguments: argparse.Namespace) -> int:
    if not arguments.file or not arguments.label:
        raise SpecError(
            "spec.init-needs",
            "init needs a file and the column that holds the answer",
            expected="martello spec init FILE --label COLUMN",
            fix="martello spec init churn.csv --label churn --positive Yes",
        )
    target = Path(arguments.project) / SPEC_FILE
    if target.exists() and not arguments.force:
        raise SpecError(
            "spec.exists",
            f"there is a {SPEC_FILE} here already",
            where=str(target.resolve()),
            expected="a directory without one",
            fix="work in another directory (--project DIR), or replace it with --force",
        )
    text = draft_spec(
        Path(arguments.file),
        label=arguments.label,
        positive=arguments.positive,
        name=arguments.name,
        source=_relative(arguments.file, target.parent),
    )
    write_atomically(target, text.encode())
    spec = parse_spec(text, name=SPEC_FILE)
    if arguments.json:
        print_json({"spec": str(target), "task": spec.task.name, "inputs": [field.name for field in spec.input]})
        return 0
    guesses = [line for line in text.splitlines() if line.startswith("# ")]
    say(*guesses, "", f"Wrote {target}. What was guessed stands in its comments; read them once.", "")
    say("Try next:", "  martello spec check", "  martello run")
    return 0


def _relative(file: str, directory: Path) -> str:
    """Write a source as `martello.toml` will name it: relative to its own directory where that is possible."""
    path, home = Path(file).absolute(), directory.absolute()
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)


def _check(arguments: argparse.Namespace) -> int:
    path = Path(arguments.file or arguments.project)
    spec = load_agreement(path / SPEC_FILE if path.is_dir() else path)
    found = notes(spec)
    if arguments.json:
        print_json({"ok": True, "notes": found})
    else:
        say(f"{spec.task.name}: the agreement is whole.", *(paragraph(f"- {note.what}") for note in found))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    spec = load_agreement(Path(arguments.project) / SPEC_FILE)
    print_json(spec)
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    print_json(editor_schema())
    return 0
