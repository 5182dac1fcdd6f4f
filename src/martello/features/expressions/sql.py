"""Guarded SQL for the expressions that mean the same on an engine: for filters, labels and slices pushed to the data.

The Python closure is the definition. An instruction is offered on an engine only when it gives the same value there on
every row, nulls and odd numbers included (`tests/features/test_expression_engines.py`); any other is refused by name.
Where a number overflows Postgres raises, which is loud; the others give null, as Python does here.
"""

from __future__ import annotations

from collections.abc import Mapping

from martello.errors import SpecError
from martello.features.expressions.check import Checked
from martello.features.expressions.declare import Declaration
from martello.features.expressions.functions import DIALECTS
from martello.features.expressions.registered import Function, installed_functions
from martello.features.expressions.tree import Constant

__all__ = ["literal", "sql_of", "to_sql"]

#: Longest SQL of one expression in characters.
_LONGEST = 50_000

_INFINITY = {
    "duckdb": "cast('inf' as double)",
    "sqlite": "9e999",
    "postgres": "cast('infinity' as double precision)",
}


def to_sql(
    declaration: Declaration, feature: str, dialect: str, functions: Mapping[str, Function] | None = None
) -> str:
    """Write one feature as SQL over columns of the inputs' names, times being whole microseconds.

    Parameters
    ----------
    declaration
        The declared features.
    feature
        Which of them.
    dialect
        `duckdb`, `sqlite` or `postgres`.
    functions
        The registered functions; None takes what is installed.

    Raises
    ------
    SpecError
        ``features.not-in-sql`` when the feature, or one it uses, has no equal on that engine.

    Examples
    --------
    >>> from martello.features.expressions import declare
    >>> print(to_sql(declare({"cheap": "lower(kind) = 'used'"}, {"kind": ("text", True)}), "cheap", "duckdb"))
    (lower(replace(replace("kind", 'İ', 'i'), 'Σ', 'σ')) = 'used')
    """
    if functions is None:
        functions = installed_functions() if declaration.functions else {}
    written: dict[str, str] = {each.name: '"' + each.name.replace('"', '""') + '"' for each in declaration.inputs}
    refused: dict[str, SpecError] = {}
    for name, checked in declaration.checked(functions):
        try:
            written[name] = sql_of(checked, dialect, written)
        except SpecError as fault:
            refused[name] = fault
            written[name] = ""
        if name == feature:
            for used in _used(checked):
                if used in refused:
                    raise refused[used]
            if name in refused:
                raise refused[name]
            return written[name]
    raise KeyError(feature)


def _used(checked: Checked) -> list[str]:
    own = [str(checked.value)] if checked.op == "column" else []
    return [*own, *(name for arg in checked.args for name in _used(arg))]


def sql_of(node: Checked, dialect: str, columns: Mapping[str, str]) -> str:
    """Write a checked tree over columns whose SQL is given by name.

    Raises
    ------
    SpecError
        ``features.not-in-sql``.
    """
    if node.op == "column":
        return columns[str(node.value)]
    if node.op == "value":
        return literal(node.value, dialect)
    args = [sql_of(arg, dialect, columns) for arg in node.args]
    if node.op in _LAZY:
        return _LAZY[node.op].format(*args, rest=", ".join(args[1:]), all=", ".join(args))
    template = node.form.sql.get(dialect) if node.form else None
    if template is None:
        raise _not_in_sql(node, dialect)
    text = template.format(*args)
    if len(text) > _LONGEST:  # a guard says its operand twice
        raise _not_in_sql(node, dialect)
    if node.form and node.form.finite:
        return f"nullif(nullif({text}, {_INFINITY[dialect]}), -{_INFINITY[dialect]})"
    return text


_LAZY = {
    "if": "case when {0} then {1} else {2} end",
    "coalesce": "coalesce({all})",
    "and": "({0} and {1})",
    "or": "({0} or {1})",
    "nullif": "nullif({0}, {1})",
    "is_null": "({0} is null)",
    "in": "({0} in ({rest}))",
}


def literal(value: Constant, dialect: str) -> str:
    """Write a constant: text quoted, decimal numbers as doubles.

    Examples
    --------
    >>> literal("it's", "duckdb"), literal(0.1, "postgres"), literal(None, "sqlite")
    ("'it''s'", "cast('0.1' as double precision)", 'null')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if "\0" in value:
            raise _not_in_sql(Checked("value", "category", False, value=value), dialect)
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, int):
        return f"({value})" if value < 0 else str(value)
    # Engines read 0.1 as a decimal, or by a rounding of their own.
    return f"cast('{value!r}' as double precision)"


def _not_in_sql(node: Checked, dialect: str) -> SpecError:
    name = str(node.value) if node.op in ("call", "value") else node.op
    offered = dialect in DIALECTS
    return SpecError(
        "features.not-in-sql",
        f"{name!a} does not mean the same on {dialect}" if offered else f"no SQL is written for {dialect}",
        where=f"instruction {node.op}",
        expected="functions that every engine computes alike" if offered else "one of: " + ", ".join(DIALECTS),
        fix="compute the feature in Python: on the sample, not in the database",
    )
