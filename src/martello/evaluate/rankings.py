"""Ranked lists from a file: NDCG, MAP and MRR as means over queries, with the rules of gain and of empty queries named.

The query is the unit: weights, clusters, strata and slices belong to it, and a list is never split.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.errors import DataError
from martello.evaluate.claims import Asked, Estimator, judge_claims
from martello.evaluate.comparison import Comparison
from martello.evaluate.estimates import mean_of
from martello.evaluate.scored_file import ScoredRows
from martello.evaluate.slices import each_slice
from martello.evaluate.units import ScoredUnits
from martello.records import Claim, Measure, SliceResult
from martello.stats.estimate import NotEstimable
from martello.stats.linearization import survey_design
from martello.stats.ranking_metrics import EmptyRule, Gain, RankingMetric, query_values

__all__ = ["RANKINGS", "Ranked", "RankingRules", "judge_rankings"]

RANKINGS: tuple[RankingMetric, ...] = get_args(RankingMetric)


class RankingRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers of a ranking depend on.

    Attributes
    ----------
    gain
        What a relevance is worth in NDCG: itself, or 2^relevance - 1.
    empty
        What a query with nothing relevant counts as.
    at
        Ranks that count for NDCG and MRR; None: all.
    """

    gain: Gain = "linear"
    empty: EmptyRule = "skip"
    at: int | None = None


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """What the lists of a file say.

    Attributes
    ----------
    n_queries, n_empty
        Queries, and those among them with nothing relevant.
    metrics, slices, claims, comparison
        As for units.
    """

    n_queries: int
    n_empty: int
    metrics: dict[str, Measure]
    slices: tuple[SliceResult, ...]
    claims: tuple[Claim, ...]
    comparison: Comparison | None


def judge_rankings(
    rows: ScoredRows,
    rules: RankingRules,
    *,
    floors: dict[str, float],
    against: tuple[str, ...],
    level: float,
    error: float,
) -> Ranked:
    """Compute the ranking metrics over queries, by slice, judge them, and compare with another score.

    Raises
    ------
    DataError
        ``stats.query-not-constant`` when a query's weight, cluster, stratum or slice differs between its rows; what
        `query_values` refuses.
    """
    values = {name: _values(name, rows, rows.units.scores[:, 0], rules) for name in RANKINGS}
    queries = _queries(rows)
    populations = [(f"{column} = {value}", mask) for column, value, mask in each_slice(queries.slices)]
    estimators: dict[str, Estimator] = {name: _estimator(queries, value) for name, value in values.items()}
    asked = [
        Asked(metric=metric, floor=floor, population=name, rows=mask, estimator=estimators[metric])
        for metric, floor in floors.items()
        for name, mask in (("everyone", queries.everyone), *populations)
    ]
    any_relevant = np.bincount(rows.query, weights=rows.relevance > 0)[np.unique(rows.query)] > 0
    return Ranked(
        n_queries=len(queries.truth),
        n_empty=int(np.sum(~any_relevant)),
        metrics={name: estimate(queries.everyone, level) for name, estimate in estimators.items()},
        slices=tuple(
            SliceResult(
                column=column,
                value=value,
                n=int(mask.sum()),
                metrics={name: estimate(mask, level) for name, estimate in estimators.items()},
            )
            for column, value, mask in each_slice(queries.slices)
        ),
        claims=judge_claims(asked, level=level, error=error),
        comparison=None
        if rows.against is None
        else _compared(rows, rows.against, queries, values, rules, against, level),
    )


def _values(
    name: RankingMetric, rows: ScoredRows, score: NDArray[np.float64], rules: RankingRules
) -> NDArray[np.float64]:
    at = None if name == "map" else rules.at
    return query_values(name, rows.query, rows.relevance, score, at=at, gain=rules.gain, empty=rules.empty).value


def _estimator(queries: ScoredUnits, values: NDArray[np.float64]) -> Estimator:
    """Give the mean over queries as a function of which are asked; those that are skipped count nowhere."""
    counted = np.isfinite(values)

    def estimate(mask: NDArray[np.bool_], level: float) -> Measure:
        if not (mask & counted).any():
            return NotEstimable(reason="no query has a relevant item", needs="at least 2 queries with a relevant item")
        return mean_of(queries, np.where(counted, values, 0.0), rows=mask & counted, level=level, edges=(0.0, 1.0))

    return estimate


def _compared(
    rows: ScoredRows,
    theirs: NDArray[np.float64],
    queries: ScoredUnits,
    ours: dict[RankingMetric, NDArray[np.float64]],
    rules: RankingRules,
    against: tuple[str, ...],
    level: float,
) -> Comparison:
    differences: dict[str, Measure] = {}
    for name in RANKINGS:
        gained = ours[name] - _values(name, rows, theirs, rules)
        counted = np.isfinite(gained)
        differences[name] = mean_of(queries, np.where(counted, gained, 0.0), rows=counted, level=level)
    return Comparison(against=against, differences=differences)


def _queries(rows: ScoredRows) -> ScoredUnits:
    """Give the queries as units, in the order of their codes."""
    units = rows.units
    query, first, row_of = np.unique(rows.query, return_index=True, return_inverse=True)

    def of_query(values: Any, what: str) -> Any:
        column = np.asarray(values)
        differs = np.flatnonzero(column != column[first][row_of])
        if len(differs):
            raise DataError(
                "stats.query-not-constant",
                f"{what} differs between the rows of a query",
                where=f"{what}, labeled row {differs[0]}",
                expected=f"one {what} per query",
            )
        return column[first]

    weight = of_query(units.weight, "weight")
    cluster = None if units.cluster is None else of_query(units.cluster, "cluster")
    strata = None
    if units.strata is not None:
        stratum = of_query(units.strata.stratum[units.strata.cluster], "stratum")
        strata = survey_design(weight=weight, stratum=stratum, cluster=cluster)
    return ScoredUnits(
        truth=np.zeros(len(query), dtype=np.int64),
        scores=np.zeros((len(query), 1)),
        weight=weight,
        cluster=cluster,
        slices={name: of_query(np.array(values, dtype=object), name).tolist() for name, values in units.slices.items()},
        strata=strata,
    )
