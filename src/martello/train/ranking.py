"""Rankers: what learns an order of the items of each query, and the simple orders that it has to beat.

A learner gives rows their classes; a ranker is given queries, and only the order within a query counts: hence a
protocol of its own. Items go in as typed columns, files come out (JSON and LightGBM's text), and the files alone make a
scorer, which runs on LightGBM's library without its package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from martello.errors import DataError, IntegrityError, SpecError
from martello.spec.schema import Field
from martello.train.booster import Booster, library_path
from martello.train.learner import Columns, Fitted, Floats, Settings
from martello.train.ridge import fits_beside
from martello.train.tree_view import TreeView, fit_tree_view

__all__ = ["ConstantOrder", "LambdaRank", "ListScorer", "Lists", "OneFeature", "Ranker", "fit_ranker", "load_ranker"]

Ints = npt.NDArray[np.int64]

#: LightGBM holds a gain for each grade in a table of this length, and at most so many items of one query.
_MOST_GRADE, _MOST_ITEMS = 30, 10_000

_FOLDS = 3
_MOST_TREES, _PATIENCE = 1_000, 30
#: Trees grown where queries are too few to hold some out.
_TREES_UNCHOSEN = 100

#: Small trees and steps: NDCG@10 +.03 over LightGBM's defaults on its own example data (201 queries).
_CHOSEN: Settings = {
    "objective": "lambdarank",
    "num_leaves": 7,
    "learning_rate": 0.05,
    "feature_fraction": 0.5,
    "lambda_l2": 5.0,
    "min_data_in_leaf": 20,
}
_FIXED = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1, "eval_at": [10]}


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Queries with their items, one row per item, the rows of a query next to each other.

    Attributes
    ----------
    fields
        The inputs of the ranker; no text, which has to be compared with the query first.
    columns
        Typed values by field name, each of length n.
    relevance
        Grade of each item, 0 to 30, shape (n,).
    query
        Query of each row, as 0, 1, 2…, shape (n,).
    weight
        Design weight of the row's query, shape (n,), with mean 1 over the queries.
    position
        Place at which the item was shown, 1 for the first, shape (n,), where clicks are to be freed of it.
    """

    fields: tuple[Field, ...]
    columns: Columns
    relevance: Ints
    query: Ints
    weight: Floats
    position: Ints | None = None


class ListScorer(Protocol):
    """Give scores for items; within a query the higher one comes first."""

    def scores(self, columns: Columns) -> Floats:
        """Give the score of each row, shape (n,); the same in every bit whatever rows are beside it."""
        ...


class Ranker(Protocol):
    """Something that learns to order."""

    name: str

    def fit(self, lists: Lists, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Train; with the settings of an earlier fit, without searching for them again. Same seed, same bytes."""
        ...

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...]) -> ListScorer:
        """Make the scorer from the files of `Fitted`, running no code that comes with them."""
        ...


def fit_ranker(
    ranker: Ranker,
    columns: Columns,
    relevance: npt.ArrayLike,
    query: npt.ArrayLike,
    *,
    fields: tuple[Field, ...],
    weight: npt.ArrayLike | None = None,
    position: npt.ArrayLike | None = None,
    seed: int,
    settings: Mapping[str, Any] | None = None,
) -> Fitted:
    """Train a ranker on the items of queries; rows may come in any order.

    Parameters
    ----------
    ranker
        `LambdaRank`, `OneFeature` or `ConstantOrder`, or one of your own.
    columns, fields
        Typed values by input, each of length n, and the inputs.
    relevance
        Grade of each item, a whole number from 0 to 30, shape (n,).
    query
        Name of the query of each row, shape (n,).
    weight
        Design weight of the row's query, shape (n,): 1 / its inclusion probability; equal when left out.
    position
        Place at which each item was shown when its relevance was seen, shape (n,), 1 for the first.
    seed, settings
        Of the fit; settings of an earlier fit are not searched for again.

    Raises
    ------
    DataError
        ``train.ranking-rows``, ``train.relevance-not-a-grade``, ``train.query-weight``, ``train.position-not-a-place``,
        ``train.query-too-long`` or ``train.nothing-to-rank``.
    SpecError
        ``train.ranking-text`` when an input is text; ``train.bad-options`` when a rule orders by what is no input.
    """
    lists = _lists(fields, columns, relevance, query, weight, position)
    fitted = ranker.fit(lists, seed=seed, settings=settings)
    return replace(fitted, files={**fitted.files, "ranker.json": msgspec.json.encode({"name": ranker.name})})


def load_ranker(files: Mapping[str, bytes], *, fields: tuple[Field, ...]) -> ListScorer:
    """Make the scorer of a built-in ranker from the files of `fit_ranker`.

    Raises
    ------
    IntegrityError
        ``train.not-a-ranker`` when the files are not those of one; ``train.not-a-forest`` when the trees are not.
    """
    try:
        name = msgspec.json.decode(files["ranker.json"], type=_Name).name
        return _BUILT_IN[name]().load(files, fields=fields)
    except (KeyError, msgspec.DecodeError) as err:
        raise IntegrityError(
            "train.not-a-ranker",
            f"the files are no ranker for these inputs: {err}",
            where="ranker.json",
            expected="the files that `fit_ranker` gave, and the same inputs",
            fix="restore the files, or train again",
        ) from err


class _Name(msgspec.Struct, frozen=True):
    name: Literal["constant", "one-feature", "lambdarank"]


class ConstantOrder:
    """All items alike: what any order has to beat."""

    name = "constant"

    def fit(self, lists: Lists, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """There is nothing to learn."""
        return Fitted(settings={}, files={})

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...]) -> ListScorer:
        """Make the scorer."""
        return _ByOne(fields[0].name, 0.0)


class OneFeature:
    """Order by one number; items without it come last. Recency is such a rule.

    Parameters
    ----------
    feature
        Name of the input; of type number, integer, boolean or time.
    largest_first
        Whether the largest value leads.
    """

    name = "one-feature"

    def __init__(self, feature: str = "", *, largest_first: bool = True) -> None:
        self._rule = _Rule(feature, 1.0 if largest_first else -1.0)

    def fit(self, lists: Lists, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Write the rule down."""
        if self._rule.feature not in _numbers(lists.fields):
            raise SpecError(
                "train.bad-options",
                f"items cannot be ordered by {self._rule.feature or 'nothing'}",
                where="OneFeature(feature=…)",
                expected="one of: " + ", ".join(_numbers(lists.fields)),
            )
        return Fitted(settings={}, files={"rule.json": msgspec.json.encode(self._rule)})

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...]) -> ListScorer:
        """Make the scorer from the rule."""
        rule = msgspec.json.decode(files["rule.json"], type=_Rule)
        if rule.feature not in _numbers(fields):
            raise KeyError(rule.feature)
        return _ByOne(rule.feature, rule.sign)


class _Rule(msgspec.Struct, frozen=True):
    feature: str
    sign: float


class _ByOne:
    def __init__(self, feature: str, sign: float) -> None:
        self._feature = feature
        self._sign = sign

    def scores(self, columns: Columns) -> Floats:
        if not self._sign:
            return np.zeros(len(columns[self._feature]))
        values = self._sign * np.array(columns[self._feature], dtype=np.float64)
        # Last, yet finite: what compares scores can do nothing with infinity.
        return np.where(np.isnan(values), np.finfo(np.float64).min, values)


class LambdaRank:
    """Boosted trees that learn from pairs of a query's items, weighted by what swapping them would do to NDCG.

    How many trees to grow is found on queries held out. Where positions are given, how much each place was looked at is
    learned beside the trees and does not enter the scores.

    References
    ----------
    Burges, C. (2010), From RankNet to LambdaRank to LambdaMART, MSR-TR-2010-82; for positions Hu, Z. et al. (2019),
    Unbiased LambdaMART, WWW, 2830–2836.
    """

    name = "lambdarank"

    def fit(self, lists: Lists, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Grow trees, choosing how many unless `settings` gives ``trees``."""
        view, table = fit_tree_view(lists.fields, lists.columns, {}, seed=seed)
        given = dict(settings or {})
        trees = int(given.pop("trees", 0))
        chosen: Settings = _CHOSEN | given
        grown = trees or _trees_worth(table, lists, chosen, seed)
        booster = _train(table, lists, np.arange(len(table)), chosen, grown, seed)
        text = str(booster.model_to_string(num_iteration=grown)).encode()
        return Fitted(settings=chosen | {"trees": grown}, files=view.files() | {"trees.txt": text})

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...]) -> ListScorer:
        """Make the scorer from the encoders and the text of the trees."""
        view = TreeView.load(files, fields)
        return _Forest(view, Booster(files["trees.txt"], width=len(view.names), n_outputs=2, raw=True))


class _Forest:
    def __init__(self, view: TreeView, booster: Booster) -> None:
        self._view = view
        self._booster = booster

    def scores(self, columns: Columns) -> Floats:
        return self._booster.logits(self._view.encode(columns, {}))[:, 0]


_BUILT_IN: dict[str, Callable[[], Ranker]] = {
    "constant": ConstantOrder,
    "one-feature": OneFeature,
    "lambdarank": LambdaRank,
}


def _trees_worth(table: Floats, lists: Lists, settings: Settings, seed: int) -> int:
    """Give how many trees the queries held out of each fold ask for, on average."""
    n_queries = int(lists.query[-1]) + 1
    if n_queries < 10 * _FOLDS:
        return _TREES_UNCHOSEN
    fold = np.random.default_rng(seed).permutation(n_queries)[lists.query] % _FOLDS

    def best(held: int) -> int:
        kept, out = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        return int(_train(table, lists, kept, settings, _MOST_TREES, seed, out).best_iteration)

    with fits_beside() as pool:
        return max(1, round(float(np.mean(list(pool.map(best, range(_FOLDS)))))))


def _train(
    table: Floats, lists: Lists, rows: Ints, settings: Settings, trees: int, seed: int, out: Ints | None = None
) -> Any:
    """Grow trees on whole queries; with others held out, until those gain no more."""
    library_path()  # names what is missing
    import lightgbm

    def some(rows: Ints, reference: Any = None) -> Any:
        return lightgbm.Dataset(
            table[rows],
            label=lists.relevance[rows],
            weight=lists.weight[rows],
            group=np.unique(lists.query[rows], return_counts=True)[1],
            # The queries held out are judged as they are.
            position=None if lists.position is None or reference is not None else lists.position[rows],
            reference=reference,
        )

    within = some(rows)
    watched = [] if out is None else [some(out, within)]
    stop: list[Any] = [] if out is None else [lightgbm.early_stopping(_PATIENCE, verbose=False)]
    options = {**settings, **_FIXED, "seed": seed % 2**31}
    return lightgbm.train(options, within, num_boost_round=trees, valid_sets=watched, callbacks=stop)


def _numbers(fields: tuple[Field, ...]) -> list[str]:
    return [field.name for field in fields if field.type in ("number", "integer", "boolean", "time")]


def _lists(
    fields: tuple[Field, ...],
    columns: Columns,
    relevance: npt.ArrayLike,
    query: npt.ArrayLike,
    weight: npt.ArrayLike | None,
    position: npt.ArrayLike | None,
) -> Lists:
    """Check everything and bring the rows of each query together, queries in the order of their names."""
    names, grades = np.asarray(query), np.asarray(relevance)
    weights = np.ones(len(names)) if weight is None else np.asarray(weight, dtype=np.float64)
    places = None if position is None else np.asarray(position)
    _check_rows(fields, columns, {"query": names, "relevance": grades, "weight": weights, "position": places})
    _, codes, sizes = np.unique(names, return_inverse=True, return_counts=True)
    order = np.argsort(codes, kind="stable")
    codes, grades, weights = codes[order], grades[order], weights[order]
    first = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    if not (np.isfinite(weights) & (weights > 0) & (weights == weights[first][codes])).all():
        raise _faulty("train.query-weight", "weight", "one finite number above 0 per query, the same in all its rows")
    _check_grades(grades, first, sizes)
    if places is not None and not (np.isfinite(places) & (places >= 1) & (places == np.floor(places))).all():
        raise _faulty("train.position-not-a-place", "position", "whole numbers from 1, the place of each item")
    return Lists(
        fields=fields,
        columns={field.name: [columns[field.name][i] for i in order] for field in fields},
        relevance=grades.astype(np.int64),
        query=codes.astype(np.int64),
        weight=weights / weights[first].mean(),
        position=None if places is None else places[order].astype(np.int64),
    )


def _check_rows(fields: tuple[Field, ...], columns: Columns, arrays: Mapping[str, Any]) -> None:
    for field in fields:
        if field.type == "text":
            raise SpecError(
                "train.ranking-text",
                f"{field.name} is text, and a text alone says nothing about an order",
                where=f"input {field.name}",
                expected="numbers, integers, booleans, categories or times",
                fix=f'compare it with the query: a feature such as "trigram_sim(query, {field.name})"',
            )
    sizes = {field.name: len(columns.get(field.name, ())) for field in fields}
    sizes |= {name: len(values) for name, values in arrays.items() if values is not None}
    if len(set(sizes.values())) != 1 or not fields or not len(arrays["query"]):
        listed = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise _faulty("train.ranking-rows", listed, "at least one input and one row, and the same rows everywhere")


def _check_grades(grades: npt.NDArray[Any], first: Ints, sizes: Ints) -> None:
    """See that grades are whole numbers that LightGBM has a gain for, and that some query has an order to learn."""
    if not (np.isfinite(grades) & (grades >= 0) & (grades <= _MOST_GRADE) & (grades == np.floor(grades))).all():
        raise _faulty("train.relevance-not-a-grade", "relevance", f"whole numbers from 0 to {_MOST_GRADE}")
    if sizes.max() > _MOST_ITEMS:
        raise _faulty("train.query-too-long", f"{sizes.max():,} items", f"at most {_MOST_ITEMS:,} items in a query")
    if (np.maximum.reduceat(grades, first) == np.minimum.reduceat(grades, first)).all():
        raise _faulty("train.nothing-to-rank", "relevance", "a query with items of different relevance")


_WHAT = {
    "train.query-weight": "the weight of a query cannot be used",
    "train.position-not-a-place": "a position is no place in a list",
    "train.ranking-rows": "the columns of the ranking do not have the same rows",
    "train.relevance-not-a-grade": "a relevance is no grade",
    "train.query-too-long": "a query has more items than LightGBM takes",
    "train.nothing-to-rank": "no query has two items of different relevance",
}


def _faulty(code: str, where: str, expected: str) -> DataError:
    return DataError(code, _WHAT[code], where=where, expected=expected)
