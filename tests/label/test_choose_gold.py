from __future__ import annotations

import sqlite3

import msgspec
import numpy as np
import pytest

from label.room_world import GOLD, POSITION, SCORES, TRUTH, UNITS, Clock, N, act, gold_room, label, truth
from martello.errors import DataError, IntegrityError
from martello.label.answer_row import AnswerRow
from martello.label.book import FILE_NAME, AnswerBook, entries_on_disk
from martello.label.choose_gold import MOST_WAITING
from martello.label.entries import Act, Draw
from martello.label.room import gold_certification
from martello.stats.certification import Certification
from martello.stats.estimate import Verdict


def verdict_of(directory, gold=GOLD):
    process = gold_certification(directory, gold, UNITS, "yes")
    return process.verdict, process.n_labeled, process.e_values, process.restarts


def draws_of(directory):
    return [entry for entry in entries_on_disk(directory / FILE_NAME, "gold") if isinstance(entry, Draw)]


def test_the_draws_are_the_certifications_own_and_it_stops_with_the_verdict(tmp_path):
    with gold_room(tmp_path) as room:
        labeled = label(room, "ann", N)
        assert room.next("ann", 3) == []
        meter = room.meter()
    assert (meter.verdict, meter.is_done) == (Verdict.MET, True)
    # The same process run by hand, with the same lag between draws and answers.
    process = Certification(SCORES, precision=GOLD.precision, threshold=GOLD.threshold, seed=5)
    draws = draws_of(tmp_path)
    fed = 0
    for draw in draws:
        while fed < draw.after:
            process.observe([draws[fed].position], [TRUTH[draws[fed].position]])
            fed += 1
        drawn = process.next(1)
        assert (drawn.position[0], drawn.probability[0]) == (draw.position, draw.probability)
    while fed < len(labeled):
        process.observe([draws[fed].position], [TRUTH[draws[fed].position]])
        fed += 1
    assert labeled == [draw.unit for draw in draws[: len(labeled)]]
    assert process.verdict is Verdict.MET
    assert process.decided_at == len(labeled)


def test_a_draw_is_on_disk_before_anybody_sees_its_unit(tmp_path):
    with gold_room(tmp_path) as room:
        for _ in range(10):
            handed = room.next("ann", 3)
            on_disk = {draw.unit for draw in draws_of(tmp_path)}
            assert {each.view.unit for each in handed} <= on_disk
            for each in handed:
                room.submit("ann", act(each, truth(each.view.unit)))


@pytest.mark.parametrize(("every", "n"), [(1, 22), (9, 45)])
def test_a_room_reopened_at_any_point_goes_on_as_an_unbroken_one(tmp_path, every, n):
    with gold_room(tmp_path / "whole") as room:
        whole = label(room, "ann", n)
        sentence = room.meter().sentence
    broken = []
    while len(broken) < n:
        with gold_room(tmp_path / "broken") as room:
            broken += label(room, "ann", min(every, n - len(broken)))
            last = room.meter().sentence
    assert broken == whole
    assert last == sentence
    assert verdict_of(tmp_path / "broken") == verdict_of(tmp_path / "whole")


def test_answers_in_any_order_give_the_verdict_of_the_draw_order(tmp_path):
    with gold_room(tmp_path / "orderly") as room:
        handed = room.next("ann", 20)
        for each in handed:
            room.submit("ann", act(each, truth(each.view.unit)))
        expected = room.meter().claims[0].estimate
    with gold_room(tmp_path / "late") as room:
        handed = room.next("ann", 20)
        for each in handed[:0:-1]:
            room.submit("ann", act(each, truth(each.view.unit)))
        assert room.meter().claims[0].estimate.reason == "no unit was labeled"  # the first draw is still out
        room.submit("ann", act(handed[0], truth(handed[0].view.unit)))
        assert room.meter().claims[0].estimate == expected


def test_a_corrected_answer_gives_what_the_right_answer_would_have_given(tmp_path):
    with gold_room(tmp_path / "right") as room:
        label(room, "ann", 80)
    with gold_room(tmp_path / "mended") as room:
        wrong = label(room, "ann", 20)[12]
        handed = room.next("ann", 1)[0]
        room.submit("ann", act(handed, truth(handed.view.unit)))
        room.adjudicate(wrong, "no" if truth(wrong) == "yes" else "yes", owner="boss")
        label(room, "ann", 20)
        room.adjudicate(wrong, truth(wrong), owner="boss")
        while len([1 for draw in room._campaign.tally.draws if draw.unit in room._campaign.tally.settled]) < 80:
            label(room, "ann", 1)
        evidence = room._campaign.chooser.certification
        units = [draw.unit for draw in room._campaign.tally.draws[:80]]
    # A replay by hand with the mended answers, from the draws that stand.
    mended, right = verdict_of(tmp_path / "mended"), verdict_of(tmp_path / "right")
    assert mended[1] >= 80
    assert mended[:3] == (evidence.verdict, evidence.n_labeled, evidence.e_values)
    assert right[1] == 80
    assert len(set(units)) == 80


def test_undo_of_an_answer_that_was_evidence_leaves_no_trace_in_the_evidence(tmp_path):
    with gold_room(tmp_path / "plain") as room:
        plain = label(room, "ann", 45)
    with gold_room(tmp_path / "undone") as room:
        label(room, "ann", 30)
        handed = room.next("ann", 1)[0]
        room.submit("ann", act(handed, "no" if truth(handed.view.unit) == "yes" else "yes"))
        again = room.undo("ann")
        assert again.view == handed.view
        room.submit("ann", act(again, truth(again.view.unit)))
        label(room, "ann", 14)
    assert verdict_of(tmp_path / "undone")[1] == 45
    first = [draw.unit for draw in draws_of(tmp_path / "plain")][:31]
    assert first == plain[:31]
    assert verdict_of(tmp_path / "undone")[0] == verdict_of(tmp_path / "plain")[0]


def test_changed_scores_begin_the_evidence_anew_and_lose_no_label(tmp_path):
    with gold_room(tmp_path) as room:
        labeled = label(room, "ann", 40)
        assert room.summary()["n_rounds"] == 1
    other = msgspec.structs.replace(GOLD, scores=np.clip(SCORES + 0.01, 0, 1))
    assert verdict_of(tmp_path, other)[1] == 0  # what a new round would begin with, and nothing is written
    with gold_room(tmp_path, gold=other) as room:
        assert room.summary()["n_rounds"] == 2
        assert room.meter().n_labels == 0
        again = label(room, "ann", 20)
        assert not set(again) & set(labeled)  # known units need no second answer
        assert room.summary()["n_settled"] == 60
    with gold_room(tmp_path, gold=other) as room:
        assert room.summary()["n_rounds"] == 2
        known = room._campaign.tally.rounds[-1].known
    assert known == {unit: int(truth(unit) == "yes") for unit in labeled}
    assert verdict_of(tmp_path, other)[1] == 20


def test_imported_answers_count_when_their_unit_is_drawn_and_a_models_never(tmp_path):
    people = [AnswerRow(unit=unit, annotator="eve", answer=truth(unit)) for unit in UNITS]
    models = [AnswerRow(unit=unit, annotator="gpt", answer="yes", author="model") for unit in UNITS[:5]]
    with gold_room(tmp_path) as room:
        taken = room.take_rows([*models, *people])
        assert (taken.n_taken, taken.n_refused) == (N, 5)
        assert {fault.code for fault in taken.faults} == {"label.gold-by-model"}
        assert "row 1," in taken.faults[0].where
        meter = room.meter()  # nobody needs to look at anything: the draws find their answers
        assert (meter.verdict, meter.is_done) == (Verdict.MET, True)
        assert 0 < meter.n_labels < N
    assert not any(
        entry.author == "model" for entry in entries_on_disk(tmp_path / FILE_NAME, "gold") if isinstance(entry, Act)
    )


def test_drawn_check_units_are_settled_by_their_known_answer_and_never_by_votes(tmp_path):
    checks = {unit: truth(unit) for unit in UNITS[::2]}
    with gold_room(tmp_path, checks=checks, check_share=0.3) as room:
        wrong = lambda unit: "no" if truth(unit) == "yes" else "yes"  # noqa: E731
        label(room, "ann", 60, answer=lambda unit: wrong(unit) if unit in checks else truth(unit))
        settled = room._campaign.tally.settled
        answers = {draw.unit: settled[draw.unit].answer for draw in room._campaign.tally.draws if draw.unit in settled}
        person = room._campaign.tally.people["ann"]
    assert answers == {unit: truth(unit) for unit in answers}
    assert any(unit in checks for unit in answers)
    assert (person.right, person.checked > 5) == (0, True)


def test_draws_stop_when_too_many_wait_for_an_earlier_answer(tmp_path):
    with gold_room(tmp_path) as room:
        held = room.next("ann", 1)
        done = label(room, "bob", N)
        assert len(done) < MOST_WAITING
        assert not room.meter().is_done
        room.submit("ann", act(held[0], truth(held[0].view.unit)))
        assert label(room, "bob", 1) or room.meter().is_done


def test_an_exhausted_budget_is_said_and_no_verdict_made_up(tmp_path):
    gold = msgspec.structs.replace(GOLD, precision=0.75, budget=25)
    with gold_room(tmp_path, gold=gold) as room:
        assert len(label(room, "ann", N)) == 25
        meter = room.meter()
    assert (meter.verdict, meter.is_done) == (Verdict.UNDECIDED, True)
    assert meter.sentence.startswith("Still open")


def test_no_positive_answer_or_scores_of_another_pool_are_refused_by_name(tmp_path):
    with pytest.raises(DataError) as caught:
        gold_room(tmp_path, classes=("a", "b", "c"), positive=None)
    assert caught.value.code == "label.engine-binary-only"
    with pytest.raises(DataError) as caught:
        gold_room(tmp_path, gold=msgspec.structs.replace(GOLD, scores=SCORES[:-1]))
    assert caught.value.code == "label.pool-mismatch"
    gold_room(tmp_path).close()  # a refused room lets go of the campaign


def test_draws_that_are_not_those_of_the_seed_are_refused_by_name(tmp_path):
    with gold_room(tmp_path) as room:
        label(room, "ann", 20)
    # Whoever can write the file can also mend its links; the draws still are what the seed says.
    entries = list(entries_on_disk(tmp_path / FILE_NAME, "gold"))
    other = next(unit for unit in UNITS if unit not in {e.unit for e in entries if isinstance(e, Draw)})
    forged = [
        msgspec.structs.replace(e, unit=other, position=POSITION[other]) if isinstance(e, Draw) and e.draw == 3 else e
        for e in entries
    ]
    (tmp_path / FILE_NAME).unlink()
    book = AnswerBook(tmp_path, "gold")
    book.add(forged).wait()
    book.close()
    for opening in (lambda: gold_room(tmp_path), lambda: verdict_of(tmp_path)):
        with pytest.raises(IntegrityError) as caught:
            opening()
        assert caught.value.code == "label.draws-do-not-replay"
    assert sqlite3.connect(tmp_path / FILE_NAME).execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_the_clock_is_the_rooms_own(tmp_path):
    clock = Clock()
    with gold_room(tmp_path, clock) as room:
        label(room, "ann", 1)
    assert draws_of(tmp_path)[0].at == "2027-01-15T08:00:00.000+00:00"
