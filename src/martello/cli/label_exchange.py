"""`martello label import` and `martello label export`: answers from a file into the campaign, and out of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from martello.cli.progress import Progress
from martello.cli.terminal import columns, paragraph, print_json, say
from martello.errors import DataError
from martello.label.answer_row import AnswerRow, RefusedRow
from martello.label.exchange import FORMATS, read_answers, write_answers

if TYPE_CHECKING:
    from martello.label.room import TakenRows

__all__ = ["AnswerStore", "add_export_options", "add_import_options", "run_export", "run_import"]

_MOST_KEPT = 1000  # refusals kept for --json; all are counted
_MOST_SHOWN = 20


class AnswerStore(Protocol):
    """What takes answers in and gives them out: a campaign of the labelling room."""

    def take_rows(self, rows: Iterable[AnswerRow], *, all_or_nothing: bool = False) -> TakenRows:
        """Keep rows, and say what became of them."""

    def rows(self) -> Iterator[AnswerRow]:
        """Give every answer that stands."""


def add_import_options(parser: argparse.ArgumentParser) -> None:
    """Add the file, where its values stand, and who made it."""
    parser.add_argument("file", metavar="FILE", help="answers: CSV, JSON Lines, Parquet, Label Studio or Argilla")
    parser.add_argument("--format", choices=FORMATS, help="the file's format (default: found from the file)")
    parser.add_argument("--unit", metavar="COLUMN", help="column or key that names the unit (default: unit)")
    parser.add_argument("--annotator", metavar="COLUMN", help="column that names the annotator (default: annotator)")
    parser.add_argument("--label", metavar="COLUMN", help="column of the class, or the question (default: answer)")
    parser.add_argument("--author", metavar="model:NAME", help="who answered every row: a model, or a person's name")
    parser.add_argument("--strict", action="store_true", help="take all rows or none")


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Add the file to write."""
    parser.add_argument("out", metavar="OUT", help="file to write: .csv, .jsonl, .parquet, or any with --format")
    parser.add_argument("--format", choices=FORMATS, help="the file's format (default: by its name)")
    parser.add_argument("--force", action="store_true", help="replace OUT if it is there")


def run_import(
    arguments: argparse.Namespace, store: AnswerStore, *, classes: Iterable[str], units: Callable[[str], bool]
) -> int:
    """Take the answers of a file in; 1 when rows were refused, and then the good ones are in all the same.

    Raises
    ------
    DataError
        When nothing of the file can be read; with ``--strict`` the refusals, and then nothing was taken.
    """
    classes = tuple(classes)

    def read(advanced: Callable[[int, int], None]) -> Iterator[AnswerRow | RefusedRow]:
        return read_answers(
            arguments.file,
            format=arguments.format,
            columns=_columns(arguments),
            classes=classes,
            units=units,
            author=arguments.author,
            advanced=advanced,
        )

    with Progress(is_wanted=not arguments.json) as progress:
        progress.started("label")
        if arguments.strict:
            _check_all(read(progress.advanced))
        good = _Good(read(progress.advanced))
        taken = store.take_rows(good, all_or_nothing=arguments.strict)
    if arguments.strict and taken.faults:
        raise _together(taken.faults)
    (_tell_json if arguments.json else _tell)(Path(arguments.file).name, taken, good)
    return 1 if good.n_refused or taken.n_refused else 0


def _columns(arguments: argparse.Namespace) -> dict[str, str]:
    given = {"unit": arguments.unit, "annotator": arguments.annotator, "answer": arguments.label}
    return {field: column for field, column in given.items() if column is not None}


def _check_all(found: Iterable[AnswerRow | RefusedRow]) -> None:
    """Raise the refusals of a file together."""
    good = _Good(found)
    for _ in good:
        pass
    if good.refused:
        raise _together([refused.error() for refused in good.refused])


def _together(faults: Sequence[DataError]) -> DataError:
    first, *others = faults[:_MOST_SHOWN]
    first.others = tuple(others)
    return first


class _Good:
    """Pass the answers on and keep the refusals, as many as are told."""

    def __init__(self, found: Iterable[AnswerRow | RefusedRow]) -> None:
        self._found = found
        self.refused: list[RefusedRow] = []
        self.n_refused = 0

    def __iter__(self) -> Iterator[AnswerRow]:
        for one in self._found:
            if isinstance(one, AnswerRow):
                yield one
                continue
            self.n_refused += 1
            if len(self.refused) < _MOST_KEPT:
                self.refused.append(one)


def _tell_json(file: str, taken: TakenRows, good: _Good) -> None:
    print_json(
        {
            "file": file,
            "taken": taken.n_taken,
            "known": taken.n_known,
            "refused": good.n_refused + taken.n_refused,
            "refusals": [
                *(refused.error().as_dict() for refused in good.refused),
                *(f.as_dict() for f in taken.faults),
            ],
        }
    )


def _tell(file: str, taken: TakenRows, good: _Good) -> None:
    parts = [f"{taken.n_taken:,} answers taken from {file}"]
    if taken.n_known:
        parts.append(f"{taken.n_known:,} were there already")
    n_refused = good.n_refused + taken.n_refused
    parts.append(f"{n_refused:,} rows refused" if n_refused else "none refused")
    say(paragraph(", ".join(parts) + "."))
    for fault in [*(refused.error() for refused in good.refused), *taken.faults][:_MOST_SHOWN]:
        lines = [(name, text) for name, text in (("where", fault.where), ("try", fault.fix)) if text]
        say("", paragraph(f"{fault.what}  [{fault.code}]", indent="  "), *columns(lines, indent="    "))
    if n_refused > _MOST_SHOWN:
        say("", f"  … and {n_refused - _MOST_SHOWN:,} more; see them with --json")


def run_export(
    arguments: argparse.Namespace, store: AnswerStore, *, inputs: Callable[[str], Mapping[str, Any]] | None = None
) -> int:
    """Write the answers that stand to a file."""
    with Progress(is_wanted=not arguments.json) as progress:
        progress.started("label")
        n = write_answers(store.rows(), arguments.out, arguments.format, inputs=inputs, force=arguments.force)
    if arguments.json:
        print_json({"out": arguments.out, "answers": n})
    else:
        say(f"{n:,} answers written to {arguments.out}.")
    return 0
