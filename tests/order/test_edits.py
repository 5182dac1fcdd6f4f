"""Legal edits are read as they are declared, or refused with the place and the nearest word."""

from __future__ import annotations

import pytest

from martello.errors import SpecError
from martello.order.edits import read_edits, read_edits_file

DECLARED = b"""
[task]
name = "jobs"
[order]
allow = [
  { op = "insert", kind = "ad", slots = [1, 5], max = 2 },
  { op = "drop", reasons = ["no_permission", "deleted"], max_share = 0.1 },
  { op = "resort", actor = "user" },
]
"""


def test_edits_are_read_from_the_spec():
    edits = read_edits_file(DECLARED, name="martello.toml")
    assert (edits.inserts["ad"].slots, edits.inserts["ad"].max) == ({1, 5}, 2)
    assert (edits.drop.reasons, edits.drop.max_share) == ({"no_permission", "deleted"}, 0.1)
    assert edits.resort == {"user"}


def test_a_spec_without_an_order_allows_only_what_is_always_legal():
    edits = read_edits_file(b"[task]\nname = 'x'", name="martello.toml")
    assert (edits.inserts, edits.drop, edits.resort) == ({}, None, frozenset())


@pytest.mark.parametrize(
    ("allow", "fix"),
    [
        ([{"op": "insrt", "kind": "ad", "slots": [1]}], 'did you mean op = "insert"?'),
        ([{"op": "insert", "kind": "ad"}], ""),
        ([{"op": "insert", "kind": "ad", "slots": [1], "slotz": 2}], ""),
        ([{"op": "drop", "reasons": "deleted"}], ""),
        ("insert", ""),
        ([3], ""),
    ],
)
def test_what_is_no_edit_is_refused(allow, fix):
    with pytest.raises(SpecError) as fault:
        read_edits(allow)
    assert (fault.value.code, fault.value.fix) == ("order.not-an-edit", fix)


def test_the_same_edit_twice_is_refused():
    with pytest.raises(SpecError) as fault:
        read_edits([{"op": "drop", "reasons": ["a"]}, {"op": "drop", "reasons": ["b"]}])
    assert fault.value.code == "order.edit-twice"


def test_text_that_is_no_toml_is_refused_by_name():
    for text in (b"order = [", b"\xff"):
        with pytest.raises(SpecError) as fault:
            read_edits_file(text, name="rules.toml")
        assert fault.value.where == "rules.toml"
