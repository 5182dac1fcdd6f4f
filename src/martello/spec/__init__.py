"""What goes in, what comes out, on which population, how good is good enough, who owns it?

Makes `Spec` from `martello.toml`. Shapes are `schema`, reading is `load`, rules across fields `lint`, a first draft
from a file `draft`. Every stage takes its own part of the spec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from martello.spec.schema import Spec

if TYPE_CHECKING:
    from martello.spec.draft import draft_spec
    from martello.spec.load import load_spec, parse_spec

__all__ = ["Spec", "draft_spec", "load_spec", "parse_spec"]


def __getattr__(name: str) -> Any:
    # The serving process needs the shapes and must not pay for reading files.
    if name in ("load_spec", "parse_spec"):
        from martello.spec import load

        return getattr(load, name)
    if name == "draft_spec":
        from martello.spec.draft import draft_spec

        return draft_spec
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
