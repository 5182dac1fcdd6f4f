"""A fault of a spec by its key path, and how many faults become one error that names file, line and path of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from martello.errors import SpecError
from martello.spec.toml_text import KeyPath, dotted, key_offsets

__all__ = ["Fault", "as_errors", "raise_faults"]


class Fault(NamedTuple):
    """Something wrong at one key path; the fields are those of the error it becomes."""

    code: str
    path: KeyPath
    what: str
    expected: str = ""
    fix: str = ""


def as_errors(faults: Iterable[Fault], *, name: str, text: str = "") -> tuple[SpecError, ...]:
    """Turn faults into errors in the order of the file; what is absent is placed at the table it belongs to.

    Parameters
    ----------
    faults
        What is wrong.
    name
        Name of the file, as a reader knows it.
    text
        The TOML the faults were found in, with ``\\n`` as line end; empty where there is no file.
    """
    offsets = key_offsets(text)
    placed = [(_offset(fault.path, offsets), fault) for fault in faults]
    # What lies nowhere in the file (a missing table) comes last; sorting is stable, so equal places keep their order.
    placed.sort(key=lambda pair: len(text) if pair[0] is None else pair[0])
    return tuple(_as_error(fault, offset, name, text) for offset, fault in placed)


def raise_faults(faults: Iterable[Fault], *, name: str, text: str = "") -> None:
    """Raise the first fault with the rest in `others`; do nothing when there is none.

    Raises
    ------
    SpecError
        When there is any fault.
    """
    errors = as_errors(faults, name=name, text=text)
    if errors:
        errors[0].others = errors[1:]
        raise errors[0]


def _offset(path: KeyPath, offsets: dict[KeyPath, int]) -> int | None:
    for end in range(len(path), 0, -1):
        if path[:end] in offsets:
            return offsets[path[:end]]
    return None


def _as_error(fault: Fault, offset: int | None, name: str, text: str) -> SpecError:
    line = "" if offset is None else f", line {text.count(chr(10), 0, offset) + 1}"
    path = f", $.{dotted(fault.path)}" if fault.path else ""
    return SpecError(fault.code, fault.what, where=f"{name}{line}{path}", expected=fault.expected, fix=fault.fix)
