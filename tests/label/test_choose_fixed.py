from __future__ import annotations

import numpy as np
import pytest

from label.room_world import POSITION, UNITS, Clock, N, act, label, view
from martello.errors import DataError
from martello.label.book import FILE_NAME, entries_on_disk
from martello.label.choose_fixed import FixedPlan
from martello.label.entries import Draw, Round
from martello.label.room import RoomPlan, fixed_answers, open_room
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.intervals import proportion_interval

CLASSES = ("a", "b", "c")
SEED = 5


def kind(unit):
    return "abc"[POSITION[unit] % 3]


def share_of_a(positions, codes):
    """Stand in for the gate's reading: the share of class a."""
    if not positions:
        return {"macro_recall": NotEstimable(reason="no answer is there yet", needs="answers")}
    found = proportion_interval(sum(code == 0 for code in codes), len(codes))
    return {"macro_recall": found}


def fixed_room(directory, size=60, clock=None, **changes):
    plan = RoomPlan(
        **{"name": "kinds", "question": "Which?", "classes": CLASSES, "purpose": "gold", "overlap": 0.0, "seed": SEED}
        | changes
    )
    gold = FixedPlan(size=size, agreed={"macro_recall": 0.2}, read=share_of_a)
    return open_room(directory, plan, UNITS, view, gold=gold, clock=clock or Clock())


def entries(directory, what):
    return [entry for entry in entries_on_disk(directory / FILE_NAME, "gold") if isinstance(entry, what)]


def test_it_asks_exactly_as_many_as_were_declared_and_names_no_verdict(tmp_path):
    with fixed_room(tmp_path) as room:
        assert room.meter().sentence == "60 labels left, then the gate judges"
        assert len(label(room, "ann", 20, answer=kind)) == 20
        meter = room.meter()
        assert meter.sentence.startswith("At 20 of 60 labels: mean recall of classes 0.")
        assert meter.sentence.endswith("need 0.20; 40 labels left, then the gate judges")
        assert (meter.is_done, meter.n_needed, meter.verdict, meter.next_step) == (False, 60, None, "")
        assert len(label(room, "ann", N, answer=kind)) == 40
        meter = room.meter()
    assert (meter.is_done, meter.n_labels, meter.verdict, meter.next_step) == (True, 60, None, "martello run")
    assert meter.sentence.startswith("All 60 labels are there, and the gate judges: mean recall of classes 0.")
    (claim,) = meter.claims
    assert [n for n, *_ in claim.history][-1] == 60
    assert isinstance(claim.estimate, Estimate)
    answers = fixed_answers(tmp_path, UNITS, SEED)
    assert answers.is_complete
    assert answers.answers == {unit: kind(unit) for unit in answers.answers}


def test_the_size_stands_in_the_book_before_the_first_draw(tmp_path):
    with fixed_room(tmp_path) as room:
        label(room, "ann", 1, answer=kind)
    whole = list(entries_on_disk(tmp_path / FILE_NAME, "gold"))
    assert isinstance(whole[0], Round)
    assert whole[0].size == 60


def test_every_unit_has_the_same_chance_and_it_is_written_down(tmp_path):
    counts = np.zeros(N)
    for seed in range(30):
        with fixed_room(tmp_path / str(seed), size=300, seed=seed) as room:
            label(room, "ann", 300, answer=kind)
        drawn = entries(tmp_path / str(seed), Draw)
        assert [draw.probability for draw in drawn] == [1 / (N - i) for i in range(300)]
        assert len({draw.unit for draw in drawn}) == 300
        counts[[draw.position for draw in drawn]] += 1
    # 9,000 draws over ten parts of the pool: 900 each, with the spread of plain random draws.
    parts = counts.reshape(10, -1).sum(axis=1)
    assert abs(parts - 900).max() < 4 * np.sqrt(900)


def test_a_reopened_room_goes_on_where_it_was(tmp_path):
    with fixed_room(tmp_path / "whole") as room:
        label(room, "ann", 60, answer=kind)
    for _ in range(5):
        with fixed_room(tmp_path / "broken") as room:
            label(room, "ann", 13, answer=kind)
    whole, broken = (fixed_answers(tmp_path / each, UNITS, SEED) for each in ("whole", "broken"))
    assert whole == broken
    assert len(entries(tmp_path / "broken", Round)) == 1


def test_a_larger_size_asks_about_new_units_only(tmp_path):
    with fixed_room(tmp_path, size=40) as room:
        first = label(room, "ann", 40, answer=kind)
    with fixed_room(tmp_path, size=70) as room:
        more = label(room, "ann", N, answer=kind)
    assert len(more) == 30
    assert not set(first) & set(more)
    assert set(fixed_answers(tmp_path, UNITS, SEED).answers) == {*first, *more}


def test_answers_of_another_pool_are_not_taken_for_this_ones(tmp_path):
    with fixed_room(tmp_path) as room:
        label(room, "ann", 60, answer=kind)
    assert fixed_answers(tmp_path, UNITS[:-1], SEED) is None
    assert fixed_answers(tmp_path, UNITS, SEED + 1) is None
    assert fixed_answers(tmp_path / "elsewhere", UNITS, SEED) is None


def test_it_is_read_up_to_the_first_unit_that_waits(tmp_path):
    """What comes back late is hard; a reading without it would be of the easy ones."""
    with fixed_room(tmp_path, size=30) as room:
        label(room, "ann", 10, answer=kind)
        (late,) = room.next("ann", 1)  # held, not answered
        label(room, "bob", 30, answer=kind)
        meter = room.meter()
        (claim,) = meter.claims
        assert claim.estimate.n <= 11
        assert not meter.is_done
        assert meter.n_labels == 29
        assert not fixed_answers(tmp_path, UNITS, SEED).is_complete
        room.submit("ann", act(late, kind(late.view.unit)))
        assert room.meter().is_done


def test_the_votes_settle_its_units_as_any_others(tmp_path):
    """Three people answer in turn; one errs always, and a third vote outvotes it."""
    with fixed_room(tmp_path, size=12, overlap=1.0) as room:
        for _ in range(12):
            for name in ("ann", "bob", "cy"):
                label(room, name, 1, answer=(lambda unit: "abc"[POSITION[unit] % 3 - 1]) if name == "cy" else kind)
        for name in ("ann", "bob"):
            label(room, name, 12, answer=kind)
        assert room.meter().is_done
        assert room.summary()["settled_by"]["majority"] > 0
    answers = fixed_answers(tmp_path, UNITS, SEED).answers
    assert answers == {unit: kind(unit) for unit in answers}


def test_an_answer_taken_back_opens_the_end_again(tmp_path):
    with fixed_room(tmp_path, size=10) as room:
        label(room, "ann", 10, answer=kind)
        assert room.meter().is_done
        again = room.undo("ann")
        meter = room.meter()
        assert (meter.is_done, meter.n_labels) == (False, 9)
        room.submit("ann", act(again, "c"))
        assert room.meter().is_done
    assert fixed_answers(tmp_path, UNITS, SEED).answers[again.view.unit] == "c"


def test_more_than_the_pool_has_is_refused_by_name(tmp_path):
    with pytest.raises(DataError) as caught:
        fixed_room(tmp_path, size=N + 1)
    assert caught.value.code == "label.pool-mismatch"
