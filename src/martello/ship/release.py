"""The release directory: written once and whole, opened only when every byte is what the manifest says.

Which files a release holds is the corridor's matter; here lives only the seal. The list of formats is closed and owned
by this loader, and none of them runs code when it is read.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from martello.errors import DataError, EnvironmentFault, IntegrityError

__all__ = ["FORMAT", "MANIFEST", "SUFFIXES", "FileSeal", "Manifest", "open_release", "seal", "write_release"]

FORMAT = "martello-release/1"
MANIFEST = "manifest.json"
#: What a release may hold: data only.
SUFFIXES = frozenset({".json", ".txt", ".npz", ".md", ".toml", ".parquet"})
# Flat names without separators: no name can point out of the directory, on any system.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MAX_MANIFEST = 1_000_000  # bytes; a manifest has a line per file


class FileSeal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one file must be."""

    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The list of everything in a release; equal files give equal bytes."""

    format: str
    files: dict[str, FileSeal]

    def encode(self) -> bytes:
        """Give the one canonical form that is written and hashed."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=2) + b"\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, and so of the whole release."""
        return _sha256(self.encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _broken(code: str, what: str, path: Path, expected: str) -> IntegrityError:
    fix = "restore the directory from where it was copied, or make it again with `martello run`"
    return IntegrityError(code, what, where=str(path), expected=expected, fix=fix)


def _check_name(name: str, directory: Path) -> None:
    if name == MANIFEST or not _NAME.fullmatch(name):
        raise _broken(
            "ship.bad-file-name",
            f"{name!r} is not a name for a file of a release",
            directory,
            f"letters, digits, '.', '_' and '-', without a folder, and not {MANIFEST}",
        )
    if Path(name).suffix not in SUFFIXES:
        raise _broken(
            "ship.unknown-format",
            f"{name} has a format that a release may not hold",
            directory / name,
            f"one of {', '.join(sorted(SUFFIXES))}",
        )


def seal(files: Mapping[str, bytes]) -> Manifest:
    """Give the manifest of some files; its digest can name the directory before anything is written.

    Examples
    --------
    >>> seal({"model.txt": b"tree"}).digest == seal({"model.txt": b"tree"}).digest
    True
    """
    seals = {name: FileSeal(sha256=_sha256(content), size=len(content)) for name, content in files.items()}
    return Manifest(format=FORMAT, files=seals)


def write_release(directory: Path, files: Mapping[str, bytes]) -> Manifest:
    """Write a release as a whole or not at all.

    The files are written and synced in a temporary directory beside it, which is then renamed: a reader sees either
    nothing or everything. An equal release that is already there is left as it is.

    Parameters
    ----------
    directory
        Where the release will be; its parent is made if needed.
    files
        Content by flat file name; `manifest.json` is added.

    Returns
    -------
    Manifest
        What was sealed.

    Raises
    ------
    IntegrityError
        When a name or format may not stand in a release, or what stands under this name is broken.
    DataError
        When a different release stands under this name.
    EnvironmentFault
        When the disk refuses; nothing is left behind.
    """
    for name in files:
        _check_name(name, directory)
    manifest = seal(files)
    if os.path.lexists(directory):
        _expect_equal(directory, files)
        return manifest
    try:
        _write_whole(directory, {**files, MANIFEST: manifest.encode()})
    except OSError as err:
        raise EnvironmentFault(
            "ship.cannot-write",
            f"the release cannot be written: {err.strerror or err}",
            where=str(directory),
            expected="a directory this account may write to, on a disk with room",
            fix="free some space or mend the rights, then run again; nothing was left behind",
        ) from err
    return manifest


def _expect_equal(directory: Path, files: Mapping[str, bytes]) -> None:
    if open_release(directory) != dict(files):
        raise DataError(
            "ship.name-taken",
            f"a different release already stands at {directory.name}",
            where=str(directory),
            expected="a new name, since a release is never changed",
            fix=f"move {directory.name} away, or write under another name",
        )


def _write_whole(directory: Path, files: Mapping[str, bytes]) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{directory.name}.partial-", dir=directory.parent))
    try:
        for name, content in files.items():
            _write_synced(partial / name, content)
        partial.chmod(0o755)
        _sync_directory(partial)
        partial.rename(directory)
        _sync_directory(directory.parent)
    finally:
        # Also on Ctrl-C; after the rename there is nothing here to remove.
        shutil.rmtree(partial, ignore_errors=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    if os.name == "nt":  # a directory cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_release(directory: Path, *, digest: str | None = None) -> dict[str, bytes]:
    """Read a release, believing nothing that its manifest does not prove.

    Parameters
    ----------
    directory
        The release.
    digest
        Expected SHA-256 of the manifest, where it is known (`Release.digest`): without it, someone who may write to the
        directory can change a file and its line in the manifest together.

    Returns
    -------
    dict of str to bytes
        Content of every file but the manifest; each was hashed after it was read, so these are the proved bytes.

    Raises
    ------
    IntegrityError
        When the directory is no release, or a file is missing, changed, extra, of an unknown format or
        not a plain file.
    EnvironmentFault
        When the disk or the rights of this account are in the way.
    """
    try:
        return _open(directory, digest)
    except OSError as err:
        raise EnvironmentFault(
            "ship.cannot-read",
            f"the release cannot be read: {err.strerror or err}",
            where=str(directory),
            expected="a directory this account may read",
            fix="mend the rights of the directory and its files",
        ) from err


def _open(directory: Path, digest: str | None) -> dict[str, bytes]:
    manifest = _read_manifest(directory, digest)
    for name in manifest.files:
        _check_name(name, directory)
    present = {path.name for path in directory.iterdir()} - {MANIFEST}
    for name in sorted(present - manifest.files.keys()):
        raise _broken(
            "ship.unexpected-file",
            f"{name} is not in the manifest",
            directory / name,
            "only the files that were sealed",
        )
    return {name: _read_sealed(directory / name, sealed) for name, sealed in sorted(manifest.files.items())}


def _read_manifest(directory: Path, digest: str | None) -> Manifest:
    if not directory.is_dir():
        raise _broken("ship.no-release", f"there is no release at {directory}", directory, "a release directory")
    path = directory / MANIFEST
    content = _read_plain(path, _MAX_MANIFEST)
    if digest is not None and _sha256(content) != digest:
        raise _broken("ship.tampered", f"{MANIFEST} is not the one that was sealed", path, f"SHA-256 {digest}")
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as err:
        raise _broken(
            "ship.bad-manifest", f"{MANIFEST} cannot be read: {err}", path, f"a manifest of {FORMAT}"
        ) from err
    if manifest.format != FORMAT:
        raise _broken(
            "ship.bad-manifest", f"{MANIFEST} has the format {manifest.format!r}, not known here", path, repr(FORMAT)
        )
    return manifest


def _read_plain(path: Path, largest: int) -> bytes:
    if not os.path.lexists(path):
        raise _broken("ship.missing-file", f"{path.name} is missing", path, "every file of the manifest")
    if path.is_symlink() or not path.is_file():
        raise _broken("ship.not-a-file", f"{path.name} is not a plain file", path, "a plain file, no link or folder")
    if path.stat().st_size > largest:  # before it is read: it may be larger than memory
        raise _broken("ship.tampered", f"{path.name} is larger than sealed", path, f"at most {largest:,} bytes")
    return path.read_bytes()


def _read_sealed(path: Path, sealed: FileSeal) -> bytes:
    content = _read_plain(path, sealed.size)
    if len(content) != sealed.size or _sha256(content) != sealed.sha256:
        raise _broken("ship.tampered", f"{path.name} is not what was sealed", path, f"SHA-256 {sealed.sha256}")
    return content
