"""The lines of the log: which entries there are, and how one is framed so that a torn or damaged line is recognized.

A line is ``LLLLLLLL CCCCCCCC {json}`` and a newline: length and CRC-32 of the JSON in hexadecimal, then the JSON itself
(UTF-8, no raw newline inside), so ``cut -c19- FILE | jq`` reads a log without this program. Writing is `log`, reading
is `reading`.
"""

from __future__ import annotations

import hashlib
from typing import Any
from zlib import crc32

import msgspec
from msgspec import UNSET, UnsetType

__all__ = ["Decision", "Entry", "Outcome", "Segment", "content_digest", "decode_line", "encode_line", "key_digest"]

FORMAT = 1
_HEAD = 18  # two numbers of eight digits, each followed by a space


class _Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The base of all entries; unknown keys are passed over, so that an older reader can count a newer log."""


class Segment(_Line, frozen=True, kw_only=True, tag="segment"):
    """The first line of a file: who wrote it, and the classes behind each release's scores."""

    format: int
    session: str
    opened_at: int  # microseconds, UTC
    releases: dict[str, tuple[str, ...]]


class Decision(_Line, frozen=True, kw_only=True, tag="decision"):
    """One answer and what it was made from."""

    id: str
    unit: str | None
    at: int  # microseconds, UTC
    release: str
    values: dict[str, Any]
    scores: tuple[float, ...]  # in the order of the release's classes
    output: str
    arm: str | None = None
    propensity: float = 1.0
    as_of: int | UnsetType = UNSET  # microseconds, UTC; the moment that features were computed for, where there are any
    definition: str | UnsetType = UNSET  # what decided which features the model saw


class Outcome(_Line, frozen=True, kw_only=True, tag="outcome"):
    """What happened after a decision; the pair (source, id) counts once, however often it is sent."""

    id: str
    source: str
    decision: str | None
    unit: str | None
    outcome: str
    at: int | None  # microseconds, UTC; when it happened, if the sender said so
    received_at: int  # microseconds, UTC


Entry = Decision | Outcome

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Segment | Entry] = msgspec.json.Decoder(Segment | Decision | Outcome)


def encode_line(entry: Segment | Entry) -> bytes:
    """Give the framed line of an entry.

    Examples
    --------
    >>> line = encode_line(Segment(format=1, session="5e55", opened_at=0, releases={}))
    >>> line[18:]
    b'{"type":"segment","format":1,"session":"5e55","opened_at":0,"releases":{}}\\n'
    """
    payload = _ENCODER.encode(entry)
    return b"%08x %08x %b\n" % (len(payload), crc32(payload), payload)


def intact(line: bytes) -> bool:
    """Say whether a line is whole and undamaged."""
    payload = line[_HEAD:-1]
    return line[:_HEAD] == b"%08x %08x " % (len(payload), crc32(payload)) and line.endswith(b"\n")


def decode_line(line: bytes) -> Segment | Entry:
    """Read an intact line back.

    Raises
    ------
    msgspec.MsgspecError
        When the line is no entry of this version.
    """
    return _DECODER.decode(line[_HEAD:-1])


def key_digest(source: str, outcome_id: str) -> bytes:
    """Name the pair (source, id) in 16 bytes, so that millions can be remembered."""
    return hashlib.blake2b(_ENCODER.encode((source, outcome_id)), digest_size=16).digest()


def content_digest(decision: str | None, unit: str | None, outcome: str) -> bytes:
    """Name what an outcome says in 8 bytes: the same pair (source, id) with other content is a conflict."""
    return hashlib.blake2b(_ENCODER.encode((decision, unit, outcome)), digest_size=8).digest()
