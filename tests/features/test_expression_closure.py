"""What the closure computes, against a naive reading of the same trees and against what the language promises."""

from __future__ import annotations

import functools
import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.features.expressions import Declaration, RowFeatures, declare
from martello.features.expressions.functions import FORMS

NUMBERS = st.sampled_from([0.0, -0.0, 1.0, -1.5, 2.5, 20.0, 1e300, -1e300, 1e-300, 5e-324, 2.0**53]) | st.floats(
    allow_nan=False, allow_infinity=False
)
INTEGERS = st.sampled_from([0, 1, -1, 7, 2**53 + 1, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)
TEXTS = st.sampled_from(
    ["", "a", "İstanbul", "straße", "日本語", "👩‍💻", "ΟΔΟΣ", "it's", '"', "\\", "a\nb", "{x}"]
) | st.text(max_size=12)
# From before the year 1 to beyond 9999, with leap days and both changes of European clocks.
TIMES = st.sampled_from(
    [0, 951782400_000000, 1709164799_999999, 1711846800_000000, 1729990800_000000, -62135596800_000001, 2**62]
) | st.integers(-(2**63), 2**63 - 1)
VALUES = {
    "number": NUMBERS,
    "integer": INTEGERS,
    "text": TEXTS,
    "category": TEXTS,
    "boolean": st.booleans(),
    "time": TIMES,
    "list[number]": st.lists(NUMBERS, max_size=4),
    "list[integer]": st.lists(INTEGERS, max_size=4),
    "list[text]": st.lists(TEXTS, max_size=4),
    "list[time]": st.lists(TIMES, max_size=4),
}
LITERALS = {"int>=0": "3", "int>=1": "2", "zone": "'Europe/Berlin'", "moment": "'2024-02-29'", "text=": "' '"}
OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "eq": "=", "ne": "<>", "lt": "<", "le": "<=",
    "gt": ">", "ge": ">=", "concat": "||",
}  # fmt: skip


def written(name: str, takes: tuple[str, ...]) -> tuple[str, dict[str, tuple[str, bool]]]:
    """Write a call of a form over columns a, b, c, and give their types."""
    columns, args = {}, []
    for letter, kind in zip("abc", takes, strict=False):
        if kind in LITERALS:
            args.append(LITERALS[kind])
        else:
            columns[letter] = (kind, True)
            args.append(letter)
    if name in OPERATORS:
        return f"{args[0]} {OPERATORS[name]} {args[1]}", columns
    if name in ("neg", "not"):
        return f"{ {'neg': '-', 'not': 'not '}[name] }{args[0]}", columns
    return f"{name}({', '.join(args)})", columns


@functools.cache
def called(name: str, takes: tuple[str, ...]):
    text, columns = written(name, takes)
    declared = declare({"f": text}, columns)
    return declared, RowFeatures(declared), columns


ALL_FORMS = [(name, form.takes) for name, forms in FORMS.items() for form in forms]


@pytest.mark.parametrize(("name", "takes"), ALL_FORMS, ids=lambda value: str(value).replace(" ", ""))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_function_is_total_keeps_nulls_and_gives_its_type(name, takes, data):
    declared, closure, columns = called(name, takes)
    row = {letter: data.draw(st.none() | VALUES[kind]) for letter, (kind, _) in columns.items()}
    value = closure.row(row)["f"]
    if None in row.values():
        assert value is None
    python = {"number": float, "integer": int, "time": int, "boolean": bool, "text": str, "category": str}
    kind = declared.features[0].type
    if value is not None:
        assert type(value) is python.get(kind, list)
    if kind == "number" and value is not None:
        assert math.isfinite(value)
        assert math.copysign(1, value) == 1 or value != 0  # zero has no sign
    if value is None and not declared.features[0].optional:
        pytest.fail("a feature that is never null is null")


# A second reading of the language, node by node and without any cleverness.
def meaning(text: str, row: dict):
    return naive(declare({"f": text}, COLUMNS).features[0].tree, row)


def strict(function):
    return lambda *args: None if None in args else function(*args)


def finite(x):
    return x if math.isfinite(x) else None


NAIVE = {
    "add": strict(lambda a, b: finite(a + b)),
    "sub": strict(lambda a, b: finite(a - b)),
    "mul": strict(lambda a, b: finite(a * b)),
    "div": strict(lambda a, b: None if b == 0 else finite(a / b)),
    "neg": strict(lambda a: -a),
    "number": strict(float),
    "eq": strict(lambda a, b: a == b),
    "lt": strict(lambda a, b: a < b),
    "ge": strict(lambda a, b: a >= b),
    "le": strict(lambda a, b: a <= b),
    "gt": strict(lambda a, b: a > b),
    "not": strict(lambda a: not a),
    "concat": strict(lambda a, b: a + b),
    "length": strict(len),
    "contains": strict(lambda a, b: a.find(b) >= 0),
    "nullif": lambda a, b: None if a is not None and a == b else a,
    "is_null": lambda a: a is None,
    "coalesce": lambda *args: next((arg for arg in args if arg is not None), None),
    "if": lambda c, a, b: a if c is True else b,
    "and": lambda a, b: (
        False if False in (a, b) and not (a is None and b is None) else None if None in (a, b) else True
    ),
    "or": lambda a, b: True if True in (a, b) else None if None in (a, b) else False,
    "in": lambda a, *rest: None if a is None else a in rest,
}


def naive(tree, row):
    op, *args = tree
    if op == "column":
        return row[args[0]]
    if op == "value":
        return args[0]
    return NAIVE[op](*(naive(arg, row) for arg in args))


COLUMNS = {
    "x": ("number", True), "y": ("number", False), "n": ("integer", True), "s": ("text", True), "t": ("text", False),
    "p": ("boolean", True), "q": ("boolean", True),
}  # fmt: skip


def expressions():
    number = st.sampled_from(["x", "y", "n", "0", "2.5", "-1", "1e300"])
    text = st.sampled_from(["s", "t", "'a'", "''", "'it''s'"])
    boolean = st.sampled_from(["p", "q", "true", "false"])

    def deeper(parts):
        numbers, texts, booleans = parts

        def both(left, *others):
            return st.tuples(left, *others)

        more = st.one_of(
            both(numbers, st.sampled_from("+-*/"), numbers).map(lambda e: f"({e[0]} {e[1]} {e[2]})"),
            both(booleans, numbers, numbers).map(lambda e: f"if({e[0]}, {e[1]}, {e[2]})"),
            both(numbers, numbers).map(lambda e: f"coalesce({e[0]}, {e[1]})"),
            both(numbers, numbers).map(lambda e: f"nullif({e[0]}, {e[1]})"),
            texts.map(lambda e: f"length({e})"),
            both(texts, texts, numbers).map(lambda e: f"case {e[0]} when 'a' then 1 when {e[1]} then {e[2]} end"),
        )
        words = st.one_of(
            both(texts, texts).map(lambda e: f"({e[0]} || {e[1]})"),
            both(booleans, texts, texts).map(lambda e: f"case when {e[0]} then {e[1]} else {e[2]} end"),
            both(texts, texts).map(lambda e: f"coalesce({e[0]}, {e[1]})"),
        )
        conditions = st.one_of(
            both(numbers, st.sampled_from(["<", ">=", "=", "<=", ">"]), numbers).map(
                lambda e: f"({e[0]} {e[1]} {e[2]})"
            ),
            both(booleans, st.sampled_from(["and", "or"]), booleans).map(lambda e: f"({e[0]} {e[1]} {e[2]})"),
            booleans.map(lambda e: f"(not {e})"),
            numbers.map(lambda e: f"({e} is null)"),
            texts.map(lambda e: f"({e} in ('a', 'b'))"),
            both(texts, texts).map(lambda e: f"contains({e[0]}, {e[1]})"),
        )
        return numbers | more, texts | words, booleans | conditions

    parts = (number, text, boolean)
    for _ in range(3):
        parts = deeper(parts)
    return st.one_of(*parts)


ROWS = st.fixed_dictionaries(
    {name: (st.none() | VALUES[kind]) if optional else VALUES[kind] for name, (kind, optional) in COLUMNS.items()}
)


@settings(max_examples=120, deadline=None)
@given(texts=st.lists(expressions(), min_size=1, max_size=3), rows=st.lists(ROWS, min_size=1, max_size=3))
def test_closure_equals_the_naive_reading_row_by_row_and_column_by_column(texts, rows):
    named = {f"f{place}": text for place, text in enumerate(texts)}
    closure = RowFeatures(declare(named, COLUMNS))
    found = [closure.row(row) for row in rows]
    assert found == [{name: meaning(text, row) for name, text in named.items()} for row in rows]
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    assert closure.columns(columns, len(rows)) == {name: [row[name] for row in found] for name in named}


@settings(max_examples=40, deadline=None)
@given(name=TEXTS.filter(bool), text=TEXTS, other=TEXTS)
def test_names_and_texts_are_data_whatever_they_hold(name, text, other):
    quoted_name = '"' + name.replace('"', '""') + '"'
    quoted = "'" + text.replace("'", "''") + "'"
    if "\0" in name + text or name == "now":
        return
    closure = RowFeatures(declare({"is it": f"{quoted_name} = {quoted}"}, {name: ("text", False)}))
    assert closure.row({name: other}) == {"is it": other == text}
    assert closure.source.isascii()


def test_a_stored_declaration_computes_the_same_without_the_parser():
    declared = declare({"late": "hour(now, 'Asia/Tokyo') >= 22", "k": "lower(s) || '!'"}, {"s": ("text", True)})
    stored = declared.dump()
    code = (
        "import sys\n"
        "from martello.features.expressions import Declaration, RowFeatures\n"
        f"closure = RowFeatures(Declaration.load({stored!r}))\n"
        "print(closure.row({'s': 'İS', 'now': 1709208000000000}), closure.source == sys.argv[1])\n"
        "assert not {'sqlglot', 'pyarrow', 'duckdb', 'numpy'} & set(sys.modules), 'too much is imported'\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, RowFeatures(declared).source], capture_output=True, text=True, check=False
    )
    assert (found.stdout, found.stderr) == ("{'late': False, 'k': 'is!'} True\n", "")


def test_equal_parts_are_computed_once():
    closure = RowFeatures(declare({"a": "trigram_sim(s, t) > 0.5", "b": "trigram_sim(s, t) > 0.9"}, COLUMNS))
    assert closure.source.count("trigram_sim(") == 2  # once in each of the two functions


def test_a_part_computed_on_one_branch_is_not_taken_for_known_on_the_other():
    closure = RowFeatures(declare({"a": "if(p, length(t), 0)", "b": "length(t)"}, COLUMNS))
    row = {"x": None, "y": 0.0, "n": None, "s": None, "t": "abc", "q": None}
    assert closure.row({**row, "p": False}) == {"a": 0, "b": 3}
    assert closure.row({**row, "p": True}) == {"a": 3, "b": 3}


def test_features_without_inputs_and_no_features_at_all_are_computed():
    assert RowFeatures(declare({"one": "1"}, {})).columns({}, 2) == {"one": [1, 1]}
    empty = RowFeatures(Declaration(inputs=(), features=()))
    assert (empty.row({}), empty.columns({}, 3)) == ({}, {})
