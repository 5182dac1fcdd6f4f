"""How votes become the answer of a unit, and by which chance a unit is shared or a check is shown.

Pure rules: votes in, an outcome out; chances are hashes of the unit, so they depend neither on who labels nor on when.
Who is asked next is `martello.label.queue`'s.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from martello.label.entries import How

__all__ = ["Outcome", "count_votes", "is_check_moment", "is_shared", "order_of"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the votes on a unit say: it is settled, wants more votes, or is for the owner to decide.

    Attributes
    ----------
    state
        ``settled``, ``wants`` or ``split``.
    answer
        The settled answer; None for unsure.
    how
        How it was settled.
    wants
        Votes that are missing.
    """

    state: Literal["settled", "wants", "split"]
    answer: str | None = None
    how: How = "one vote"
    wants: int = 0


def count_votes(votes: Sequence[str | None], *, shared: bool, can_ask: int) -> Outcome:
    """Say what votes of different people settle; None is a vote for "unsure".

    One vote settles a unit that is not shared. A shared unit, an unsure vote, or two votes that differ take a second
    opinion, then a third: more than half of the votes, and at least two, settle it. Three that name no majority are
    for the owner. Where nobody is left to ask, one vote settles and a disagreement goes to the owner.

    Parameters
    ----------
    votes
        Of different people, in any order.
    shared
        Whether the unit is one of those that two people see.
    can_ask
        People who could still be asked about it.

    Examples
    --------
    >>> count_votes(["yes"], shared=False, can_ask=3).state
    'settled'
    >>> count_votes(["yes", "no"], shared=True, can_ask=3).wants
    1
    >>> count_votes(["yes", "no", "no"], shared=True, can_ask=3).how
    'majority'
    """
    n = len(votes)
    if n == 0:
        return Outcome(state="wants", wants=2 if shared else 1) if can_ask else Outcome(state="split")
    (answer, most), *others = Counter(votes).most_common()
    if n == 1 and not can_ask:
        return Outcome(state="settled", answer=answer)
    needed = 2 if shared or others or answer is None else 1
    if most >= needed and 2 * most > n:
        how: How = "one vote" if n == 1 else "majority" if others else "agreed"
        return Outcome(state="settled", answer=answer, how=how)
    if n < 3 and can_ask:
        return Outcome(state="wants", wants=1)
    return Outcome(state="split")


def is_shared(unit: str, *, seed: int, share: float) -> bool:
    """Whether a unit is among those that two people see: a share of all units, by hash.

    Examples
    --------
    >>> sum(is_shared(f"u{i}", seed=1, share=0.1) for i in range(10_000))
    1020
    """
    return _chance("shared", seed, unit) < share


def is_check_moment(annotator: str, n: int, *, seed: int, share: float) -> bool:
    """Whether the n-th unit handed to an annotator is a hidden check, by hash.

    Examples
    --------
    >>> sum(is_check_moment("ann", n, seed=1, share=0.05) for n in range(10_000))
    519
    """
    return _chance("check", seed, f"{annotator}\n{n}") < share


def order_of(annotator: str, unit: str, *, seed: int) -> float:
    """Give the place of a check unit in the order in which an annotator meets the checks.

    Examples
    --------
    >>> order_of("ann", "u1", seed=1) == order_of("bob", "u1", seed=1)
    False
    """
    return _chance("order", seed, f"{annotator}\n{unit}")


def _chance(what: str, seed: int, key: str) -> float:
    """A number in [0, 1) that is fixed by its words."""
    digest = hashlib.blake2b(f"{what}\n{seed}\n{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
