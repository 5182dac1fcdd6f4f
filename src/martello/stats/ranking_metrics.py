"""Metrics of ranked lists, query by query: NDCG, average precision and reciprocal rank.

Here lives the value of each query's list and the mean over queries with its interval. The query is the unit: a list is
never split, and an average over rows would let long lists outvote short ones. Gain, cut-off and what a query without
any relevant item counts as are named by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from martello.errors import DataError
from martello.stats.areas import average_precision_of
from martello.stats.checks import Floats, Ints, check_design, check_level, check_numbers, check_same_length
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import bounded_interval, linearized_ratio, symmetric_interval

__all__ = ["EmptyRule", "Gain", "QueryValues", "estimate_ranking_metric", "query_values"]

RankingMetric = Literal["ndcg", "map", "mrr"]
Gain = Literal["linear", "exponential"]
EmptyRule = Literal["skip", "zero", "one"]


@dataclass(frozen=True, slots=True)
class QueryValues:
    """The metric of each query.

    Attributes
    ----------
    query
        Names of the queries, sorted, shape (q,).
    value
        Metric of each, in [0, 1], shape (q,); NaN where there is nothing relevant and the rule is to skip.
    first_row
        A row of each query, shape (q,), to look its weight and cluster up.
    """

    query: npt.NDArray[np.generic]
    value: Floats
    first_row: Ints


def query_values(
    name: RankingMetric,
    query: npt.ArrayLike,
    relevance: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    at: int | None = None,
    gain: Gain = "linear",
    empty: EmptyRule = "skip",
) -> QueryValues:
    """Give the metric of each query's list.

    Parameters
    ----------
    name
        ``ndcg``, ``map`` (average precision of a query) or ``mrr`` (reciprocal rank of the first relevant item).
    query, relevance, score
        Query of each row, its relevance (at least 0) and its score, shape (n,). ``map`` and ``mrr`` take a relevance
        above 0 as relevant.
    at
        Ranks that count; all when left out. Not for ``map``.
    gain
        ``linear``: the relevance; ``exponential``: 2^relevance - 1. Only ``ndcg`` uses it.
    empty
        What a query without a relevant item counts as: left out, 0 or 1.

    Assumptions
    -----------
    Higher scores rank first. Items of equal score come in random order: the value is the mean over the orders (``map``:
    they enter together, as scikit-learn does).

    Guarantee
    ---------
    ``ndcg`` with linear gain equals scikit-learn's `ndcg_score` of each query, ``map`` its `average_precision_score`.

    References
    ----------
    Järvelin, K. and Kekäläinen, J. (2002), ACM TOIS 20, 422–446; McSherry, F. and Najork, M. (2008), ECIR,
    414–421 for ties.

    Examples
    --------
    >>> query_values("mrr", ["q", "q", "q", "r"], [0, 1, 1, 0], [0.9, 0.5, 0.4, 0.3], empty="zero").value.tolist()
    [0.5, 0.0]
    """
    grades, scores = check_numbers(relevance, where="relevance"), check_numbers(score)
    names = np.asarray(query)
    check_same_length(query=names, relevance=grades, score=scores)
    _check_settings(name, grades, at, gain, empty)
    order = np.lexsort((-scores, names))
    kept, starts = np.unique(names[order], return_index=True)
    values = np.full(len(kept), {"skip": np.nan, "zero": 0.0, "one": 1.0}[empty])
    for number, rows in enumerate(np.split(order, starts[1:])):
        if (grades[rows] > 0).any():
            values[number] = _value(name, grades[rows], scores[rows], at or len(rows), gain)
    return QueryValues(kept, values, order[starts])


def estimate_ranking_metric(
    name: RankingMetric,
    query: npt.ArrayLike,
    relevance: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    at: int | None = None,
    gain: Gain = "linear",
    empty: EmptyRule = "skip",
    weight: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate | NotEstimable:
    """Estimate the mean of a ranking metric over queries.

    Parameters
    ----------
    name, query, relevance, score, at, gain, empty
        As for `query_values`.
    weight, cluster
        Design weight and cluster (the user, say) of the row's query, shape (n,); the same in all rows of a query.
    level
        Confidence of the two-sided interval.

    Assumptions
    -----------
    Queries, or their clusters, are independent draws; about 20 at least.

    Guarantee
    ---------
    Asymptotic coverage `level` (Student's t by cluster), cut to [0, 1]; where all queries have the same value, the
    binomial interval of as many queries instead of width 0.

    References
    ----------
    Järvelin and Kekäläinen (2002); Särndal, Swensson and Wretman (1992), §5.5.

    Examples
    --------
    >>> query, relevance = np.repeat(np.arange(30), 3), np.tile([0, 1, 0], 30)
    >>> print(estimate_ranking_metric("mrr", query, relevance, np.random.default_rng(1).random(90)))
    0.594 (0.483 to 0.706)
    """
    check_level(level)
    found = query_values(name, query, relevance, score, at=at, gain=gain, empty=empty)
    rows = found.first_row
    if not np.isfinite(found.value).any():
        return NotEstimable(reason="no query has a relevant item", needs="at least 2 queries with a relevant item")
    weights = None if weight is None else _of_query(np.asarray(weight), np.asarray(query), found, "weight")
    clusters = found.query if cluster is None else _of_query(np.asarray(cluster), np.asarray(query), found, "cluster")
    design = check_design(len(rows), weights, clusters)
    counted = np.isfinite(found.value)
    value = linearized_ratio(np.where(counted, found.value, 0.0), counted.astype(np.float64), design)
    if isinstance(value, NotEstimable):
        return value
    if value.variance == 0:
        return bounded_interval(value, level=level)
    return symmetric_interval(value, level=level, edges=(0.0, 1.0))


def _value(name: RankingMetric, grades: Floats, scores: Floats, at: int, gain: Gain) -> float:
    """Give the metric of one list, sorted by falling score, that holds something relevant."""
    if name == "map":
        return float(average_precision_of(grades > 0, scores)(np.ones((1, len(grades))))[0])
    edges = np.concatenate(([0], np.flatnonzero(np.diff(scores)) + 1, [len(scores)]))
    if name == "mrr":
        return _reciprocal_rank(grades > 0, edges, at)
    gains = grades if gain == "linear" else np.exp2(grades) - 1
    discount = np.where(np.arange(len(gains)) < at, 1 / np.log2(np.arange(len(gains)) + 2), 0.0)
    sizes = np.diff(edges)
    mean_gain = np.repeat(np.add.reduceat(gains, edges[:-1]) / sizes, sizes)
    return float(np.sum(mean_gain * discount) / np.sum(np.sort(gains)[::-1] * discount))


def _reciprocal_rank(relevant: npt.NDArray[np.bool_], edges: Ints, at: int) -> float:
    """Give the mean of 1/rank of the first relevant item over the orders of the tie group that holds it."""
    group = int(np.searchsorted(edges, np.argmax(relevant), side="right")) - 1
    begin, end = int(edges[group]), int(edges[group + 1])
    size, hits = end - begin, int(relevant[begin:end].sum())
    place = np.arange(1, size - hits + 2)
    chance = special.comb(size - place, hits - 1) / special.comb(size, hits)
    return float(np.sum(np.where(begin + place <= at, chance / (begin + place), 0.0)))


def _of_query(
    column: npt.NDArray[np.generic], query: npt.NDArray[np.generic], found: QueryValues, where: str
) -> npt.NDArray[np.generic]:
    check_same_length(query=query, **{where: column})
    of_query = column[found.first_row]
    differs = np.flatnonzero(column != of_query[np.searchsorted(found.query, query)])
    if len(differs):
        raise DataError(
            "stats.query-not-constant",
            f"{where} differs between rows of query {query[differs[0]]}",
            where=f"{where}, row {differs[0]}",
            expected=f"one {where} per query",
        )
    return of_query


def _check_settings(name: str, grades: Floats, at: int | None, gain: str, empty: str) -> None:
    if name not in ("ndcg", "map", "mrr"):
        raise DataError(
            "stats.unknown-metric",
            f"there is no ranking metric called {name!r}",
            where="metric",
            expected="ndcg, map or mrr",
        )
    for setting, value, known in (("gain", gain, ("linear", "exponential")), ("empty", empty, ("skip", "zero", "one"))):
        if value not in known:
            raise DataError(
                "stats.unknown-rule",
                f"there is no {setting} rule called {value!r}",
                where=setting,
                expected="one of " + ", ".join(known),
            )
    if at is not None and (at < 1 or name == "map"):
        raise DataError(
            "stats.cutoff-not-possible",
            f"{name} cannot be cut at {at}",
            where="at",
            expected="a rank of at least 1 for ndcg and mrr; no cut-off for map",
        )
    if (grades < 0).any():
        row = int(np.argmax(grades < 0))
        raise DataError(
            "stats.label-outside-classes",
            f"relevance of row {row} is {grades[row]:g}",
            where=f"relevance, row {row}",
            expected="a number of at least 0",
        )
