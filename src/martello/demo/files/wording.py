"""What came of it in words: the sentence first, the table of orders, and what the numbers stand on."""

from __future__ import annotations

from martello.demo.files.recall import ORDERS, Recall, Sampled
from martello.records import Measure
from martello.stats.estimate import Estimate

__all__ = ["notes", "sentence", "table"]


def sentence(found: Recall) -> str:
    """Say how often the file stands first, beside the order by recency, and whether that is certain.

    Examples
    --------
    >>> from martello.demo.files.judge import Judged
    >>> from martello.stats.estimate import NotEstimable
    >>> unknown = NotEstimable(reason="one independent draw shows no spread", needs="at least 2 units (or clusters)")
    >>> nothing = Judged(mean_reciprocal_rank=unknown, first=unknown, behind=unknown)
    >>> drawn = Sampled(n=18, of=18, inclusion_probability=1.0)
    >>> print(sentence(Recall(repository="r", commits=99, is_capped=False, learned=drawn, judged=drawn, files=9,
    ...     candidates=9, orders=dict.fromkeys(ORDERS, nothing), gains={name: unknown for name in ORDERS[:2]})))
    How often a file of r is found cannot be told: one independent draw shows no spread; needs at least 2 units (or
    clusters).
    """
    ours, theirs = found.orders["learned"].first, found.orders["recency"].first
    if not isinstance(ours, Estimate) or not isinstance(theirs, Estimate):
        lacking = theirs if isinstance(ours, Estimate) else ours
        return f"How often a file of {found.repository} is found cannot be told: {str(lacking)[15:]}."
    return (
        f"For {100 * ours.value:.0f} of 100 later moments in {found.repository}, a file that somebody was about to "
        f"touch stands first among all {found.files:,}; order by recency manages {100 * theirs.value:.0f}. "
        + _certainty(found.gains["learned"])
    )


def _certainty(gain: Measure) -> str:
    if isinstance(gain, Estimate) and gain.low > 0:
        return "The learned order is better with certainty."
    if isinstance(gain, Estimate) and gain.high < 0:
        return "The order by recency is better with certainty: keep it."
    return "Which of the two is better cannot be told from these moments."


def table(found: Recall) -> list[tuple[str, ...]]:
    """Give the rows of the table, its head first."""
    head = ("order", "first of 100", "reciprocal rank", "above recency")
    return [head, *(_row(found, name) for name in ORDERS)]


def _row(found: Recall, name: str) -> tuple[str, ...]:
    order = found.orders[name]
    gain = _number(found.gains[name]) if name in found.gains else ""
    return (name, _percent(order.first), _number(order.mean_reciprocal_rank), gain)


def _number(measure: Measure) -> str:
    if not isinstance(measure, Estimate):
        return "not estimable"
    return f"{measure.value:.2f} ({measure.low:.2f} to {measure.high:.2f})"


def _percent(measure: Measure) -> str:
    if not isinstance(measure, Estimate):
        return "not estimable"
    return f"{100 * measure.value:.0f} ({100 * measure.low:.0f} to {100 * measure.high:.0f})"


def notes(found: Recall) -> list[str]:
    """Say what the numbers stand on."""
    capped = f"The newest {found.commits:,} commits were read, older ones were not. " if found.is_capped else ""
    looked = (
        f"At each, {found.candidates:,} of {found.files:,} files (medians) were looked at, the likely ones for certain "
        "and the others by chance; their design weights are in every number. "
        if found.candidates < found.files
        else ""
    )
    return [
        f"{capped}Learned from {_drawn(found.learned, 'earlier')}, judged on {_drawn(found.judged, 'later')}. {looked}"
        "Intervals at 95 %, by person and day.",
        "What the person says is the subject of the commit, which was written with the work; the order without words "
        "knows only the past.",
    ]


def _drawn(moments: Sampled, when: str) -> str:
    if moments.n == moments.of:
        return f"all {moments.n:,} {when} moments"
    return f"{moments.n:,} of {moments.of:,} {when} moments (probability {moments.inclusion_probability:.2f} each)"
