"""The report: one self-contained page a product manager can read; the sentence first, then pictures, then evidence.

It needs no network, no script and no finished loop: what is not there yet is said to be next. It is a pure function of
records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from martello.records import AnyRecord, kind_of
from martello.ship.known import Known
from martello.ship.sentence import headline, supporting
from martello.spec.schema import Spec
from martello.stats.estimate import Verdict
from martello.web.figures import chapters
from martello.web.loop import loop_of, next_action
from martello.web.pages import written
from martello.web.tables import Line, evidence

__all__ = ["body", "opening", "report_html"]


def report_html(spec: Spec, records: Mapping[str, AnyRecord], *, ledger_lines: Sequence[Line] = ()) -> str:
    """Give the report as one HTML page.

    Parameters
    ----------
    spec
        The agreement.
    records
        The records there are, by any key; all may be missing.
    ledger_lines
        Who made what, when; empty where nobody asks.

    Returns
    -------
    str
        A page that loads nothing: style and pictures are inside.
    """
    known = Known.of(spec, records)
    steps = loop_of(known)
    return written(
        "report.html",
        **opening(known),
        steps=steps,
        action=next_action(steps),
        **body(known, records, ledger_lines),
    )


def opening(known: Known) -> dict[str, Any]:
    """Give what the top of a page says: the verdict and the sentence."""
    verdict = known.gate.verdict if known.gate else None
    return {
        "spec": known.spec,
        "verdict": verdict,
        "verdict_words": _VERDICT_WORDS[verdict],
        "headline": headline(known),
        "supporting": supporting(known),
    }


def body(known: Known, records: Mapping[str, AnyRecord], ledger_lines: Sequence[Line]) -> dict[str, Any]:
    """Give what a page shows below: pictures, evidence, and who answers for it."""
    kinds = {kind_of(record): record for record in records.values()}
    return {
        "chapters": chapters(known),
        "tables": evidence(records, kinds, ledger_lines),
        "owners": _owners(known.spec),
    }


_VERDICT_WORDS = {
    Verdict.MET: "Gate met",
    Verdict.NOT_MET: "Gate not met",
    Verdict.UNDECIDED: "Gate undecided",
    None: "Gate not reached",
}


def _owners(spec: Spec) -> list[tuple[str, str]]:
    roles = {
        "Model": spec.owners.ml,
        "Product engineering": spec.owners.product_engineering,
        "Product management": spec.owners.product_management,
        "Second person": spec.owners.second,
    }
    return [(role, name or "nobody is named yet") for role, name in roles.items()]
