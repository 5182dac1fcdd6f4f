"""A value of the wrong kind in words, and the line that would mend it."""

from __future__ import annotations

import datetime
import math
import re

from msgspec import inspect

from martello.spec.kinds import is_probability, named_fields
from martello.spec.toml_text import KeyPath, dotted, toml_key, toml_list, toml_string

__all__ = ["WIDEST", "mend", "mend_probability", "pair", "say", "shown"]

#: Readers of TOML and JSON keep integers of 64 bits.
WIDEST = 2**63

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?%?")
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "a table"),
    ((datetime.date, datetime.time), "a date or time"),
)
_BOOLEANS = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}


def shown(value: object) -> str:
    """Show a scalar as TOML, cut short; name the kind of anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return toml_string(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, int) and not -WIDEST <= value < WIDEST:
        return "a number of more than 64 bits"  # Python refuses to write out very long ones
    return str(value) if isinstance(value, (int, float)) else _kind(value)


def _kind(value: object) -> str:
    return next((noun for kinds, noun in _KINDS if isinstance(value, kinds)), "something else")


def say(path: KeyPath, value: object) -> str:
    """Say what stands at a path, and of what kind it is."""
    text, kind = shown(value), _kind(value)
    return f"{dotted(path)} is {text}" + ("" if text == kind else f", {kind}")


def pair(path: KeyPath, value: str) -> str:
    """Write the line that would mend a key; inside a list, the element alone."""
    last = path[-1]
    return value if isinstance(last, int) else f"{toml_key(last)} = {value}"


def mend(path: KeyPath, value: object, kind: inspect.Type) -> str:
    """Guess the line that was meant by a value of the wrong type; empty when there is no good guess."""
    is_list = isinstance(kind, inspect.VarTupleType) and named_fields(kind) is None
    if is_list and isinstance(value, str):
        return pair(path, toml_list([value]))
    if isinstance(kind, inspect.StrType) and isinstance(value, (bool, int, float)):
        return pair(path, toml_string(shown(value)))
    if isinstance(kind, inspect.BoolType) and str(value).lower() in _BOOLEANS:
        return pair(path, _BOOLEANS[str(value).lower()])
    if isinstance(kind, (inspect.IntType, inspect.FloatType)) and isinstance(value, str) and _NUMBER.fullmatch(value):
        number = float(value.rstrip("%")) / (100 if value.endswith("%") else 1)
        return mend_probability(path, number) if is_probability(kind) else pair(path, f"{number:g}")
    return ""


def mend_probability(path: KeyPath, value: float) -> str:
    """Write a number as a probability, reading 1 to 100 as a percentage; empty when it is neither."""
    share = value if value < 1 else value / 100
    if not (math.isfinite(value) and 0 < share < 1) or value == 1:
        return ""
    return pair(path, f"{share:.2f}" if round(share, 2) == share else f"{share:g}")
