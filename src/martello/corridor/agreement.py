"""The agreement with its features looked at: part of the corridor, for the shelf that reads `martello.toml` knows no
expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from martello.errors import MartelloError, SpecError
from martello.spec.faults import Fault
from martello.spec.load import load_spec
from martello.spec.schema import Feature, Field, Source, Spec

if TYPE_CHECKING:  # a task without features does not pay for them
    from martello.features.declared import DeclaredFeatures

__all__ = ["declared_features", "feature_faults", "load_agreement"]

_WHERE = re.compile(r"feature (?P<name>.+?)(?:, (?P<place>line \d+, column \d+))?")


def load_agreement(path: Path) -> Spec:
    """Read a spec from a file and check its features, too.

    Raises
    ------
    SpecError
        As `load_spec`, and ``features.*`` for what is wrong with a source or a feature; each with its line.
    """
    return load_spec(path, check=feature_faults)


def declared_features(spec: Spec) -> DeclaredFeatures | None:
    """Give the checked features of a spec, None where none are declared.

    Raises
    ------
    SpecError
        As `declare_features`.
    """
    return _declared(msgspec.json.encode(_Parts(spec.input, spec.source, spec.feature))) if spec.feature else None


class _Parts(msgspec.Struct, frozen=True, array_like=True):
    input: tuple[Field, ...]
    source: tuple[Source, ...]
    feature: tuple[Feature, ...]


@lru_cache(maxsize=8)
def _declared(parts: bytes) -> DeclaredFeatures:
    # A command asks several times, and each time would parse every expression.
    from martello.features.declared import declare_features

    found = msgspec.json.decode(parts, type=_Parts)
    return declare_features(found.input, found.source, found.feature)


def feature_faults(spec: Spec) -> Iterator[Fault]:
    """Give every fault of the sources and features of a spec."""
    if not (spec.feature or spec.source):
        return
    try:
        declared = _declared(msgspec.json.encode(_Parts(spec.input, spec.source, spec.feature)))
    except SpecError as fault:
        names = {each.name for each in spec.feature}
        for each in (fault, *fault.others):
            yield _placed(each, names)
        return
    if declared.uses_now and spec.population.time is None:
        yield Fault(
            "spec.feature-needs-time",
            ("population", "time"),
            "a feature uses `now`, the time of the unit, and population.time is missing",
            "the column with the time of the unit",
            'time = "seen_at"',
        )


def _placed(fault: MartelloError, features: set[str]) -> Fault:
    """Give a fault of a feature its path in the file; the place within an expression is said beside it."""
    found = _WHERE.fullmatch(fault.where)
    name = found["name"] if found else fault.where
    place = found["place"] if found else None
    table = "feature" if name in features else "source"
    what = f"{fault.what} ({place} of the expression)" if place and place != "line 1, column 1" else fault.what
    return Fault(fault.code, (table, name), what, fault.expected, fault.fix)
