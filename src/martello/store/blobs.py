"""Content-addressed files and records in a project's `.martello` directory.

A blob's name is the SHA-256 of its bytes and is checked whenever it is read; writing is a temporary file, fsync and
rename, so a crash or a full disk leaves either the whole blob or none. What was made when and by whom is the ledger's.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from martello.errors import EnvironmentFault, IntegrityError
from martello.records import AnyRecord, FileRef, Record, TableRef, decode_record, encode_record, record_id

__all__ = ["Store", "disk_faults", "write_atomically"]

Format = Literal["json", "parquet", "npz", "lightgbm-text", "markdown"]


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Turn the disk's refusals into named faults that say what to do.

    Raises
    ------
    EnvironmentFault
        ``store.disk-full`` or ``store.not-writable``.
    """
    try:
        yield
    except OSError as err:
        if err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise EnvironmentFault(
                "store.disk-full",
                "the disk is full; nothing was half-written",
                where=str(path),
                expected="free space",
                fix="make room, then run the same command again: finished stages are kept",
            ) from err
        if err.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise EnvironmentFault(
                "store.not-writable",
                f"{path} cannot be written",
                where=str(path),
                expected="a directory this user may write to",
                fix="change its rights, or work in another directory",
            ) from err
        raise


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename.

    Raises
    ------
    EnvironmentFault
        When the disk is full or not writable.
    """
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


class Store:
    """Keep and give back blobs, tables and records by the hash of their content.

    Parameters
    ----------
    root
        The project's `.martello` directory; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def _blob_path(self, blob: str) -> Path:
        return self.root / "blobs" / blob[:2] / blob

    def put_bytes(self, data: bytes, format: Format) -> FileRef:
        """Keep some bytes and give the reference to them; equal bytes are kept once."""
        blob = hashlib.sha256(data).hexdigest()
        path = self._blob_path(blob)
        if not path.exists():
            write_atomically(path, data)
        return FileRef(blob=blob, size=len(data), format=format)

    def get_bytes(self, ref: FileRef) -> bytes:
        """Give back the bytes behind a reference, checked against their hash.

        Raises
        ------
        IntegrityError
            ``store.missing-blob`` or ``store.changed-blob``.
        """
        path = self._blob_path(ref.blob)
        try:
            data = path.read_bytes()
        except FileNotFoundError as err:
            raise IntegrityError(
                "store.missing-blob",
                "a file that a record refers to is gone",
                where=str(path),
                expected=f"{ref.size} bytes of {ref.format}",
                fix="run `martello run` again: the stage that made it is repeated",
            ) from err
        if hashlib.sha256(data).hexdigest() != ref.blob:
            raise IntegrityError(
                "store.changed-blob",
                "a stored file is not what it was when it was written",
                where=str(path),
                expected=f"SHA-256 {ref.blob}",
                fix="delete the file and run `martello run` again: the stage that made it is repeated",
            )
        return data

    def put_table(self, table: pa.Table) -> TableRef:
        """Keep an Arrow table as Parquet; equal tables give equal bytes."""
        buffer = io.BytesIO()
        pq.write_table(table.replace_schema_metadata(None), buffer, compression="zstd")
        return TableRef(
            file=self.put_bytes(buffer.getvalue(), "parquet"), rows=table.num_rows, columns=tuple(table.column_names)
        )

    def get_table(self, ref: TableRef) -> pa.Table:
        """Give back a table, checked against its hash."""
        return pq.read_table(io.BytesIO(self.get_bytes(ref.file)))

    def _record_path(self, id: str) -> Path:
        return self.root / "records" / f"{id}.json"

    def put_record(self, record: Record) -> str:
        """Keep a record and give its id."""
        id = record_id(record)
        path = self._record_path(id)
        if not path.exists():
            write_atomically(path, encode_record(record))
        return id

    def get_record(self, id: str) -> AnyRecord:
        """Give back a record, checked against its id.

        Raises
        ------
        IntegrityError
            ``store.missing-record`` or ``store.changed-record``.
        """
        path = self._record_path(id)
        fix = "run `martello run` again: the stage that made it is repeated"
        try:
            record = decode_record(path.read_bytes())
        except FileNotFoundError as err:
            raise IntegrityError("store.missing-record", f"record {id} is gone", where=str(path), fix=fix) from err
        except msgspec.MsgspecError as err:
            raise IntegrityError(
                "store.changed-record", f"record {id} cannot be read: {err}", where=str(path), fix=fix
            ) from err
        if record_id(record) != id:
            raise IntegrityError(
                "store.changed-record", f"record {id} is not what it was when it was written", where=str(path), fix=fix
            )
        return record

    def holds(self, record: Record) -> bool:
        """Say whether every file a record refers to is there (existence and size; the hash is checked on reading)."""
        return all(
            (path := self._blob_path(ref.blob)).exists() and path.stat().st_size == ref.size for ref in _files(record)
        )


def _files(value: object) -> Iterator[FileRef]:
    """Walk a record for the files it refers to."""
    if isinstance(value, FileRef):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _files(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _files(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _files(item)
