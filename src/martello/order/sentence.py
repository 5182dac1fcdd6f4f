"""What an order report says in words: one sentence, what stands behind it, and what to do next.

Both the terminal and the page say it so. Numbers come from `report`.
"""

from __future__ import annotations

from collections.abc import Iterator

from martello.order.report import NEEDED_COVERAGE, OrderReport
from martello.stats.estimate import Estimate, NotEstimable, Verdict

__all__ = ["causes", "headline", "next_step", "say_moment", "say_number", "say_share", "supporting"]

#: What is usually behind each kind, for whoever has to find it.
_CAUSES = {
    "reorder": "items fetched again with `WHERE id IN`, numbers as keys of a JavaScript object, parts shown as they "
    "arrive, CSS `order`, or a second sort",
    "drop": "a filter on the page or after ranking; declare its reasons, or filter before ranking",
    "insert": "ads or pins that are not declared; a pin belongs before the seal, as a rule with an owner and an end",
    "foreign": "a fallback list, a cache of another answer, or items added on the page",
    "duplicate": "pages that overlap, or two lists put together",
    "mixed": "lists of two decisions merged into one",
    "stale": "a cache that keeps lists longer than they are good for",
    "wrong subject": "a cache shared between people, or an arm chosen on the page",
    "unverifiable": "decisions missing from the log, or a key that is not in the keyring",
    "unobserved": "pages that do not send what they show: old builds, blockers, bots",
}


def causes(kind: str) -> str:
    """Give what is usually behind a kind of change."""
    return _CAUSES[kind]


def say_share(measure: Estimate | NotEstimable | float) -> str:
    """Give a share in percent, with its interval when it has one.

    Examples
    --------
    >>> say_share(0.25), say_share(NotEstimable(reason="no list was seen", needs="renders"))
    ('25%', 'not known: no list was seen')
    >>> say_share(Estimate(value=0.031, low=0.028, high=0.034, level=0.95, n=9000, method="exact"))
    '3.1% (2.8% to 3.4%)'
    """
    if isinstance(measure, NotEstimable):
        return f"not known: {measure.reason}"
    if isinstance(measure, Estimate):
        return f"{_percent(measure.value)} ({_percent(measure.low)} to {_percent(measure.high)})"
    return _percent(measure)


def say_number(measure: Estimate | NotEstimable, digits: int) -> str:
    """Give a number with its interval, or why there is none.

    Examples
    --------
    >>> say_number(Estimate(value=1240.3, low=310.2, high=2200.9, level=0.95, n=9000, method="bootstrap"), 0)
    '1,240 (310 to 2,201)'
    """
    if isinstance(measure, NotEstimable):
        return f"not known: {measure.reason}"
    value, low, high = (f"{each:,.{digits}f}" for each in (measure.value, measure.low, measure.high))
    return f"{value} ({low} to {high})"


def say_moment(at: str) -> str:
    """Give a moment to the minute.

    Examples
    --------
    >>> say_moment("2026-11-24T00:00:05+00:00")
    '2026-11-24 00:00 UTC'
    """
    return f"{at[:16].replace('T', ' ')} UTC"


def _percent(share: float) -> str:
    share *= 100
    if share == 0 or abs(share) >= 99.95:
        return f"{share:.0f}%"
    digits = 0 if abs(share) >= 10 else 1 if abs(share) >= 0.95 else 2
    return f"{share:.{digits}f}%" if abs(share) >= 0.005 else "under 0.01%"


def headline(report: OrderReport) -> str:
    """Say in one sentence whether the order is kept."""
    judged = report.kept + report.violated
    if report.coverage is not None and report.coverage < NEEDED_COVERAGE:
        low, high = report.bounds or (0.0, 1.0)
        return (
            f"Unknown: only {_percent(report.coverage)} of {_count(report.decisions - report.not_due, 'decision')} "
            f"were seen on a page, so that between {_percent(low)} and {_percent(high)} of them may have been changed."
        )
    if report.coverage is None or isinstance(report.rate, NotEstimable):
        return "Unknown: no list could be held against its decision."
    changed = f"{say_share(report.rate)} of {_count(judged, 'list')} {'was' if judged == 1 else 'were'} changed"
    if report.verdict is Verdict.MET and not report.violated:
        return f"The order is kept: none of {_count(judged, 'list')} was changed, surely under {_ceiling(report.rate)}."
    if report.verdict is Verdict.MET:
        return f"The order is kept: {changed}, and {_percent(report.tolerance)} is tolerated."
    if report.verdict is Verdict.UNDECIDED:
        return f"Undecided: {changed}, and {_percent(report.tolerance)} is tolerated."
    worst = max(report.kinds, key=lambda each: (each.kind not in ("unobserved", "unverifiable"), each.n))
    return f"The order is not kept: {changed}, most often by {worst.kind}."


def _ceiling(rate: Estimate) -> str:
    return _percent(rate.high)


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def supporting(report: OrderReport) -> Iterator[str]:
    """Say what stands behind the sentence: coverage with its bounds, the cost, and what to know of the log."""
    if report.coverage == 1:
        yield "Every decision was seen on a page."
    elif report.coverage is not None and report.coverage >= NEEDED_COVERAGE:
        low, high = report.bounds or (0.0, 1.0)
        yield (
            f"{_percent(report.coverage)} of the decisions were seen on a page. Whatever happened to the others, "
            f"between {_percent(low)} and {_percent(high)} of all were changed."
        )
    harm = report.harm
    if isinstance(harm.lost_share, Estimate) and isinstance(harm.lost_clicks, Estimate):
        yield (
            f"By a model of attention, {say_number(harm.lost_clicks, 0)} clicks were lost, "
            f"{say_share(harm.lost_share)} of what there would have been."
        )
    if isinstance(harm.sample_factor, Estimate) and isinstance(harm.effect_kept, Estimate):
        yield (
            f"Of a difference between two rankings, {say_share(harm.effect_kept)} reaches people; an A/B test needs "
            f"{say_number(harm.sample_factor, 1)} times the sample."
        )
    yield from report.notes
    for refused, what in ((report.refused_decisions, "decisions"), (report.refused_renders, "renders")):
        if refused.n:
            yield f"{_count(refused.n, 'row')} of the {what} could not be read: {'; '.join(refused.examples)}."


def next_step(report: OrderReport) -> str:
    """Say what to do next: the place where it is worst, and what is usually behind it."""
    if report.coverage is None or report.coverage < NEEDED_COVERAGE:
        return f"Next: send what every page shows, with `observeRender`, until {_percent(NEEDED_COVERAGE)} is seen."
    if not report.violated:
        return "Next: put the contract test into the product's own tests, so that it stays so."
    kinds = [each for each in report.kinds if each.kind not in ("unobserved", "unverifiable")]
    worst = max(kinds, key=lambda each: each.n)
    groups = [each for each in report.groups if each.by in ("build", "surface") and isinstance(each.rate, Estimate)]
    place = ""
    if len(groups) > 1:
        group = max(groups, key=lambda each: (each.rate.low if isinstance(each.rate, Estimate) else 0.0, each.violated))
        since = f", since {say_moment(group.first_violated_at)}," if group.first_violated_at else ""
        place = f" in {group.by} {group.value}{since}"
    return f"Next: look{place} for {worst.kind}: {causes(worst.kind)}."
