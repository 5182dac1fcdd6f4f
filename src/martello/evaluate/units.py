"""Labeled and scored units as arrays of one length: what is true, what was scored, how each was drawn."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.stats.linearization import SurveyDesign

__all__ = ["GoldUnits", "ScoredUnits"]


class ScoredUnits(msgspec.Struct, frozen=True, kw_only=True):
    """Units with their truth and scores.

    Attributes
    ----------
    truth
        Class codes, shape (n,).
    scores
        Scores of the model, shape (n, K).
    weight
        Design weights, 1 / inclusion probability.
    cluster
        What belongs together, as names or codes; None when units are independent.
    slices
        Column name to the value of each unit, None where it has none.
    strata
        The whole design with its strata, of the same rows; None when none are known.
    """

    truth: NDArray[np.int64]
    scores: NDArray[np.float64]
    weight: NDArray[np.float64]
    cluster: NDArray[np.str_] | NDArray[np.int64] | None
    slices: dict[str, list[str | None]]
    strata: SurveyDesign | None = None

    @property
    def everyone(self) -> NDArray[np.bool_]:
        """The mask of all units."""
        return np.ones(len(self.truth), dtype=bool)

    def where(self, rows: NDArray[np.bool_]) -> dict[str, Any]:
        """Give weight and cluster of some rows, as the estimators take them."""
        return {"weight": self.weight[rows], "cluster": None if self.cluster is None else self.cluster[rows]}


class GoldUnits(ScoredUnits, frozen=True, kw_only=True):
    """Gold: scored units with the scores of the constant rule beside them.

    Attributes
    ----------
    constant
        Scores of the constant rule, shape (n, K).
    """

    constant: NDArray[np.float64]
