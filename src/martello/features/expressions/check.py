"""Settle the types of a tree: which form of each function is meant, where a whole number becomes a double.

A checked tree holds every conversion as an instruction, so that `closure` and `sql` need not think about types. The
check runs when a feature is declared and again when a release is opened: a stored tree is not trusted either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from zoneinfo import available_timezones

from martello.errors import SpecError, nearest
from martello.features.convert import Refused, converter
from martello.features.expressions.functions import FORMS, LAZY, SYMBOLS, Form
from martello.features.expressions.registered import Function, key_of, resolve
from martello.features.expressions.tree import DEEPEST, VALUE_TYPES, Constant, Node, Place

__all__ = ["Checked", "check", "choose_form"]


@dataclass(frozen=True, slots=True)
class Checked:
    """An instruction whose type is settled, with the form that is meant where the name has several.

    `nullable` is false where the value is there whenever the inputs are.
    """

    op: str
    type: str
    nullable: bool
    args: tuple[Checked, ...] = ()
    value: Constant = None
    form: Form | None = None
    at: int = 0

    @property
    def node(self) -> Node:
        """Give the tree to store: what was written, with every conversion said."""
        return Node(self.op, tuple(arg.node for arg in self.args), self.value, self.at)


class _Checker:
    def __init__(
        self, columns: Mapping[str, tuple[str, bool]], functions: Mapping[str, Function], place: Place
    ) -> None:
        self._columns = columns
        self._functions = functions
        self._place = place

    def check(self, node: Node, depth: int = 0) -> Checked:
        if depth > DEEPEST:
            raise SpecError(
                "features.expression-too-deep",
                f"{self._place.feature} is nested more than {DEEPEST} levels deep",
                where=self._place.at(node.at),
                expected="an expression a person can read",
                fix="give a part of it a name of its own: features may use features",
            )
        if node.op == "column":
            return self._column(node)
        if node.op == "value":
            return self._value(node)
        args = [self.check(arg, depth + 1) for arg in node.args]
        if node.op in LAZY:
            return self._lazy(node, args)
        if node.op == "call":
            return self._call(node, args)
        if node.op in FORMS:
            return self._strict(node, args)
        raise self._unknown_function(node)

    def _column(self, node: Node) -> Checked:
        found = self._columns.get(str(node.value))
        if found is None:
            near = nearest(str(node.value), self._columns)
            raise SpecError(
                "features.unknown-name",
                f"{node.value} is neither an input nor a feature",
                where=self._place.at(node.at),
                expected="one of: " + ", ".join(self._columns),
                fix=f"did you mean {near}?" if near else "declare it under [input] or [feature]",
            )
        return Checked("column", *found, value=node.value, at=node.at)

    def _value(self, node: Node) -> Checked:
        kind = {str: "category", bool: "boolean", int: "integer", float: "number"}.get(type(node.value), "null")
        if kind == "integer" and node.value not in range(-(2**63), 2**63):
            raise self._wrong(node, f"{node.value} is too large", "a whole number within 64 bits, or a decimal one")
        return Checked("value", kind, kind == "null", value=node.value, at=node.at)

    def _strict(self, node: Node, args: Sequence[Checked]) -> Checked:
        form = choose_form(FORMS[node.op], args)
        if form is None:
            raise self._wrong(node, f"{SYMBOLS.get(node.op, node.op)} does not take {_listed(args)}", _forms_of(node))
        for demand, arg in zip(form.takes, args, strict=True):
            self._literal(node, demand, arg)
        if form.takes == ("moment",):
            args = [replace(args[0], type="integer", value=_moment(args[0].value))]
        converted = tuple(_converted(arg, demand) for arg, demand in zip(args, form.takes, strict=True))
        nullable = form.may_null or any(arg.nullable for arg in args)
        gives = args[0].type if form.gives == "text of 0" else form.gives
        return Checked(node.op, gives, nullable, converted, form=form, at=node.at)

    def _literal(self, node: Node, demand: str, arg: Checked) -> None:
        """Look at the arguments that must be written out: places, zones, moments."""
        if demand == "zone" and arg.value not in _zones():
            near = nearest(str(arg.value), _zones())
            raise SpecError(
                "features.unknown-zone",
                f"{arg.value} is not a time zone",
                where=self._place.at(arg.at),
                expected="a name of the IANA time-zone database, such as 'Europe/Berlin'",
                fix=f"did you mean '{near}'?" if near else "leave it out for UTC",
            )
        if demand == "moment" and _moment(arg.value) is None:
            expected = "at('2026-03-01T12:00:00Z'): RFC 3339 with a time zone, or a date"
            raise self._wrong(node, f"'{arg.value}' is no moment", expected)

    def _call(self, node: Node, args: Sequence[Checked]) -> Checked:
        function = resolve(self._functions, str(node.value))
        if function is None:
            raise self._unknown_function(node)
        form = Form(function.takes, function.gives, "")
        if choose_form((form,), args) is None:
            raise self._wrong(
                node, f"{function.name} does not take {_listed(args)}", f"{function.name}({', '.join(function.takes)})"
            )
        converted = tuple(_converted(arg, demand) for arg, demand in zip(args, function.takes, strict=True))
        template = f"call_{function.name}({', '.join(f'{{{i}}}' for i in range(len(args)))})"
        form = Form(function.takes, function.gives, template, may_null=True)
        return Checked("call", function.gives, True, converted, key_of(function), form, node.at)

    def _lazy(self, node: Node, args: list[Checked]) -> Checked:
        if not _counts(node.op, len(args)):
            raise self._wrong(node, f"{node.op} does not take {len(args)} values", _USAGE[node.op])
        if node.op in ("and", "or"):
            self._demand_boolean(node, args)
            return Checked(node.op, "boolean", any(arg.nullable for arg in args), tuple(args), at=node.at)
        if node.op == "is_null":
            return Checked("is_null", "boolean", False, tuple(args), at=node.at)
        branches = args[1:] if node.op == "if" else args
        if node.op == "if":
            self._demand_boolean(node, args[:1])
        kind = self._common(node, branches)
        converted = tuple(_converted(branch, kind) for branch in branches)
        if node.op == "if":
            nullable = any(branch.nullable for branch in branches)
            return Checked("if", kind, nullable, (args[0], *converted), at=node.at)
        if node.op == "coalesce":
            return Checked("coalesce", kind, all(arg.nullable for arg in args), converted, at=node.at)
        if node.op == "in":
            self._demand_constants(node, args)
            return Checked("in", "boolean", args[0].nullable, converted, at=node.at)
        return Checked("nullif", converted[0].type, True, converted, at=node.at)

    def _demand_boolean(self, node: Node, args: Sequence[Checked]) -> None:
        for arg in args:
            if arg.type not in ("boolean", "null"):
                raise self._wrong(arg, f"{node.op} asks for a condition and got {_listed([arg])}", "a condition")

    def _demand_constants(self, node: Node, args: Sequence[Checked]) -> None:
        for arg in args[1:]:
            if arg.op != "value" or arg.value is None:
                raise self._wrong(node, "in takes a list of constants", _USAGE["in"])

    def _common(self, node: Node, branches: Sequence[Checked]) -> str:
        """Find the one type that all branches have, or can be brought to."""
        kinds = {branch.type for branch in branches} - {"null"}
        for wider, narrower in (("number", "integer"), ("text", "category")):
            if wider in kinds:
                kinds.discard(narrower)
        if len(kinds) == 1:
            return kinds.pop()
        if not kinds:
            raise self._wrong(node, f"{node.op} is always null", "at least one value that is not null")
        raise self._wrong(node, f"{node.op} mixes {_listed(branches)}", "values of one type")

    def _unknown_function(self, node: Node) -> SpecError:
        name = str(node.value) if node.op == "call" else node.op
        known = sorted({*FORMS} - {*SYMBOLS, "not"} | {"if", "coalesce", "nullif", *self._functions})
        near = nearest(name.split("@")[0], known)
        return SpecError(
            "features.unknown-function",
            f"there is no function {name}",
            where=self._place.at(node.at),
            expected="a function of the closed list (docs/features.md), or one registered with this version",
            fix=f"did you mean {near}?" if near else "register it with @martello.features.function",
        )

    def _wrong(self, node: Node | Checked, what: str, expected: str) -> SpecError:
        return SpecError("features.wrong-argument", what, where=self._place.at(node.at), expected=expected)


_USAGE = {
    "if": "if(condition, value, otherwise)",
    "coalesce": "coalesce(value, value, …)",
    "nullif": "nullif(value, value)",
    "in": "value in ('a', 'b')",
    "and": "condition and condition",
    "or": "condition or condition",
    "is_null": "value is null",
}
_EXACTLY = {"if": 3, "nullif": 2, "and": 2, "or": 2, "is_null": 1}


def check(
    node: Node, columns: Mapping[str, tuple[str, bool]], functions: Mapping[str, Function], place: Place
) -> Checked:
    """Settle the types of a tree over columns of known type.

    Parameters
    ----------
    node
        The tree, from a text or from a release.
    columns
        Type of each column, and whether it may be null.
    functions
        The registered functions, by name.
    place
        Where the expression stands.

    Raises
    ------
    SpecError
        ``features.unknown-function``, ``features.unknown-name``, ``features.unknown-zone``,
        ``features.wrong-argument`` or ``features.expression-too-deep``.
    """
    found = _Checker(columns, functions, place).check(node)
    if found.type not in VALUE_TYPES:
        raise SpecError(
            "features.wrong-argument",
            f"{place.feature} is always null",
            where=place.at(node.at),
            expected="a value",
        )
    return found


def choose_form(forms: Sequence[Form], args: Sequence[Checked]) -> Form | None:
    """Choose the form that takes these arguments, the one without conversions first."""
    for fits in (_is_exactly, _is_convertible):
        for form in forms:
            if len(form.takes) == len(args) and all(map(fits, form.takes, args)):
                return form
    return None


def _is_exactly(demand: str, arg: Checked) -> bool:
    if demand in ("zone", "moment", "text="):
        kinds = ("category", "integer") if demand == "moment" else ("category",)
        return arg.op == "value" and arg.type in kinds and arg.value != ""
    if demand.startswith("int>="):
        value = arg.value
        return arg.op == "value" and type(value) is int and int(demand[5:]) <= value <= 1_000_000
    return arg.type == demand or (demand == "text" and arg.type == "category")


def _is_convertible(demand: str, arg: Checked) -> bool:
    return _is_exactly(demand, arg) or (demand == "number" and arg.type == "integer")


def _converted(arg: Checked, demand: str) -> Checked:
    """Make a whole number a double where a double is asked for."""
    if demand != "number" or arg.type != "integer":
        return arg
    if arg.op == "value" and isinstance(arg.value, int):
        return replace(arg, type="number", value=float(arg.value))
    form = choose_form(FORMS["number"], [arg])
    return Checked("number", "number", arg.nullable, (arg,), form=form, at=arg.at)


def _moment(value: object) -> int | None:
    try:
        found = converter("time", frozenset())(value)
    except Refused:
        return None
    return found if type(found) is int else None


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime"}  # which is another zone on every machine


def _counts(op: str, n: int) -> bool:
    return n == _EXACTLY[op] if op in _EXACTLY else n >= 2


def _listed(args: Sequence[Checked]) -> str:
    return " and ".join(arg.type for arg in args) or "nothing"


def _forms_of(node: Node) -> str:
    name = SYMBOLS.get(node.op, node.op)
    if node.op in SYMBOLS and node.op != "neg":
        return " or ".join(f"{form.takes[0]} {name} {form.takes[1]}" for form in FORMS[node.op])
    return " or ".join(f"{name}({', '.join(form.takes)})" for form in FORMS[node.op])
