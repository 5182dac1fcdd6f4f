"""Train: which algorithm, bought from whom?

The constant rule is always tried, with a logistic regression and LightGBM beside it; the winner is chosen on dev and
the losers are kept. `load_model` makes a scorer from files alone. Importing this package imports no learner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from martello.train.learner import (
    Fitted,
    Learner,
    Scorer,
    TrainingData,
    fit_model,
    known_learners,
    load_model,
    open_learner,
)

if TYPE_CHECKING:
    from martello.train.fit import train_models

__all__ = [
    "Fitted",
    "Learner",
    "Scorer",
    "TrainingData",
    "fit_model",
    "known_learners",
    "load_model",
    "open_learner",
    "train_models",
]


def __getattr__(name: str) -> Any:
    # The serving process loads models and must not pay for Arrow and the statistics.
    if name == "train_models":
        from martello.train.fit import train_models

        return train_models
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
