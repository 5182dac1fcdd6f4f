"""From checked trees to one Python function for all features of a task.

The source is written here from the closed list and compiled; no text of a user, a file or a release is part of it but
as a literal (`ascii` of a text, `repr` of a number), and no name but our own. It runs with the functions of `runtime`
and the registered ones for globals, and without builtins. One body serves both ways in: `row` takes a request, `rows`
takes columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

from martello.features.expressions.check import Checked
from martello.features.expressions.declare import Declaration
from martello.features.expressions.functions import Form
from martello.features.expressions.registered import Function, guarded, installed_functions
from martello.features.expressions.runtime import RUNTIME
from martello.features.expressions.tree import Constant

__all__ = ["RowFeatures"]

#: An operand: the name of a variable or a literal, and whether it may be None.
_Operand = tuple[str, bool]

# A zero has no sign: engines and files do not agree on one.
_UNSIGNED = Form(("number",), "number", "{0} + 0.0")


class RowFeatures:
    """Compute the row features of a task, for one request or for a table.

    Parameters
    ----------
    declaration
        What was declared, or what a release holds.
    functions
        The registered functions by name; None takes what is installed.

    Raises
    ------
    SpecError
        As `check`, should the declaration have been made by other rules.
    PluginError
        ``features.function-missing`` when a registered function is not installed in the declared version.

    Examples
    --------
    >>> from martello.features.expressions import declare
    >>> declared = declare({"per_m2": "price / area"}, {"price": ("number", False), "area": ("number", False)})
    >>> features = RowFeatures(declared)
    >>> features.row({"price": 300.0, "area": 50.0}), features.row({"price": 300.0, "area": 0.0})
    ({'per_m2': 6.0}, {'per_m2': None})
    >>> features.columns({"price": [300.0, 90.0], "area": [50.0, 0.0]}, 2)
    {'per_m2': [6.0, None]}
    """

    def __init__(self, declaration: Declaration, functions: Mapping[str, Function] | None = None) -> None:
        if functions is None:
            functions = installed_functions() if declaration.functions else {}
        writer = _Writer({each.name: (f"v{place}", each.optional) for place, each in enumerate(declaration.inputs)})
        results = [(name, writer.feature(name, checked)) for name, checked in declaration.checked(functions)]
        self.source = _framed([each.name for each in declaration.inputs], writer.lines, results)
        calls = {f"call_{name}": guarded(found) for name, found in functions.items()}
        #: Values by name in, features by name out.
        self.row: Any = _function(self.source, "row", calls)
        self._rows: Any = _function(self.source, "rows", calls)

    def columns(self, columns: Mapping[str, Sequence[Any]], n_rows: int) -> dict[str, list[Any]]:
        """Compute all features of a table, given as typed values by column name."""
        found: dict[str, list[Any]] = self._rows(columns, n_rows)
        return found


def _function(source: str, name: str, calls: Mapping[str, Any]) -> FunctionType:
    """Make a function of the source; the source's own top level is never run."""
    module = compile(source, "<features>", "exec")
    body = next(each for each in module.co_consts if isinstance(each, CodeType) and each.co_name == name)
    return FunctionType(body, {"__builtins__": {}, **RUNTIME, **calls}, name)


class _Writer:
    """Write the statements of one task; equal instructions over equal operands are written once."""

    def __init__(self, operands: dict[str, _Operand]) -> None:
        self.lines: list[str] = []
        self.operands = operands
        self._indent = ""
        self._count = 0
        self._known: dict[tuple[str, ...], _Operand] = {}

    def feature(self, name: str, checked: Checked) -> str:
        """Write one feature and give the operand that holds it; later ones may use it by name."""
        operand = self._emit(checked)
        if checked.type == "number":
            operand = self._strict("unsigned", _UNSIGNED, [operand])
        self.operands[name] = operand
        return operand[0]

    def _emit(self, node: Checked) -> _Operand:
        if node.op == "column":
            return self.operands[str(node.value)]
        if node.op == "value":
            return _literal(node.value), node.value is None
        lazy = {"if": self._if, "and": self._connective, "or": self._connective, "coalesce": self._coalesce}
        if node.op in lazy:
            return lazy[node.op](node)
        if node.op == "in":
            operand, nullable = self._emit(node.args[0])
            constants = ", ".join(_literal(arg.value) for arg in node.args[1:])
            test = f"{operand} in ({constants},)"
            return self._once(
                ("in", operand, constants), f"None if {operand} is None else {test}" if nullable else test, nullable
            )
        operands = [self._emit(arg) for arg in node.args]
        names = [name for name, _ in operands]
        if node.op == "is_null" and not operands[0][1]:
            return "False", False
        if node.op == "is_null":
            return self._once(("is_null", *names), f"{names[0]} is None", False)
        if node.op == "nullif":
            return self._once(("nullif", *names), f"None if {names[0]} == {names[1]} else {names[0]}", True)
        assert node.form is not None, "every other instruction is strict"
        return self._strict(f"{node.op} {node.value}", node.form, operands)

    def _strict(self, op: str, form: Form, operands: Sequence[_Operand]) -> _Operand:
        """Write an instruction that gives null for null."""
        names = [name for name, _ in operands]
        key = (op, form.python, *names)
        if key in self._known:
            return self._known[key]
        nulls = dict.fromkeys(f"{name} is None" for name, nullable in operands if nullable)
        nullable = bool(nulls) or form.may_null
        value = form.python.format(*names)
        if not form.finite:
            return self._once(key, f"None if {' or '.join(nulls)} else {_closed(value)}" if nulls else value, nullable)
        target = self._name()
        if nulls:
            self._line(f"if {' or '.join(nulls)}: {target} = None")
            self._line("else:")
        outer = self._indent
        self._indent += " " if nulls else ""
        self._line(f"{target} = {value}")
        # Infinity minus itself is NaN, which counts as true; a finite number minus itself is 0.
        guard = f"{target} is not None and " if "None" in value else ""
        self._line(f"if {guard}{target} - {target}: {target} = None")
        self._indent = outer
        self._known[key] = (target, nullable)
        return target, nullable

    def _if(self, node: Checked) -> _Operand:
        condition, _ = self._emit(node.args[0])
        target = self._name()
        self._line(f"if {condition}:")
        first = self._block(node.args[1], target)
        self._line("else:")
        second = self._block(node.args[2], target)
        return target, first or second

    def _connective(self, node: Checked) -> _Operand:
        """Write `and` and `or` of three truth values; the right side is looked at only where it matters."""
        settled, other = ("False", "True") if node.op == "and" else ("True", "False")
        left, left_nullable = self._emit(node.args[0])
        target = self._name()
        self._line(f"{target} = {left}")
        self._line(f"if {target} is not {settled}:")
        right = self._name()
        right_nullable = self._block(node.args[1], right)
        self._line(f" if {target} is {other} or {right} is {settled}: {target} = {right}")
        return target, left_nullable or right_nullable

    def _coalesce(self, node: Checked) -> _Operand:
        first, *rest = node.args
        operand, _ = self._emit(first)
        target = self._name()
        self._line(f"{target} = {operand}")
        for arg in rest:
            self._line(f"if {target} is None:")
            self._block(arg, target)
        return target, node.nullable

    def _block(self, node: Checked, target: str) -> bool:
        """Write statements one step further in that end in an assignment; what they found is unknown outside."""
        outer, known = self._indent, dict(self._known)
        self._indent += " "
        operand, nullable = self._emit(node)
        self._line(f"{target} = {operand}")
        self._indent, self._known = outer, known
        return nullable

    def _once(self, key: tuple[str, ...], value: str, nullable: bool) -> _Operand:
        if key not in self._known:
            target = self._name()
            self._line(f"{target} = {value}")
            self._known[key] = (target, nullable)
        return self._known[key]

    def _name(self) -> str:
        self._count += 1
        return f"t{self._count}"

    def _line(self, text: str) -> None:
        self.lines.append(self._indent + text)


def _closed(value: str) -> str:
    """Put a conditional value in parentheses, so that it can stand behind another one."""
    return f"({value})" if " if " in value else value


def _literal(value: Constant) -> str:
    """Write a constant; the characters of a text are escaped down to ASCII."""
    if type(value) is str:
        return ascii(value)
    assert value is None or type(value) in (bool, int, float), "constants are of these types"
    return f"({value!r})" if type(value) in (int, float) and value < 0 else repr(value)  # type: ignore[operator]


def _framed(names: Sequence[str], lines: Sequence[str], results: Sequence[tuple[str, str]]) -> str:
    """Write both functions around the one body."""
    body = "\n".join(f"  {line}" for line in lines)
    heads = "\n".join(f"  v{place} = values[{name!a}]" for place, name in enumerate(names))
    given = ", ".join(f"{name!a}: {operand}" for name, operand in results)
    row = f"def row(values):\n{heads}\n{body}\n  return {{{given}}}\n"
    outs = "\n".join(f" o{place} = []; a{place} = o{place}.append" for place in range(len(results)))
    variables = ", ".join(f"v{place}" for place in range(len(names)))
    sources = ", ".join(f"columns[{name!a}]" for name in names)
    loop = f" for {variables}, in zip({sources}):" if names else " for _ in range(n_rows):"
    adds = "\n".join(f"  a{place}({operand})" for place, (_, operand) in enumerate(results))
    columns = ", ".join(f"{name!a}: o{place}" for place, (name, _) in enumerate(results))
    return f"{row}\ndef rows(columns, n_rows):\n{outs}\n{loop}\n{body}\n{adds or '  pass'}\n return {{{columns}}}\n"
