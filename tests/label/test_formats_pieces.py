"""Rows cut out of a file: the same as parsers find that hold the whole of it, and nothing held that is too long."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.label.formats import pieces
from martello.label.formats.csv_file import read_csv
from martello.label.formats.pieces import array_elements, csv_records, lines

cells = st.text(st.sampled_from('ab",\n\r;é\u2028 \t'), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text('ab"\\[]{},:\n é🙂'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"[{\\'), inner, max_size=3),
    max_leaves=8,
)


@given(table=st.lists(st.tuples(cells, cells, cells), max_size=6), chunk=st.integers(1, 40))
@settings(deadline=None)
def test_csv_rows_are_those_of_the_csv_module(table: list[tuple[str, ...]], chunk: int) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("unit", "annotator", "answer"), *table])
    rows = list(read_csv(io.BytesIO(text.getvalue().encode()), "f", {}, is_authored=False))
    expected = list(csv.reader(io.StringIO(text.getvalue(), newline="")))[1:]
    assert [[row.values[name] or "" for name in ("unit", "annotator", "answer")] for row in rows] == expected


def test_a_quote_inside_an_unquoted_cell_is_a_letter() -> None:
    text = b'a,b\n5" disk,x\n"whole ""cell""\nof two lines",y\n'
    assert [piece.data for piece in csv_records(io.BytesIO(text))][1:] == [
        b'5" disk,x\n',
        b'"whole ""cell""\nof two lines",y\n',
    ]


def test_a_record_knows_its_line_though_cells_hold_line_ends() -> None:
    found = list(csv_records(io.BytesIO(b'a,b\n"1\n2\n3",x\n\n4,y\n')))
    assert [(piece.number, piece.line) for piece in found] == [(0, 1), (1, 2), (2, 6)]


@given(
    elements=st.lists(st.dictionaries(st.text('a"]}'), values, max_size=3), max_size=5), indent=st.none() | st.just(1)
)
@settings(deadline=None)
def test_elements_are_those_of_the_json_module_wherever_the_file_is_cut(
    elements: list[object], indent: int | None
) -> None:
    text = json.dumps(elements, ensure_ascii=False, indent=indent).encode()
    for chunk in (1, 2, 7, 64):
        found = list(cut(text, chunk))
        assert [json.loads(piece.data) for piece in found] == elements
        assert [piece.number for piece in found] == list(range(1, len(elements) + 1))


def cut(text: bytes, chunk: int) -> list[pieces.Piece]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_CHUNK", chunk)
        return list(array_elements(io.BytesIO(text)))


@given(st.binary(max_size=40) | st.text('[]{}",:\\a1 ', max_size=40).map(str.encode))
@settings(deadline=None)
def test_no_bytes_whatever_break_the_cutting(text: bytes) -> None:
    for cutter in (lines, csv_records, array_elements):
        list(cutter(io.BytesIO(text)))


@pytest.mark.parametrize("text", [b'[{"a": 1}, {"b": ', b'[{"a": 1}, {"b": "x', b'[{"a": 1}', b'[{"a": 1},'])
def test_an_array_that_ends_too_soon_gives_what_was_whole_and_says_so(text: bytes) -> None:
    found = list(array_elements(io.BytesIO(text)))
    assert (found[0].data, found[0].fault) == (b'{"a": 1}', "")
    assert [piece.fault for piece in found[1:]] == ["cut"]


@pytest.mark.parametrize("text", [b'[{"a": 1} {"b": 2}]', b'[{"a": 1}, 7, {"b": 2}]', b'[{"a": 1}], 3'])
def test_what_is_no_element_is_named_and_the_rest_is_given(text: bytes) -> None:
    found = list(array_elements(io.BytesIO(text)))
    assert sum(piece.fault == "not-an-element" for piece in found) == 1
    assert sum(piece.fault == "" for piece in found) == text.count(b"{")


@pytest.mark.parametrize(
    ("cutter", "text"),
    [
        (lines, b'{"a": 1}\n{"a": "LONG"}\n{"a": 3}\n'),
        (csv_records, b"head\nx,1\nLONG,2\ny,3\n"),
        (csv_records, b'head\nx,1\n"LONG\n""x"",\n",2\ny,3\n'),
        (csv_records, b'head\nx,1\n"' + b"a\n" * 300 + b'",2\ny,3\n'),
        (array_elements, b'[{"a": 1}, {"a": ["LONG"]}, {"a": 3}]'),
    ],
)
def test_a_row_that_is_too_long_is_passed_over_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch, cutter: object, text: bytes
) -> None:
    monkeypatch.setattr(pieces, "MAX_BYTES", 200)
    monkeypatch.setattr(pieces, "_CHUNK", 64)
    found = list(cutter(io.BytesIO(text.replace(b"LONG", b"long " * 100))))  # type: ignore[operator]
    if cutter is csv_records:
        found = found[1:]
    assert [piece.fault for piece in found] == ["", "too-long", ""]
    assert found[1].data == b""
    assert b"3" in found[2].data
