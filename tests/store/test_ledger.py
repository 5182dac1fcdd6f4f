from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from martello.errors import EnvironmentFault
from martello.store.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", who="ada")
    yield opened
    opened.close()


def test_the_newest_line_under_a_key_is_found(ledger: Ledger) -> None:
    for made in ("model-1", "model-2"):
        ledger.append(word="train", key="k", records=[made], parents=["sample-1"], seconds=1.5, version="0")
    line = ledger.find("k")
    assert line is not None
    assert (line.records, line.parents, line.who) == (("model-2",), ("sample-1",), "ada")
    assert ledger.find("other") is None


def test_lines_come_newest_first_a_page_at_a_time(ledger: Ledger) -> None:
    for number in range(5):
        ledger.append(word="train", key=f"k{number}", records=[], parents=[], seconds=0, version="0")
    page = ledger.lines(limit=2)
    assert [line.key for line in page] == ["k4", "k3"]
    assert [line.key for line in ledger.lines(limit=2, before=page[-1].seq)] == ["k2", "k1"]


def test_looks_at_gold_are_counted_and_the_same_question_is_one_look(ledger: Ledger) -> None:
    looks = [ledger.look_at_gold(gold="sample-1", asked_by=who) for who in ("a", "b", "a", "c")]
    assert looks == [1, 2, 1, 3]
    assert ledger.look_at_gold(gold="sample-2", asked_by="a") == 1


def test_a_ledger_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        Ledger(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.sqlite'}", who="ada")
    assert caught.value.code == "ledger.not-writable"


def test_a_ledger_that_stops_taking_lines_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    opened = Ledger(f"sqlite:///{path}", who="ada")
    path.unlink()
    path.mkdir()
    opened.close()  # so that the next line opens the file anew
    with pytest.raises(EnvironmentFault) as caught:
        opened.append(word="train", key="k", records=[], parents=[], seconds=0, version="0")
    assert caught.value.code == "ledger.not-writable"
