from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path

import pytest

from martello.errors import EnvironmentFault, IntegrityError
from martello.label.book import FILE_NAME, AnswerBook, Lease, entries_on_disk
from martello.label.entries import Act, Withdrawal

TESTS = Path(__file__).resolve().parents[1]


def act(n, annotator="ann", **changes):
    fields = {
        "submit_id": f"s{n}", "unit": f"u{n}", "annotator": annotator, "act": "label", "answer": "yes",
        "author": "person", "seconds": 1.5, "at": "2026-11-24T10:00:00+00:00",
    }  # fmt: skip
    return Act(**{**fields, **changes})


def refused(do, kind):
    with pytest.raises(kind) as caught:
        do()
    return caught.value.code


def on_disk(directory, campaign="gold"):
    return list(entries_on_disk(directory / FILE_NAME, campaign))


def test_what_was_waited_for_is_on_disk_in_its_order(tmp_path):
    book = AnswerBook(tmp_path, "gold")
    tickets = [book.add([act(n)]) for n in range(50)]
    tickets[-1].wait()
    assert all(ticket.is_done for ticket in tickets)
    assert on_disk(tmp_path) == [act(n) for n in range(50)]
    book.close()


def test_two_campaigns_share_the_file_and_nothing_else(tmp_path):
    gold, training = AnswerBook(tmp_path, "gold"), AnswerBook(tmp_path, "training")
    for n in range(20):
        gold.add([act(n)])
        training.add([act(n, answer="no")]).wait()
    gold.close()
    training.close()
    assert {entry.answer for entry in on_disk(tmp_path, "gold")} == {"yes"}
    assert {entry.answer for entry in on_disk(tmp_path, "training")} == {"no"}


def test_a_withdrawn_act_stays_in_the_book_and_stands_no_more(tmp_path):
    book = AnswerBook(tmp_path, "gold")
    book.add([act(1), act(2)])
    book.add([Withdrawal(submit_id="s1", unit="u1", annotator="ann", at="now")]).wait()
    assert [found.submit_id for found in book.acts_of("ann", offset=0, limit=9)] == ["s2"]
    assert [found.submit_id for found in book.standing_acts()] == ["s2"]
    assert book.act("s1") == act(1)
    book.add([act(1, submit_id="s3")]).wait()  # and the unit can be answered anew
    assert len(on_disk(tmp_path)) == 4
    book.close()


def test_leases_are_kept_until_they_end(tmp_path):
    book = AnswerBook(tmp_path, "gold")
    leases = [
        Lease(assignment=f"a{n}", annotator="ann", unit=f"u{n}", until=5.0, why="w", is_check=n == 1) for n in range(3)
    ]
    book.add(leases=leases)
    book.add(ended=["a0"]).wait()
    assert book.leases() == leases[1:]
    book.close()


def test_one_process_at_a_time_writes_a_campaign_and_others_may_read(tmp_path):
    book = AnswerBook(tmp_path, "gold")
    book.add([act(1)]).wait()
    assert refused(lambda: AnswerBook(tmp_path, "gold"), EnvironmentFault) == "label.room-open-elsewhere"
    assert on_disk(tmp_path) == [act(1)]
    book.close()
    AnswerBook(tmp_path, "gold").close()


def test_many_threads_write_and_each_act_is_there_once(tmp_path):
    book = AnswerBook(tmp_path, "gold")
    adding = threading.Lock()

    def write(who):
        for n in range(50):
            with adding:
                ticket = book.add([act(f"{who}-{n}", annotator=who)])
            ticket.wait()

    threads = [threading.Thread(target=write, args=(f"a{i}",)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book.close()
    assert Counter(entry.submit_id for entry in on_disk(tmp_path)) == {
        f"sa{i}-{n}": 1 for i in range(20) for n in range(50)
    }


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE entries SET body = replace(body, 'yes', 'no!') WHERE seq = 3",
        "UPDATE entries SET unit = 'u99' WHERE seq = 3",
        "UPDATE entries SET link = x'00' WHERE seq = 3",
        "DELETE FROM entries WHERE seq = 3",
        "DELETE FROM entries WHERE seq = 10",
        "UPDATE entries SET seq = 100 WHERE seq = 3",
        "UPDATE heads SET n = 9",
        "UPDATE entries SET stands = 0 WHERE seq = 3",
    ],
)
def test_a_changed_book_is_refused_by_name(tmp_path, tampering):
    book = AnswerBook(tmp_path, "gold")
    book.add([act(n) for n in range(10)]).wait()
    book.close()
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute(tampering)
    connection.commit()
    connection.close()
    assert refused(lambda: on_disk(tmp_path), IntegrityError) == "label.book-damaged"


def test_a_file_that_is_no_book_is_refused_by_name(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"these are not the answers you are looking for " * 100)
    assert refused(lambda: AnswerBook(tmp_path, "gold"), IntegrityError) == "label.book-damaged"
    assert refused(lambda: on_disk(tmp_path), IntegrityError) == "label.book-damaged"


def test_garbled_pages_are_refused_by_name(tmp_path):
    book = AnswerBook(tmp_path, "gold")
    book.add([act(n) for n in range(500)]).wait()
    book.close()
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = os.urandom(len(content) - len(content) // 2)
    path.write_bytes(content)
    assert refused(lambda: on_disk(tmp_path), IntegrityError) == "label.book-damaged"


def test_a_book_of_another_version_is_refused_by_name(tmp_path):
    AnswerBook(tmp_path, "gold").close()
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert refused(lambda: AnswerBook(tmp_path, "gold"), IntegrityError) == "label.book-version"


SUBMITS = """
    import os, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    import threading
    from label.room_world import act, gold_room, truth
    room = gold_room(Path(sys.argv[1]))
    def work(name):
        while handed := room.next(name, 1):
            sent = act(handed[0], truth(handed[0].view.unit), submit_id=f"{name}-{handed[0].view.unit}")
            room.submit(name, sent)
            os.write(1, sent.submit_id.encode() + b"\\n")  # only now does anybody rely on it
    threads = [threading.Thread(target=work, args=(f"a{i}",)) for i in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""


def test_a_process_killed_while_people_submit_keeps_every_acknowledged_act_once(tmp_path):
    code = [sys.executable, "-c", textwrap.dedent(SUBMITS), str(tmp_path), str(TESTS)]
    for enough in (20, 60):  # killed, started again on the same book, and killed again
        process = subprocess.Popen(code, stdout=subprocess.PIPE, text=True)
        acknowledged = [process.stdout.readline().strip() for _ in range(enough)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        kept = Counter(entry.submit_id for entry in on_disk(tmp_path) if isinstance(entry, Act))
        assert set(kept.values()) == {1}
        assert set(acknowledged) <= set(kept)
        assert len(kept) >= enough


FILLS = """
    import json, resource, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from label.room_world import act, gold_room, truth
    from martello.errors import EnvironmentFault
    room = gold_room(Path(sys.argv[1]))
    size = sum(f.stat().st_size for f in Path(sys.argv[1]).iterdir() if "sqlite" in f.name)
    good, codes = [], []
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 60_000, resource.RLIM_INFINITY))
    while len(codes) < 3:
        try:
            handed = room.next("ann", 1)
            sent = act(handed[0], truth(handed[0].view.unit))
            room.submit("ann", sent)
            good.append([sent.submit_id, sent.unit])
        except EnvironmentFault as fault:
            codes.append(fault.code)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for _ in range(3):  # there is room again: it goes on by itself
        handed = room.next("ann", 1)
        sent = act(handed[0], truth(handed[0].view.unit))
        room.submit("ann", sent)
        good.append([sent.submit_id, sent.unit])
    print(json.dumps([good, codes]))
    room.close()
"""


def test_a_full_disk_is_named_and_loses_nothing_that_was_acknowledged(tmp_path):
    code = [sys.executable, "-c", textwrap.dedent(FILLS), str(tmp_path), str(TESTS)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=120, check=True)
    good, codes = json.loads(done.stdout)
    assert set(codes) == {"label.book-not-writable"}
    assert len(good) > 3
    kept = [(entry.submit_id, entry.unit) for entry in on_disk(tmp_path) if isinstance(entry, Act)]
    assert kept == [tuple(each) for each in good]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
