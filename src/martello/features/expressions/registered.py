"""Python functions that a team adds to the language: pure, named, with a version that is part of every definition.

A function comes in by the decorator in code that is imported on purpose, or by an installed package that names it in
the entry-point group `martello.features.functions`. A release stores its name and version only; a process that opens
the release must have that very version installed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, NewType, TypeVar, get_type_hints

from martello.errors import PluginError, nearest
from martello.features.expressions.functions import FORMS, LAZY

__all__ = ["Function", "Time", "function", "guarded", "installed_functions", "key_of", "resolve"]

#: Annotation of an argument or result that is a time: microseconds since 1970 in UTC.
Time = NewType("Time", int)

_GROUP = "martello.features.functions"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TYPES: dict[Any, str] = {
    float: "number",
    int: "integer",
    str: "text",
    bool: "boolean",
    Time: "time",
    list[float]: "list[number]",
    list[int]: "list[integer]",
    list[str]: "list[text]",
    list[Time]: "list[time]",
}
_PYTHON: dict[str, type] = {"number": float, "integer": int, "text": str, "boolean": bool, "time": int}

_Callable = TypeVar("_Callable", bound=Callable[..., Any])
_registered: dict[str, Function] = {}


@dataclass(frozen=True, slots=True)
class Function:
    """A registered function: what it is called, which version, what it takes and gives, and itself."""

    name: str
    version: int
    takes: tuple[str, ...]
    gives: str
    call: Callable[..., Any]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in FORMS or self.name in LAZY:
            raise _taken(self)


def key_of(found: Function) -> str:
    """Name a function with its version, as trees do: `text_sim@1`."""
    return f"{found.name}@{found.version}"


def function(name: str, *, version: int) -> Callable[[_Callable], _Callable]:
    """Register a pure function under a name and a version.

    Its annotations say the types: float, int, str, bool, `Time`, or a list of one of them. It is never called with a
    null; it may give None. Raise the version whenever the same values would give another result.

    Raises
    ------
    PluginError
        ``features.function-types`` when the annotations do not say the types, ``features.function-taken`` when the
        name belongs to the language or to another function.

    Examples
    --------
    >>> @function("double_it", version=1)
    ... def double_it(x: float) -> float:
    ...     return 2 * x
    >>> installed_functions()["double_it"].takes
    ('number',)
    """

    def register(call: _Callable) -> _Callable:
        found = Function(name, version, *_types_of(name, call), call)
        earlier = _registered.get(name)
        same = earlier and (earlier.version, earlier.call.__qualname__) == (version, call.__qualname__)
        if earlier and not same:
            raise _taken(found)
        _registered[name] = found
        return call

    return register


def _types_of(name: str, call: Callable[..., Any]) -> tuple[tuple[str, ...], str]:
    """Read the types from the annotations; None beside the result's type is fine."""
    hints = get_type_hints(call)
    gives = hints.pop("return", None)
    gives = next((each for each in getattr(gives, "__args__", ()) if each in _TYPES and "|" in str(gives)), gives)
    takes = [_TYPES.get(hints.get(each)) for each in call.__code__.co_varnames[: call.__code__.co_argcount]]
    if None in takes or gives not in _TYPES or not takes:
        raise PluginError(
            "features.function-types",
            f"the annotations of {name} do not say its types",
            where=f"{call.__module__}.{call.__qualname__}",
            expected="float, int, str, bool, Time, or a list of one of them, for every argument and the result",
            fix="def text_sim(title: str, recent: list[str]) -> float: …",
        )
    return tuple(each for each in takes if each), _TYPES[gives]


def installed_functions() -> dict[str, Function]:
    """Give every registered function by name, those of installed packages included."""
    for entry in entry_points(group=_GROUP):
        if entry.name not in _registered:
            entry.load()
    return dict(_registered)


def resolve(functions: Mapping[str, Function], key: str) -> Function | None:
    """Find the function that a tree names, with or without a version; None when there is none of that name.

    Raises
    ------
    PluginError
        ``features.function-missing`` when the tree names a version that is not installed.
    """
    name, _, version = key.partition("@")
    found = functions.get(name)
    if not version or (found and str(found.version) == version):
        return found
    raise PluginError(
        "features.function-missing",
        f"the function {name} is wanted in version {version}, and " + (f"{found.version} is" if found else "none is"),
        expected=f"{name}, version {version}, as the features were declared with",
        fix="install the package that registers it" + (f" (near: {nearest(name, functions)})" if not found else ""),
    )


def guarded(found: Function) -> Callable[..., Any]:
    """Give the function with its result held to the declared type: a fault in it is named, not passed on."""
    wanted: Any = _PYTHON.get(found.gives, list)

    def call(*values: Any) -> Any:
        try:
            result: Any = found.call(*values)
        except Exception as err:
            raise _broke(found, f"raised {type(err).__name__}: {err}") from err
        if result is None or (type(result) is wanted and (wanted is not float or math.isfinite(result))):
            return result
        raise _broke(found, f"gave {str(result)[:40]!r}, not {found.gives}")

    return call


def _taken(found: Function) -> PluginError:
    return PluginError(
        "features.function-taken",
        f"no function may be registered as {key_of(found)}",
        where=f"{found.call.__module__}.{found.call.__qualname__}",
        expected="a name in lower case that is neither in the language nor registered already",
        fix="choose another name",
    )


def _broke(found: Function, how: str) -> PluginError:
    return PluginError(
        "features.function-broke",
        f"the function {key_of(found)} {how}",
        where=f"{found.call.__module__}.{found.call.__qualname__}",
        expected=f"{found.gives}, or None where there is no value",
        fix="mend the function and raise its version",
    )
