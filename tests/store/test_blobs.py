from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow as pa
import pytest

from martello.errors import EnvironmentFault, IntegrityError
from martello.records import Gate, record_id
from martello.stats.estimate import Verdict
from martello.store import Store
from martello.store import blobs as blobs_module
from martello.store.blobs import write_atomically


def blob_file(root: Path) -> Path:
    (found,) = [path for path in (root / "blobs").rglob("*") if path.is_file()]
    return found


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.get_bytes(store.put_bytes(b"martello", "json")) == b"martello"


def test_equal_tables_are_one_blob(tmp_path: Path) -> None:
    store = Store(tmp_path)
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    first, second = store.put_table(table), store.put_table(pa.table({"a": [1, 2], "b": ["x", None]}))
    assert first == second
    assert store.get_table(first).equals(table)


def test_a_changed_blob_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ref = store.put_bytes(b"martello", "json")
    blob_file(tmp_path).write_bytes(b"MARTELLO")
    with pytest.raises(IntegrityError) as caught:
        store.get_bytes(ref)
    assert caught.value.code == "store.changed-blob"


def test_a_missing_blob_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ref = store.put_bytes(b"martello", "json")
    blob_file(tmp_path).unlink()
    with pytest.raises(IntegrityError) as caught:
        store.get_bytes(ref)
    assert caught.value.code == "store.missing-blob"


def test_a_changed_record_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    gate = Gate(parents=(), conditions=(), verdict=Verdict.NOT_MET)
    id = store.put_record(gate)
    path = tmp_path / "records" / f"{id}.json"
    path.write_text(path.read_text().replace("not met", "met"))
    with pytest.raises(IntegrityError) as caught:
        store.get_record(id)
    assert caught.value.code == "store.changed-record"


def test_a_record_knows_nothing_of_who_and_when(tmp_path: Path) -> None:
    gate = Gate(parents=("evaluation-1",), conditions=(), verdict=Verdict.MET)
    assert Store(tmp_path / "a").put_record(gate) == Store(tmp_path / "b").put_record(gate) == record_id(gate)


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.html"
    write_atomically(target, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(blobs_module.os, "fsync", full)
    with pytest.raises(EnvironmentFault) as caught:
        write_atomically(target, b"new")
    assert caught.value.code == "store.disk-full"
    assert caught.value.exit_code == 3
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
