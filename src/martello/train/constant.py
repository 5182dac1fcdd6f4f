"""The constant rule: every unit gets the class shares of training. What does not beat it has learned nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from martello.spec.schema import Field
from martello.train.learner import Columns, Fitted, Floats, TrainingData

__all__ = ["Constant"]


class Constant:
    """Learn nothing but the weighted share of each class."""

    name = "constant"

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Count."""
        shares = np.bincount(data.codes, weights=data.weights, minlength=len(data.classes))
        shares = shares / shares.sum()
        return Fitted(settings={}, files={"shares.json": msgspec.json.encode(shares.tolist())})

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Shares:
        """Read the shares."""
        shares = msgspec.json.decode(files["shares.json"], type=list[float])
        return _Shares(fields[0].name, np.array(shares[: len(classes)]))


class _Shares:
    def __init__(self, any_field: str, shares: Floats) -> None:
        self._any_field = any_field
        self._shares = shares

    def scores(self, columns: Columns) -> Floats:
        return np.tile(self._shares, (len(columns[self._any_field]), 1))
