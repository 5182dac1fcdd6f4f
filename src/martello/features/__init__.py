"""Features: what is predictive, declared once, equal in training and serving.

`Reader` turns raw values into typed ones for a request and for a whole table alike; `compute_features` makes the
`FeatureSet` of a sample and says which columns are empty of information or look like a leak. Aggregates of past events
are `features.history`, expressions over all of these `features.expressions`; `function` registers a Python function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from martello.features.values import Reader

if TYPE_CHECKING:
    from martello.features.compute import compute_features
    from martello.features.expressions.registered import function

__all__ = ["Reader", "compute_features", "function"]


def __getattr__(name: str) -> Any:
    # The serving process reads values and must not pay for Arrow and the statistics.
    if name == "compute_features":
        from martello.features.compute import compute_features

        return compute_features
    if name == "function":
        from martello.features.expressions.registered import function

        return function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
