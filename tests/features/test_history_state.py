"""The online state: events taken once, forgotten in time, named when they cannot be taken."""

from __future__ import annotations

import sqlite3

import pytest

from martello.errors import DataError, EnvironmentFault, IntegrityError
from martello.features.history import History, HistoryFeature, Source, State, declare_history

SECOND = 1_000_000
COLUMNS = {"id": "category", "user": "category", "at": "time", "size": "number"}
SOURCE = Source(table="opens", id="id", key=("user",), time="at", known_at="at", columns=COLUMNS)


def history(window: str = "100s", **more) -> History:
    features = {
        "n": HistoryFeature(source="opens", agg="count", window=window, **more),
        "total": HistoryFeature(source="opens", agg="sum", value="size", window=window),
    }
    return declare_history({"opens": SOURCE}, features)


def event(id_: object, second: float, user: object = "ann", **more) -> dict:
    return {"id": id_, "user": user, "at": int(second * SECOND), "size": 1.0, **more}


@pytest.fixture
def state():
    with State(":memory:", history()) as found:
        yield found


def count(state: State, second: float, user: object = "ann"):
    return state.read({"user": user}, int(second * SECOND))["n"]


def test_an_event_counts_strictly_after_it_became_known_and_until_the_window_is_over(state):
    state.put("opens", [event("a", 50)])
    assert [count(state, second) for second in (50, 50.000001, 150, 150.000001)] == [0, 1, 1, 0]


def test_the_same_event_counts_once_however_often_it_is_sent(state):
    assert state.put("opens", [event("a", 50), event("a", 50)]).duplicates == 1
    taken = state.put("opens", [event("a", 50), event("b", 51)])
    assert (taken.accepted, taken.duplicates, taken.faults) == (1, 1, ())
    assert count(state, 60) == 2


def test_the_same_id_with_other_content_is_a_named_fault_and_the_first_stands(state):
    state.put("opens", [event("a", 50)])
    (fault,) = state.put("opens", [event("a", 50, size=9.0)]).faults
    assert fault.code == "features.event-changed"
    assert state.read({"user": "ann"}, 60 * SECOND)["total"] == 1.0


def test_a_late_event_counts_from_then_on_and_is_counted_as_late(state):
    state.put("opens", [event("a", 90)])
    assert count(state, 95) == 1
    assert state.put("opens", [event("b", 80)]).late == 1
    assert count(state, 95) == 2


def test_an_event_older_than_every_window_is_named_and_the_rest_is_taken(state):
    taken = state.put("opens", [event("a", 1000), event("old", 599), event("b", 600)])
    assert (taken.accepted, taken.late, [fault.code for fault in taken.faults]) == (2, 1, ["features.event-too-old"])
    assert "event old" in taken.faults[0].where


def test_an_event_from_the_future_does_not_make_the_state_forget(state):
    state.put("opens", [event("a", 50)])
    taken = state.put("opens", [event("b", 10_000), event("c", 55)], now=60 * SECOND)
    assert (taken.accepted, [fault.code for fault in taken.faults]) == (1, ["features.event-too-new"])
    assert count(state, 60) == 2


def test_a_sender_whose_clock_is_ahead_does_not_make_the_present_too_early(state):
    state.put("opens", [event("a", 950)], now=1000 * SECOND)
    state.put("opens", [event("ahead", 1299)], now=1000 * SECOND)
    assert count(state, 1000) == 1


def test_a_state_that_does_not_forget_answers_for_every_moment():
    with State(":memory:", history(), forgets=False) as state:
        state.put("opens", [event("a", 50), event("b", 10_000_000)])
        assert [count(state, 60), count(state, 10_000_001)] == [1, 1]


def test_a_state_knows_its_newest_event_and_whether_there_was_one(state):
    assert state.newest is None
    state.put("opens", [event("a", 50), event("b", 40)])
    assert state.newest == 50 * SECOND


@pytest.mark.parametrize("missing", ["id", "user", "at"])
def test_an_event_without_id_key_or_time_is_named(state, missing):
    taken = state.put("opens", [{**event("a", 1), missing: None}, event("b", 1)])
    assert (taken.accepted, [fault.code for fault in taken.faults]) == (1, ["features.event-incomplete"])
    assert missing in taken.faults[0].what


def test_values_are_read_by_the_rules_of_requests(state):
    taken = state.put("opens", [event("a", 1, size="much"), event("b", 1, size=float("inf")), event(7, 1, more="x")])
    assert [fault.code for fault in taken.faults] == ["features.wrong-type", "features.not-finite"]
    assert taken.accepted == 1
    assert state.put("opens", [{**event("7", 1), "at": "1970-01-01T00:00:01Z"}]).duplicates == 1


def test_who_is_not_known_has_no_history_and_who_did_nothing_has_an_empty_one(state):
    assert state.read({"user": None}, SECOND) == state.read({}, SECOND) == {"n": None, "total": None}
    assert state.read({"user": "nobody"}, SECOND) == {"n": 0, "total": None}


def test_what_is_forgotten_is_not_answered_wrongly(state):
    state.put("opens", [event("a", 50)])
    state.put("opens", [event("b", 500)])
    with pytest.raises(DataError) as caught:
        count(state, 60)
    assert caught.value.code == "features.read-too-early"
    assert count(state, 500.1) == 1


def test_what_no_window_holds_any_more_is_deleted(tmp_path):
    path = tmp_path / "state.sqlite"
    with State(path, history()) as state:
        for second in range(0, 2000, 10):
            state.put("opens", [event(str(second), second)])
    connection = sqlite3.connect(path)
    # The window and five minutes, in steps of ten seconds, and what piles up between two cuts.
    assert 40 <= connection.execute("select count(*) from g0").fetchone()[0] <= 44
    assert 40 <= connection.execute("select count(*) from seen0").fetchone()[0] <= 44
    connection.close()


def test_events_survive_the_process(tmp_path):
    path = tmp_path / "state.sqlite"
    with State(path, history()) as state:
        state.put("opens", [event("a", 50)])
    with State(path, history()) as state:
        assert state.put("opens", [event("a", 50)]).duplicates == 1
        assert count(state, 60) == 1


def test_a_second_process_reads_while_one_writes(tmp_path):
    with State(tmp_path / "s.sqlite", history()) as writer, State(tmp_path / "s.sqlite", history()) as reader:
        for number in range(5):
            writer.put("opens", [event(str(number), 50 + number)])
            assert count(reader, 90) == number + 1


def test_a_state_of_other_declarations_is_refused(tmp_path):
    path = tmp_path / "state.sqlite"
    State(path, history()).close()
    with pytest.raises(IntegrityError) as caught:
        State(path, history("200s"))
    assert caught.value.code == "features.state-differs"


def test_a_file_that_is_no_state_is_refused(tmp_path):
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"not a database, and long enough to be looked at as one" * 40)
    with pytest.raises(IntegrityError) as caught:
        State(path, history())
    assert caught.value.code == "features.state-differs"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(EnvironmentFault) as caught:
        State(tmp_path / "no" / "such" / "directory.sqlite", history())
    assert caught.value.code == "features.state-unavailable"


def test_a_delivery_that_fails_halfway_is_not_taken_at_all(tmp_path):
    path = tmp_path / "state.sqlite"

    def breaking():
        yield event("a", 50)
        raise RuntimeError("the sender went away")

    with State(path, history()) as state:
        with pytest.raises(RuntimeError, match="went away"):
            state.put("opens", breaking())
        assert count(state, 60) == 0
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("drop table g0")
        other.close()
        with pytest.raises(EnvironmentFault) as caught:
            state.put("opens", [event("a", 50)])
        assert caught.value.code == "features.state-unavailable"


def test_names_of_sources_and_columns_are_data():
    odd = "o'pens\"; drop table clock"
    source = Source(
        table="t", id='i"d', key=("us'er",), time="at", known_at="at",
        columns={'i"d': "integer", "us'er": "category", "at": "time", "va\"l'ue": "number"},
    )  # fmt: skip
    features = {"f'": HistoryFeature(source=odd, agg="last", value="va\"l'ue", window="1h")}
    with State(":memory:", declare_history({odd: source}, features)) as state:
        assert state.put(odd, [{'i"d': 1, "us'er": "x", "at": 5, "va\"l'ue": 2.0}]).accepted == 1
        assert state.read({"us'er": "x"}, 6) == {"f'": 2.0}


def test_keys_of_whole_numbers_and_of_text_are_different_keys():
    source = Source(
        table="t",
        id="id",
        key=("k",),
        time="at",
        known_at="at",
        columns={"id": "integer", "k": "integer", "at": "time"},
    )
    declared = declare_history({"s": source}, {"n": HistoryFeature(source="s", agg="count", window="1h")})
    with State(":memory:", declared) as state:
        state.put("s", [{"id": 2**62, "k": 2**53 + 1, "at": 5}])
        assert [state.read({"k": key}, 6)["n"] for key in (2**53 + 1, 2**53, str(2**53 + 1))] == [1, 0, 0]
