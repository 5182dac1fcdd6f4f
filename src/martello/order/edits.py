"""The edits that are legal after the seal, as the spec declares them under `[order]`.

Cutting a list short and paging through it without gaps are always legal. Everything else has to be declared: what may
be put between, for which reasons an item may be left out, who may sort. Nothing is judged here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from martello.errors import SpecError, nearest

__all__ = ["AllowDrop", "AllowInsert", "Edits", "read_edits", "read_edits_file"]


class _Allow(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", forbid_unknown_fields=True):
    """The base of all declared edits."""


class AllowInsert(_Allow, frozen=True, tag="insert"):
    """Something of this kind may stand in these slots of a page, at most `max` of them. Slots count from 1."""

    kind: str
    slots: frozenset[int]
    max: int | None = None


class AllowDrop(_Allow, frozen=True, tag="drop"):
    """An item may be left out for one of these reasons; above `max_share` of all items a warning is due."""

    reasons: frozenset[str]
    max_share: float = 0.05


class _AllowResort(_Allow, frozen=True, tag="resort"):
    actor: str


class Edits(msgspec.Struct, frozen=True, kw_only=True):
    """All declared edits of a ranking.

    Examples
    --------
    >>> edits = read_edits([{"op": "insert", "kind": "ad", "slots": [1, 5]}, {"op": "resort", "actor": "user"}])
    >>> sorted(edits.inserts["ad"].slots), edits.drop is None, sorted(edits.resort)
    ([1, 5], True, ['user'])
    """

    inserts: dict[str, AllowInsert] = {}
    drop: AllowDrop | None = None
    resort: frozenset[str] = frozenset()


def read_edits(allow: object) -> Edits:
    """Read the list under `order.allow`.

    Raises
    ------
    SpecError
        ``order.not-an-edit`` when an entry is none, and ``order.edit-twice`` when two say the same thing.
    """
    try:
        found = msgspec.convert(allow, list[AllowInsert | AllowDrop | _AllowResort])
    except msgspec.ValidationError as error:
        raise _not_an_edit(str(error), allow) from None
    inserts = {each.kind: each for each in found if isinstance(each, AllowInsert)}
    drops = [each for each in found if isinstance(each, AllowDrop)]
    resort = frozenset(each.actor for each in found if isinstance(each, _AllowResort))
    if len(inserts) + min(len(drops), 1) + len(resort) < len(found):
        raise SpecError(
            "order.edit-twice", "an edit is declared twice", where="allow under [order]", expected="each kind once"
        )
    return Edits(inserts=inserts, drop=drops[0] if drops else None, resort=resort)


def read_edits_file(text: bytes, *, name: str) -> Edits:
    """Read the declared edits from the text of a `martello.toml`, or of a TOML file that holds only `[order]`."""
    try:
        order: Any = tomllib.loads(text.decode()).get("order", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError("order.not-an-edit", f"{name} is no TOML: {error}", where=name) from None
    return read_edits(order.get("allow", []) if isinstance(order, Mapping) else order)


def _not_an_edit(message: str, allow: object) -> SpecError:
    what, _, path = message.partition(" - at ")
    ops = ("insert", "drop", "resort")
    entries = allow if isinstance(allow, list) else []
    odd = [str(e["op"]) for e in entries if isinstance(e, Mapping) and "op" in e and e["op"] not in ops]
    near = nearest(odd[0], ops) if odd else None
    return SpecError(
        "order.not-an-edit",
        what,
        where="allow under [order]" + path.strip("`").removeprefix("$"),
        expected='such as { op = "insert", kind = "ad", slots = [1, 5], max = 2 }, '
        '{ op = "drop", reasons = ["deleted"] } or { op = "resort", actor = "user" }',
        fix=f'did you mean op = "{near}"?' if near else "",
    )
