"""From a book to a report: is the order kept, how often is it not, where, in which build, and what does it cost?

Below 80% coverage nobody knows whether the contract is kept, and the report says so. Every rate has an interval; lists
of one subject count as seen together. How it is printed is the faces' business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np
from scipy import stats

from martello.order.book import Book, SeenList
from martello.order.harm import Harm, harm_of
from martello.order.reconcile import Kind, State
from martello.order.shapes import Refused
from martello.stats.checks import check_design, check_level
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.stats.shares import share_estimate

__all__ = ["GroupRate", "KindRate", "OrderReport", "report_of"]

NEEDED_COVERAGE = 0.8
_ALARM = 0.001  # as for a sample-ratio mismatch: asked so often that 5% would cry wolf
_BY = ("surface", "build", "client", "arm")
Measure = Estimate | NotEstimable


class KindRate(msgspec.Struct, frozen=True, kw_only=True):
    """How often one kind of change was met: lists (decisions, for unobserved), share of them, and examples."""

    kind: str
    n: int
    share: Measure
    examples: tuple[str, ...]


class GroupRate(msgspec.Struct, frozen=True, kw_only=True):
    """The rate of one surface, build, client or arm, and when it was first violated there."""

    by: str
    value: str
    lists: int
    violated: int
    rate: Measure
    kinds: dict[str, int]
    first_violated_at: str | None


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit found.

    Attributes
    ----------
    verdict
        Whether the contract is kept: met, not met, or undecided, which is said as *unknown*.
    not_due
        Decisions that no render is asked of: too young, or of no item.
    rate
        Share of violated lists among those kept or violated.
    coverage
        Share of decisions that a list was seen of; None without decisions.
    bounds
        Between which two shares of all decisions were violated, whatever happened to those not seen.
    arms_p_value
        Chance of arms that differ so much in violations if they were treated alike; None with fewer than two arms.
    """

    verdict: Verdict
    level: float
    tolerance: float
    decisions: int
    not_due: int
    renders: int
    lists: int
    kept: int
    violated: int
    by_user: int
    unverifiable: int
    fallbacks: int
    rate: Measure
    coverage: float | None
    bounds: tuple[float, float] | None
    kinds: tuple[KindRate, ...]
    groups: tuple[GroupRate, ...]
    arms_p_value: float | None
    harm: Harm
    refused_decisions: Refused
    refused_renders: Refused
    notes: tuple[str, ...]


def report_of(
    book: Book,
    *,
    refused: tuple[Refused, Refused],
    tolerance: float = 0.0,
    window: int | None = None,
    caution: str = "",
    examination: Sequence[float] | None = None,
    level: float = 0.95,
) -> OrderReport:
    """Report on a closed book.

    Parameters
    ----------
    book
        After `close`.
    refused
        Rows of the decisions and of the renders that could not be read.
    tolerance
        Share of violated lists that the two sides agreed to live with; with 0, one violation breaks the contract.
    window
        Microseconds that a decision is given to be shown: younger ones are not asked for a render. None: all are.
    caution
        What has to be known of the log's shape.
    examination
        As for `harm_of`.
    level
        Of the intervals.
    """
    check_level(level)
    lists = list(book.lists.values())
    judged = [each for each in lists if each.state in (State.KEPT, State.VIOLATED)]
    violated = [each for each in judged if each.state is State.VIOLATED]
    rate = _rate(judged, level)
    due = _due(book, window)
    observed, broken = _decisions_seen(lists)
    n_observed, n_broken = len(observed & due), len(broken & due)
    coverage = n_observed / len(due) if due else None
    bounds = (n_broken / len(due), (n_broken + len(due) - n_observed) / len(due)) if due else None
    arms = _arms(judged)
    return OrderReport(
        verdict=_verdict(rate, coverage, tolerance),
        level=level,
        tolerance=tolerance,
        decisions=len(book.decisions),
        not_due=len(book.decisions) - len(due),
        renders=book.n_renders,
        lists=len(lists),
        kept=len(judged) - len(violated),
        violated=len(violated),
        by_user=sum(each.state is State.BY_USER for each in lists),
        unverifiable=sum(each.state is State.UNVERIFIABLE for each in lists),
        fallbacks=sum(each.decision is None for each in lists),
        rate=rate,
        coverage=coverage,
        bounds=bounds,
        kinds=tuple(_kinds(book, lists, len(due) - n_observed, len(due), level)),
        groups=tuple(_groups(judged, level)),
        arms_p_value=arms,
        harm=harm_of(lists, book.decisions, book.clicks, examination=examination, level=level),
        refused_decisions=refused[0],
        refused_renders=refused[1],
        notes=tuple(_notes(book, lists, arms, caution)),
    )


def _verdict(rate: Measure, coverage: float | None, tolerance: float) -> Verdict:
    if coverage is None or coverage < NEEDED_COVERAGE or isinstance(rate, NotEstimable):
        return Verdict.UNDECIDED
    if rate.low > tolerance:
        return Verdict.NOT_MET
    # No sample shows that nothing at all ever goes wrong: of a tolerance of 0 the log is asked, not the future.
    is_met = rate.value == 0 if tolerance == 0 else rate.high <= tolerance
    return Verdict.MET if is_met else Verdict.UNDECIDED


def _rate(judged: Sequence[SeenList], level: float) -> Measure:
    if not judged:
        return NotEstimable(reason="no list could be held against its decision", needs="renders of known decisions")
    return _share(judged, [each.state is State.VIOLATED for each in judged], level)


def _share(lists: Sequence[SeenList], hits: Sequence[bool], level: float) -> Measure:
    if not lists:
        return NotEstimable(reason="no list was seen", needs="renders")
    whose = [each.whose for each in lists]
    design = check_design(len(lists), cluster=whose if len(set(whose)) < len(whose) else None)
    return share_estimate(np.array(hits), np.ones(len(lists), dtype=bool), design, level=level, of="seen")


def _due(book: Book, window: int | None) -> set[str]:
    """Give the decisions that should have been shown by now, as far as the log's own times say."""
    if window is None:
        return {name for name, each in book.decisions.items() if each.items}
    moments = [each.at for each in book.decisions.values() if each.at is not None]
    moments += [each.at for each in book.lists.values() if each.at is not None]
    end = max(moments, default=0) - window
    return {name for name, each in book.decisions.items() if each.items and (each.at is None or each.at <= end)}


def _decisions_seen(lists: Iterable[SeenList]) -> tuple[set[str], set[str]]:
    observed, broken = set(), set()
    for each in lists:
        if each.decision is not None and each.state is not State.UNVERIFIABLE:
            observed.add(each.decision)
            if each.state is State.VIOLATED:
                broken.add(each.decision)
    return observed, broken


def _kinds(book: Book, lists: Sequence[SeenList], unobserved: int, due: int, level: float) -> Iterator[KindRate]:
    counts = Counter(kind for each in lists for kind in each.kinds)
    for kind in Kind:
        if counts[kind]:
            share = _share(lists, [kind in each.kinds for each in lists], level)
            yield KindRate(kind=kind, n=counts[kind], share=share, examples=tuple(book.examples.get(kind, ())))
    if unobserved:
        share = share_estimate(
            np.arange(due) < unobserved, np.ones(due, dtype=bool), check_design(due), level=level, of="made"
        )
        yield KindRate(kind=Kind.UNOBSERVED, n=unobserved, share=share, examples=())


def _groups(judged: Sequence[SeenList], level: float) -> Iterator[GroupRate]:
    for place, by in enumerate(_BY):
        members: dict[str, list[SeenList]] = {}
        for each in judged:
            if each.groups[place] is not None:
                members.setdefault(str(each.groups[place]), []).append(each)
        for value in sorted(members):
            violated = [each for each in members[value] if each.state is State.VIOLATED]
            moments = [each.at for each in violated if each.at is not None]
            yield GroupRate(
                by=by,
                value=value,
                lists=len(members[value]),
                violated=len(violated),
                rate=_rate(members[value], level),
                kinds=dict(Counter(str(kind) for each in violated for kind in each.kinds)),
                first_violated_at=_written(min(moments)) if moments else None,
            )


def _written(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="seconds")


def _arms(judged: Sequence[SeenList]) -> float | None:
    """Give the chance of so uneven arms: exact tests of each against the rest, the smallest times their number."""
    totals: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for each in judged:
        arm = each.groups[3]
        if arm is not None:
            totals[arm] += 1
            bad[arm] += each.state is State.VIOLATED
    if len(totals) < 2:
        return None
    n, n_bad = totals.total(), bad.total()
    tests = []
    for arm in totals:
        ours, rest = (bad[arm], totals[arm] - bad[arm]), (n_bad - bad[arm], n - totals[arm] - n_bad + bad[arm])
        tests.append(float(stats.fisher_exact(np.array([ours, rest])).pvalue))
    times = len(tests) if len(tests) > 2 else 1  # of two arms, each test is the other one
    return min(1.0, times * min(tests))


def _notes(book: Book, lists: Sequence[SeenList], arms: float | None, caution: str) -> Iterator[str]:
    if arms is not None and arms < _ALARM:
        yield (
            f"The arms differ in violations (p = {arms:.1g}): whatever an A/B test of them says, it does not compare "
            "the two rankings."
        )
    fallbacks = sum(each.decision is None for each in lists)
    if fallbacks:
        yield f"{fallbacks:,} lists were shown under no decision: a fallback of the page? A sealed one can be offered."
    shown = sum(slot > 0 for each in lists for _, _, slot in each.places)
    dropped = sum(each.dropped for each in lists)
    most = book.edits.drop.max_share if book.edits.drop else 1.0
    if dropped > most * (shown + dropped):
        yield (
            f"{dropped / (shown + dropped):.0%} of the items were dropped after ranking, more than the {most:.0%} that "
            "is declared: filter before ranking."
        )
    if book.counts_from_0:
        yield "Positions in this log count from 0; they were read so."
    if book.n_repeated:
        yield f"{book.n_repeated:,} renders were sent again; each counts once."
    if caution:
        yield caution
