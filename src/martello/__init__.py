"""The machine-learning loop of a product team as one program, with the science left in.

The loop in words, each a package and a command: spec, sample, label, features, train, evaluate, ship, serve,
experiment, iterate. Go round all of it with a project, or use any room by itself:

    >>> import martello
    >>> project = martello.open("people")          # doctest: +SKIP
    >>> project.run().verdict                      # doctest: +SKIP
    <Verdict.MET: 'met'>
    >>> from martello import sample                # a room by itself
    >>> sample.hash_threshold(0.25)
    ('4000000000000000', 0.25)

Public names are loaded when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from martello._version import __version__

if TYPE_CHECKING:
    from martello.client import Client
    from martello.corridor.project import Project
    from martello.corridor.project import open_project as open
    from martello.errors import MartelloError
    from martello.spec.load import load_spec
    from martello.stats.estimate import Estimate, NotEstimable, Verdict

__all__ = [
    "Client",
    "Estimate",
    "MartelloError",
    "NotEstimable",
    "Project",
    "Verdict",
    "__version__",
    "load_spec",
    "open",
]

_PLACES = {
    "Client": ("martello.client", "Client"),
    "Estimate": ("martello.stats.estimate", "Estimate"),
    "MartelloError": ("martello.errors", "MartelloError"),
    "NotEstimable": ("martello.stats.estimate", "NotEstimable"),
    "Project": ("martello.corridor.project", "Project"),
    "Verdict": ("martello.stats.estimate", "Verdict"),
    "load_spec": ("martello.spec.load", "load_spec"),
    "open": ("martello.corridor.project", "open_project"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'martello' has no attribute {name!r}")
    module, attribute = _PLACES[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
