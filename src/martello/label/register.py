"""Who may enter the labelling room: names with tokens, of which only a hash is kept.

One small JSON file, replaced as a whole; it is read again when another process changed it, so an invitation made on
the command line works in a running room. What people answered is the book's.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from martello.errors import DataError, EnvironmentFault, IntegrityError
from martello.label.contract import Annotator

__all__ = ["Register"]

_LONGEST_NAME = 100


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody, as kept: the SHA-256 of the token, and when it ends (seconds since the epoch)."""

    name: str
    role: Literal["annotator", "owner"]
    digest: str
    expires: float | None
    is_revoked: bool = False


class Register:
    """Invite people and recognize them.

    Parameters
    ----------
    directory
        The folder of the labelling room; made when absent.
    clock
        Gives seconds since the epoch.

    Raises
    ------
    IntegrityError
        ``label.register-damaged`` from any method, when the file is not one of ours.
    EnvironmentFault
        ``label.register-not-writable``.
    """

    def __init__(self, directory: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = directory / "annotators.json", clock
        self._entries: dict[str, _Entry] = {}
        self._read_as: tuple[int, int, int] | None = None
        self._lock = threading.Lock()

    def invite(self, name: str, *, role: Literal["annotator", "owner"] = "annotator", days: float | None = 30) -> str:
        """Give a new token for a name; the old one of that name ends.

        Raises
        ------
        DataError
            ``label.bad-name``.
        """
        _check_name(name)
        token = secrets.token_urlsafe(24)
        expires = None if days is None else self._clock() + days * 86_400
        self._change(_Entry(name=name, role=role, digest=_digest(token), expires=expires))
        return token

    def who(self, token: str) -> Annotator:
        """Give whose token it is.

        Raises
        ------
        DataError
            ``label.unknown-token`` or ``label.expired-token``.
        """
        digest, found = _digest(token), None
        for entry in self._known().values():  # all of them, so that time tells nothing
            if hmac.compare_digest(entry.digest, digest):
                found = entry
        if found is None or found.is_revoked:
            raise DataError("label.unknown-token", "this link is not valid", fix="ask the owner for a new link")
        if found.expires is not None and found.expires <= self._clock():
            raise DataError(
                "label.expired-token",
                f"the link of {found.name} ended on {_written(found.expires)}",
                fix="ask the owner for a new link; answers already given are kept",
            )
        return _annotator(found)

    def all(self) -> tuple[Annotator, ...]:
        """Give everyone who was ever invited, by name."""
        return tuple(_annotator(entry) for _, entry in sorted(self._known().items()))

    def revoke(self, name: str) -> None:
        """End somebody's access; their answers stay.

        Raises
        ------
        DataError
            ``label.unknown-annotator``.
        """
        entry = self._known().get(name)
        if entry is None:
            raise DataError("label.unknown-annotator", f"nobody was invited as {name!r}", where=str(self._path))
        self._change(msgspec.structs.replace(entry, is_revoked=True))

    def _known(self) -> dict[str, _Entry]:
        with self._lock:
            try:
                stat = self._path.stat()
            except FileNotFoundError:
                return {}
            version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if version != self._read_as:
                self._entries, self._read_as = _read(self._path), version
            return self._entries

    def _change(self, entry: _Entry) -> None:
        with _named(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                _replace(self._path, [*({**self._known(), entry.name: entry}).values()])
            finally:
                os.close(handle)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, EnvironmentFault):
            raise
        raise EnvironmentFault(
            "label.register-not-writable", f"the list of annotators cannot be kept: {error.strerror}", where=str(path)
        ) from error


def _replace(path: Path, entries: list[_Entry]) -> None:
    temporary = path.with_suffix(f".{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(entries)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, _Entry]:
    try:
        return {entry.name: entry for entry in msgspec.json.decode(path.read_bytes(), type=list[_Entry])}
    except msgspec.MsgspecError as error:
        raise IntegrityError(
            "label.register-damaged",
            f"the list of annotators cannot be read: {error}",
            where=str(path),
            expected="the file as this program left it",
            fix="remove the file and invite everyone anew; answers are kept elsewhere",
        ) from error


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable() or name.startswith("model:"):
        raise DataError(
            "label.bad-name",
            f"{name[:_LONGEST_NAME]!r} is no name for an annotator",
            expected=f"1 to {_LONGEST_NAME} printable characters that do not begin with model:",
        )


def _annotator(entry: _Entry) -> Annotator:
    return Annotator(
        name=entry.name,
        role=entry.role,
        expires_at=None if entry.expires is None else _written(entry.expires),
        is_revoked=entry.is_revoked,
    )


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
