from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running_server import lines_on_disk

from martello.errors import EnvironmentFault, IntegrityError
from martello.serve.entries import Decision, Outcome, Segment, encode_line
from martello.serve.reading import Tally, find_decision, read_log

HEAD = encode_line(Segment(format=1, session="0123456789ab", opened_at=1, releases={"release-1": ("no", "yes")}))


def decision(number, **fields):
    known = {"id": f"0123456789ab-{number:x}", "unit": None, "at": number, "release": "release-1"}
    return Decision(**known | {"values": {"age": number}, "scores": (0.1, 0.9), "output": "yes"} | fields)


def outcome(name, source="shop", said="yes", received_at=0):
    return Outcome(id=name, source=source, decision=None, unit="u", outcome=said, at=None, received_at=received_at)


def write(directory, entries, name="20260101T000000-0123456789ab-00001.log", tail=b"", head=HEAD):
    path = directory / name
    path.write_bytes(head + b"".join(map(encode_line, entries)) + tail)
    return path


def read(directory):
    tally = Tally()
    return list(read_log(directory, tally=tally)), tally


def test_entries_come_back_as_they_were_written(tmp_path):
    values = {"n": 0.1, "i": 2**62, "t": 'tab\t "quoted"\nline \N{SNOWMAN}', "b": True, "none": None, "f": 39.0}
    written = [decision(1, values=values), outcome("a"), decision(2, unit="u\n2", arm="B", propensity=0.25)]
    write(tmp_path, written)
    entries, tally = read(tmp_path)
    assert entries == written
    assert type(entries[0].values["f"]) is float
    assert type(entries[0].values["i"]) is int
    assert (tally.files, tally.decisions, tally.outcomes, tally.torn_tails, tally.damaged_lines) == (1, 2, 1, 0, 0)
    assert [entry["type"] for entry in lines_on_disk(tmp_path)] == ["segment", "decision", "outcome", "decision"]


@given(cut=st.integers(min_value=0, max_value=2000))
def test_wherever_a_file_is_torn_the_whole_lines_before_are_kept(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("torn")
    written = [decision(number) for number in range(5)]
    path = write(folder, written)
    whole = path.read_bytes()
    cut = min(cut, len(whole))
    path.write_bytes(whole[:cut])
    n_lines = whole[:cut].count(b"\n")
    entries, tally = read(folder)
    assert entries == written[: max(n_lines - 1, 0)]
    torn = len(whole[:cut].rpartition(b"\n")[2])
    assert (tally.torn_tails, tally.torn_bytes) == (int(torn > 0), torn)
    assert tally.damaged_lines == 0


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"000000", b"00000005 00000000 {}}}}\n", b"\n\n", b"x" * 100 + b"\n"])
def test_a_torn_tail_is_cut_and_counted(tmp_path, tail):
    write(tmp_path, [decision(1)], tail=tail)
    entries, tally = read(tmp_path)
    assert entries == [decision(1)]
    assert (tally.torn_tails, tally.torn_bytes, tally.damaged_lines) == (1, len(tail), 0)


@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_a_flipped_bit_costs_its_own_line_and_is_counted(tmp_path_factory, place, bit):
    folder = tmp_path_factory.mktemp("flipped")
    written = [decision(number) for number in range(3)]
    path = write(folder, written)
    content = bytearray(path.read_bytes())
    start, end = content.index(b"\n", len(HEAD)) + 1, content.rindex(b"\n", 0, len(content) - 1)
    content[start + place % (end - start)] ^= 1 << bit  # anywhere in the middle line
    path.write_bytes(content)
    entries, tally = read(folder)
    assert entries == [written[0], written[2]]
    assert tally.damaged_lines >= 1
    assert tally.torn_tails == 0


def test_an_outcome_counts_once_over_all_files(tmp_path):
    write(tmp_path, [outcome("a"), outcome("a", received_at=9), outcome("a", source="other")], name="1-a-1.log")
    write(tmp_path, [outcome("a", said="no"), outcome("b")], name="2-b-1.log")
    entries, tally = read(tmp_path)
    assert entries == [outcome("a"), outcome("a", source="other"), outcome("b")]
    assert (tally.outcomes, tally.duplicates, tally.conflicts) == (3, 1, 1)


def test_outcomes_alone_can_be_read(tmp_path):
    write(tmp_path, [decision(1), outcome("a"), decision(2)])
    assert list(read_log(tmp_path, outcomes_only=True)) == [outcome("a")]


def test_entries_of_a_newer_version_are_not_passed_over_in_silence(tmp_path):
    newer = encode_line(decision(1)).replace(b'"decision"', b'"verdicts"')
    from zlib import crc32

    newer = newer[:9] + b"%08x" % crc32(newer[18:-1]) + newer[17:]
    write(tmp_path, [], tail=newer)
    with pytest.raises(IntegrityError) as refused:
        read(tmp_path)
    assert refused.value.code == "serve.unknown-entry"


def test_keys_of_a_newer_version_are_passed_over(tmp_path):
    from zlib import crc32

    payload = encode_line(decision(1))[18:-1].replace(b'"arm"', b'"seal":"x","arm"')
    write(tmp_path, [], tail=b"%08x %08x %b\n" % (len(payload), crc32(payload), payload))
    assert read(tmp_path)[0] == [decision(1)]


def test_no_directory_is_no_empty_log(tmp_path):
    with pytest.raises(EnvironmentFault) as refused:
        read(tmp_path / "nothing")
    assert refused.value.code == "serve.no-log"


def test_a_decision_is_found_by_its_id_with_its_classes(tmp_path):
    write(tmp_path, [decision(1), decision(17), decision(18)])
    found = find_decision(tmp_path, "0123456789ab-11")
    assert (found.decision, found.classes) == (decision(17), ("no", "yes"))
    assert find_decision(tmp_path, "0123456789ab-13") is None
    assert find_decision(tmp_path, "0123456789ac-11") is None


def test_a_decision_is_found_though_other_lines_are_broken(tmp_path):
    write(tmp_path, [decision(1)], head=b"broken\n", tail=encode_line(decision(2))[:-9])
    found = find_decision(tmp_path, "0123456789ab-1")
    assert (found.decision, found.classes) == (decision(1), None)
    assert find_decision(tmp_path, "0123456789ab-2") is None


def test_text_that_looks_like_an_entry_is_not_taken_for_one(tmp_path):
    forged = encode_line(decision(2))[18:-1].decode()
    write(tmp_path, [decision(1, unit=forged, values={"note": forged}), decision(2, unit="the real one")])
    assert find_decision(tmp_path, "0123456789ab-2").decision.unit == "the real one"
