from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martello.errors import DataError, EnvironmentFault, IntegrityError, MartelloError
from martello.ship.release import MANIFEST, open_release, seal, write_release

FILES = {"model-trees.txt": b"tree\n", "spec.toml": b"[task]\n", "MODEL_CARD.md": b"# Card\n", "empty.json": b""}


@pytest.fixture
def release(tmp_path) -> Path:
    write_release(tmp_path / "release", FILES)
    return tmp_path / "release"


def refusal(directory: Path, **expected) -> IntegrityError:
    with pytest.raises(IntegrityError) as caught:
        open_release(directory, **expected)
    return caught.value


def test_what_is_written_is_read_back(release):
    assert open_release(release) == FILES


def test_the_manifest_holds_size_and_hash_of_every_file(release):
    manifest = json.loads((release / MANIFEST).read_bytes())
    expected = {name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for name, data in FILES.items()}
    assert manifest == {"format": "martello-release/1", "files": expected}


def test_the_digest_is_the_hash_of_the_manifest_on_disk(release):
    digest = hashlib.sha256((release / MANIFEST).read_bytes()).hexdigest()
    assert seal(FILES).digest == digest
    assert open_release(release, digest=digest) == FILES


def test_equal_files_give_equal_bytes_in_any_order(tmp_path):
    write_release(tmp_path / "a", FILES)
    write_release(tmp_path / "b", dict(reversed(FILES.items())))
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()


def test_an_equal_release_is_left_as_it_is(release):
    before = {path.name: path.stat().st_mtime_ns for path in release.iterdir()}
    write_release(release, FILES)
    assert {path.name: path.stat().st_mtime_ns for path in release.iterdir()} == before


def test_a_different_release_under_the_same_name_is_refused_and_nothing_changes(release):
    with pytest.raises(DataError, match=r"ship\.name-taken"):
        write_release(release, {**FILES, "spec.toml": b"other"})
    assert open_release(release) == FILES


def test_a_broken_release_under_the_same_name_is_not_taken_for_equal(release):
    (release / "spec.toml").unlink()
    with pytest.raises(IntegrityError, match=r"ship\.missing-file"):
        write_release(release, FILES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_changed_byte_is_found_and_its_file_named(release, name):
    data = FILES[name] or b"x"
    (release / name).write_bytes(bytes([data[0] ^ 1]) + data[1:])
    fault = refusal(release)
    assert fault.code == "ship.tampered"
    assert name in fault.what


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(release, name):
    (release / name).unlink()
    fault = refusal(release)
    assert (fault.code, name in fault.what) == ("ship.missing-file", True)


@pytest.mark.parametrize("name", ["extra.json", "model.pkl", ".hidden", "model.so"])
def test_an_extra_file_is_refused_even_where_its_format_is_known(release, name):
    (release / name).write_bytes(b"")
    fault = refusal(release)
    assert (fault.code, name in fault.what) == ("ship.unexpected-file", True)


def test_an_extra_folder_is_refused(release):
    (release / "more").mkdir()
    assert refusal(release).code == "ship.unexpected-file"


def test_a_link_is_refused_even_to_equal_bytes(release, tmp_path):
    (tmp_path / "elsewhere").write_bytes(FILES["spec.toml"])
    (release / "spec.toml").unlink()
    (release / "spec.toml").symlink_to(tmp_path / "elsewhere")
    assert refusal(release).code == "ship.not-a-file"


def test_a_dangling_link_is_refused(release):
    (release / "spec.toml").unlink()
    (release / "spec.toml").symlink_to("nowhere")
    assert refusal(release).code == "ship.not-a-file"


def rewrite(release: Path, **changes) -> None:
    manifest = json.loads((release / MANIFEST).read_bytes())
    (release / MANIFEST).write_text(json.dumps({**manifest, **changes}))


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/etc/passwd.txt", "a/b.txt", "..", "c:\\x.txt", "x\n.txt", MANIFEST, ""]
)
def test_a_name_in_the_manifest_cannot_point_out_of_the_directory(release, name):
    rewrite(release, files={name: {"sha256": "0" * 64, "size": 0}})
    assert refusal(release).code == "ship.bad-file-name"


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.npy", "code.py", "lib.so", "noext"])
def test_a_format_that_could_run_code_is_refused_by_reader_and_writer(release, tmp_path, name):
    rewrite(release, files={name: {"sha256": "0" * 64, "size": 0}})
    assert refusal(release).code == "ship.unknown-format"
    with pytest.raises(IntegrityError, match=r"ship\.unknown-format"):
        write_release(tmp_path / "new", {name: b""})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": "martello-release/1"}', b'{"format": 1, "files": {}}', b"\xff"]
)
def test_a_manifest_that_cannot_be_read_is_refused(release, content):
    (release / MANIFEST).write_bytes(content)
    assert refusal(release).code == "ship.bad-manifest"


def test_a_manifest_of_another_format_is_refused(release):
    rewrite(release, format="martello-release/2")
    assert refusal(release).code == "ship.bad-manifest"


def test_a_manifest_that_was_changed_with_its_file_is_found_by_the_known_digest(release):
    digest = seal(FILES).digest
    (release / "spec.toml").write_bytes(b"forged")
    (release / MANIFEST).write_bytes(seal({**FILES, "spec.toml": b"forged"}).encode())
    assert open_release(release)["spec.toml"] == b"forged"  # what a manifest alone cannot show
    assert refusal(release, digest=digest).code == "ship.tampered"


def test_a_directory_without_manifest_and_no_directory_are_told_apart(tmp_path):
    assert refusal(tmp_path).code == "ship.missing-file"
    assert refusal(tmp_path / "nowhere").code == "ship.no-release"


def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match="No space left on device"):
        write_release(tmp_path / "release", FILES)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_release(tmp_path / "release", FILES)
    assert list(tmp_path.iterdir()) == []


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}\.(json|txt|npz|md|toml|parquet)", fullmatch=True)


@settings(max_examples=30, deadline=None)
@given(files=st.dictionaries(names.filter(lambda name: name != MANIFEST), st.binary(max_size=200), max_size=5))
def test_any_files_survive_the_round_trip(tmp_path_factory, files):
    # A file system that takes two names for one would lose a file; then it has to say so.
    if len({name.lower() for name in files}) < len(files):
        return
    place = tmp_path_factory.mktemp("round") / "release"
    write_release(place, files)
    assert open_release(place) == files


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300))
def test_no_manifest_whatever_gets_past_as_anything_but_a_named_error(tmp_path_factory, content):
    place = tmp_path_factory.mktemp("bad")
    (place / MANIFEST).write_bytes(content)
    with pytest.raises(MartelloError):
        open_release(place)
