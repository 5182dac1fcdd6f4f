"""The order report as one self-contained page: the sentence first, then where it was changed and what that costs.

It is a pure function of the report and loads nothing. The words are `martello.order.sentence`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from martello.order.report import GroupRate, OrderReport
from martello.order.sentence import causes, headline, next_step, say_moment, say_number, say_share, supporting
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.web.pages import written
from martello.web.tables import Cell, Table

__all__ = ["order_html"]

_WORDS = {Verdict.MET: "Order kept", Verdict.NOT_MET: "Order not kept", Verdict.UNDECIDED: "Order unknown"}
_MOST_MARKS = 30
_TITLES = {"surface": "By surface", "build": "By build", "client": "By client", "arm": "By arm"}


def order_html(report: OrderReport, *, source: str) -> str:
    """Give the report as one HTML page.

    Parameters
    ----------
    report
        What an audit found.
    source
        What was audited, in a word.
    """
    return written(
        "order.html",
        report=report,
        source=source,
        verdict_words=_WORDS[report.verdict],
        headline=headline(report),
        supporting=list(supporting(report)),
        action=next_step(report),
        groups=list(_marks(report)),
        tables=[table for table in _tables(report) if table.rows],
    )


def _marks(report: OrderReport) -> Iterator[tuple[str, list[dict[str, object]], bool]]:
    """Give, for each way of dividing the lists, one bar with its interval per part, worst first."""
    for by, title in _TITLES.items():
        groups = [each for each in report.groups if each.by == by and isinstance(each.rate, Estimate)]
        groups.sort(key=lambda each: (-each.violated / each.lists, each.value))
        most = max((each.rate.high for each in groups if isinstance(each.rate, Estimate)), default=0.0) or 1.0
        marks = [_mark(each, most) for each in groups[:_MOST_MARKS]]
        if len(marks) > 1:
            yield title, marks, len(groups) > _MOST_MARKS


def _mark(group: GroupRate, most: float) -> dict[str, object]:
    rate = group.rate
    assert isinstance(rate, Estimate)
    low, high, value = (100 * each / most for each in (rate.low, rate.high, rate.value))
    return {
        "name": group.value,
        "said": say_share(rate),
        "low": f"{low:.2f}",
        "width": f"{max(high - low, 0.5):.2f}",
        "value": f"{value:.2f}",
        "lists": f"{group.lists:,} lists",
        "since": f"since {say_moment(group.first_violated_at)}" if group.first_violated_at else "",
    }


def _tables(report: OrderReport) -> Iterator[Table]:
    yield Table(
        name="kinds",
        title="What was changed",
        lead="A list can be changed in several ways; unobserved ones are decisions that no page was seen to show.",
        head=("kind", "lists", "share", "an example", "usually"),
        rows=tuple(
            (
                Cell(each.kind, "name"),
                Cell(f"{each.n:,}", "number"),
                Cell(say_share(each.share)),
                Cell(each.examples[0] if each.examples else ""),
                Cell(causes(each.kind).replace("`", "")),
            )
            for each in report.kinds
        ),
    )
    yield Table(
        name="cost",
        title="What it costs",
        lead="By a model: whether a slot is looked at depends on the slot alone, as 1, 1/2, 1/3 and so on. Only a test "
        "in which half of the pages must keep the order proves it.",
        head=("what", "value"),
        rows=tuple(_costs(report)) if report.violated else (),
    )
    yield Table(
        name="counts",
        title="What was looked at",
        lead="A list rendered again counts once, as last rendered.",
        head=("what", "number"),
        rows=tuple(
            (Cell(name, "name"), Cell(f"{n:,}", "number"))
            for name, n in (
                ("decisions", report.decisions),
                ("not asked for", report.not_due),
                ("renders", report.renders),
                ("lists", report.lists),
                ("kept", report.kept),
                ("changed", report.violated),
                ("sorted by people", report.by_user),
                ("unverifiable", report.unverifiable),
                ("shown under no decision", report.fallbacks),
                ("unreadable rows", report.refused_decisions.n + report.refused_renders.n),
            )
        ),
    )


def _costs(report: OrderReport) -> Iterator[tuple[Cell, ...]]:
    harm = report.harm
    for name, measure, digits in (
        ("pairs in the wrong order, of changed lists", harm.disorder, None),
        ("attention moved per changed list", harm.displacement, 2),
        ("clicks lost", harm.lost_clicks, 0),
        ("share of clicks lost", harm.lost_share, None),
        ("effect of a ranking that is kept", harm.effect_kept, None),
        ("times the sample of an A/B test", harm.sample_factor, 1),
    ):
        if isinstance(measure, NotEstimable):
            yield Cell(name, "name"), Cell("not known", note=measure.reason)
        else:
            yield Cell(name, "name"), Cell(say_share(measure) if digits is None else say_number(measure, digits))
