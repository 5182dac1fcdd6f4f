"""The report: one self-contained page a product manager can read; the sentence first, then pictures, then evidence.

It needs no network, no script and no finished loop: what is not there yet is said to be next. It is a pure function of
records.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

import jinja2
from markupsafe import Markup, escape

from martello.records import AnyRecord
from martello.ship.known import Known
from martello.ship.sentence import headline, supporting
from martello.spec.schema import Spec
from martello.stats.estimate import Verdict
from martello.web.figures import chapters
from martello.web.loop import loop_of, next_action
from martello.web.tables import Line, evidence

__all__ = ["report_html"]

_NUMBER_AND_UNIT = re.compile(r"(?<=\d) (?=%)")


def _commands(text: str) -> Markup:
    """Show what stands between backticks as something to type."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped before it is marked up


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("martello.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["commands"] = _commands
    return environment


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
    kinds = {str(record.__struct_config__.tag): record for record in records.values()}
    steps = loop_of(known)
    page = (
        _templates()
        .get_template("report.html")
        .render(
            spec=spec,
            verdict=known.gate.verdict if known.gate else None,
            verdict_words=_VERDICT_WORDS[known.gate.verdict if known.gate else None],
            headline=headline(known),
            supporting=supporting(known),
            steps=steps,
            action=next_action(steps),
            chapters=chapters(known),
            tables=evidence(records, kinds, ledger_lines),
            owners=_owners(spec),
        )
    )
    # A number and its percent sign stay on one line.
    return _NUMBER_AND_UNIT.sub("\u00a0", page)


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
