"""The closed list: every instruction with the types it takes, the Python that defines it, and the guarded SQL.

A `Form` is one way to call a name. `python` is a template over operands that are not null; `sql` says the same to an
engine and is absent where engines disagree. Instructions that look at nulls themselves (if, coalesce, and, or) have no
template and are written out by `closure` and `sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["DIALECTS", "FORMS", "LAZY", "SYMBOLS", "Form"]

DIALECTS = ("duckdb", "sqlite", "postgres")

#: Instructions that decide themselves what a null means.
LAZY = ("if", "coalesce", "and", "or", "nullif", "is_null", "in")

#: How an instruction is written, for messages.
SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "eq": "=", "ne": "<>", "lt": "<", "le": "<=",
    "gt": ">", "ge": ">=", "concat": "||", "neg": "-",
}  # fmt: skip

_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Form:
    """One way to call a function.

    `takes` are value types, or demands on a literal: `int>=0`, `int>=1`, `zone`, `moment`, `text=`. `gives` is a value
    type, or `text of 0` for text that stays a category when argument 0 is one, or `item of 0` for an item of a list.
    `may_null`: values that are not null can give null. `finite`: the result may be infinite and is then null.
    """

    takes: tuple[str, ...]
    gives: str
    python: str
    sql: Mapping[str, str] = field(default_factory=dict)
    may_null: bool = False
    finite: bool = False


def _sql(everywhere: str = "", **dialects: str) -> dict[str, str]:
    """Give the SQL of each dialect: one text for all, except where an engine wants another (or none: empty)."""
    texts = {dialect: dialects.get(dialect, everywhere) for dialect in DIALECTS}
    return {dialect: text for dialect, text in texts.items() if text}


def _arithmetic() -> dict[str, tuple[Form, ...]]:
    two, one = ("number", "number"), ("number",)
    return {
        "add": (Form(two, "number", "{0} + {1}", _sql("({0} + {1})"), True, True),),
        "sub": (Form(two, "number", "{0} - {1}", _sql("({0} - {1})"), True, True),),
        "mul": (Form(two, "number", "{0} * {1}", _sql("({0} * {1})"), True, True),),
        "div": (Form(two, "number", "{0} / {1} if {1} else None", _sql("({0} / nullif({1}, 0))"), True, True),),
        # SQLite's % is for whole numbers and Postgres has none for doubles.
        "mod": (Form(two, "number", "fmod({0}, {1}) if {1} else None", _sql(duckdb="({0} % nullif({1}, 0))"), True),),
        "neg": (Form(one, "number", "-{0}", _sql("(- {0})")),),
        "abs": (Form(one, "number", "abs({0})", _sql("abs({0})")),),
        "floor": (Form(one, "number", "float(floor({0}))", _sql("floor({0})", sqlite="")),),
        "ceil": (Form(one, "number", "float(ceil({0}))", _sql("ceil({0})", sqlite="")),),
        "sqrt": (
            Form(one, "number", "sqrt({0})", _sql("sqrt(case when {0} >= 0 then {0} end)", sqlite=""), True),
        ),
        "ln": (Form(one, "number", "ln({0})", _sql("ln(case when {0} > 0 then {0} end)", sqlite=""), True),),
        # Engines raise, or round the last digit otherwise.
        "exp": (Form(one, "number", "exp({0})", may_null=True),),
        "power": (Form(two, "number", "power({0}, {1})", may_null=True),),
        "round": (
            Form(one, "number", "round({0}, 0)"),
            Form(("number", "int>=0"), "number", "round({0}, {1})"),
        ),
        "least": (
            Form(two, "number", "min({0}, {1})", _sql("case when {0} <= {1} then {0} when {1} < {0} then {1} end")),
        ),
        "greatest": (
            Form(two, "number", "max({0}, {1})", _sql("case when {0} >= {1} then {0} when {1} > {0} then {1} end")),
        ),
        "number": (
            Form(("number",), "number", "{0}", _sql("{0}")),
            Form(("integer",), "number", "{0} * 1.0", _sql("cast({0} as double precision)")),
            Form(("boolean",), "number", "{0} * 1.0", _sql("case when {0} then 1e0 when not {0} then 0e0 end")),
            Form(("text",), "number", "parsed({0})", may_null=True),
        ),
        "integer": (
            Form(("integer",), "integer", "{0}", _sql("{0}")),
            Form(("boolean",), "integer", "int({0})", _sql("case when {0} then 1 when not {0} then 0 end")),
            Form(("number",), "integer", "whole({0})", may_null=True),
        ),
    }  # fmt: skip


def _comparisons() -> dict[str, tuple[Form, ...]]:
    found = {}
    for name, python, symbol in (
        ("eq", "==", "="), ("ne", "!=", "<>"), ("lt", "<", "<"), ("le", "<=", "<="), ("gt", ">", ">"),
        ("ge", ">=", ">="),
    ):  # fmt: skip
        plain = _sql(f"({{0}} {symbol} {{1}})")
        # Postgres would compare text by the rules of a language, the others by code point.
        by_code = _sql(f"({{0}} {symbol} {{1}})", postgres=f'({{0}} collate "C" {symbol} {{1}})')
        types = ["number", "integer", "time", *(["boolean"] if name in ("eq", "ne") else [])]
        found[name] = (
            *(Form((kind, kind), "boolean", f"{{0}} {python} {{1}}", plain) for kind in types),
            Form(("text", "text"), "boolean", f"{{0}} {python} {{1}}", by_code),
        )
    return found | {"not": (Form(("boolean",), "boolean", "not {0}", _sql("(not {0})")),)}


def _strings() -> dict[str, tuple[Form, ...]]:
    one, two = ("text",), ("text", "text")
    low = "replace(replace({0}, 'İ', 'i'), 'Σ', 'σ')"
    return {
        "concat": (Form(two, "text", "{0} + {1}", _sql("({0} || {1})")),),
        "length": (Form(one, "integer", "len({0})", _sql("length({0})")),),
        # SQLite lowers ASCII only; Postgres needs the rules of Unicode by name.
        "lower": (
            Form(
                one, "text of 0", "lower({0})",
                _sql(duckdb=f"lower({low})", postgres=f'lower({low} collate "und-x-icu")'),
            ),
        ),
        "trim": (Form(one, "text of 0", "{0}.strip(' ')", _sql("trim({0}, ' ')", postgres="btrim({0}, ' ')")),),
        "contains": (
            Form(
                two, "boolean", "{1} in {0}",
                _sql("(instr({0}, {1}) > 0)", postgres='(strpos({0} collate "C", {1}) > 0)'),
            ),
        ),
        "starts_with": (
            Form(two, "boolean", "{0}.startswith({1})", _sql("(substr({0}, 1, length({1})) = {1})")),
        ),
        "ends_with": (Form(two, "boolean", "{0}.endswith({1})", _sql(duckdb="ends_with({0}, {1})")),),
        "replace": (
            Form(
                ("text", "text", "text"), "text of 0", "{0}.replace({1}, {2}) if {1} else {0}",
                # SQLite finds nothing in an empty text and does not look at the rest.
                _sql("replace({0}, {1}, {2})", sqlite="case when {2} is not null then replace({0}, {1}, {2}) end"),
            ),
        ),
        "substr": (
            Form(("text", "int>=1"), "text of 0", "{0}[{1} - 1:]", _sql("substr({0}, {1})")),
            Form(
                ("text", "int>=1", "int>=0"), "text of 0", "{0}[{1} - 1:{1} - 1 + {2}]",
                _sql("substr({0}, {1}, {2})"),
            ),
        ),
        # Tokenizing, similarity and the length of a list differ by engine, or do not exist there.
        "words": (Form(one, "list[text]", "words({0})"),),
        "split": (Form(("text", "text="), "list[text]", "split({0}, {1})"),),
        "edit_distance": (Form(two, "integer", "edit_distance({0}, {1})"),),
        **{
            name: (
                Form(two, "number", f"{name}({{0}}, {{1}})"),
                Form(("text", "list[text]"), "number", f"best({{1}}, {{0}}, {name})", may_null=True),
            )
            for name in ("trigram_sim", "word_sim")
        },
    }  # fmt: skip


def _times() -> dict[str, tuple[Form, ...]]:
    found: dict[str, tuple[Form, ...]] = {}
    for name, size in (("seconds", 1_000_000), ("minutes", 60_000_000), ("hours", 3_600_000_000), ("days", _DAY)):
        found[name] = (
            Form(
                ("time", "time"), "number", f"({{0}} * 1.0 - {{1}} * 1.0) / {size}.0",
                _sql(f"((cast({{0}} as double precision) - cast({{1}} as double precision)) / {size}e0)"),
            ),
        )  # fmt: skip
    day = f"({{0}} / {_DAY} - case when {{0}} % {_DAY} < 0 then 1 else 0 end)"
    duck_day = day.replace(" / ", " // ")
    rest = f"(({{0}} % {_DAY} + {_DAY}) % {_DAY})"
    # The years 1 to 9999, which is what every engine can write as a date.
    inside = "case when {0} between -62135596800000000 and 253402300799999999 then "
    for name, letter, field_ in (
        ("year", "Y", "year"),
        ("month", "m", "month"),
        ("day", "d", "day"),
        ("day_of_year", "j", "doy"),
    ):
        guarded = _sql(
            duckdb=f"{inside}extract({field_} from date '1970-01-01' + cast({duck_day} as integer)) end",
            postgres=f"{inside}cast(extract({field_} from date '1970-01-01' + cast({day} as integer)) as bigint) end",
            sqlite=f"{inside}cast(strftime('%{letter}', {day} * 86400, 'unixepoch') as integer) end",
        )
        found[name] = _at(name, Form(("time",), "integer", f"{name}({{0}})", guarded, may_null=True))
    weekday = "((({0} + 3) % 7 + 7) % 7 + 1)"
    found["weekday"] = _at(
        "weekday",
        Form(
            ("time",),
            "integer",
            f"({{0}} // {_DAY} + 3) % 7 + 1",
            _sql(weekday.format(day), duckdb=weekday.format(duck_day)),
        ),
    )
    for name, size, count in (("hour", 3_600_000_000, 24), ("minute", 60_000_000, 60)):
        sql = _sql(f"({rest} / {size} % {count})", duckdb=f"({rest} // {size} % {count})")
        found[name] = _at(name, Form(("time",), "integer", f"{{0}} // {size} % {count}", sql))
    return found | {
        "at": (Form(("moment",), "time", "{0}", _sql("{0}")),),
        "day_start": (Form(("time", "zone"), "time", "day_start({0}, {1})", may_null=True),),
    }  # fmt: skip


def _at(name: str, in_utc: Form) -> tuple[Form, ...]:
    """Add the form with a zone; engines carry time-zone rules of different years, so it exists in Python only."""
    return in_utc, Form(("time", "zone"), "integer", f"{name}_at({{0}}, {{1}})", may_null=True)


def _lists() -> dict[str, tuple[Form, ...]]:
    kinds = ("number", "integer", "text", "time")

    def each(python: str, gives: str, *takes: str, may_null: bool = False) -> tuple[Form, ...]:
        return tuple(
            Form((f"list[{kind}]", *(take.replace("item", kind) for take in takes)),
                 gives.replace("item", kind).replace("list", f"list[{kind}]"), python, may_null=may_null)
            for kind in kinds
        )  # fmt: skip

    return {
        "list_length": each("len({0})", "integer"),
        "list_contains": each("{1} in {0}", "boolean", "item"),
        "list_item": each("item({0}, {1})", "item", "int>=1", may_null=True),
        "list_overlap": tuple(Form((f"list[{kind}]",) * 2, "number", "overlap({0}, {1})") for kind in kinds),
        "list_max": each("max({0}, default=None)", "item", may_null=True)[:2],
        "list_min": each("min({0}, default=None)", "item", may_null=True)[:2],
        "list_sum": tuple(Form((f"list[{kind}]",), "number", "total({0})", may_null=True) for kind in kinds[:2]),
        "list_mean": tuple(Form((f"list[{kind}]",), "number", "mean({0})", may_null=True) for kind in kinds[:2]),
    }


#: Every strict instruction: null in, null out.
FORMS: dict[str, tuple[Form, ...]] = _arithmetic() | _comparisons() | _strings() | _times() | _lists()
