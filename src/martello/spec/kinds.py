"""The types of `schema` as data: taken bare, with their documentation, and said in words.

One tree of types drives the check of a file (`shape`), the JSON Schema for editors and the reference in the docs.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from msgspec import inspect

from martello.spec.schema import Spec
from martello.spec.toml_text import toml_list, toml_string

__all__ = ["SHORT", "bare", "describe", "is_probability", "meta", "named_fields", "spec_type"]


#: Keys whose text may stand for the whole table of an input or a feature, with an example of one.
SHORT = {"type": "number", "expression": "length(title)"}


@cache
def spec_type() -> inspect.StructType:
    """Give the type tree of `Spec`."""
    return cast(inspect.StructType, inspect.type_info(Spec))


def bare(kind: inspect.Type) -> inspect.Type:
    """Give a type without its documentation and without "or nothing", which TOML cannot write."""
    if isinstance(kind, inspect.Metadata):
        return bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return bare(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    return kind


def meta(kind: inspect.Type, name: str) -> Any:
    """Give one entry of a type's documentation, such as ``description``; None where there is none."""
    if isinstance(kind, inspect.UnionType):
        return next((found for one in kind.types if (found := meta(one, name)) is not None), None)
    if isinstance(kind, inspect.Metadata):
        return (kind.extra_json_schema or {}).get(name, meta(kind.type, name))
    return None


def named_fields(kind: inspect.Type) -> tuple[inspect.Field, ...] | None:
    """Give the fields of structs that a file writes as a table from name to struct (`[input]`), or None."""
    if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
        return tuple(field for field in kind.item_type.fields if field.encode_name != "name")
    return None


def is_probability(kind: inspect.Type) -> bool:
    """Say whether a type is a number held between 0 and 1."""
    if not isinstance(kind, inspect.FloatType):
        return False
    return 0.0 in (kind.gt, kind.ge) and 1.0 in (kind.lt, kind.le)


def describe(kind: inspect.Type) -> str:
    """Say in words what a type accepts.

    Examples
    --------
    >>> describe(inspect.type_info(bool))
    'true or false'
    """
    inner = bare(kind)
    examples = meta(kind, "examples")
    if isinstance(inner, inspect.LiteralType):
        return "one of " + ", ".join(str(value) for value in inner.values)
    if isinstance(inner, inspect.BoolType):
        return "true or false"
    if isinstance(inner, (inspect.IntType, inspect.FloatType)):
        return _describe_number(inner)
    if isinstance(inner, inspect.StrType):
        if inner.pattern:
            return "a text such as " + " or ".join(map(toml_string, examples or [inner.pattern]))
        return "a text that is not empty" if inner.min_length else "a text"
    if isinstance(inner, inspect.VarTupleType) and named_fields(inner) is None:
        return f"a list of texts, such as {toml_list(examples or ['...'])}"
    return "a table"


def _describe_number(kind: inspect.IntType | inspect.FloatType) -> str:
    noun = "an integer" if isinstance(kind, inspect.IntType) else "a number"
    if is_probability(kind):
        return f"{noun} between 0 and 1, both excluded"
    if kind.ge is not None and kind.le is not None:
        return f"{noun} from {kind.ge:g} to {kind.le:g}"
    if kind.ge is not None:
        return f"{noun} of at least {kind.ge:g}"
    return noun if kind.gt is None else f"{noun} greater than {kind.gt:g}"
