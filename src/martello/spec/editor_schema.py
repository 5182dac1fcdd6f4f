"""What editors and readers are told about `martello.toml`, made from the types: a JSON Schema and a reference.

Editors that know JSON Schema (Taplo, Even Better TOML) complete keys and mark faults while the file is written.
"""

from __future__ import annotations

import inspect as python_inspect
from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import inspect

from martello.spec.kinds import SHORT, bare, describe, meta, named_fields, spec_type
from martello.spec.schema import Feature, Field, Source, Spec
from martello.spec.toml_text import dotted, toml_list, toml_string

__all__ = ["editor_schema", "spec_reference"]

# What a file writes as a table from name to struct.
_NAMED: tuple[type[msgspec.Struct], ...] = (Field, Source, Feature)


def editor_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of `martello.toml` as it is written.

    Examples
    --------
    >>> sorted(editor_schema()["required"])
    ['input', 'output', 'population', 'task']
    """
    (_, *_), definitions = msgspec.json.schema_components([Spec, *_NAMED], ref_template="#/$defs/{name}")
    definitions = {name: _without_null(definition) for name, definition in definitions.items()}
    root = definitions.pop("Spec")
    for kind in _NAMED:
        key = next(field.encode_name for field in spec_type().fields if _named_type(field.type) is kind)
        root["properties"][key] = _table_of(kind, definitions[kind.__name__], is_required=key in root["required"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "title": "martello.toml",
        "$defs": definitions,
    }


def _table_of(kind: type[msgspec.Struct], definition: dict[str, Any], *, is_required: bool) -> dict[str, Any]:
    """Give the JSON Schema of a table from name to struct; in the file the name is the key."""
    del definition["properties"]["name"]
    definition["required"] = [name for name in definition["required"] if name != "name"]
    whole: dict[str, Any] = {"$ref": f"#/$defs/{kind.__name__}"}
    if not definition["required"]:
        del definition["required"]
    short = next(iter(definition["properties"]))
    entry = {"anyOf": [definition["properties"][short], whole]} if short in SHORT else whole
    return {
        "description": kind.__doc__,
        "type": "object",
        **({"minProperties": 1} if is_required else {}),
        "propertyNames": {"minLength": 1, "maxLength": 200},
        "additionalProperties": entry,
    }


def _named_type(kind: inspect.Type) -> type | None:
    inner = bare(kind)
    return inner.item_type.cls if named_fields(inner) and isinstance(inner, inspect.VarTupleType) else None  # type: ignore[attr-defined]


def spec_reference() -> str:
    """Give every key in Markdown, one table for each table of the file."""
    return "\n".join(_reference(spec_type().fields, ())).strip() + "\n"


def _without_null(schema: Any) -> Any:
    """Take "or null" out of a JSON Schema: TOML has no null, a key is left out instead."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_null(value) for key, value in schema.items() if not (key == "default" and _has_null(value))}
    choices = [choice for choice in kept.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        kept.pop("anyOf")
        kept = {**choices[0], **kept}
    return kept


def _has_null(value: object) -> bool:
    """Say whether a default cannot be written in TOML."""
    return value is None or (isinstance(value, dict) and any(map(_has_null, value.values())))


def _reference(fields: tuple[inspect.Field, ...], path: tuple[str, ...]) -> Iterator[str]:
    for field in fields:
        inner, place = bare(field.type), (*path, field.encode_name)
        entries = named_fields(inner)
        if isinstance(inner, inspect.StructType):
            simple = [one for one in inner.fields if not isinstance(bare(one.type), inspect.StructType)]
            if simple:
                yield from _table(dotted(place), inner.cls, simple, is_required=field.required)
            yield from _reference(inner.fields, place)
        elif entries is not None:
            item = cast(inspect.StructType, cast(inspect.VarTupleType, inner).item_type)
            heading = f"{dotted(place)}.NAME"
            yield from _table(heading, item.cls, entries, is_required=field.required)
            if entries[0].encode_name in SHORT:
                short, example = entries[0].encode_name, SHORT[entries[0].encode_name]
                yield f'`NAME = "{example}"` is short for `NAME = {{ {short} = "{example}" }}`.'
                yield ""


def _table(name: str, cls: type, fields: Any, *, is_required: bool) -> Iterator[str]:
    yield f"### `[{name}]`" + (" (required)" if is_required else "")
    yield ""
    yield python_inspect.getdoc(cls) or ""
    yield ""
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for field in fields:
        cells = (f"`{field.encode_name}`", describe(field.type), _default(field), meta(field.type, "description") or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _default(field: inspect.Field) -> str:
    if field.required:
        return "required"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return f"`{toml_list(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{toml_string(value)}`" if isinstance(value, str) else f"`{value}`"
