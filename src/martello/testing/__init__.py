"""Public checks for plug-ins: what a learner or an engine must keep to, as functions a plug-in's own tests can call.

Each is loaded when first used: a test of an engine need not pay for a learner.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from martello.testing.engines import check_engine
    from martello.testing.learners import check_learner

__all__ = ["check_engine", "check_learner"]

_PLACES = {"check_engine": "engines", "check_learner": "learners"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"martello.testing.{_PLACES[name]}"), name)
