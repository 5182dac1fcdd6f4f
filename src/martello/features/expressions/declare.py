"""What a task declares as row features: from texts to a stored declaration, and from there back to checked trees.

Features may use features; the declaration holds them in an order in which each is computed before it is used. It is
plain data: a release stores it as JSON, and opening one parses no expression and runs nothing that is not ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from martello.errors import IntegrityError, SpecError
from martello.features.expressions.check import Checked, check
from martello.features.expressions.registered import Function, installed_functions
from martello.features.expressions.tree import Node, Place, columns_of, from_json, to_json
from martello.records import content_id

__all__ = ["EXPRESSIONS_VERSION", "NOW", "Declaration", "Input", "RowFeature", "declare"]

#: Raised whenever an expression would give another value than before; part of `Declaration.definition`.
EXPRESSIONS_VERSION = 1

#: The moment of the decision, which every expression may use.
NOW = "now"


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value the features are computed from: a field of the request, a history feature, or `now`."""

    name: str
    type: str
    optional: bool


class RowFeature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One feature: its name, its type, whether it may be null, and its tree as plain lists."""

    name: str
    type: str
    optional: bool
    tree: list[Any]


class Declaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The row features of a task, in the order in which they are computed.

    Examples
    --------
    >>> declared = declare({"old": "age > 65"}, {"age": ("integer", True)})
    >>> Declaration.load(declared.dump()) == declared
    True
    """

    inputs: tuple[Input, ...]  # those that are used
    features: tuple[RowFeature, ...]

    @classmethod
    def load(cls, stored: bytes) -> Declaration:
        """Read what `dump` wrote; what it says is checked when it is used.

        Raises
        ------
        IntegrityError
            ``features.not-a-tree`` when it is something else.
        """
        try:
            return msgspec.json.decode(stored, type=cls)
        except (msgspec.DecodeError, RecursionError) as err:
            raise IntegrityError(
                "features.not-a-tree",
                f"the stored features cannot be read: {err}",
                expected="features as `Declaration.dump` wrote them",
                fix="make the release again from martello.toml",
            ) from err

    def dump(self) -> bytes:
        """Write it as JSON."""
        return msgspec.json.encode(self)

    @property
    def functions(self) -> tuple[str, ...]:
        """Name the registered functions in use, with their versions."""
        return tuple(sorted({key for each in self.features for key in _calls(from_json(each.tree))}))

    @property
    def definition(self) -> str:
        """Hash of what is computed: the trees, the versions of registered functions and of these rules."""
        return content_id("definition", msgspec.json.encode([EXPRESSIONS_VERSION, self]))

    def checked(self, functions: Mapping[str, Function]) -> Iterator[tuple[str, Checked]]:
        """Give each feature with its checked tree, in order.

        Raises
        ------
        SpecError
            As `check`, should the declaration have been made by other rules.
        IntegrityError
            ``features.not-a-tree`` when the type on record is not the type of the tree.
        """
        types = {each.name: (each.type, each.optional) for each in self.inputs}
        for each in self.features:
            found = check(from_json(each.tree), types, functions, Place(each.name))
            if each.name in types or (found.type, found.nullable) != (each.type, each.optional):
                raise IntegrityError(
                    "features.not-a-tree",
                    f"the stored feature {each.name} is not what its tree says",
                    expected=f"{each.name} of type {found.type}",
                    fix="make the release again from martello.toml",
                )
            types[each.name] = (found.type, found.nullable)
            yield each.name, found


def declare(
    texts: Mapping[str, str],
    columns: Mapping[str, tuple[str, bool]],
    functions: Mapping[str, Function] | None = None,
) -> Declaration:
    """Declare row features from expressions in SQL syntax.

    Parameters
    ----------
    texts
        Expression by feature name.
    columns
        Type of every input and history feature, and whether it may be null; `now` is added.
    functions
        Registered functions by name; None takes what is installed.

    Raises
    ------
    SpecError
        The first fault, with those of the other features in `others`: ``features.name-taken``, ``features.cycle``, or
        any of `parse_expression` and `check`.

    Examples
    --------
    >>> declared = declare(
    ...     {"stale": "idle > 3600", "idle": "coalesce(seconds(now, last_open), 1e9)"}, {"last_open": ("time", True)}
    ... )
    >>> [(feature.name, feature.type) for feature in declared.features]
    [('idle', 'number'), ('stale', 'boolean')]
    """
    # SQLGlot is needed to declare, not to serve.
    from martello.features.expressions.parse import parse_expression

    functions = installed_functions() if functions is None else functions
    types = {**columns, NOW: ("time", False)}
    faults = [_taken(name) for name in texts if name in types]
    trees: dict[str, Node] = {}
    for name, text in texts.items():
        try:
            trees[name] = parse_expression(text, Place(name, text))
        except SpecError as fault:
            faults.append(fault)
    _raise_all(faults)
    features: dict[str, Checked] = {}
    broken: set[str] = set()
    for name in _in_order(trees):
        if broken & set(_names(trees[name])):  # its own faults are looked at when those before it are mended
            broken.add(name)
            continue
        try:
            found = check(trees[name], types, functions, Place(name, texts[name]))
        except SpecError as fault:
            faults.append(fault)
            broken.add(name)
            continue
        features[name] = found
        types[name] = (found.type, found.nullable)
    _raise_all(faults)
    used = {name for found in features.values() for name in _names(found.node)}
    return Declaration(
        inputs=tuple(
            Input(name=name, type=kind, optional=optional)
            for name, (kind, optional) in types.items()
            if name in used and name not in features
        ),
        features=tuple(
            RowFeature(name=name, type=found.type, optional=found.nullable, tree=to_json(found.node))
            for name, found in features.items()
        ),
    )


def _in_order(trees: Mapping[str, Node]) -> list[str]:
    """Order features so that each comes after those it uses; refuse a circle by its path."""
    done: list[str] = []
    path: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in path:
            raise _circle([*path[path.index(name) :], name])
        path.append(name)
        for used in dict.fromkeys(_names(trees[name])):
            if used in trees:
                visit(used)
        done.append(path.pop())

    for name in trees:
        visit(name)
    return done


def _names(node: Node) -> Iterator[str]:
    return (str(leaf.value) for leaf in columns_of(node))


def _calls(node: Node) -> Iterator[str]:
    if node.op == "call":
        yield str(node.value)
    for arg in node.args:
        yield from _calls(arg)


def _raise_all(faults: list[SpecError]) -> None:
    if faults:
        faults[0].others = tuple(faults[1:])
        raise faults[0]


def _taken(name: str) -> SpecError:
    return SpecError(
        "features.name-taken",
        f"{name} is an input or a history feature already" if name != NOW else f"{NOW} is the moment of the decision",
        where=f"feature {name}",
        expected="a name of its own for every feature",
        fix="rename one of the two",
    )


def _circle(path: list[str]) -> SpecError:
    return SpecError(
        "features.cycle",
        f"{path[0]} is made from itself: " + " → ".join(path),
        where=f"feature {path[0]}",
        expected="features that use inputs, and features that do not use them back",
        fix=f"write {path[-2]} without {path[0]}",
    )
