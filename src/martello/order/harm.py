"""What changed order costs: how far items moved, clicks that were lost, and how much longer A/B tests must run.

All of it rests on a model, and says so: whether a place is looked at depends on the slot alone, by default as 1/slot;
an item sealed at rank r is clicked, once looked at, as often as those at rank r on all lists together. Lists are put
into at most 500 heaps by subject, and heaps are redrawn for the intervals. What a list says of the contract is the
business of `report`.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

import msgspec
import numpy as np

from martello.order.book import SeenList
from martello.order.facts import RankedDecision
from martello.order.reconcile import State
from martello.stats.bootstrap import redrawn_weights
from martello.stats.checks import Floats, check_design
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import mean_estimate

__all__ = ["Harm", "harm_of"]

DEPTH = 100
_HEAPS = 500
_LEAST_HEAPS = 20
_RESAMPLES = 1000
Measure = Estimate | NotEstimable


class Harm(msgspec.Struct, frozen=True, kw_only=True):
    """What changed order did, each number with its interval or the reason why there is none.

    Attributes
    ----------
    disorder
        Share of pairs of shown items in the wrong order, the mean of changed lists (normalized Kendall distance).
    displacement
        Attention moved from where it was due, the mean of changed lists; a first and second place swapped move 1.
    lost_clicks
        Clicks on items of the decisions that the observed lists would have had more, had they kept the order.
    lost_share
        The same as a share of the clicks they would have had.
    effect_kept
        Share of a difference between two rankings that still reaches people, as far as it is one of order.
    sample_factor
        How many times the sample an A/B test of rankings needs because of it.
    """

    disorder: Measure
    displacement: Measure
    lost_clicks: Measure
    lost_share: Measure
    effect_kept: Measure
    sample_factor: Measure


def harm_of(
    lists: Iterable[SeenList],
    decisions: Mapping[str, RankedDecision],
    clicks: Mapping[str, set[str]],
    *,
    examination: Sequence[float] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Harm:
    """Measure the harm on the lists that were seen.

    Parameters
    ----------
    lists, decisions, clicks
        As in a `Book`; items clicked by decision.
    examination
        Chance that a slot is looked at, from the first on; 1, 1/2, 1/3 and so on when left out.
    level, seed
        Of the intervals.
    """
    theta = np.zeros(DEPTH + 1)
    theta[1:] = 1 / np.arange(1, DEPTH + 1)
    if examination:
        given = np.asarray(examination[:DEPTH], dtype=float)
        theta[1:] = given[-1]
        theta[1 : len(given) + 1] = given
    judged = [each for each in lists if each.state in (State.KEPT, State.VIOLATED) and each.decision in decisions]
    changed = [each for each in judged if each.state is State.VIOLATED]
    disorder, displacement = _moved(changed, theta, level)
    sums = _Sums(theta)
    for each in judged:
        if not each.sparse:
            sums.add(each, decisions[str(each.decision)], clicks.get(str(each.decision), set()))
    return Harm(disorder=disorder, displacement=displacement, **sums.measures(bool(changed), level=level, seed=seed))


def _moved(changed: Sequence[SeenList], theta: Floats, level: float) -> tuple[Measure, Measure]:
    turned, moved, whose = [], [], []
    for each in changed:
        shown = sorted((slot, rank) for rank, _, slot in each.places if slot)
        if len(shown) > 1:
            turned.append(_inversions([rank for _, rank in shown]) / (len(shown) * (len(shown) - 1) / 2))
            gaps = (theta[min(due, DEPTH)] - theta[min(slot, DEPTH)] for _, due, slot in each.places)
            moved.append(float(sum(abs(gap) for gap in gaps)))
            whose.append(each.whose)
    if not turned:
        none = NotEstimable(reason="no list of two items or more was changed", needs="a changed list")
        return none, none
    return (
        mean_estimate(turned, cluster=whose, level=level),
        mean_estimate(moved, cluster=whose, level=level),
    )


def _inversions(ranks: Sequence[int]) -> int:
    """Count the pairs in the wrong order.

    Examples
    --------
    >>> _inversions([1, 2, 3]), _inversions([3, 1, 2])
    (0, 2)
    """
    before: list[int] = []
    n = 0
    for rank in ranks:
        n += len(before) - bisect_right(before, rank)
        insort(before, rank)
    return n


class _Sums:
    """Attention due and given, clicks and lists by sealed rank, in heaps of lists: all that the model needs to know."""

    def __init__(self, theta: Floats) -> None:
        self._theta = theta
        self._due, self._given, self._clicks, self._lists = np.zeros((4, _HEAPS, DEPTH))
        self._n = 0

    def add(self, seen: SeenList, decision: RankedDecision, clicked: set[str]) -> None:
        """Add one list."""
        self._n += 1
        heap = crc32(seen.whose.encode("utf-8", "replace")) % _HEAPS
        for rank, due, slot in seen.places:
            if rank <= DEPTH:
                self._due[heap, rank - 1] += self._theta[min(due, DEPTH)]
                self._given[heap, rank - 1] += self._theta[min(slot, DEPTH)]
                self._lists[heap, rank - 1] += due > 0
                self._clicks[heap, rank - 1] += slot > 0 and decision.items[rank - 1] in clicked

    def measures(self, is_changed: bool, *, level: float, seed: int) -> dict[str, Measure]:
        """Give lost clicks and their share, the effect kept, and what it costs in sample."""
        reason = self._reason(is_changed)
        if reason is not None:
            return dict.fromkeys(("lost_clicks", "lost_share", "effect_kept", "sample_factor"), reason)
        used = np.flatnonzero(self._lists.sum(axis=1))
        parts = [part[used] for part in (self._due, self._given, self._clicks, self._lists)]
        point = _model(*(part.sum(axis=0)[None, :] for part in parts))
        blocks = list(redrawn_weights(check_design(len(used)), resamples=_RESAMPLES, seed=seed))
        weights = np.concatenate(blocks)
        redrawn = _model(*(weights @ part for part in parts))
        names = ("lost_clicks", "lost_share", "effect_kept", "sample_factor")
        return {
            name: _interval(float(value[0]), spread, level=level, n=self._n, name=name)
            for name, value, spread in zip(names, point, redrawn, strict=True)
        }

    def _reason(self, is_changed: bool) -> Measure | None:
        total = self._lists.sum(axis=0)
        if not is_changed and total.any():
            return NotEstimable(reason="no list was changed", needs="nothing: nothing was lost")
        if not self._clicks.any():
            return NotEstimable(reason="no click on whole lists is in the log", needs="clicks beside the renders")
        unseen = np.flatnonzero((self._due.sum(axis=0) > 0) & (self._given.sum(axis=0) == 0))
        if len(unseen):
            return NotEstimable(
                reason=f"what is sealed at rank {unseen[0] + 1} is never shown, so its clicks are not known",
                needs="some lists that keep the order",
            )
        n = int((self._lists.sum(axis=1) > 0).sum())
        if n < _LEAST_HEAPS:
            return NotEstimable(reason=f"there are lists of only {n} subjects or decisions", needs="20 or more")
        return None


def _model(due: Floats, given: Floats, clicks: Floats, lists: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Give the four numbers for each row of sums, shape (b,); NaN where they are not defined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = np.where(given > 0, clicks / given, np.where(due > 0, np.nan, 0.0))  # clicks per look, by rank
        lost = np.sum((due - given) * drawn, axis=1)
        share = lost / np.sum(due * drawn, axis=1)
        above = drawn - np.sum(lists * drawn, axis=1, keepdims=True) / np.sum(lists, axis=1, keepdims=True)
        meant = np.sum(due * above, axis=1)
        kept = np.where(meant > 0, np.sum(given * above, axis=1) / meant, np.nan)
        return lost, share, kept, np.where(kept > 0, 1 / kept**2, np.inf)


def _interval(value: float, spread: Floats, *, level: float, n: int, name: str) -> Measure:
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(np.where(np.isnan(spread), np.inf, spread), tails, method="nearest")
    if not np.isfinite([value, low, high]).all():
        return NotEstimable(
            reason="the clicks do not show that what is sealed higher is clicked more"
            if name in ("effect_kept", "sample_factor")
            else "too few clicks",
            needs="more clicks",
        )
    method = "position-based model, bootstrap over subjects"
    return Estimate(value=value, low=min(low, value), high=max(high, value), level=level, n=n, method=method)
