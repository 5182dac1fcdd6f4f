from __future__ import annotations

import itertools
import threading
from collections import Counter

import msgspec
import numpy as np
import pytest

from label.room_world import GOLD, POSITION, TRUTH, UNITS, Clock, act, gold_room, label, training_room, truth
from martello.errors import DataError, EnvironmentFault
from martello.label.answer_row import AnswerRow
from martello.label.choose_gold import MOST_WAITING
from martello.label.contract import LabelingRoom
from martello.label.room import Room, answers_digest, gold_certification, settled_answers


def refused(do, kind=DataError):
    with pytest.raises(kind) as caught:
        do()
    return caught.value.code


def other(unit):
    return "no" if truth(unit) == "yes" else "yes"


def meet(room, *names):
    """Let people come in, and give back nothing."""
    return {name: room.next(name, 1)[0] for name in names}


def test_the_room_is_what_the_page_was_promised(tmp_path):
    with gold_room(tmp_path) as room:
        assert isinstance(room, Room)
        typed: LabelingRoom = room
        assert (typed.purpose, typed.name, typed.question, typed.classes) == (
            "gold",
            "spam",
            "Is it spam?",
            ("no", "yes"),
        )
        for method in ("next", "submit", "undo", "answered", "meter", "progress", "disagreements", "adjudicate",
                       "guidelines", "write_guidelines", "summary"):  # fmt: skip
            assert callable(getattr(typed, method))
        assert msgspec.json.encode(typed.summary())


def test_the_same_submit_sent_twice_counts_once(tmp_path):
    with gold_room(tmp_path) as room:
        handed = room.next("ann", 1)[0]
        sent = act(handed, "yes")
        assert [room.submit("ann", sent).was_known for _ in range(3)] == [False, True, True]
        changed = msgspec.structs.replace(sent, answer="no")
        assert refused(lambda: room.submit("ann", changed)) == "label.submit-conflict"
    with gold_room(tmp_path) as room:
        assert room.submit("ann", sent).was_known
        assert len(room.answered("ann")) == 1


def test_two_tabs_that_say_the_same_agree_and_that_differ_are_refused(tmp_path):
    with gold_room(tmp_path) as room:
        handed = room.next("ann", 1)[0]
        room.submit("ann", act(handed, "yes"))
        assert room.submit("ann", act(handed, "yes")).was_known
        assert refused(lambda: room.submit("ann", act(handed, "no"))) == "label.answered-already"
        assert refused(lambda: room.submit("ann", act(handed, None, kind="skip"))) == "label.answered-already"
        assert len(room.answered("ann")) == 1


def test_what_is_no_answer_is_refused_by_name(tmp_path):
    with gold_room(tmp_path) as room:
        handed = room.next("ann", 1)[0]
        never = next(u for u in UNITS[::-1] if u != handed.view.unit and u not in room._campaign.tally.drawn)
        assert refused(lambda: room.submit("ann", act(handed, "maybe"))) == "label.unknown-class"
        assert refused(lambda: room.submit("ann", act(handed, None))) == "label.unknown-class"
        strange = msgspec.structs.replace(act(handed, "yes"), unit="nobody")
        assert refused(lambda: room.submit("ann", strange)) == "label.unknown-unit"
        early = msgspec.structs.replace(act(handed, "yes"), unit=never)
        assert refused(lambda: room.submit("ann", early)) == "label.not-assigned"
        assert refused(lambda: room.adjudicate(handed.view.unit, "maybe", owner="boss")) == "label.unknown-class"
        assert refused(lambda: room.adjudicate("nobody", "yes", owner="boss")) == "label.unknown-unit"
        assert room.answered("ann") == []


def test_undo_gives_the_unit_back_and_is_safe_to_send_twice(tmp_path):
    with gold_room(tmp_path) as room:
        assert room.undo("ann") is None
        handed = room.next("ann", 1)[0]
        first = act(handed, "yes")
        room.submit("ann", first)
        again = room.undo("ann", submit_id=first.submit_id)
        assert again.view == handed.view
        assert room.undo("ann", submit_id=first.submit_id).assignment == again.assignment
        assert room.undo("ann", submit_id="never sent") is None
        assert room.undo("bob", submit_id=first.submit_id) is None
        assert room.answered("ann") == []
        # The network brings the first act once more: it was undone, and stays undone.
        assert room.submit("ann", first).was_known
        assert room.answered("ann") == []
        room.submit("ann", act(again, "no"))
        assert [found.answer for found in room.answered("ann")] == ["no"]
        assert room.undo("ann", submit_id=first.submit_id) is None
    with gold_room(tmp_path) as room:
        assert room.submit("ann", first).was_known
        assert [found.answer for found in room.answered("ann")] == ["no"]


def test_a_shared_unit_takes_two_who_agree_and_a_third_only_when_they_do_not(tmp_path):
    with gold_room(tmp_path, overlap=1.0) as room:
        handed = meet(room, "ann", "bob", "cy")
        unit = handed["ann"].view.unit
        assert handed["bob"].view.unit == unit
        assert handed["cy"].view.unit != unit
        room.submit("ann", act(handed["ann"], "yes"))
        assert settled_answers(tmp_path, "gold") == {}
        room.submit("bob", act(handed["bob"], "no"))
        assert settled_answers(tmp_path, "gold") == {}
        third = room.next("cy", 1)[0]  # earliest first
        assert third.view.unit == unit
        room.submit("cy", act(third, "no"))
        found = settled_answers(tmp_path, "gold")[unit]
        assert (found.answer, found.how) == ("no", "majority")
        assert room.disagreements() == (0, [])


def test_three_different_answers_are_for_the_owner(tmp_path):
    with training_room(tmp_path, overlap=1.0, classes=("a", "b", "c")) as room:
        handed = meet(room, "ann", "bob", "cy")
        unit = handed["ann"].view.unit
        room.submit("ann", act(handed["ann"], "a"))
        room.submit("bob", act(handed["bob"], "b"))
        room.submit("cy", act(room.next("cy", 1)[0], "c"))
        n, page = room.disagreements()
        assert (n, page[0].view.unit) == (1, unit)
        assert {(vote.annotator, vote.answer) for vote in page[0].votes} == {("ann", "a"), ("bob", "b"), ("cy", "c")}
        room.adjudicate(unit, "b", owner="boss")
        assert room.disagreements() == (0, [])
        found = settled_answers(tmp_path, "training")[unit]
        assert (found.answer, found.how) == ("b", "owner")


def test_a_lone_annotator_is_not_held_up_by_second_opinions(tmp_path):
    with gold_room(tmp_path, overlap=1.0) as room:
        assert len(label(room, "ann", 12)) == 12
        assert room.meter().n_labels == 12
        room.submit("ann", act(room.next("ann", 1)[0], None, kind="unsure"))
        assert None in {found.answer for found in settled_answers(tmp_path, "gold").values()}


def test_two_who_disagree_with_nobody_else_there_leave_it_to_the_owner_until_a_third_comes(tmp_path):
    with gold_room(tmp_path, overlap=1.0) as room:
        handed = meet(room, "ann", "bob")
        unit = handed["ann"].view.unit
        room.submit("ann", act(handed["ann"], "yes"))
        room.submit("bob", act(handed["bob"], "no"))
        assert room.disagreements()[0] == 1
        assert "1 unit waits for the owner" in room.meter().sentence
        third = room.next("cy", 1)[0]
        assert third.view.unit == unit
        assert room.disagreements()[0] == 0


def test_a_skipped_unit_goes_to_another_and_when_all_skip_to_the_owner(tmp_path):
    with gold_room(tmp_path) as room:
        handed = meet(room, "ann", "bob")
        unit = handed["ann"].view.unit
        room.submit("ann", act(handed["ann"], None, kind="skip"))
        passed = room.next("bob", 1)[0]
        assert passed.view.unit == unit
        assert unit not in {each.view.unit for each in room.next("ann", 5)}
        room.submit("bob", act(passed, None, kind="skip"))
        n, page = room.disagreements()
        assert (n, page[0].view.unit, page[0].votes) == (1, unit, ())


def test_somebody_who_left_yesterday_is_not_waited_for(tmp_path):
    clock = Clock()
    with gold_room(tmp_path, clock, overlap=1.0) as room:
        handed = meet(room, "ann", "bob")
        room.submit("ann", act(handed["ann"], "yes"))
        assert room.meter().n_labels == 0
        clock.now += 86_401
        room.next("ann", 1)
        assert room.meter().n_labels == 1


def test_nobody_stands_idle_for_second_opinions_of_somebody_who_went_home(tmp_path):
    clock = Clock()
    with gold_room(tmp_path, clock, overlap=0.2, lease_seconds=600, gold=_open_gold()) as room:
        meet(room, "ann", "bob")
        held_up = label(room, "ann", 1000)
        assert len(held_up) <= MOST_WAITING
        clock.now += 601
        label(room, "ann", 1)
        assert len(label(room, "ann", 30)) == 30
        assert room.meter().n_labels > len(held_up)


def test_a_lease_that_ended_goes_to_another_and_the_late_answer_is_kept(tmp_path):
    clock = Clock()
    with gold_room(tmp_path, clock, lease_seconds=600) as room:
        handed = meet(room, "ann", "bob")
        unit = handed["ann"].view.unit
        clock.now += 601
        passed = room.next("bob", 1)[0]
        assert passed.view.unit == unit
        room.submit("bob", act(passed, truth(unit)))
        assert not room.submit("ann", act(handed["ann"], other(unit))).was_known
        assert settled_answers(tmp_path, "gold")[unit].answer == truth(unit)
        progress = {each.annotator: each for each in room.progress()}
        assert (progress["ann"].n_answers, progress["ann"].agreement.value) == (1, 0.0)


def test_a_restarted_room_gives_everybody_their_own_units_again(tmp_path):
    with gold_room(tmp_path) as room:
        before = {name: {each.view.unit for each in room.next(name, 3)} for name in ("ann", "bob")}
        room.meter()  # leases are on disk with the next thing that is waited for
    with gold_room(tmp_path) as room:
        assert {name: {each.view.unit for each in room.next(name, 3)} for name in ("ann", "bob")} == before


def test_twenty_people_at_once_get_every_unit_to_the_right_number_of_people(tmp_path):
    truths = dict(zip(UNITS, TRUTH, strict=True))
    with gold_room(tmp_path, overlap=0.3, gold=msgspec.structs.replace(_open_gold(), budget=150)) as room:
        failures = []

        def work(name):
            try:
                while handed := room.next(name, 2):
                    for each in handed:
                        room.submit(name, act(each, "yes" if truths[each.view.unit] else "no"))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(f"a{i}",)) for i in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        rows = list(room.rows())
        shared = {unit for unit, n in Counter(row.unit for row in rows).items() if n > 1}
    assert max(Counter((row.unit, row.annotator) for row in rows).values()) == 1
    assert max(Counter(row.unit for row in rows).values()) == 2  # all agree: nobody is asked a third time
    settled = settled_answers(tmp_path, "gold")
    assert len(settled) == 150
    assert {unit for unit, found in settled.items() if found.how == "agreed"} == shared
    assert 20 < len(shared) < 80
    assert all(found.answer == truth(unit) for unit, found in settled.items())


def _open_gold():
    return msgspec.structs.replace(GOLD, precision=0.75)


def test_export_then_import_gives_the_same_rows_and_the_same_answers(tmp_path):
    with training_room(tmp_path / "here", overlap=0.5, target=60) as room:
        meet(room, "ann", "bob", "cy")
        for n in range(60):
            for name in ("ann", "bob", "cy"):
                for handed in room.next(name, 1):
                    kind = "skip" if n % 11 == 0 else "unsure" if n % 7 == 0 else "label"
                    room.submit(name, act(handed, "abc"[(POSITION[handed.view.unit] + n % 2) % 3], kind=kind))
        room.undo("ann")
        rows = list(room.rows())
    with training_room(tmp_path / "there", overlap=0.5, target=60) as room:
        assert room.take_rows(iter(rows)).n_taken == len(rows)
        assert room.take_rows(iter(rows)).n_known == len(rows)
        again = list(room.rows())
    by_key = lambda row: (row.unit, row.annotator)  # noqa: E731
    assert sorted(again, key=by_key) == sorted(rows, key=by_key)
    assert [row.unit for row in again] == sorted(row.unit for row in again)  # those of one unit together


def test_faulty_rows_are_named_and_hold_the_good_ones_back_only_when_asked(tmp_path):
    rows = [
        AnswerRow(unit="u1", annotator="eve", answer="yes"),
        AnswerRow(unit="u1", annotator="eve", answer="no"),
        AnswerRow(unit="nobody", annotator="eve", answer="yes"),
        AnswerRow(unit="u2", annotator="eve", answer="perhaps"),
        AnswerRow(unit="u3", annotator="eve", answer="yes", purpose="training"),
        AnswerRow(unit="u1", annotator="eve", answer="yes"),
    ]
    with gold_room(tmp_path) as room:
        assert room.take_rows(rows[1:4], all_or_nothing=True).n_taken == 0
        assert list(room.rows()) == []
        taken = room.take_rows(rows)
        assert (taken.n_taken, taken.n_known, taken.n_refused) == (1, 1, 4)
        assert [fault.code for fault in taken.faults] == [
            "label.answered-already", "label.unknown-unit", "label.unknown-class", "label.other-purpose",
        ]  # fmt: skip
        assert [fault.where.split(",")[0] for fault in taken.faults] == ["row 2", "row 3", "row 4", "row 5"]


@pytest.mark.parametrize("seed", range(2))
def test_whatever_people_do_a_reopened_room_stands_where_it_stood(tmp_path, seed):
    rng = np.random.default_rng(seed)
    clock = Clock()
    checks = {unit: truth(unit) for unit in UNITS[::40]}
    gold = msgspec.structs.replace(GOLD, precision=0.76)

    def opened():
        return gold_room(tmp_path, clock, overlap=0.3, checks=checks, check_share=0.1, gold=gold, lease_seconds=300)

    def stands(room):
        process = room._campaign.chooser.certification
        said = {each.annotator: (each.n_answers, each.n_skipped, each.agreement) for each in room.progress()}
        draws = [(draw.unit, draw.draw, draw.after) for draw in room._campaign.tally.draws]
        return process.verdict, process.n_labeled, process.e_values, said, draws, sorted(room._campaign.for_owner)

    room = opened()
    for step in range(150):
        who = f"a{rng.integers(3)}"
        what = rng.random()
        if what < 0.75:
            for handed in room.next(who, int(rng.integers(1, 3))):
                unit = handed.view.unit
                kind = str(rng.choice(["label", "unsure", "skip"], p=[0.9, 0.05, 0.05]))
                room.submit(who, act(handed, truth(unit) if rng.random() < 0.85 else other(unit), kind=kind))
        elif what < 0.88:
            room.undo(who)
        elif what < 0.95 and room._campaign.tally.draws:
            unit = rng.choice([draw.unit for draw in room._campaign.tally.draws])
            room.adjudicate(str(unit), str(rng.choice(["yes", "no"])), owner="boss")
        else:
            clock.now += float(rng.integers(1, 400))
        if step % 15 == 0:
            before = stands(room)
            process = gold_certification(tmp_path, gold, UNITS, "yes")
            assert (process.verdict, process.n_labeled, process.e_values) == before[:3]
            room.close()
            room = opened()
            assert stands(room) == before
    room.close()
    settled = settled_answers(tmp_path, "gold")
    assert len(settled) > 20


def test_the_digest_changes_exactly_with_the_settled_answers(tmp_path):
    with gold_room(tmp_path) as room:
        digests = [answers_digest(tmp_path, "gold")]
        handed = room.next("ann", 2)
        digests.append(answers_digest(tmp_path, "gold"))
        room.submit("ann", act(handed[0], "yes"))
        digests.append(answers_digest(tmp_path, "gold"))
        room.adjudicate(handed[0].view.unit, "yes", owner="boss")
        digests.append(answers_digest(tmp_path, "gold"))
        room.adjudicate(handed[0].view.unit, "no", owner="boss")
        digests.append(answers_digest(tmp_path, "gold"))
        room.undo("ann")  # the owner's word stands
        digests.append(answers_digest(tmp_path, "gold"))
    same = [a == b for a, b in itertools.pairwise(digests)]
    assert same == [True, False, True, False, True]


def test_progress_counts_agreement_and_checks_with_intervals(tmp_path):
    checks = {unit: truth(unit) for unit in UNITS[:200]}
    with gold_room(tmp_path, overlap=1.0, checks=checks, check_share=0.3) as room:
        meet(room, "ann", "bob", "cy")
        for _ in range(15):
            for name in ("ann", "bob"):
                for handed in room.next(name, 1):
                    room.submit(name, msgspec.structs.replace(act(handed, truth(handed.view.unit)), seconds=2.0))
        before = room.progress()
    with gold_room(tmp_path, overlap=1.0, checks=checks, check_share=0.3) as room:
        assert room.progress() == before
    ann = before[0]
    assert (ann.annotator, ann.n_answers, ann.seconds) == ("ann", 15, 2.0)
    assert (ann.checks.value, ann.agreement.value) == (1.0, 1.0)
    assert ann.checks.low < 1.0


def test_hidden_checks_look_like_any_unit(tmp_path):
    checks = {unit: truth(unit) for unit in UNITS[:50]}
    with gold_room(tmp_path, checks=checks, check_share=0.5) as room:
        handed = room.next("ann", 20)
    is_check = [each.view.unit in checks for each in handed]
    assert 0 < sum(is_check) < 20
    assert len({each.why for each in handed}) == 1
    assert len({len(each.assignment) for each in handed}) == 1


def test_guidelines_are_replaced_and_what_they_were_is_kept(tmp_path):
    with gold_room(tmp_path) as room:
        assert room.guidelines() == ""
        room.write_guidelines("# First\n")
        room.write_guidelines("# Second\n")
        assert room.guidelines() == "# Second\n"
    assert sorted(path.read_text() for path in tmp_path.glob("guidelines*.md")) == ["# First\n", "# Second\n"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"classes": ("yes", "yes")}, "label.bad-plan"),
        ({"overlap": 1.5}, "label.bad-plan"),
        ({"positive": "maybe"}, "label.bad-plan"),
        ({"lease_seconds": 0}, "label.bad-plan"),
        ({"purpose": "training"}, "label.bad-plan"),
        ({"checks": {"nobody": "yes"}}, "label.unknown-unit"),
        ({"checks": {"u1": "perhaps"}}, "label.unknown-class"),
    ],
)
def test_a_plan_that_does_not_hold_together_is_refused_by_name(tmp_path, changes, code):
    assert refused(lambda: gold_room(tmp_path, **changes)) == code


def test_a_campaign_is_open_once(tmp_path):
    with gold_room(tmp_path), training_room(tmp_path):
        assert refused(lambda: gold_room(tmp_path), EnvironmentFault) == "label.room-open-elsewhere"
    gold_room(tmp_path).close()


def test_nothing_labeled_yet_is_nothing_settled(tmp_path):
    assert settled_answers(tmp_path, "gold") == {}
    assert answers_digest(tmp_path, "gold") == answers_digest(tmp_path, "training")
