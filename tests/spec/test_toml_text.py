"""Where keys lie in a TOML text, checked against a writer that notes each line as it writes it."""

from __future__ import annotations

import tomllib
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.spec.toml_text import dotted, key_offsets, toml_key, toml_list, toml_string

# Values that hold what looks like keys, headers, comments and quotes.
VALUES = [
    "true",
    "-2.5e3",
    "1979-05-27 07:32:00",
    '"a # b = [c]"',
    "'d = {e'",
    '"""\nx = 1\n[task]\n\\""" y"""',
    "'''\n# no comment\nk = 2'''",
    '"""two quotes at the end"""""',
    '""',
    '""""""',
    '"\\\\"',
]
KEYS = st.one_of(st.sampled_from(["task", "a", "b-1", "input", "1"]), st.text(max_size=5))
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        st.sampled_from(VALUES),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


class Writer:
    """Writes a tree as TOML in a random style and notes the line on which each path is first named."""

    def __init__(self, random: Random) -> None:
        self.random, self.text = random, ""
        self.lines: dict[tuple[Any, ...], int] = {}

    def note(self, path, depth=0):
        for end in range(depth + 1, len(path) + 1):
            self.lines.setdefault(path[:end], self.text.count("\n") + 1)

    def noise(self):
        self.text += self.random.choice(["", "", "\n", "# task = 1\n", "  \n\t"])

    def table(self, tree, path):
        tables = []
        for key, value in tree.items():
            if isinstance(value, dict) and self.random.random() < 0.6:
                tables.append((key, value, self.random.random() < 0.3))
                continue
            self.noise()
            self.note((*path, key), len(path))
            self.text += f"{toml_key(key)} = "
            self.value(value, (*path, key))
            self.text += self.random.choice(["\n", " # b = 2\n"])
        for key, value, is_array in tables:
            self.noise()
            below = (*path, key, 0) if is_array else (*path, key)
            self.note(below)
            header = ".".join(toml_key(part) for part in (*path, key) if not isinstance(part, int))
            self.text += f"[[ {header} ]]\n" if is_array else f"[{header}] # c\n"
            self.table(value, below)

    def value(self, value, path):
        if isinstance(value, str):
            self.text += value
        elif isinstance(value, list):
            self.text += "["
            for place, item in enumerate(value):
                self.text += self.random.choice(["", "\n  ", " # [\n"])
                self.note((*path, place), len(path))
                self.value(item, (*path, place))
                self.text += self.random.choice([",", ",\n", " , # ,\n"])
            self.text += "]"
        else:
            self.text += "{"
            for place, (key, item) in enumerate(value.items()):
                self.text += ", " if place else " "
                self.note((*path, key), len(path))
                self.text += f"{toml_key(key)} = "
                self.value(item, (*path, key))
            self.text += "}"


@given(TREES, st.randoms(use_true_random=False))
def test_every_key_of_any_document_is_found_on_its_line(tree, random):
    writer = Writer(random)
    writer.table(tree, ())
    tomllib.loads(writer.text)  # the writer writes TOML
    found = {path: writer.text.count("\n", 0, offset) + 1 for path, offset in key_offsets(writer.text).items()}
    assert found == writer.lines


@given(st.text())
def test_a_written_string_reads_back_as_itself_and_stays_on_one_line(text):
    written = toml_string(text)
    assert tomllib.loads(f"x = {written}") == {"x": text}
    assert len(written.splitlines()) == 1


@given(st.dictionaries(st.text(), st.lists(st.text(), max_size=3), max_size=5))
def test_any_key_and_list_read_back_as_themselves(tree):
    text = "".join(f"{toml_key(key)} = {toml_list(value)}\n" for key, value in tree.items())
    assert tomllib.loads(text) == tree


def test_dotted_keys_name_every_table_on_the_way():
    offsets = key_offsets("x = 1\na.b.c = 2\n[a.d]\ne = 3")
    assert (offsets[("a",)], offsets[("a", "b")], offsets[("a", "b", "c")]) == (6, 6, 6)
    assert offsets[("a", "d", "e")] == 22


def test_tables_below_an_array_of_tables_belong_to_its_newest_element():
    offsets = key_offsets("[[a]]\n[a.b]\n[[a]]\n[a.b]\nc = 1")
    assert offsets[("a", 0, "b")] == 6
    assert offsets[("a", 1, "b", "c")] == 24


@pytest.mark.parametrize(
    ("path", "text"),
    [(("a",), "a"), (("input", "Review Text", "type"), 'input."Review Text".type'), (("a", "b", 2), "a.b[2]")],
)
def test_a_path_is_written_as_in_toml(path, text):
    assert dotted(path) == text
