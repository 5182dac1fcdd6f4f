"""TOML as text: where each key of a valid document lies, and how a string or a key is written.

The standard reader gives values without places; this second scan gives places without values. It trusts that `tomllib`
has already read the text once. What the keys mean is the business of `shape` and `lint`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

__all__ = ["KeyPath", "dotted", "key_offsets", "toml_key", "toml_list", "toml_string"]

#: Names of tables and keys, with numbers for the places in a list.
KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_GAP = re.compile(r"[ \t]*")
# A multi-line string may end in up to two quotes of its own before the closing three.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})' + r"|'''.*?'''(?:'{0,2})" + r'|"(?:[^"\\]|\\.)*"' + r"|'[^']*'", re.DOTALL
)
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]+")
_SHORT_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def _escaped(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    # Besides what TOML forbids, characters that editors draw as line ends are written out.
    if ord(character) < 32 or character in "\x7f\x85\u2028\u2029":
        return f"\\u{ord(character):04X}"
    return character


def toml_string(text: str) -> str:
    """Write a text as a TOML basic string, on one line.

    Examples
    --------
    >>> print(toml_string('say "hi"'))
    "say \\"hi\\""
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def toml_key(name: str) -> str:
    """Write a name as a TOML key: bare where TOML allows it, quoted otherwise.

    Examples
    --------
    >>> print(toml_key("age"), toml_key("Review Text"))
    age "Review Text"
    """
    return name if _BARE_KEY.fullmatch(name) else toml_string(name)


def toml_list(texts: Iterable[str]) -> str:
    """Write texts as a TOML list.

    Examples
    --------
    >>> print(toml_list(["?", "NA"]))
    ["?", "NA"]
    """
    return "[" + ", ".join(map(toml_string, texts)) + "]"


def dotted(path: KeyPath) -> str:
    """Write a path as it would stand in TOML, with places in lists in brackets.

    Examples
    --------
    >>> dotted(("population", "unit", 1))
    'population.unit[1]'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{toml_key(part)}"
    return text.removeprefix(".")


def key_offsets(text: str) -> dict[KeyPath, int]:
    """Give where each key path of a valid TOML text is first named: path → number of characters before it.

    Line ends must be ``\\n``. Elements of lists count as paths too, by their place from 0.

    Examples
    --------
    >>> key_offsets('[task]\\nname = "x"')
    {('task',): 0, ('task', 'name'): 7}
    """
    scan = _Scan(text)
    scan.document()
    return scan.found


class _Scan:
    """One pass over a valid document, remembering where each key path is first named."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._table_arrays: dict[KeyPath, int] = {}  # path of a [[table]] → how many so far
        self.found: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self._text):
            table = self._header() if self._text[self._at] == "[" else table
            if self._skip(_BLANK) < len(self._text) and self._text[self._at] != "[":
                self._pair(table)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _note(self, path: KeyPath, depth: int, offset: int) -> None:
        for end in range(depth + 1, len(path) + 1):
            self.found.setdefault(path[:end], offset)

    def _header(self) -> KeyPath:
        offset = self._at
        is_array = self._text.startswith("[[", offset)
        self._at += 2 if is_array else 1
        names = self._key()
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        for name in names[:-1]:
            path = self._last_of((*path, name))
        path = (*path, names[-1])
        if is_array:
            self._table_arrays[path] = self._table_arrays.get(path, 0) + 1
            path = self._last_of(path)
        self._note(path, 0, offset)
        return path

    def _last_of(self, path: KeyPath) -> KeyPath:
        """Point into the newest table where a path is an array of tables."""
        return (*path, self._table_arrays[path] - 1) if path in self._table_arrays else path

    def _key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._skip(_GAP)
            quoted = _STRING.match(self._text, self._at)
            found = quoted or _BARE_KEY.match(self._text, self._at)
            assert found is not None, "the text is valid TOML"
            self._at = found.end()
            names.append(tomllib.loads("k=" + found.group())["k"] if quoted else found.group())
            self._skip(_GAP)
            if not self._text.startswith(".", self._at):
                return names
            self._at += 1

    def _pair(self, table: KeyPath) -> None:
        offset = self._at
        path = (*table, *self._key())
        self._note(path, len(table), offset)
        self._at += 1  # the equals sign
        self._skip(_GAP)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first == "[":
            self._list(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_STRING if first in "\"'" else _PLAIN_VALUE)

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        place = 0
        while self._text[self._skip(_BLANK)] != "]":
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self.found.setdefault((*path, place), self._at)
            self._value((*path, place))
            place += 1
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._text[self._skip(_BLANK)] != "}":
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._pair(path)
        self._at += 1
