"""How high the file stands in an order: estimates over moments, with the candidates' design weights and an interval.

Candidates are a sample of all files, so a place in the order is estimated: one, plus the design weights of the files
that stand before. The unit is the moment; moments of one person on one day share what the person was about, and are one
cluster.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from martello.errors import DataError
from martello.stats.checks import check_design
from martello.stats.compare import paired_difference
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import bounded_interval, linearized_ratio

__all__ = ["Judged", "Places", "compare", "judge", "places_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where the first of the wanted files stands, moment by moment, each of shape (moments,).

    Attributes
    ----------
    reciprocal
        1 / estimated place.
    is_first
        1 where no file that was drawn stands before it; between equals, the chance of being first.
    behind
        Estimated share of the other files that stand behind, equals by half; NaN where there is no other.
    """

    reciprocal: Floats
    is_first: Floats
    behind: Floats


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What an order does over the moments, the means of `Places`."""

    mean_reciprocal_rank: Estimate | NotEstimable
    first: Estimate | NotEstimable
    behind: Estimate | NotEstimable


def places_of(
    moment: npt.ArrayLike, touched: npt.ArrayLike, score: npt.ArrayLike, chance: npt.ArrayLike | None = None
) -> Places:
    """Find the place of the best wanted file of each moment.

    Parameters
    ----------
    moment
        Moment of each candidate, shape (n,); moments come in the order of their numbers.
    touched, score
        Whether the candidate was wanted, and its score, higher first, shape (n,).
    chance
        Inclusion probability of the candidates, shape (n,); None: they are all there were.

    Notes
    -----
    The number of files before is unbiased (Horvitz–Thompson) and so is the number behind. The reciprocal of a place and
    being first are too large on average where files before were drawn with small probability and so may have been
    missed; differences between orders are then too large or too small. A wanted file is never counted against another.
    Equals come in random order, at their expected place.

    Examples
    --------
    >>> places_of([0, 0, 0, 1, 1], [0, 1, 0, 1, 0], [3.0, 2.0, 1.0, 5.0, 4.0], [0.5, 1, 1, 1, 1]).reciprocal.tolist()
    [0.3333333333333333, 1.0]
    """
    number, wanted, scores = np.asarray(moment), np.asarray(touched, dtype=np.bool_), np.asarray(score, np.float64)
    weights = np.ones(len(scores)) if chance is None else 1.0 / np.asarray(chance, dtype=np.float64)
    _, codes = np.unique(number, return_inverse=True)
    n = int(codes.max()) + 1
    best = np.full(n, -np.inf)
    np.maximum.at(best, codes[wanted], scores[wanted])
    if np.isinf(best).any():
        raise DataError(
            "demo.nothing-wanted",
            f"moment {np.unique(number)[np.isinf(best)][0]} has no wanted file among its candidates",
            where="touched",
            expected="at least one wanted file per moment",
        )
    before = np.bincount(codes, np.where(~wanted & (scores > best[codes]), weights, 0.0), n)
    equal = np.bincount(codes, np.where(~wanted & (scores == best[codes]), weights, 0.0), n)
    hits = np.bincount(codes, np.where(wanted & (scores == best[codes]), 1.0, 0.0), n)
    others = np.bincount(codes, np.where(wanted, 0.0, weights), n)
    with np.errstate(invalid="ignore"):
        behind = 1.0 - (before + equal / 2.0) / others
    return Places(
        reciprocal=np.asarray(1.0 / (1.0 + before + equal / (hits + 1.0)), dtype=np.float64),
        is_first=np.where(before > 0, 0.0, hits / (hits + equal)),
        behind=np.asarray(behind, dtype=np.float64),
    )


def judge(places: Places, *, weight: Floats, cluster: npt.ArrayLike) -> Judged:
    """Estimate over the population of moments.

    Parameters
    ----------
    places
        Of the moments judged.
    weight, cluster
        Design weight and cluster of each moment, shape (moments,).
    """

    def mean(values: Floats) -> Estimate | NotEstimable:
        known = np.isfinite(values)
        design = check_design(len(values), weight, cluster)
        found = linearized_ratio(np.where(known, values, 0.0), known.astype(np.float64), design)
        return found if isinstance(found, NotEstimable) else bounded_interval(found, level=0.95)

    return Judged(mean_reciprocal_rank=mean(places.reciprocal), first=mean(places.is_first), behind=mean(places.behind))


def compare(ours: Places, theirs: Places, *, weight: Floats, cluster: npt.ArrayLike) -> Estimate | NotEstimable:
    """Estimate by how much our mean reciprocal place is above theirs on the same moments."""
    return paired_difference(ours.reciprocal, theirs.reciprocal, weight=weight, cluster=cluster)
