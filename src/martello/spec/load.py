"""From `martello.toml` to a `Spec`: read, check the shape, check the rules; every fault is reported, in file order.

Shapes are checked by `shape`, rules between fields by `lint`. A file with faults of shape is not checked for rules:
there is no `Spec` yet to hold them against. The canonical form and the id of a spec are here too.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from martello.errors import SpecError
from martello.records import content_id
from martello.spec.faults import Fault, raise_faults
from martello.spec.lint import broken_rules
from martello.spec.schema import Spec
from martello.spec.shape import as_spec, check_shape

__all__ = ["load_spec", "parse_spec", "spec_id", "spec_json"]

_ENCODER = msgspec.json.Encoder(order="deterministic")
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


#: Looks at a whole spec for what the shelf cannot know, such as the meaning of expressions.
Check = Callable[[Spec], Iterable[Fault]]


def load_spec(path: Path, *, check: Check | None = None) -> Spec:
    """Read a spec from a file.

    Parameters
    ----------
    path
        The file.
    check
        A further check, whose faults are reported like those of the rules here.

    Raises
    ------
    SpecError
        ``spec.not-found``, ``spec.unreadable``, ``spec.not-utf8``, and all that `parse_spec` raises.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as err:
        fix = "martello spec init FILE --label COLUMN"
        raise SpecError(
            "spec.not-found", f"there is no {path.name}", where=str(path), expected="a spec", fix=fix
        ) from err
    except OSError as err:
        raise SpecError(
            "spec.unreadable", f"{path.name} cannot be read: {err.strerror}", where=str(path), expected="a file"
        ) from err
    return parse_spec(_decode(data, path.name), name=path.name, check=check)


def parse_spec(text: str, *, name: str = "martello.toml", check: Check | None = None) -> Spec:
    """Read a spec from TOML text.

    Parameters
    ----------
    text
        The whole document.
    name
        What to call it in errors.
    check
        A further check of a spec that breaks no rule.

    Raises
    ------
    SpecError
        ``spec.empty``, ``spec.syntax``, faults of shape, or broken rules; the first of them, the rest in `others`.

    Examples
    --------
    >>> spec = parse_spec('''
    ... [task]
    ... name = "income"
    ... question = "Does this person earn more than 50,000 a year?"
    ... [population]
    ... source = "people.parquet"
    ... [input]
    ... age = "integer"
    ... [output]
    ... column = "income"
    ... positive = ">50K"
    ... ''')
    >>> spec.input[0].name, spec.task.kind
    ('age', 'binary')
    """
    text = text.replace("\r\n", "\n")
    document = _parse(text, name)
    raise_faults(check_shape(document), name=name, text=text)
    spec = as_spec(document)
    raise_faults(broken_rules(spec), name=name, text=text)
    if check is not None:
        raise_faults(check(spec), name=name, text=text)
    return spec


def spec_json(spec: Spec) -> bytes:
    """Give the one canonical JSON form of a spec, defaults written out."""
    return _ENCODER.encode(spec)


def spec_id(spec: Spec, *sections: str) -> str:
    """Name a spec, or only some sections of it, by the hash of the content.

    A stage that reads only some sections is named by those, so that a change elsewhere does not make its work stale.

    Parameters
    ----------
    spec
        The agreement.
    sections
        Names of tables, such as ``"population"``; none: the whole spec.
    """
    if not sections:
        return content_id("spec", spec_json(spec))
    return content_id("spec", _ENCODER.encode({name: getattr(spec, name) for name in sections}))


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")  # some editors open a file with a byte order mark
    except UnicodeDecodeError as err:
        line = len(data[: err.start].split(b"\n"))
        raise SpecError(
            "spec.not-utf8",
            f"{name} is not UTF-8 text",
            where=f"{name}, line {line}",
            expected="UTF-8 text",
            fix=f"iconv -f latin1 -t utf-8 {name} > new.toml",
        ) from err


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        document = tomllib.loads(text)
    except RecursionError as err:
        raise SpecError("spec.syntax", f"{name} is nested too deeply", where=name, expected="plain tables") from err
    except ValueError as err:
        raise _syntax_error(str(err), name, text) from err
    if not document:
        fix = "martello spec init FILE --label COLUMN"
        raise SpecError("spec.empty", f"{name} says nothing", where=name, expected="[task], [population], …", fix=fix)
    return document


def _syntax_error(message: str, name: str, text: str) -> SpecError:
    place = _PLACE.search(message)
    where = name
    if place:
        line = place["line"] or text.rstrip("\n").count("\n") + 1
        where += f", line {line}" + (f", column {place['column']}" if place["column"] else "")
    return SpecError(
        "spec.syntax",
        f"{name} is not TOML: {_PLACE.sub('', message)}",
        where=where,
        expected='TOML: [table] headers, one `key = value` a line, texts in quotes: name = "income"',
    )
