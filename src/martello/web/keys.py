"""Which key gives which answer: digits while they last, then the first free letter of each name."""

from __future__ import annotations

import string
from collections.abc import Sequence

__all__ = ["RESERVED", "keys_for"]

#: Letters that mean something else on the page: undo, skip, help.
RESERVED = "ush"


def keys_for(classes: Sequence[str]) -> tuple[str, ...]:
    """Give a key for each class, in order; empty for all when there are more classes than keys.

    Examples
    --------
    >>> keys_for(("no", "yes"))
    ('1', '2')
    >>> keys_for(("sport", "politics", "economy", "people", "weather", "travel", "food", "art", "music", "science"))
    ('p', 'o', 'e', 'l', 'w', 't', 'f', 'a', 'm', 'c')
    >>> set(keys_for([f"class {i}" for i in range(77)]))
    {''}
    """
    if len(classes) <= 9:
        return tuple("123456789"[: len(classes)])
    free = [letter for letter in string.ascii_lowercase if letter not in RESERVED]
    if len(classes) > len(free):
        return ("",) * len(classes)
    keys = []
    for name in classes:
        letter = next((letter for letter in name.lower() if letter in free), free[0])
        free.remove(letter)
        keys.append(letter)
    return tuple(keys)
