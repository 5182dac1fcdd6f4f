"""`martello features`: run as far as the features; show what each is, is worth and costs; check what serving saw."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from martello.cli import word
from martello.cli.terminal import bold, columns, paragraph, print_json, say
from martello.corridor.parity import MOST, Parity, check_parity, log_directory
from martello.corridor.project import Project, open_project
from martello.corridor.worth import FeatureWorth, feature_table
from martello.errors import DataError
from martello.features.parity import FeatureParity
from martello.records import Measure
from martello.ship.words import count
from martello.stats.estimate import Estimate

__all__ = ["add_options", "run"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `features` takes."""
    word.add_options(parser)
    parser.add_argument(
        "action",
        nargs="?",
        choices=("show", "check"),
        help="show: a table of what each input and feature is, is worth and costs; check: hold logged decisions "
        "against a backfill (exit 1 where they differ); neither: run the loop as far as the features",
    )
    parser.add_argument("--log", metavar="DIR", help="check: where decisions were logged (default: .martello/log)")
    parser.add_argument(
        "--most", metavar="N", type=int, default=MOST, help=f"check: decisions recomputed at most (default: {MOST:,})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show, check, or do the project's word."""
    if arguments.action is None:
        return word.run(arguments)
    with open_project(arguments.project) as project:
        return _show(project, arguments) if arguments.action == "show" else _check(project, arguments)


def _show(project: Project, arguments: argparse.Namespace) -> int:
    table = feature_table(project)
    if arguments.json:
        print_json({"features": table})
        return 0
    n_features = sum(each.kind != "input" for each in table)
    say(bold(f"{count(len(table) - n_features, 'input')}, {count(n_features, 'feature')}"), "")
    head = ("name", "kind", "missing", "AUC alone", "adds to log loss", "µs", "owner", "last used", "")
    say(*columns([head, *map(_row, table)]), "")
    say(*_definitions(table))
    say(
        paragraph(
            "AUC alone and what a column adds to the rest (log loss without it minus with it) are measured on dev, "
            "with 95 % intervals; – is not known. µs is what a request waits for it."
        )
    )
    return 0


def _row(each: FeatureWorth) -> tuple[str, ...]:
    return (
        each.name if each.is_seen else f"({each.name})",
        each.kind,
        "–" if each.missing_share is None else f"{each.missing_share:.1%}",
        _measure(each.alone, 3),
        _measure(each.effect, 4),
        "–" if each.cost is None else f"{each.cost:.2f}",
        each.owner or "–",
        (each.last_used or "–")[:10],
        each.note,
    )


def _measure(measure: Measure, digits: int) -> str:
    if not isinstance(measure, Estimate):
        return "–"
    return f"{measure.value:.{digits}f} ({measure.low:.{digits}f} to {measure.high:.{digits}f})"


def _definitions(table: tuple[FeatureWorth, ...]) -> Iterator[str]:
    """Write how each is computed; those the model does not see stand in brackets above."""
    declared = [(each.name, each.type, each.definition) for each in table if each.kind != "input"]
    if declared:
        yield from (*columns(declared), "")


def _check(project: Project, arguments: argparse.Namespace) -> int:
    if not project.spec.feature:
        raise DataError(
            "features.none-declared",
            "no feature is declared: there is nothing to compare",
            where="martello.toml",
            expected="a table [feature]",
            fix="inputs are read by the same rules in training and serving",
        )
    log = Path(arguments.log) if arguments.log else log_directory(project.directory)
    found = check_parity(project.directory, project.spec, project.settings, log=log, most=arguments.most)
    if found is None:
        if arguments.json:
            print_json({"verdict": "undecided", "n_checked": 0})
        else:
            say(
                paragraph(
                    f"Not known: {log} holds no decision made with these features. Serve a release and ask again."
                )
            )
        return 1
    verdict = "not met" if found.disagreeing else "met"
    if arguments.json:
        print_json({"verdict": verdict, **{name: getattr(found, name) for name in found.__struct_fields__}})
    else:
        say(*_found(found))
    return 1 if found.disagreeing else 0


def _found(found: Parity) -> Iterator[str]:
    checked = f"{count(found.n_checked, 'logged decision')} of {found.n_logged:,}, chosen by hash"
    if found.disagreeing:
        yield bold(paragraph(f"Serving saw other values than a backfill gives: {', '.join(found.disagreeing)}."))
    else:
        yield bold(paragraph(f"Every feature of {checked}, is what a backfill gives."))
    yield ""
    head = ("feature", "differ", "missing", "extra", "share that disagrees", "largest error", "first")
    yield from columns([head, *(_parity_row(each) for each in found.features)])
    yield f"  {checked}"
    if found.n_other:
        yield paragraph(
            f"{count(found.n_other, 'decision')} made with other features cannot be recomputed.", indent="  "
        )
    if found.n_after:
        yield paragraph(
            f"{count(found.n_after, 'decision')} lie after the newest event of a declared table: if events are still "
            "on their way there, check again when they have come.",
            indent="  ",
        )
    if found.disagreeing:
        yield ""
        yield paragraph(
            "A feature that disagrees may not train on backfill: `martello run` waits until a check agrees. Most often "
            "events become known later than they happen: declare known_at."
        )


def _parity_row(each: FeatureParity) -> tuple[str, ...]:
    first = "" if each.example is None else f"{each.example[0]}: {each.example[1]} in the log, {each.example[2]}"
    return (
        each.name,
        f"{each.n_different:,}",
        f"{each.n_missing:,}",
        f"{each.n_extra:,}",
        _measure(each.share, 3),
        "–" if each.largest_error is None else f"{each.largest_error:.1%}",
        first,
    )
