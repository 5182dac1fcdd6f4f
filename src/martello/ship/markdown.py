"""Markdown for the cards: names from the data made harmless, tables, and the lines that several cards share.

Equal input gives equal bytes: no dates, no machine names, no versions, so that sealed releases can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from martello.records import Finding
from martello.spec.schema import Owners, Spec
from martello.stats.estimate import Verdict

__all__ = ["SIGNS", "bullets", "code", "document", "finding_lines", "owner_lines", "plain", "population_of", "table"]

#: A verdict as a shape and a word.
SIGNS = {Verdict.MET: "✓ met", Verdict.NOT_MET: "✕ not met", Verdict.UNDECIDED: "? undecided"}

_BAR = re.compile(r"(?<!\\)\|")


def plain(text: str) -> str:
    """Keep names from the data on one line and out of Markdown's and HTML's way."""
    kept = " ".join(text.split())
    for sign in "\\`*_[]<>|#":
        kept = kept.replace(sign, f"\\{sign}")
    return kept


def code(text: str) -> str:
    """Show a name as it is typed; a backtick in it would end the span, so it becomes a quote."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lay out a table; a bar within a cell is kept from ending it."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    cells = ([_BAR.sub(r"\|", cell) for cell in row] for row in rows)
    return [*lines, *(f"| {' | '.join(row)} |" for row in cells), ""]


def bullets(lines: Iterable[str]) -> list[str]:
    """Lay out a list."""
    return [*(f"- {line}" for line in lines), ""]


def document(*parts: Sequence[str]) -> str:
    """Put parts below one another, ending in one newline."""
    return "\n".join(line for part in parts for line in part).rstrip("\n") + "\n"


def population_of(spec: Spec) -> str:
    """Name the population as the agreement does."""
    cut = f" where {code(spec.population.where)}" if spec.population.where else ""
    return f"the units of {code(spec.population.source)}{cut}"


def owner_lines(owners: Owners) -> list[str]:
    """Say who answers for what, and where nobody is named."""
    roles = {
        "Model (ML)": owners.ml,
        "Product engineering": owners.product_engineering,
        "Product management": owners.product_management,
        "Second person, who can run it when the first is away": owners.second,
    }
    return [f"{role}: {plain(name) if name else 'nobody is named yet'}" for role, name in roles.items()]


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Say what was found in the data, with the code to look it up."""
    return [f"{'Warning' if f.severity == 'warning' else 'Note'}: {plain(f.what)} ({code(f.code)})" for f in findings]
