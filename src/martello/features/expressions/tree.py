"""The tree of an expression: a closed list of instructions, with the types its values may have.

The tree is what a release stores, as JSON: `["seconds", ["column", "now"], ["column", "last_open"]]`. Text is turned
into a tree by `parse`, its types are settled by `check`, and `closure` makes Python of it. Nothing here knows SQL.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from martello.errors import IntegrityError

__all__ = [
    "DEEPEST",
    "LISTS",
    "LONGEST",
    "VALUE_TYPES",
    "Constant",
    "Node",
    "Place",
    "columns_of",
    "from_json",
    "to_json",
]

Constant = str | int | float | bool | None

_SINGLE = ("number", "integer", "category", "text", "boolean", "time")
LISTS = ("list[number]", "list[integer]", "list[text]", "list[time]")

#: Types of a value in an expression; a list holds no nulls, and categories in a list are its texts.
VALUE_TYPES: tuple[str, ...] = (*_SINGLE, *LISTS)

#: Longest text of one expression in characters, and deepest tree: beyond that a person does not read it any more.
LONGEST = 10_000
DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Node:
    """One instruction: `op` over `args`, or a leaf (`column` and `value`) that holds a constant.

    `at` is the place in the text the node was read from, for the faults; it is no part of the meaning.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: Constant = None
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression stands, for the faults: the feature it makes, and its text if it was read from one."""

    feature: str
    text: str = ""

    def at(self, offset: int) -> str:
        """Say feature, line and column of a place in the text."""
        if not self.text:
            return f"feature {self.feature}"
        before = self.text[:offset]
        return f"feature {self.feature}, line {before.count(chr(10)) + 1}, column {offset - before.rfind(chr(10))}"


def columns_of(node: Node) -> Iterator[Node]:
    """Give every leaf that reads a column, as often as it stands there.

    Examples
    --------
    >>> [leaf.value for leaf in columns_of(from_json(["add", ["column", "a"], ["column", "b"]]))]
    ['a', 'b']
    """
    if node.op == "column":
        yield node
    for arg in node.args:
        yield from columns_of(arg)


def to_json(node: Node) -> list[Any]:
    """Give a tree as plain lists, ready for JSON.

    Examples
    --------
    >>> to_json(Node("not", (Node("column", value="a"),)))
    ['not', ['column', 'a']]
    """
    own = [node.value] if node.op in ("column", "value", "call") else []
    return [node.op, *own, *map(to_json, node.args)]


def from_json(raw: object, depth: int = 0) -> Node:
    """Read a tree from plain lists.

    Raises
    ------
    IntegrityError
        ``features.not-a-tree`` when the lists have another shape. What the instructions are is checked by `check`.
    """
    if not isinstance(raw, list) or not raw or type(raw[0]) is not str or depth > DEEPEST:
        raise _no_tree(raw)
    op = raw[0]
    if op not in ("column", "value", "call"):
        return Node(op, tuple(from_json(arg, depth + 1) for arg in raw[1:]))
    if len(raw) < 2 or (len(raw) > 2 and op != "call") or not _is_constant(raw[1], op):
        raise _no_tree(raw)
    return Node(op, tuple(from_json(arg, depth + 1) for arg in raw[2:]), raw[1])


def _is_constant(value: object, op: str) -> bool:
    if op != "value":
        return type(value) is str
    return value is None or type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))


def _no_tree(raw: object) -> IntegrityError:
    return IntegrityError(
        "features.not-a-tree",
        f"a stored expression is not a tree of instructions: {str(raw)[:60]}",
        expected='lists that begin with an instruction, such as ["length", ["column", "title"]]',
        fix="make the release again from martello.toml",
    )
