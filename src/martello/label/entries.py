"""What the book of answers is made of: entries that are only ever added, each chained to the one before by a hash.

A draw, an act, its withdrawal, a settlement: what stands is what these say together, in their order. How they are kept
on disk is `martello.label.book`'s.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

__all__ = ["Act", "Draw", "Drop", "Entry", "How", "Round", "Settlement", "Withdrawal", "chained", "decode", "encode"]

#: How an answer was settled; "reopened" takes a settlement back.
How = Literal["one vote", "agreed", "majority", "owner", "check", "reopened"]


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen entry; its kind is the struct's name."""


class Round(_Entry, frozen=True, kw_only=True, tag=True):
    """A gold campaign begins: a fingerprint of its pool and claims, and what is known beforehand."""

    number: int
    seed: int  # of the campaign
    fingerprint: str
    known: dict[str, int | None]
    at: str
    size: int | None = None  # answers declared beforehand; None where the evidence says when to stop


class Draw(_Entry, frozen=True, kw_only=True, tag=True):
    """A unit was drawn; written before anybody sees it."""

    unit: str
    position: int
    draw: int  # place in the order of its round
    round: int
    probability: float | None
    sampler: str
    seed: int
    after: int  # labels taken into account
    why: str
    at: str


class Drop(_Entry, frozen=True, kw_only=True, tag=True):
    """Draws of a round from `first` on are void: an answer they were drawn after was corrected."""

    round: int
    first: int
    at: str


class Act(_Entry, frozen=True, kw_only=True, tag=True):
    """What one annotator did on one unit."""

    submit_id: str
    unit: str
    annotator: str
    act: Literal["label", "unsure", "skip"]
    answer: str | None
    author: Literal["person", "model"]
    seconds: float | None
    at: str | None
    is_check: bool = False
    is_imported: bool = False
    probability: float | None = None
    draw: int | None = None
    sampler: str | None = None
    seed: int | None = None


class Withdrawal(_Entry, frozen=True, kw_only=True, tag=True):
    """An act was undone; it stays in the book and counts no more."""

    submit_id: str
    unit: str
    annotator: str
    at: str


class Settlement(_Entry, frozen=True, kw_only=True, tag=True):
    """The answer of a unit stands, or is open again; `answer` is None for unsure."""

    unit: str
    answer: str | None
    how: How
    by: str | None
    at: str


Entry = Round | Draw | Drop | Act | Withdrawal | Settlement

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """Write an entry as JSON."""
    return _ENCODER.encode(entry)


def decode(body: bytes) -> Entry:
    """Read an entry; msgspec.MsgspecError when it is none."""
    return _DECODER.decode(body)


def chained(before: bytes, body: bytes) -> bytes:
    """Give the link of an entry: a hash of its content and of the link before it."""
    return hashlib.sha256(before + body).digest()
