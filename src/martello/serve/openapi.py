"""The OpenAPI 3.1 document of a release, made from its fields: what may be sent, what comes back, which faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from martello.serve.contract import Featured, Served
from martello.serve.problem import STATUS
from martello.serve.shapes import (
    MAX_ROWS,
    Answer,
    Answers,
    EventReceipt,
    LoggedDecision,
    Receipts,
    Row,
    SentEvents,
    SentOutcome,
)

if TYPE_CHECKING:
    from martello.spec.schema import Field

__all__ = ["example_input", "field_schema", "openapi_document"]

_JSON_TYPE = {
    "number": "number",
    "integer": "integer",
    "category": "string",
    "text": "string",
    "boolean": "boolean",
    "time": "string",
}
_EXAMPLE: dict[str, object] = {
    "number": 12.5,
    "integer": 39,
    "category": "a",
    "text": "some words",
    "boolean": True,
    "time": "2026-01-31T12:00:00Z",
}
_REF = "#/components/schemas/{name}"


def field_schema(field: Field) -> dict[str, Any]:
    """Give the JSON Schema of one input; an optional one may also be null."""
    kind = _JSON_TYPE[field.type]
    schema: dict[str, Any] = {"type": [kind, "null"] if field.optional else kind, "examples": [_EXAMPLE[field.type]]}
    if field.type == "time":
        schema["format"] = "date-time"
    if field.description:
        schema["description"] = field.description
    return schema


def example_input(served: Served) -> dict[str, object]:
    """Give an input of the right types; its values mean nothing."""
    return {field.name: _EXAMPLE[field.type] for field in served.fields}


def openapi_document(served: Served) -> dict[str, Any]:
    """Give the whole document as JSON-ready values."""
    return {
        "openapi": "3.1.0",
        "info": {"title": served.name, "version": served.release_id, "description": served.question},
        "security": [{"token": []}],
        "paths": _paths(served),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(served),
            "responses": {
                "Problem": _answer("A fault: what, where, what to try", ["Problem"], "application/problem+json")
            },
        },
    }


def _schemas(served: Served) -> dict[str, Any]:
    _, shapes = msgspec.json.schema_components(
        [Row, Answer, Answers, LoggedDecision, SentOutcome, Receipts, SentEvents, EventReceipt], ref_template=_REF
    )
    output = {"type": "string", "enum": list(served.classes)}
    scores = {
        "type": "object",
        "properties": {name: {"type": "number"} for name in served.classes},
        "required": list(served.classes),
    }
    shapes["Row"]["properties"]["input"] = {"$ref": _REF.format(name="Input")}
    shapes["Answer"]["properties"] |= {"output": output, "scores": scores}
    shapes["SentOutcome"]["properties"]["outcome"] = output
    if isinstance(served, Featured):
        shapes["Row"]["properties"]["at"]["description"] = "as of when; absent: now. Only what was known before counts"
    else:
        del shapes["Row"]["properties"]["at"], shapes["LoggedDecision"]["properties"]["as_of"]
        del shapes["LoggedDecision"]["properties"]["definition"]
    shapes |= _event_shapes(served, shapes.pop("SentEvents"), shapes.pop("EventReceipt"))
    shapes["Receipt"]["properties"]["error"] = {"type": "object", "description": "code, what, where, expected, try"}
    return {
        "Input": {
            "type": "object",
            "properties": {field.name: field_schema(field) for field in served.fields},
            "required": [field.name for field in served.fields if not field.optional],
            "additionalProperties": False,
            "examples": [example_input(served)],
        },
        **shapes,
        "Rows": _list_of("units", "Row"),
        "SentOutcomes": _list_of("outcomes", "SentOutcome"),
        "Problem": _PROBLEM,
        "Status": {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]},
    }


def _event_shapes(served: Served, sent: dict[str, Any], receipt: dict[str, Any]) -> dict[str, Any]:
    """Give the shapes of events: one for each source, of all columns any source declares."""
    sources = served.sources if isinstance(served, Featured) else {}
    if not sources:
        return {}
    sent["properties"]["source"] = {"type": "string", "enum": list(sources)}
    sent["properties"]["events"] = {
        "type": "array",
        "maxItems": MAX_ROWS,
        "items": {"anyOf": [{"$ref": _REF.format(name=_event_name(place))} for place in range(len(sources))]},
    }
    receipt["properties"]["rejected"]["items"] = {"$ref": _REF.format(name="Problem")}
    events = {
        _event_name(place): {
            "type": "object",
            "title": f"Event of {name}",
            "properties": {column: {"type": _JSON_TYPE[kind]} for column, kind in columns.items()},
            "examples": [{column: _EXAMPLE[kind] for column, kind in columns.items()}],
        }
        for place, (name, columns) in enumerate(sources.items())
    }
    return {"SentEvents": sent, "EventReceipt": receipt, **events}


def _event_name(place: int) -> str:
    return f"Event{place + 1}"


def _list_of(key: str, shape: str) -> dict[str, Any]:
    items = {"type": "array", "maxItems": MAX_ROWS, "items": {"$ref": _REF.format(name=shape)}}
    return {"type": "object", "properties": {key: items}, "required": [key], "additionalProperties": False}


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "examples": ["features.wrong-type", *sorted(STATUS)]},
        "what": {"type": "string"},
        "where": {"type": "string"},
        "expected": {"type": "string"},
        "try": {"type": "string"},
        "others": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["type", "title", "status", "code", "what", "where", "expected", "try", "others"],
}


def _paths(served: Served) -> dict[str, Any]:
    decide = _post(
        "decide",
        "Decide about one unit, or about several; answered when the decisions are on disk",
        ["Row", "Rows"],
        ["Answer", "Answers"],
        {
            "one": {"value": {"unit": "u-1", "input": example_input(served)}},
            "several": {"value": {"units": [{"unit": "u-1", "input": example_input(served)}]}},
        },
    )
    outcome = {"source": "shop", "id": "o-1", "unit": "u-1", "outcome": served.classes[0]}
    outcomes = _post(
        "report_outcomes",
        "Report what happened; the same (source, id) counts once, so sending again is safe",
        ["SentOutcomes"],
        ["Receipts"],
        {"one": {"value": {"outcomes": [outcome]}}},
    )
    events = {}
    if isinstance(served, Featured) and served.sources:
        source, columns = next(iter(served.sources.items()))
        event = {column: _EXAMPLE[kind] for column, kind in columns.items()}
        posted = _post(
            "send_events",
            "Tell of events that features look back on; an event counts once, so sending again is safe",
            ["SentEvents"],
            ["EventReceipt"],
            {"one": {"value": {"source": source, "events": [event]}}},
        )
        events["/events"] = {"post": posted}
    decision_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/decide": {"post": decide},
        "/outcomes": {"post": outcomes},
        **events,
        "/decisions/{id}": {
            "get": _get("read_decision", "Read a decision from the log", "LoggedDecision", ("404",))
            | {"parameters": [decision_id]}
        },
        "/healthz": {"get": _get("is_alive", "Is the process alive?", "Status", ()) | {"security": []}},
        "/readyz": {"get": _get("is_ready", "Can it decide and log?", "Status", ("503",))},
    }


def _post(name: str, summary: str, takes: list[str], gives: list[str], examples: dict[str, Any]) -> dict[str, Any]:
    faults = ("400", "401", "408", "413", "415", "500", "503")
    body = {"required": True, "content": {"application/json": {"schema": _one_of(takes), "examples": examples}}}
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": body,
        "responses": {"200": _answer("Done, and on disk", gives), **_faults(faults)},
    }


def _get(name: str, summary: str, gives: str, faults: tuple[str, ...]) -> dict[str, Any]:
    unauthorized = () if name == "is_alive" else ("401",)
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _answer("As asked", [gives]), **_faults(unauthorized + faults)},
    }


def _answer(description: str, names: list[str], media_type: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": _one_of(names)}}}


def _one_of(names: list[str]) -> dict[str, Any]:
    refs = [{"$ref": _REF.format(name=name)} for name in names]
    return refs[0] if len(refs) == 1 else {"oneOf": refs}


def _faults(codes: tuple[str, ...]) -> dict[str, Any]:
    return {code: {"$ref": "#/components/responses/Problem"} for code in codes}
