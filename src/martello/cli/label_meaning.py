"""What an aggregation of answers says on the terminal: the sentence first, numbers with their intervals, what next."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path

from martello.cli.terminal import bold, columns, paragraph
from martello.label.aggregation_report import AggregationReport
from martello.records import Measure
from martello.ship.words import count, percent
from martello.stats.estimate import Estimate, NotEstimable

__all__ = ["lines"]

_SHOWN = 15
_WAYS = {"majority": "majority vote", "dawid-skene": "Dawid–Skene"}


def lines(found: AggregationReport, arguments: argparse.Namespace, out: Path | None) -> Iterator[str]:
    """Say it all: the sentence, agreement, annotators, ceiling, choice, what to know, what to do."""
    yield bold(paragraph(_sentence(found)))
    yield ""
    yield from columns(_agreement(found))
    of = f"{count(found.n_answers, 'answer')} by {count(found.n_annotators, 'annotator')}"
    yield f"  {found.level:.0%} intervals over {count(found.n_units, 'unit')}; {of}"
    yield from ("", "  annotators", *columns(_annotators(found), indent="    "))
    if found.n_annotators > _SHOWN:
        yield f"    … and {found.n_annotators - _SHOWN} more; --json has all"
    yield from (
        "",
        "  a model that is always right would show an accuracy of",
        *columns(_ceiling(found), indent="    "),
    )
    if found.choice is not None:
        yield from ("", "  right on check units", *columns(_choice(found), indent="    "))
    if found.n_suspects:
        yield from ("", f"  worth a second look: {count(found.n_suspects, 'unit')}", *_suspects(found))
    if found.refused.n:
        yield from ("", f"  left out: {count(found.refused.n, 'row')}", *_refused(found))
    yield ""
    for note in (*found.notes, *_unknown(found)):
        yield paragraph(note)
    yield from _next(found, arguments, out)


def _sentence(found: AggregationReport) -> str:
    said = f"{count(found.n_labeled, 'unit')} labeled by {_WAYS[found.method]}: {found.reason}."
    if found.n_unknown:
        said += f" {count(found.n_unknown, 'unit')} left without a label, since answers tie or are missing."
    return said


def _agreement(found: AggregationReport) -> list[tuple[str, str]]:
    rows: list[tuple[str, Measure]] = [
        ("agreement of two annotators", found.agreement),
        ("Krippendorff's alpha", found.alpha),
        ("Cohen's kappa", found.cohen_kappa),
        ("Fleiss' kappa", found.fleiss_kappa),
    ]
    # A kappa that does not apply is no news; alpha and agreement are shown, or why they cannot be.
    return [(name, str(value)) for name, value in rows if isinstance(value, Estimate) or "kappa" not in name]


def _short(measure: Measure) -> str:
    return str(measure) if isinstance(measure, Estimate) else "not known"


def _annotators(found: AggregationReport) -> list[tuple[str, ...]]:
    head = ("name", "answers", "agrees with others", "accuracy (model)")
    rows = [
        (one.name, f"{one.n_answers:,}", _short(one.agreement), _short(one.accuracy), _short(one.checks))
        for one in found.annotators[:_SHOWN]
    ]
    if not found.n_checks:
        return [head, *(row[:-1] for row in rows)]
    return [(*head, "on check units"), *rows]


def _ceiling(found: AggregationReport) -> list[tuple[str, str]]:
    single = found.ceiling.from_confusion
    if isinstance(single, NotEstimable):
        single = found.ceiling.from_agreement
    return [
        ("against one annotator", str(single)),
        ("against these labels", str(found.ceiling.of_labels)),
    ]


def _choice(found: AggregationReport) -> list[tuple[str, str]]:
    assert found.choice is not None
    return [
        ("majority vote", str(found.choice.majority)),
        ("Dawid–Skene", str(found.choice.dawid_skene)),
        ("difference", str(found.choice.difference)),
        ("better", found.choice.verdict),
    ]


def _suspects(found: AggregationReport) -> list[str]:
    shown = found.suspects[:5]
    rows = [(one.unit, f"{one.label}, perhaps {one.instead}", f"doubt {percent(one.doubt)}") for one in shown]
    more = (
        [f"    … and {found.n_suspects - len(shown):,} more; --json names {len(found.suspects)}"]
        if found.n_suspects > len(shown)
        else []
    )
    return [*columns(rows, indent="    "), *more]


def _refused(found: AggregationReport) -> Iterator[str]:
    for code, n in found.refused.by_code.items():
        first = next(row for row in found.refused.first if row.code == code)
        yield paragraph(f"{count(n, 'row')} [{code}], first {first.file}, {first.why}", indent="    ")


def _unknown(found: AggregationReport) -> Iterator[str]:
    if found.n_repeated:
        yield f"{count(found.n_repeated, 'answer')} came again as they were, and counted once."
    if found.n_unsure:
        yield f"{count(found.n_unsure, 'answer')} named no class and counted for none."
    if found.n_differ:
        yield f"The two ways of aggregating differ on {count(found.n_differ, 'unit')}."


def _next(found: AggregationReport, arguments: argparse.Namespace, out: Path | None) -> Iterator[str]:
    """Say where the labels are and what to do; paths and commands stay in one piece."""
    if out is not None:
        yield f"Labels are in {out}, one row per unit."
        yield f"Next: join them to the inputs by {arguments.unit}, then"
        yield "  martello spec init FILE --label label"
        return
    if found.choice is None:
        yield paragraph("Next: answer some 100 units with certainty, give them as --checks FILE, and keep the labels:")
    else:
        yield "Next: keep the labels:"
    usual = {
        "unit": "unit",
        "annotator": "annotator",
        "label": "answer",
        "checks": None,
        "truth": None,
        "method": "auto",
    }
    given = {name: getattr(arguments, name) for name in usual}
    words = [f"--{name} {shlex.quote(value)}" for name, value in given.items() if value != usual[name]]
    yield "  " + " ".join(["martello label aggregate", shlex.quote(arguments.answers), *words, "--out labels.parquet"])
