"""The one family of errors: fields first, text second.

Every fault that a person can mend is a `MartelloError` with a code, what happened, where, what was expected and what to
try. Refusals that statistics demand (too few labels, a requirement not met) are results, not errors: see
`martello.stats.estimate`. Every code is documented in `docs/errors.md`; a contract test compares the two.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

__all__ = [
    "DataError",
    "EngineError",
    "EnvironmentFault",
    "IntegrityError",
    "MartelloError",
    "PluginError",
    "SpecError",
    "nearest",
]


class MartelloError(Exception):
    """Carry one fault as fields: code, what, where, expected, fix.

    Parameters
    ----------
    code
        Stable name of the fault, such as ``spec.unknown-key``; listed in ``docs/errors.md``.
    what
        One sentence that says what is wrong, naming the thing.
    where
        File, line, column, field or address of the fault.
    expected
        What would have been right.
    fix
        Something the reader can type or do next.
    others
        Further faults found in the same pass, so that all are reported at once.

    Examples
    --------
    >>> print(SpecError("spec.not-a-probability", "requirement.precision is 80, not a probability",
    ...                 where="martello.toml, line 14", expected="a number in [0, 1]", fix="precision = 0.80"))
    requirement.precision is 80, not a probability  [spec.not-a-probability]
      where     martello.toml, line 14
      expected  a number in [0, 1]
      try       precision = 0.80
    """

    exit_code: ClassVar[int] = 2
    status: ClassVar[int] = 400

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: str = "",
        expected: str = "",
        fix: str = "",
        others: Iterable[MartelloError] = (),
    ) -> None:
        super().__init__(code, what)
        self.code = code
        self.what = what
        self.where = where
        self.expected = expected
        self.fix = fix
        self.others = tuple(others)

    def __str__(self) -> str:
        lines = [f"{self.what}  [{self.code}]"]
        for name, text in (("where", self.where), ("expected", self.expected), ("try", self.fix)):
            if text:
                lines.append(f"  {name:<9} {text}")
        lines.extend(str(other) for other in self.others)
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """Give the fault as JSON-ready fields, the shape of every error over HTTP and with ``--json``.

        Examples
        --------
        >>> sorted(DataError("data.empty", "people.csv has no rows").as_dict())
        ['code', 'expected', 'others', 'try', 'what', 'where']
        """
        return {
            "code": self.code,
            "what": self.what,
            "where": self.where,
            "expected": self.expected,
            "try": self.fix,
            "others": [other.as_dict() for other in self.others],
        }


class SpecError(MartelloError, ValueError):
    """A fault in `martello.toml`: mended by whoever owns the task."""


class DataError(MartelloError, ValueError):
    """A fault in the data: mended by whoever owns the source."""


class IntegrityError(MartelloError, ValueError):
    """A stored file is not what its hash says: mended by restoring or making it again."""


class EngineError(MartelloError, RuntimeError):
    """A data engine refused or failed: mended by whoever runs the engine."""

    exit_code = 3
    status = 503


class EnvironmentFault(MartelloError, OSError):
    """The machine is in the way (disk, lock, port, rights): mended by whoever runs the machine."""

    exit_code = 3
    status = 503


class PluginError(MartelloError, ImportError):
    """An optional package is missing or a plug-in broke its contract: mended by installing or replacing it."""

    exit_code = 3
    status = 503


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name closest to a misspelt one, or None when nothing is close.

    Examples
    --------
    >>> nearest("precison", ["precision", "recall"])
    'precision'
    >>> nearest("zzz", ["precision", "recall"]) is None
    True
    """
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None
