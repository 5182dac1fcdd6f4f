"""What one column can do by itself: a simple rule learned on train, judged on dev.

The rule is the rate of the positive class per bin (numbers, times) or per value (categories, booleans), drawn towards
the overall rate where few rows speak. Free text has no such rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from martello.records import Measure
from martello.stats.estimate import NotEstimable
from martello.stats.metrics import estimate_metric

__all__ = ["alone_auc", "one_column_scores"]

Floats = npt.NDArray[np.float64]

_BINS = 32

#: Rows' worth of the overall rate mixed into the rate of each bin or value.
_PRIOR_ROWS = 10.0


def alone_auc(
    type_: str,
    train: tuple[Sequence[Any], Floats, Floats],
    dev: tuple[Sequence[Any], Floats, Floats],
    *,
    cluster: npt.ArrayLike | None,
    seed: int,
) -> Measure:
    """Give the AUC on dev of the rule that one column makes by itself.

    Parameters
    ----------
    type_
        Declared type of the column.
    train, dev
        Typed values, truth (0 or 1) and weights of each side.
    cluster
        Clusters of the dev rows, None when independent.
    seed
        For the interval.
    """
    if type_ == "text":
        return NotEstimable(reason="free text has no simple rule", needs="the dev score of a model that reads it")
    if not len(train[1]) or not len(dev[1]):
        return NotEstimable(reason="a side has no labeled unit", needs="labeled units on train and dev")
    scores = one_column_scores(type_, *train, dev[0])
    return estimate_metric("roc_auc", dev[1], scores, weight=dev[2], cluster=cluster, seed=seed)


def one_column_scores(
    type_: str, values: Sequence[Any], truth: Floats, weights: Floats, asked: Sequence[Any]
) -> Floats:
    """Learn the rate per bin or value and give it for the values asked; the overall rate where nothing was seen."""
    keys, asked_keys = list(values), list(asked)
    if type_ in ("number", "integer", "time"):
        keys, asked_keys = _bins(values, asked)
    overall = float(np.average(truth, weights=weights))
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    row = np.array([places[key] for key in keys])
    mass = np.bincount(row, weights)
    hits = np.bincount(row, weights * truth)
    rates = (hits + _PRIOR_ROWS * overall) / (mass + _PRIOR_ROWS)
    return np.array([rates[places[key]] if key in places else overall for key in asked_keys])


def _bins(values: Sequence[Any], asked: Sequence[Any]) -> tuple[list[int], list[int]]:
    """Give the number of each value's quantile bin; missing values have a bin of their own."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    inner = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner, method="lower")) if len(known) else np.empty(0)
    return _places(edges, values), _places(edges, asked)


def _places(edges: Floats, values: Sequence[Any]) -> list[int]:
    numbers = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    places: list[int] = np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="left")).tolist()
    return places
