"""Whether a TOML document has the shape of a `Spec`: every table, key, type and range; one walk finds all faults.

msgspec stops at the first fault; this walk is driven by the same types (`schema`) and goes on.
Rules between fields are `lint`; places in the file are `faults`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from martello.errors import nearest
from martello.spec.faults import Fault
from martello.spec.kinds import SHORT, bare, describe, is_probability, meta, named_fields, spec_type
from martello.spec.mend import WIDEST, mend, mend_probability, pair, say, shown
from martello.spec.schema import Spec
from martello.spec.toml_text import KeyPath, dotted, toml_key, toml_string

__all__ = ["as_spec", "check_shape"]

# What other tools call the types of fields.
_SYNONYMS = {
    "number": ("float", "double", "decimal", "numeric", "real"),
    "integer": ("int", "int64", "bigint", "long"),
    "category": ("categorical", "enum", "factor"),
    "text": ("string", "str", "varchar"),
    "boolean": ("bool", "flag"),
    "time": ("date", "datetime", "timestamp"),
}


def check_shape(document: dict[str, Any]) -> list[Fault]:
    """Give every fault of shape of a parsed document.

    Examples
    --------
    >>> [fault.code for fault in check_shape({"task": {"name": 7}})][:3]
    ['spec.wrong-type', 'spec.missing-key', 'spec.missing-table']
    """
    return list(_check_table(document, spec_type().fields, ()))


def as_spec(document: dict[str, Any]) -> Spec:
    """Make the `Spec` of a document without faults."""
    named = {
        field.encode_name: [_entry(name, entry, entries) for name, entry in document[field.encode_name].items()]
        for field in spec_type().fields
        if (entries := named_fields(bare(field.type))) is not None and field.encode_name in document
    }
    return msgspec.convert({**document, **named}, Spec)


def _entry(name: str, entry: Any, fields: tuple[inspect.Field, ...]) -> dict[str, Any]:
    return {"name": name, **({fields[0].encode_name: entry} if isinstance(entry, str) else entry)}


def _check(value: object, kind: inspect.Type, path: KeyPath) -> Iterator[Fault]:
    inner = bare(kind)
    fields = inner.fields if isinstance(inner, inspect.StructType) else None
    entries = named_fields(inner)
    if fields is not None and isinstance(value, dict):
        yield from _check_table(value, fields, path)
    elif entries is not None and isinstance(value, dict):
        for name, entry in value.items():
            yield from _check_entry(name, entry, entries, path)
    elif isinstance(inner, inspect.DictType) and isinstance(value, dict):
        for name, item in value.items():
            yield from _check(item, inner.value_type, (*path, name))
    elif isinstance(inner, inspect.VarTupleType) and entries is None and isinstance(value, list):
        for place, item in enumerate(value):
            yield from _check(item, inner.item_type, (*path, place))
    elif not _is_of(value, inner):
        yield Fault("spec.wrong-type", path, say(path, value), describe(kind), mend(path, value, inner))
    else:
        yield from _check_scalar(value, kind, path)


def _is_of(value: object, kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.FloatType):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(kind, inspect.IntType):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(kind, inspect.BoolType):
        return isinstance(value, bool)
    return isinstance(kind, (inspect.StrType, inspect.LiteralType)) and isinstance(value, str)


def _check_scalar(value: Any, kind: inspect.Type, path: KeyPath) -> Iterator[Fault]:
    inner = bare(kind)
    if isinstance(inner, inspect.LiteralType):
        if value not in inner.values:
            yield _unknown_value(value, inner, path)
    elif isinstance(inner, (inspect.IntType, inspect.FloatType)):
        if not _is_within(value, inner):
            yield _out_of_range(value, inner, path)
    elif isinstance(inner, inspect.StrType) and not _is_formed(value, inner):
        about = meta(kind, "description")
        expected = describe(kind) + (f": {about}" if about else "")
        yield Fault("spec.wrong-form", path, f"{dotted(path)} is {shown(value)}", expected)


def _is_within(value: int | float, kind: inspect.IntType | inspect.FloatType) -> bool:
    # Written so that nan, which is below and above nothing, is outside.
    return (
        -WIDEST <= value < WIDEST
        and (kind.gt is None or value > kind.gt)
        and (kind.ge is None or value >= kind.ge)
        and (kind.lt is None or value < kind.lt)
        and (kind.le is None or value <= kind.le)
    )


def _is_formed(value: str, kind: inspect.StrType) -> bool:
    return (
        len(value) >= (kind.min_length or 0)
        and (kind.max_length is None or len(value) <= kind.max_length)
        and (kind.pattern is None or re.fullmatch(kind.pattern, value) is not None)
    )


def _out_of_range(value: int | float, kind: inspect.IntType | inspect.FloatType, path: KeyPath) -> Fault:
    if not is_probability(kind):
        return Fault("spec.out-of-range", path, f"{dotted(path)} is {shown(value)}", describe(kind))
    what = f"{dotted(path)} is {shown(value)}, not a probability between 0 and 1"
    return Fault("spec.not-a-probability", path, what, describe(kind), mend_probability(path, value))


def _unknown_value(value: str, kind: inspect.LiteralType, path: KeyPath) -> Fault:
    known = [str(one) for one in kind.values]
    meant = next((name for name, others in _SYNONYMS.items() if value.lower() in others), None)
    near = meant if meant in known else nearest(value.lower(), known)
    fix = pair(path, toml_string(near)) if near else ""
    return Fault(
        "spec.unknown-value", path, f"{dotted(path)} is {shown(value)}, which is not known", describe(kind), fix
    )


def _check_table(table: dict[str, Any], fields: tuple[inspect.Field, ...], path: KeyPath) -> Iterator[Fault]:
    known = {field.encode_name: field for field in fields}
    for key, value in table.items():
        if key in known:
            yield from _check(value, known[key].type, (*path, key))
        else:
            yield _unknown_key(key, value, list(known), path)
    for key, field in known.items():
        if field.required and key not in table:
            yield _missing(field, path)


def _check_entry(name: str, entry: object, fields: tuple[inspect.Field, ...], path: KeyPath) -> Iterator[Fault]:
    """Check one line of `[input]` or the like: a table, or the text that stands for one."""
    place, short = (*path, name), fields[0]
    if not 0 < len(name) <= 200:
        noun = "an input" if path == ("input",) else f"a {path[-1]}"
        yield Fault("spec.wrong-form", place, f"{noun} has a name that is empty or very long", "1 to 200 characters")
    if isinstance(entry, str) and short.encode_name in SHORT:
        yield from _check(entry, short.type, place)
    elif not isinstance(entry, dict):
        example = SHORT.get(short.encode_name)
        noun = f"{'an' if short.encode_name[0] in 'aeiou' else 'a'} {short.encode_name}"
        expected = f'{noun} such as "{example}", or a table with one' if example else "a table"
        yield Fault("spec.wrong-type", place, say(place, entry), expected)
    elif short.encode_name not in entry and (split := _split_name(name, entry, fields)):
        whole = toml_key(split)
        yield Fault(
            "spec.unquoted-name",
            place,
            f"a name with dots stands without quotes: {split}",
            "names with dots, spaces or signs in quotes",
            f'{whole} = "number"',
        )
    else:
        yield from _check_table(entry, fields, place)


def _split_name(name: str, entry: dict[str, Any], fields: tuple[inspect.Field, ...]) -> str | None:
    """Give the dotted name that TOML took apart (``cons.price.idx = "number"``), or None."""
    known = {field.encode_name for field in fields}
    if len(entry) != 1 or fields[0].encode_name not in SHORT:
        return None
    ((key, value),) = entry.items()
    if isinstance(value, dict) and fields[0].encode_name not in value:
        return _split_name(f"{name}.{key}", value, fields)
    return f"{name}.{key}" if isinstance(value, (str, dict)) and key not in known else None


def _unknown_key(key: str, value: object, known: list[str], path: KeyPath) -> Fault:
    noun = "table" if isinstance(value, dict) else "key"
    here = f"[{dotted(path)}]" if path else "martello.toml"
    homes = [home for home in _homes(key) if home != path]
    near = nearest(key.lower(), known)
    fix = ""
    if near:
        fix = f"[{dotted((*path, near))}]" if noun == "table" else pair((*path, near), shown(value))
    elif len(homes) == 1:
        fix = f"move it into [{dotted(homes[0])}]"
    expected = f"in {here}: " + ", ".join(known)
    return Fault("spec.unknown-key", (*path, key), f"there is no {noun} {toml_key(key)} in {here}", expected, fix)


def _homes(key: str) -> list[KeyPath]:
    """Give the tables that do have a key."""

    def walk(kind: inspect.StructType, path: KeyPath) -> Iterator[KeyPath]:
        for field in kind.fields:
            if field.encode_name == key:
                yield path
            if isinstance(inner := bare(field.type), inspect.StructType):
                yield from walk(inner, (*path, field.encode_name))

    return list(walk(spec_type(), ()))


def _missing(field: inspect.Field, path: KeyPath) -> Fault:
    key, about = field.encode_name, meta(field.type, "description")
    if not path:
        return Fault("spec.missing-table", (key,), f"the table [{key}] is missing", f"a table [{key}]", f"[{key}]")
    what = f"{dotted((*path, key))} is missing"
    expected = describe(field.type) + (f": {about}" if about else "")
    return Fault("spec.missing-key", (*path, key), what, expected)
