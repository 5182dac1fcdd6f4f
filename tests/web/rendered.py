"""Pages of the hand-written rounds, drawn once per run: drawing is what costs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import adult_records as world

from martello.web.report import report_html


@cache
def html_of(story: Callable[[], world.Story]) -> str:
    """Give the report of a story, with its ledger."""
    told = story()
    return report_html(told.spec, told.records, ledger_lines=world.ledger_lines(told))
