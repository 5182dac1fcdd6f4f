"""From text in SQL syntax to a tree: the one file that knows SQLGlot.

SQLGlot reads the grammar; its own idea of functions is switched off, so that a name means what the closed list says
and nothing else. Whatever SQL has beyond expressions (select, cast, windows, aliases) is refused by name and place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.parser import Parser as _Parser

from martello.errors import SpecError
from martello.features.expressions.functions import FORMS, SYMBOLS
from martello.features.expressions.tree import LONGEST, Node, Place

__all__ = ["conjuncts", "parse_expression"]


class _Language(Dialect):
    """SQL without functions: every call is read as a name with arguments."""

    class Parser(_Parser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: parse for name, parse in _Parser.NO_PAREN_FUNCTION_PARSERS.items() if name in ("CASE", "IF")
        }


_BINARY: dict[type[exp.Expr], str] = {
    exp.Add: "add", exp.Sub: "sub", exp.Mul: "mul", exp.Div: "div", exp.Mod: "mod", exp.DPipe: "concat",
    exp.EQ: "eq", exp.NEQ: "ne", exp.LT: "lt", exp.LTE: "le", exp.GT: "gt", exp.GTE: "ge",
    exp.And: "and", exp.Or: "or",
}  # fmt: skip

#: What SQLGlot notes beside the operands without changing what is said.
_HARMLESS = ("typed", "safe")


def parse_expression(text: str, place: Place) -> Node:
    """Read one expression.

    Raises
    ------
    SpecError
        ``features.expression-syntax`` when it is not SQL, ``features.expression-not-offered`` when it is SQL beyond
        the closed list, ``features.expression-too-long`` or ``features.expression-too-deep`` when no person reads it.
    """
    return _Reader(place).read(_parsed(text, place))


def conjuncts(text: str, place: Place) -> tuple[list[Node], dict[str, str]]:
    """Read a condition on events: what must hold of the event, and which of its columns equals which `:name`.

    Examples
    --------
    >>> conditions, bound = conjuncts("kind = 'open' and file_id = :file_id", Place("last_open"))
    >>> bound
    {'file_id': 'file_id'}

    Raises
    ------
    SpecError
        As `parse_expression`.
    """
    conditions, bound = [], {}
    whole = _parsed(text, place)
    for part in whole.flatten() if isinstance(whole, exp.And) else [whole]:
        sides = [part.args.get("this"), part.args.get("expression")] if isinstance(part, exp.EQ) else []
        names = [side for side in sides if isinstance(side, exp.Column)]
        holders = [side for side in sides if isinstance(side, exp.Placeholder)]
        if names and holders and not names[0].table:
            bound[names[0].name] = str(holders[0].this)
        else:
            conditions.append(_Reader(place).read(part))
    return conditions, bound


def _parsed(text: str, place: Place) -> exp.Expr:
    if len(text) > LONGEST:
        raise SpecError(
            "features.expression-too-long",
            f"the expression has more than {LONGEST:,} characters",
            where=place.at(0),
            expected="an expression a person can read",
            fix="give a part of it a name of its own: features may use features",
        )
    try:
        found = [each for each in _Language().parse(text) if each is not None]
    except ParseError as err:
        first = err.errors[0]
        column = first["col"] - max(len(first["highlight"] or "") - 1, 0)
        raise _syntax(
            str(first["description"]), f"feature {place.feature}, line {first['line']}, column {column}"
        ) from err
    except TokenError as err:
        raise _syntax("a text or comment is not closed", place.at(0)) from err
    except RecursionError:
        raise _too_deep(place, 0) from None
    if len(found) != 1:
        raise _syntax("there is not one expression" if found else "there is no expression", place.at(0))
    return found[0]


def _too_deep(place: Place, offset: int) -> SpecError:
    return SpecError(
        "features.expression-too-deep",
        f"{place.feature} is nested too deeply",
        where=place.at(offset),
        expected="an expression a person can read",
        fix="give a part of it a name of its own: features may use features",
    )


def _syntax(what: str, where: str) -> SpecError:
    return SpecError(
        "features.expression-syntax",
        f"the expression cannot be read: {what}",
        where=where,
        expected="one expression, such as: coalesce(price, 0) / area",
    )


class _Reader:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._is_copied = False

    def read(self, found: exp.Expr) -> Node:
        kind = type(found)
        if kind in _BINARY:
            return self._node(found, _BINARY[kind], "this", "expression")
        reader = _READERS.get(kind)
        if reader is None:
            raise self._refused(found)
        return reader(self, found)

    def _node(self, found: exp.Expr, op: str, *names: str) -> Node:
        """Make an instruction of the named parts; any other part is SQL that we do not offer."""
        self._only(found, *names)
        return Node(op, tuple(self.read(found.args[name]) for name in names), at=_offset(found))

    def _only(self, found: exp.Expr, *names: str) -> None:
        for name, part in found.args.items():
            if part and name not in names and name not in _HARMLESS:
                raise self._refused(found)

    def _column(self, found: exp.Expr) -> Node:
        self._only(found, "this")
        if not isinstance(found.this, exp.Identifier):
            raise self._refused(found)
        return Node("column", value=found.this.name, at=_offset(found))

    def _literal(self, found: exp.Expr) -> Node:
        text = str(found.this)
        if found.args["is_string"]:
            return Node("value", value=text, at=_offset(found))
        value = float(text) if set(text) & set(".eE") else int(text)
        if not math.isfinite(value):
            raise self._refused(found)
        return Node("value", value=value, at=_offset(found))

    def _negative(self, found: exp.Expr) -> Node:
        node = self._node(found, "neg", "this")
        value = node.args[0].value
        if node.args[0].op == "value" and isinstance(value, (int, float)) and not isinstance(value, bool):
            return Node("value", value=-value, at=node.at)
        return node

    def _is(self, found: exp.Expr) -> Node:
        if not isinstance(found.args["expression"], exp.Null):
            raise self._refused(found)
        self._only(found, "this", "expression")
        return Node("is_null", (self.read(found.this),), at=_offset(found))

    def _between(self, found: exp.Expr) -> Node:
        self._only(found, "this", "low", "high")
        value = self._subject(found.this)
        low, high = self.read(found.args["low"]), self.read(found.args["high"])
        at = _offset(found)
        return Node("and", (Node("ge", (value, low), at=at), Node("le", (value, high), at=at)), at=at)

    def _subject(self, found: exp.Expr) -> Node:
        """Read what the tree will say several times; copies of copies would grow without bound."""
        if self._is_copied:
            raise _too_deep(self._place, _offset(found))
        self._is_copied = True
        node = self.read(found)
        self._is_copied = False
        return node

    def _in(self, found: exp.Expr) -> Node:
        self._only(found, "this", "expressions")
        return Node("in", tuple(map(self.read, [found.this, *found.expressions])), at=_offset(found))

    def _if(self, found: exp.Expr) -> Node:
        self._only(found, "this", "true", "false")
        otherwise = found.args.get("false")
        parts = [self.read(found.this), self.read(found.args["true"]), self.read(otherwise) if otherwise else _NULL]
        return Node("if", tuple(parts), at=_offset(found))

    def _case(self, found: exp.Expr) -> Node:
        self._only(found, "this", "ifs", "default")
        subject = self._subject(found.this) if found.this else None
        default = found.args.get("default")
        branches = [(self.read(each.this), self.read(each.args["true"])) for each in found.args["ifs"]]
        at = _offset(found)

        def one(otherwise: Node, branch: tuple[Node, Node]) -> Node:
            condition = Node("eq", (subject, branch[0]), at=branch[0].at) if subject else branch[0]
            return Node("if", (condition, branch[1], otherwise), at=at)

        return reduce(one, reversed(branches), self.read(default) if default else _NULL)

    def _call(self, found: exp.Expr) -> Node:
        self._only(found, "this", "expressions")
        name = str(found.this).lower()
        args = tuple(map(self.read, found.expressions))
        if (name in FORMS and name not in SYMBOLS) or name in ("coalesce", "nullif"):
            return Node(name, args, at=_offset(found))
        return Node("call", args, name, at=_offset(found))

    def _refused(self, found: exp.Expr) -> SpecError:
        return SpecError(
            "features.expression-not-offered",
            f"{found.sql()[:60]} is SQL that is no part of the expression language ({found.key})",
            where=self._place.at(_offset(found)),
            expected="arithmetic, comparisons, case, if, coalesce, nullif, in, between, is null, functions of the list",
        )


_NULL = Node("value", value=None)

_READERS: dict[type[exp.Expr], Callable[[_Reader, Any], Node]] = {
    exp.Column: _Reader._column,
    exp.Literal: _Reader._literal,
    exp.Boolean: lambda self, found: Node("value", value=bool(found.this), at=_offset(found)),
    exp.Null: lambda self, found: _NULL,
    exp.Paren: lambda self, found: self.read(found.this),
    exp.Not: lambda self, found: self._node(found, "not", "this"),
    exp.Neg: _Reader._negative,
    exp.Is: _Reader._is,
    exp.Between: _Reader._between,
    exp.In: _Reader._in,
    exp.If: _Reader._if,
    exp.Case: _Reader._case,
    exp.Anonymous: _Reader._call,
}


def _offset(found: exp.Expr) -> int:
    """Give where an expression begins in the text: SQLGlot notes it on names and literals only."""

    def starts() -> Iterator[int]:
        for part in found.walk():
            if "start" in part.meta:
                yield part.meta["start"]

    return min(starts(), default=0)
