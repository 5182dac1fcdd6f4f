"""The prefix chain: a few short hashes by which the first k ids of a list, or one page of it, can be checked alone.

``h_0 = SHA-256("martello.order.v1\\0" + decision)``, and from one cut c to the next cut d
``h_d = SHA-256(h_c + frame(id_{c+1}) + … + frame(id_d))``, each shortened to 16 bytes, where a frame is the length of
the id in UTF-8 as four bytes, big end first, and then these bytes. A page between two cuts is checked without the ids
before or after it; no JSON is hashed, so two languages cannot write it differently. Signing is the business of `seal`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from martello.errors import DataError

__all__ = ["PageCheck", "check_ids", "check_page", "cuts_of", "fold"]

WIDTH = 16
_SEED = b"martello.order.v1\0"
_LENGTHS = tuple(n.to_bytes(4, "big") for n in range(256))


class PageCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a chain says of a page: how many of its ids it proves, and whether it contradicts them.

    `proven` counts from the start of the page; the ids after it end before the next cut, so nothing is known of them.
    """

    proven: int
    broken: bool


def check_ids(ids: Iterable[object], *, where: str = "items") -> tuple[str, ...]:
    """Give ids as a tuple of distinct texts, or refuse them by name.

    Raises
    ------
    DataError
        ``order.id-not-text`` and ``order.item-twice``.

    Examples
    --------
    >>> check_ids(["b", "a"])
    ('b', 'a')
    >>> check_ids([103, 9])
    Traceback (most recent call last):
    martello.errors.DataError: 103 is no text, and ids are  [order.id-not-text] ...
    """
    found = tuple(ids)
    for each in found:
        if not isinstance(each, str) or (not each.isprintable() and _is_unwritable(each)):
            raise DataError(
                "order.id-not-text",
                f"{each!r} is no text, and ids are",
                where=where,
                expected="a string in UTF-8: numbers as keys of a JavaScript object lose their order",
                fix="write numbers as text, such as '103'",
            )
    if len(set(found)) < len(found):
        twice = next(each for k, each in enumerate(found) if each in found[:k])
        raise DataError("order.item-twice", f"{twice!r} is in the list twice", where=where, expected="each item once")
    return found  # type: ignore[return-value]  # each was looked at


def _is_unwritable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def cuts_of(n: int, *, page: int | None = None) -> tuple[int, ...]:
    """Give the cuts of a list of n: 1, 2, 3, 5, 10, 20, 50, 100, …, every end of a page, and n.

    Examples
    --------
    >>> cuts_of(60), cuts_of(30, page=12)
    ((1, 2, 3, 5, 10, 20, 50, 60), (1, 2, 3, 5, 10, 12, 20, 24, 30))
    """
    found = {n} if n else set()
    found.update(k for k in (1, 2, 3) if k < n)
    scale = 5
    while scale < n:
        found.update(k for k in (scale, 2 * scale, 4 * scale) if k < n)
        scale *= 10
    if page:
        found.update(range(page, n, page))
    return tuple(sorted(found))


def fold(decision: str, ids: Sequence[str], cuts: Sequence[int]) -> bytes:
    """Give the hashes at the cuts, 16 bytes each, one after the other."""
    state = _start(decision)
    parts, last = [], 0
    for cut in cuts:
        state = _next(state, ids[last:cut])
        parts.append(state)
        last = cut
    return b"".join(parts)


def check_page(decision: str, ids: Sequence[str], *, cuts: Sequence[int], chain: bytes, offset: int = 0) -> PageCheck:
    """Check a page, or the beginning of a list, against a chain.

    Parameters
    ----------
    decision, ids
        Id of the decision; the ids shown, in order.
    cuts, chain
        As sealed.
    offset
        Items of the list before this page. A page that begins between two cuts proves nothing, and says so.

    Examples
    --------
    >>> ids = [f"job-{k}" for k in range(50)]
    >>> sealed = {"cuts": cuts_of(50), "chain": fold("d1", ids, cuts_of(50))}
    >>> check_page("d1", ids[10:20], offset=10, **sealed)
    PageCheck(proven=10, broken=False)
    >>> check_page("d1", ids[:7], **sealed)
    PageCheck(proven=5, broken=False)
    >>> check_page("d1", [ids[1], ids[0]], **sealed)
    PageCheck(proven=0, broken=True)
    """
    if offset and offset not in cuts:
        return PageCheck(proven=0, broken=False)
    at = cuts.index(offset) + 1 if offset else 0
    state = chain[(at - 1) * WIDTH : at * WIDTH] if at else _start(decision)
    last = offset
    for k in range(at, len(cuts)):
        if cuts[k] - offset > len(ids):
            break
        try:
            state = _next(state, ids[last - offset : cuts[k] - offset])
        except UnicodeEncodeError:
            return PageCheck(proven=last - offset, broken=True)
        if state != chain[k * WIDTH : (k + 1) * WIDTH]:
            return PageCheck(proven=last - offset, broken=True)
        last = cuts[k]
    too_long = bool(ids) and len(ids) + offset > (cuts[-1] if cuts else 0)
    return PageCheck(proven=last - offset, broken=too_long)


def _start(decision: str) -> bytes:
    return sha256(_SEED + decision.encode()).digest()[:WIDTH]


def _next(state: bytes, ids: Sequence[str]) -> bytes:
    parts = [state]
    for each in ids:
        raw = each.encode()
        parts.append(_LENGTHS[len(raw)] if len(raw) < 256 else len(raw).to_bytes(4, "big"))
        parts.append(raw)
    return sha256(b"".join(parts)).digest()[:WIDTH]
