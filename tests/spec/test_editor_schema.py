"""What editors and readers are told is what the loader does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from martello.errors import SpecError
from martello.spec.editor_schema import editor_schema, spec_reference
from martello.spec.load import parse_spec
from martello.spec.schema import Feature, Field, Source, Spec

PAGE = (Path(__file__).parents[2] / "docs" / "spec.md").read_text(encoding="utf-8")


def definition(schema, node):
    return schema["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def keys_of(schema, node, path=()):
    for name, below in definition(schema, node).get("properties", {}).items():
        yield (*path, name)
        yield from keys_of(schema, below, (*path, name))


def keys_of_struct(struct, path=()):
    for field in msgspec.structs.fields(struct):
        yield (*path, field.encode_name)
        if field.encode_name != "input" and isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from keys_of_struct(field.type, (*path, field.encode_name))


def test_the_schema_knows_exactly_the_keys_of_the_types():
    schema = editor_schema()
    assert set(keys_of(schema, schema)) == set(keys_of_struct(Spec))


def test_the_schema_is_json_and_asks_for_nothing_that_toml_cannot_write():
    text = msgspec.json.encode(editor_schema()).decode()
    assert "null" not in text


def test_the_schema_takes_inputs_in_the_form_of_the_file():
    schema = editor_schema()
    short, long = schema["properties"]["input"]["additionalProperties"]["anyOf"]
    assert set(short["enum"]) == {"number", "integer", "category", "text", "boolean", "time"}
    assert set(definition(schema, long)["properties"]) == {"type", "optional", "description", "feature_only"}
    assert definition(schema, long)["required"] == ["type"]


def test_the_schema_takes_features_as_expressions_or_tables_and_sources_as_tables():
    tables = editor_schema()["properties"]
    assert [each.get("type") for each in tables["feature"]["additionalProperties"]["anyOf"]] == ["string", None]
    assert set(tables["source"]["additionalProperties"]) == {"$ref"}


def test_every_reference_of_the_schema_leads_somewhere():
    schema = editor_schema()
    names = re.findall(r"#/\$defs/(\w+)", msgspec.json.encode(schema).decode())
    assert set(names) == set(schema["$defs"])


def test_the_reference_names_every_key_once_in_its_table():
    sections = dict(re.findall(r"### `\[(.+?)\]`.*?\n(.*?)(?=\n### |\Z)", spec_reference(), re.DOTALL))
    documented = {
        (*section.split("."), key)
        for section, body in sections.items()
        for key in re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE)
    }
    leaves = {
        path for path in keys_of_struct(Spec) if not any(p[: len(path)] == path != p for p in keys_of_struct(Spec))
    }
    named = {
        (table, "NAME", field.encode_name)
        for table, kind in (("input", Field), ("source", Source), ("feature", Feature))
        for field in msgspec.structs.fields(kind)
        if field.encode_name != "name"
    }
    assert documented == (leaves - {("input",), ("source",), ("feature",)}) | named


def test_every_key_has_a_meaning_in_the_reference():
    rows = re.findall(r"^\| `\w+` \|.*\|$", spec_reference(), re.MULTILINE)
    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_page_holds_the_reference_of_the_types():
    block = re.search(r"<!-- generated:spec-reference -->\n(.*?)<!-- /generated:spec-reference -->", PAGE, re.DOTALL)
    assert block is not None
    assert block[1].strip() == spec_reference().strip()


def test_the_example_of_the_page_is_a_spec():
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert parse_spec(examples[0]).task.name == "income"


def test_the_bad_example_of_the_page_gives_the_printed_error():
    bad, printed = re.findall(r"```(?:toml|text)\n(.*?)```", PAGE, re.DOTALL)[1:3]
    with pytest.raises(SpecError) as caught:
        parse_spec(bad)
    assert str(caught.value) == printed.strip()


def test_every_code_that_this_room_raises_is_on_the_page():
    sources = (Path(__file__).parents[2] / "src" / "martello" / "spec").glob("*.py")
    raised = set(re.findall(r'"(spec\.[a-z0-9-]+)"', "".join(path.read_text(encoding="utf-8") for path in sources)))
    assert raised == set(re.findall(r"`(spec\.[a-z0-9-]+)`", PAGE))
