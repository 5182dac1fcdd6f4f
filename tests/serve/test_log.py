from __future__ import annotations

import errno
import os
import shutil
import threading
from datetime import UTC, datetime

import pytest
from running_server import ids_on_disk, lines_on_disk

from martello.errors import EnvironmentFault
from martello.serve.entries import Decision, encode_line
from martello.serve.log import LogWriter


def decision(number, note="a"):
    return Decision(
        id=f"0123456789ab-{number:x}",
        unit=f"u{number}",
        at=number,
        release="release-1",
        values={"note": note},
        scores=(0.25, 0.75),
        output="yes",
    )


class Settled:
    """Collects what the writer says, and waits for it."""

    def __init__(self):
        self.troubles = {}
        self._changed = threading.Condition()

    def __call__(self, tickets, trouble):
        with self._changed:
            self.troubles |= dict.fromkeys(tickets, trouble)
            self._changed.notify_all()

    def wait_for(self, *tickets):
        with self._changed:
            assert self._changed.wait_for(lambda: self.troubles.keys() >= set(tickets), timeout=20)
        return [self.troubles[ticket] for ticket in tickets]


@pytest.fixture
def settled():
    return Settled()


@pytest.fixture
def make_writer(tmp_path, settled):
    made = []

    def make(**limits):
        writer = LogWriter(tmp_path / "log", releases={"release-1": ("no", "yes")}, settle=settled, **limits)
        made.append(writer)
        return writer

    yield make
    for writer in made:
        writer.close()


def test_what_is_settled_is_on_disk(make_writer, settled):
    writer = make_writer()
    for number in range(100):
        writer.append(encode_line(decision(number)), number)
    assert settled.wait_for(*range(100)) == [None] * 100
    assert ids_on_disk(writer.directory, "decision") == [decision(number).id for number in range(100)]


def test_every_file_says_who_wrote_it_and_what_the_scores_mean(make_writer):
    writer = make_writer()
    (head,) = lines_on_disk(writer.directory)
    assert head["type"] == "segment"
    assert head["session"] == writer.session
    assert head["releases"] == {"release-1": ["no", "yes"]}
    assert abs(head["opened_at"] / 1e6 - datetime.now(UTC).timestamp()) < 60


def test_only_the_owner_may_read_the_log(make_writer):
    (path,) = make_writer().directory.glob("*.log")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_makes_room_for_the_next_without_losing_a_line(make_writer, settled):
    writer = make_writer(max_segment=2000)
    for number in range(50):
        writer.append(encode_line(decision(number)), number)
        settled.wait_for(number)
    files = list(writer.directory.glob("*.log"))
    assert len(files) > 3
    assert all(path.stat().st_size <= 2000 for path in files)
    assert ids_on_disk(writer.directory, "decision") == [decision(number).id for number in range(50)]
    assert sum(entry["type"] == "segment" for entry in lines_on_disk(writer.directory)) == len(files)


def test_closing_commits_what_was_queued(make_writer, settled):
    writer = make_writer()
    for number in range(1000):
        writer.append(encode_line(decision(number)), number)
    writer.close()
    assert settled.troubles == dict.fromkeys(range(1000))
    assert len(ids_on_disk(writer.directory, "decision")) == 1000
    writer._thread = threading.Thread()  # the fixture closes again
    writer._thread.start()


def test_lines_are_refused_when_the_disk_is_behind(make_writer, settled, monkeypatch):
    may_go_on = threading.Event()
    writer = make_writer(max_waiting=1000)
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (may_go_on.wait(20), real(fd)))
    n_taken = 1000 // len(encode_line(decision(1)))
    for number in range(n_taken):
        writer.append(encode_line(decision(number)), number)
    with pytest.raises(EnvironmentFault) as refused:
        writer.append(encode_line(decision(n_taken)), n_taken)
    assert refused.value.code == "serve.log-behind"
    may_go_on.set()
    settled.wait_for(*range(n_taken))
    writer.append(encode_line(decision(n_taken)), n_taken)
    assert settled.wait_for(n_taken) == [None]


def failing_once(call, error):
    """Wrap a system call so that it fails the first time, after half the work where that is possible."""
    left = [error]

    def wrapped(*arguments):
        if left:
            if call is os.write:
                call(arguments[0], arguments[1][: len(arguments[1]) // 2])
            raise OSError(left.pop(), "made for this test")
        return call(*arguments)

    return wrapped


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_failed_commit_leaves_nothing_behind_and_the_next_goes_on(make_writer, settled, monkeypatch, call):
    writer = make_writer()
    writer.append(encode_line(decision(1)), 1)
    settled.wait_for(1)
    monkeypatch.setattr(os, call, failing_once(getattr(os, call), errno.ENOSPC))
    writer.append(encode_line(decision(2)), 2)
    (trouble,) = settled.wait_for(2)
    assert trouble.errno == errno.ENOSPC
    assert ids_on_disk(writer.directory, "decision") == [decision(1).id]
    assert all(path.read_bytes().endswith(b"\n") for path in writer.directory.glob("*.log"))
    writer.append(encode_line(decision(3)), 3)
    assert settled.wait_for(3) == [None]
    assert ids_on_disk(writer.directory, "decision") == [decision(1).id, decision(3).id]
    assert writer.trouble is None


def test_a_disk_that_stays_full_is_not_littered(make_writer, settled, monkeypatch):
    writer = make_writer()

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for number in range(20):
            writer.append(encode_line(decision(number)), number)
            settled.wait_for(number)
        assert not writer.has_room()
    assert len(list(writer.directory.iterdir())) == 1
    assert writer.has_room()
    assert len(list(writer.directory.iterdir())) == 1


def test_a_removed_directory_is_noticed_and_made_again(make_writer, settled):
    writer = make_writer()
    writer.append(encode_line(decision(1)), 1)
    settled.wait_for(1)
    shutil.rmtree(writer.directory)
    writer.append(encode_line(decision(2)), 2)
    (trouble,) = settled.wait_for(2)
    assert isinstance(trouble, FileNotFoundError)
    assert writer.has_room()
    writer.append(encode_line(decision(3)), 3)
    assert settled.wait_for(3) == [None]
    assert ids_on_disk(writer.directory, "decision") == [decision(3).id]


def test_a_directory_that_cannot_be_written_is_named(tmp_path, settled):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault) as refused:
        LogWriter(tmp_path / "file" / "log", releases={}, settle=settled)
    assert refused.value.code == "serve.log-not-writable"
    assert refused.value.where == str(tmp_path / "file" / "log")
