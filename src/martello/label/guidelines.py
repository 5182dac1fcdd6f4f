"""The guidelines beside the question: one Markdown file the owner writes, and every text it had before."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from martello.errors import EnvironmentFault

__all__ = ["read_guidelines", "replace_guidelines"]


def read_guidelines(path: Path) -> str:
    """Give the text; empty when there is none yet."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def replace_guidelines(path: Path, text: str, *, at: float) -> None:
    """Write a new text; the one before is kept beside it under its time.

    Raises
    ------
    EnvironmentFault
        ``label.guidelines-not-writable``.
    """
    before = read_guidelines(path)
    if text == before:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if before:
            time = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%S")
            _write(path.with_name(f"{path.stem}-{time}-{secrets.token_hex(2)}{path.suffix}"), before)
        temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        _write(temporary, text)
        temporary.replace(path)
    except OSError as error:
        raise EnvironmentFault(
            "label.guidelines-not-writable", f"the guidelines cannot be kept: {error.strerror}", where=str(path)
        ) from error


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
