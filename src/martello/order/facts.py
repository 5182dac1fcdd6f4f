"""What the two sides of the order contract say: what was decided, what was shown, and what was clicked.

A `RankedDecision` is what left the API, a `Render` what a page showed of it, a `Click` what somebody chose. Ids are
text: a number loses its order in a JavaScript object. Times are microseconds since 1970, UTC. Where these facts are
read from is the business of `shapes`; whether they agree, of `reconcile`.
"""

from __future__ import annotations

import msgspec

__all__ = ["Click", "Dropped", "RankedDecision", "Render", "Shown"]


class _Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all facts; unknown keys are passed over, so that an older reader can read a newer log."""


class RankedDecision(_Fact, frozen=True):
    """A ranked answer as it left the API: `items` in order, the first in slot `offset` + 1 of its list."""

    decision: str
    items: tuple[str, ...]
    offset: int = 0
    at: int | None = None
    expires_at: int | None = None
    surface: str | None = None
    arm: str | None = None
    subject: str | None = None  # whom it was made for, hashed; "*" may be shown to anybody
    release: str | None = None


class Shown(_Fact, frozen=True):
    """One place of a rendered list: an item of the ranking, or something of another `kind` put between."""

    id: str
    slot: int | None = None  # where it stood, counted from 1; None: next after the one before
    kind: str = "item"
    decision: str | None = None  # when the page says that it came from another decision


class Dropped(_Fact, frozen=True):
    """An item that a page left out, and why."""

    id: str
    reason: str


class Render(_Fact, frozen=True):
    """What a page showed, in the order in which people saw it.

    `offset` is the number of sealed items on earlier pages. A render that is not `complete` (the page was left, or is
    still loading) never counts as having dropped anything. A `sparse` one knows the places of some items and nothing of
    the rest. A render without `decision` is a list that no decision is named for.
    """

    id: str
    decision: str | None
    shown: tuple[Shown, ...]
    dropped: tuple[Dropped, ...] = ()
    offset: int = 0
    complete: bool = True
    sparse: bool = False
    actor: str | None = None  # "user": a person sorted or filtered the list
    at: int | None = None
    surface: str | None = None
    build: str | None = None
    client: str | None = None
    arm: str | None = None
    subject: str | None = None
    layout: str | None = None
    seal: str | None = None


class Click(_Fact, frozen=True):
    """Somebody chose an item of a decision."""

    decision: str
    item: str
