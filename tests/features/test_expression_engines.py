"""Function by engine: where SQL is offered it gives what Python gives, on every row; elsewhere it is refused by name.

Postgres is asked where a server is installed; the tests start one of their own.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
import sqlite3

import duckdb
import pyarrow as pa
import pytest

from engines import postgres_server
from martello.errors import SpecError
from martello.features.expressions import RowFeatures, declare, to_sql
from martello.features.expressions.functions import DIALECTS, FORMS

# The columns every expression reads, two or three of each type.
KINDS = {
    "x": "number", "y": "number", "n": "integer", "m": "integer", "s": "text", "u": "text", "w": "text",
    "p": "boolean", "q": "boolean", "t": "time", "v": "time",
}  # fmt: skip
COLUMNS = {name: (kind, True) for name, kind in KINDS.items()}
ENGINE_TYPES = {
    "number": "double precision",
    "integer": "bigint",
    "text": "varchar",
    "boolean": "boolean",
    "time": "bigint",
}
OF_KIND = {"number": "xy", "integer": "nm", "text": "suw", "boolean": "pq", "time": "tv"}
LITERALS = {"int>=0": "3", "int>=1": "2", "moment": "'2024-02-29T10:00:00Z'"}
OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "eq": "=", "ne": "<>", "lt": "<", "le": "<=",
    "gt": ">", "ge": ">=", "concat": "||",
}  # fmt: skip

DAY = 86_400_000_000
SPECIAL = {
    "number": [None, 0.0, -0.0, 1.0, -1.0, 0.1, 2.5, -2.5, 20.0, 3.999999999, 1e150, -1e150, 1e-150, 2.0**53,
        12345.678],
    "integer": [None, 0, 1, -1, 7, 2**31, 2**53 + 1, -(2**53) - 1, 2**62],
    "text": [
        None, "", "a", "A", "abc", "bc", "İ", "İstanbul", "I", "ı", "straße", "STRASSE", "ß", "ẞ", "日本語", "本",
        "👩‍💻 x",
        "👩", "ΟΔΟΣ", "οδος", "é", "e\u0301", " a ", "it's", '"', "%", "_", "\\", "a\nb", "\u00a0a",
        "Ａ", "ǅ", "\U0001e900",
    ],
    "boolean": [None, True, False],
    "time": [
        None, 0, -1, 1, DAY - 1, DAY, -DAY, 951782400_000000, 951868799_999999, 1709164800_000000, 1709251199_999999,
        # Berlin and New York change their clocks in 2024 and 2025
        1711846799_999999, 1711846800_000000, 1729990800_000000, 1710054000_000000, 1762063200_000000,
        -2203977600_000000, -62135596800_000000, -62135596800_000001, 253402300799_999999, 253402300800_000000, 2**61,
    ],
}  # fmt: skip


@functools.cache
def rows() -> list[dict]:
    """Every special value beside others, and random ones."""
    draw = random.Random(11)
    columns = {}
    for name, kind in KINDS.items():
        values = SPECIAL[kind] * (600 // len(SPECIAL[kind]) + 1)
        draw.shuffle(values)
        more = {
            "number": lambda: draw.uniform(-100, 100),
            "integer": lambda: draw.randrange(-50, 50),
            "text": lambda: "".join(draw.choices("abİßσΣé日👩 ", k=draw.randrange(6))),
            "boolean": lambda: draw.random() < 0.5,
            "time": lambda: draw.randrange(-(10**16), 10**16),
        }[kind]
        columns[name] = values[:400] + [more() for _ in range(200)]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


class Engine:
    """One engine with the rows in it."""

    def __init__(self, dialect: str) -> None:
        declared = ", ".join(f'"{name}" {ENGINE_TYPES[kind]}' for name, kind in KINDS.items())
        values = [(place, *row.values()) for place, row in enumerate(rows())]
        if dialect == "duckdb":
            self._connection = duckdb.connect(config={"autoinstall_known_extensions": False})
            table = pa.table({"i": range(len(values)), **{name: [row[name] for row in rows()] for name in KINDS}})
            self._connection.register("held", table)
            self._connection.execute(f"create table rows (i integer, {declared})")
            self._connection.execute("insert into rows select * from held")
        elif dialect == "sqlite":
            self._connection = sqlite3.connect(":memory:")
            self._connection.execute(f"create table rows (i integer, {declared})")
            self._connection.executemany(f"insert into rows values ({', '.join('?' * len(values[0]))})", values)
        else:
            psycopg = pytest.importorskip("psycopg")
            if reason := postgres_server.missing():
                pytest.skip(reason)
            url = postgres_server.url_of_shared()
            self._connection = psycopg.connect(url, autocommit=True)
            self._connection.execute(f"create temporary table rows (i integer, {declared})")
            with self._connection.cursor() as cursor:
                cursor.executemany(f"insert into rows values ({', '.join(['%s'] * len(values[0]))})", values)

    def ask(self, sql: str) -> list:
        return [value for (value,) in self._connection.execute(f"select {sql} from rows order by i").fetchall()]

    def one(self, query: str):
        """Give one value, or the fault that only Postgres may have."""
        try:
            return self._connection.execute(query).fetchone()[0]
        except Exception as err:
            if "out of range: " in str(err):  # as Postgres says it
                return "out of range"
            raise

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module", params=DIALECTS)
def engine(request):
    found = Engine(request.param)
    yield request.param, found
    found.close()


def written(name: str, takes: tuple[str, ...]) -> str | None:
    """Write a call of a form over the columns, None where its types are not those of columns."""
    used = {kind: iter(letters) for kind, letters in OF_KIND.items()}
    if any(kind not in LITERALS and kind not in OF_KIND for kind in takes):
        return None
    args = [LITERALS[kind] if kind in LITERALS else next(used[kind]) for kind in takes]
    if name in OPERATORS:
        return f"{args[0]} {OPERATORS[name]} {args[1]}"
    return f"{ {'neg': '-', 'not': 'not '}.get(name, name) }({', '.join(args)})"


OFFERED = sorted({text for name, forms in FORMS.items() for form in forms if (text := written(name, form.takes))})
MIXED = [
    "if(x > y, x, n)",
    "case when p then s when q then 'ß' else u end",
    "case s when 'a' then 1 when u then 2 end",
    "coalesce(x, y, 0)",
    "coalesce(s, u)",
    "nullif(x, y)",
    "nullif(s, 'a')",
    "p and q",
    "p or q",
    "not (p and not q)",
    "x is null or y is not null",
    "n in (0, 7, -1)",
    "s in ('İ', 'it''s', '')",
    "x in (0, 2.5)",
    "x between -1 and 2.5",
    "s between 'a' and 'é'",
    "n > x",
    "n = 9007199254740993",
    "(x + y) / (x - y)",
    "x / y * 0.1 + n",
    "coalesce(days(t, v), -1) < 365",
    "starts_with(lower(s), lower(u))",
    "replace(s, '', 'x') || substr(u, 2, 1)",
    "t > at('2024-02-29')",
    "month(t) = 2 and day(t) = 29",
    "least(x, greatest(y, 0))",
]


def agree(found, expected, text: str) -> bool:
    if expected is None or found is None:
        return found is expected
    if isinstance(expected, bool):
        return bool(found) is expected
    if text == "ln(x)":  # the last digit is that of the C library the engine was built with
        return math.isclose(found, expected, rel_tol=4e-16)
    return found == expected


@pytest.mark.parametrize("text", [*OFFERED, *MIXED])
def test_sql_gives_what_python_gives_or_is_not_offered(engine, text):
    dialect, held = engine
    declared = declare({"f": text}, COLUMNS)
    sql = sql_or_none(declared, dialect)
    if sql is None:
        return
    expected = python(text)
    differing = [
        (row, found, wanted)
        for row, found, wanted in zip(rows(), held.ask(sql), expected, strict=True)
        if not agree(found, wanted, text)
    ]
    assert not differing, f"{len(differing)} rows differ for {sql}: {differing[:3]}"


def sql_or_none(declared, dialect: str) -> str | None:
    try:
        return to_sql(declared, "f", dialect)
    except SpecError as fault:
        if fault.code != "features.not-in-sql":
            raise
        return None


@functools.cache
def python(text: str) -> list:
    closure = RowFeatures(declare({"f": text}, COLUMNS))
    return closure.columns({name: [row[name] for row in rows()] for name in KINDS}, len(rows()))["f"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_engines_disagree_on_exists_in_python_only(dialect):
    for text in [
        "hour(t, 'Europe/Berlin')",
        "edit_distance(s, u)",
        "words(s)",
        "exp(x)",
        "number(s)",
        "trigram_sim(s, u)",
    ]:
        with pytest.raises(SpecError) as caught:
            to_sql(declare({"f": f"{text} is null"}, COLUMNS), "f", dialect)
        assert caught.value.code == "features.not-in-sql"
        assert dialect in caught.value.what


def test_every_engine_is_offered_the_greater_part():
    texts = [*OFFERED, *MIXED]

    def offered(dialect: str) -> int:
        return sum(sql_or_none(declare({"f": text}, COLUMNS), dialect) is not None for text in texts)

    assert offered("duckdb") >= offered("postgres") >= offered("sqlite") > len(texts) / 2


EXTREMES = [1e300, -1e300, 1e-300, -1e-300, 1.7976931348623157e308, 5e-324, 0.0, -0.0, 3.0]


@pytest.mark.parametrize("operator", "+-*/")
def test_what_overflows_is_null_and_on_postgres_an_error(engine, operator):
    dialect, held = engine
    closure = RowFeatures(declare({"f": f"x {operator} y"}, COLUMNS))
    sql = to_sql(declare({"f": f"x {operator} y"}, COLUMNS), "f", dialect)
    for x, y in itertools.product(EXTREMES, EXTREMES):
        expected = closure.row({"x": x, "y": y})["f"]
        given = f"(select 0 as i, cast('{x!r}' as double precision) as x, cast('{y!r}' as double precision) as y)"
        assert held.one(f"select {sql} from {given} as rows") in (expected, "out of range"), (x, y)


def test_the_sql_of_a_feature_holds_the_features_it_uses(engine):
    dialect, held = engine
    declared = declare({"whole": "part + 1", "part": "coalesce(x, 0) / y", "own": "words(s)"}, COLUMNS)
    closure = RowFeatures(declared)
    assert held.ask(to_sql(declared, "whole", dialect)) == [closure.row(row)["whole"] for row in rows()]


def test_sql_that_would_grow_without_bound_is_refused():
    text = "x"
    for _ in range(30):
        text = f"least({text}, y)"
    with pytest.raises(SpecError) as caught:
        to_sql(declare({"f": text}, COLUMNS), "f", "duckdb")
    assert caught.value.code == "features.not-in-sql"


def test_names_and_texts_are_quoted():
    declared = declare({"f": "\"we\"\"ird\" = 'it''s; drop table rows'"}, {'we"ird': ("text", False)})
    sql = to_sql(declared, "f", "duckdb")
    given = "(select 'it''s; drop table rows' as \"we\"\"ird\")"
    assert duckdb.sql(f"select {sql} from {given}").fetchall() == [(True,)]
    with pytest.raises(SpecError) as caught:
        to_sql(declare({"f": "s = 'a\0b'"}, COLUMNS), "f", "duckdb")
    assert caught.value.code == "features.not-in-sql"
