"""Row features: expressions in SQL syntax over a request and its history, the same closure in training and serving.

`declare` reads and checks texts, `Declaration` is what a release stores, `RowFeatures` computes, `to_sql` writes an
engine's SQL for the expressions that mean the same there, `function` registers Python functions with a version.
"""

from __future__ import annotations

from martello.features.expressions.closure import RowFeatures
from martello.features.expressions.declare import Declaration, Input, RowFeature, declare
from martello.features.expressions.registered import Function, Time, function, installed_functions
from martello.features.expressions.sql import to_sql

__all__ = [
    "Declaration",
    "Function",
    "Input",
    "RowFeature",
    "RowFeatures",
    "Time",
    "declare",
    "function",
    "installed_functions",
    "to_sql",
]
