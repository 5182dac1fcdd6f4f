"""The page at `/docs`: the API of one release for a person, without scripts and without the network."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from martello.serve.contract import Served
from martello.serve.openapi import example_input

__all__ = ["docs_page"]

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;
border-bottom:1px solid #ddd;vertical-align:top}pre{background:#f4f4f2;padding:.8rem;overflow:auto}h1{margin-bottom:0}
"""


def docs_page(served: Served, document: dict[str, Any]) -> bytes:
    """Give the page of a release from its OpenAPI document."""
    name, question = escape(served.name), escape(served.question)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title><style>{_STYLE}</style>",
        f"<h1>{name}</h1><p>{question}</p><p>Release <code>{escape(served.release_id)}</code>; {_answers(served)}</p>",
        f"<h2>Ask</h2><pre>{escape(_curl(served))}</pre>",
        "<h2>Input</h2>",
        _table(["field", "type", "", "description"], [_field_row(field) for field in served.fields]),
        "<h2>Routes</h2>",
        _table(["route", "", "faults"], _route_rows(document)),
        "<p>Every fault has the same shape: <code>code</code>, <code>what</code>, <code>where</code>, "
        "<code>expected</code>, <code>try</code>. The whole contract is in <a href=openapi.json>openapi.json</a>.</p>",
        "</html>",
    ]
    return "\n".join(parts).encode()


def _answers(served: Served) -> str:
    answers = f"answers {', '.join(f'<code>{escape(name)}</code>' for name in served.classes)}"
    if served.positive is None or served.threshold is None:
        return answers
    return f"{answers}; <code>{escape(served.positive)}</code> from a score of {served.threshold:.4g}"


def _curl(served: Served) -> str:
    body = json.dumps({"unit": "u-1", "input": example_input(served)}, indent=2, ensure_ascii=False).replace(
        "'", "'\\''"
    )
    return f"curl $URL/decide -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{body}'"


def _field_row(field: Any) -> list[str]:
    return [field.name, field.type, "optional" if field.optional else "required", field.description]


def _route_rows(document: dict[str, Any]) -> list[list[str]]:
    return [
        [f"{method.upper()} {path}", route["summary"], ", ".join(code for code in route["responses"] if code != "200")]
        for path, methods in document["paths"].items()
        for method, route in methods.items()
    ]


def _table(head: list[str], rows: list[list[str]]) -> str:
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}' for cell in row)}" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(name)}' for name in head)}{cells}</table>"
