from __future__ import annotations

import re

import pytest
from tiny_server import Tiny

from martello.serve.openapi import example_input, openapi_document
from martello.serve.problem import STATUS

METHODS = {"get", "post"}


@pytest.fixture(scope="module")
def document(server):
    status, headers, document = server.ask("GET", "/openapi.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    return document


def walk(node):
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def resolve(document, reference):
    node = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def faults_of(value, schema, document, path="$"):
    """A small, independent check of a value against the part of JSON Schema that the document uses."""
    if "$ref" in schema:
        yield from faults_of(value, resolve(document, schema["$ref"]), document, path)
    for key in ("oneOf", "anyOf"):
        fits = [not list(faults_of(value, option, document, path)) for option in schema.get(key, [])]
        if fits and (sum(fits) != 1 if key == "oneOf" else not any(fits)):
            yield f"{path}: {sum(fits)} of {key} fit"
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "number": (int, float),
        "integer": int,
        "boolean": bool,
        "null": type(None),
    }
    if "type" in schema:
        named = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        is_number = {"number", "integer"} & set(named)
        if not isinstance(value, tuple(kinds[name] for name in named)) or (is_number and value is True):
            yield f"{path}: {value!r} is no {named}"
            return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is not in {schema['enum']}"
    if isinstance(value, dict):
        yield from (f"{path}: {name} is missing" for name in schema.get("required", []) if name not in value)
        known = schema.get("properties", {})
        if schema.get("additionalProperties") is False:
            yield from (f"{path}: {name} is unknown" for name in value if name not in known)
        for name in known.keys() & value.keys():
            yield from faults_of(value[name], known[name], document, f"{path}.{name}")
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from faults_of(item, schema["items"], document, f"{path}[{place}]")


def body_schema(document, path, method="post"):
    return document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]


def answer_schema(document, path, method, status="200"):
    answer = document["paths"][path][method]["responses"][status]
    answer = resolve(document, answer["$ref"]) if "$ref" in answer else answer
    (content,) = answer["content"].values()
    return content["schema"]


def test_it_has_the_parts_that_openapi_asks_for(document):
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert set(document["info"]) >= {"title", "version"}
    names = []
    for path, item in document["paths"].items():
        assert path.startswith("/")
        assert set(item) <= METHODS
        for operation in item.values():
            names.append(operation["operationId"])
            assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"])
            in_path = {given["name"] for given in operation.get("parameters", []) if given["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))
    assert len(names) == len(set(names))
    assert all(
        "description" in answer
        for node in walk(document["paths"])
        for answer in node.get("responses", {}).values()
        if "$ref" not in answer
    )


def test_every_reference_leads_somewhere(document):
    references = [node["$ref"] for node in walk(document) if "$ref" in node]
    assert references
    for reference in references:
        assert resolve(document, reference)


def test_the_input_is_the_declared_fields(document):
    schema = document["components"]["schemas"]["Input"]
    assert schema["required"] == ["age"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["age"]["type"] == "integer"
    assert schema["properties"]["age"]["description"] == "in years"
    assert schema["properties"]["income"]["type"] == ["number", "null"]
    assert schema["properties"]["member"]["type"] == ["boolean", "null"]
    assert schema["properties"]["seen_at"]["format"] == "date-time"
    assert list(schema["properties"]) == [field.name for field in Tiny.fields]


def test_the_examples_fit_and_are_answered_as_described(document, server):
    for path in ("/decide", "/outcomes"):
        examples = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
        assert examples
        for example in examples.values():
            assert list(faults_of(example["value"], body_schema(document, path), document)) == []
            status, _, answer = server.ask("POST", path, example["value"])
            assert status == 200
            assert list(faults_of(answer, answer_schema(document, path, "post"), document)) == []


def test_answers_and_faults_are_as_described(document, server):
    _, decided = server.decide(3)
    asked = {
        "/decisions/{id}": ("get", "200", server.ask("GET", f"/decisions/{decided['id']}")),
        "/healthz": ("get", "200", server.ask("GET", "/healthz")),
        "/readyz": ("get", "401", server.ask("GET", "/readyz", token=None)),
        "/decide": ("post", "400", server.ask("POST", "/decide", {})),
        "/outcomes": ("post", "415", server.ask("POST", "/outcomes", b"", headers={"Content-Type": "x"})),
    }
    assert set(asked) == set(document["paths"])
    for path, (method, status, answer) in asked.items():
        assert str(answer[0]) == status
        assert list(faults_of(answer[2], answer_schema(document, path, method, status), document)) == []


def test_what_the_schema_refuses_the_server_refuses(document, server):
    for body in (
        {},
        {"input": {}},
        {"input": {"age": "x"}},
        {"input": {"age": 1, "x": 1}},
        {"units": [{}]},
        {"unit": "a"},
    ):
        assert list(faults_of(body, body_schema(document, "/decide"), document)) != []
        assert server.ask("POST", "/decide", body)[0] == 400


def test_only_health_is_open(document):
    assert document["security"] == [{"token": []}]
    is_open = [path for path, item in document["paths"].items() for op in item.values() if op.get("security") == []]
    assert is_open == ["/healthz"]


def test_every_status_a_fault_can_have_is_listed(document):
    listed = {status for node in walk(document["paths"]) for status in node.get("responses", {})}
    # 404 of a route, 405 and 431 come from requests that no operation describes
    assert {str(status) for status in STATUS.values()} - {"405", "431"} <= listed


def test_the_page_tells_the_same_and_needs_no_network(server):
    status, headers, page = server.ask("GET", "/docs")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = page.decode()
    assert "default-src 'none'" in headers["content-security-policy"]
    assert not re.search(r"(src|href)=['\"]?https?:|<script|<link|@import", text)
    assert "Is this person &lt;old&gt; enough?" in text
    for word in [*[field.name for field in Tiny.fields], *openapi_document(Tiny())["paths"], "release-tiny"]:
        assert word in text


def test_the_example_has_every_field(document):
    assert list(faults_of(example_input(Tiny()), {"$ref": "#/components/schemas/Input"}, document)) == []
    assert set(example_input(Tiny())) == {field.name for field in Tiny.fields}
