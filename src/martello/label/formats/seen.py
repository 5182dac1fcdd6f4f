"""Which unit and annotator a file has named before, in 24 to 48 bytes a row however long the names are.

A row leaves 16 bytes behind: 8 of a hash of its key, 4 of a hash of its answer, 4 of its number. Open addressing in
three arrays, grown by doubling when two thirds full: 72 bytes a row while old and new are both there. Python's keyed
hash makes two keys meet by chance with probability n²/2⁶⁵: 3·10⁻⁸ in a million rows; nobody can make them meet on
purpose.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable

__all__ = ["Seen"]

_WORD = (1 << 64) - 1
_HALF = (1 << 32) - 1


class Seen:
    """Remember rows by key and answer."""

    def __init__(self) -> None:
        self._count = 0
        self._allot(1 << 10)

    def _allot(self, size: int) -> None:
        self._mask = size - 1
        self._keys = array("Q", [0]) * size  # 0 is an empty place
        self._answers = array("I", [0]) * size
        self._rows = array("I", [0]) * size

    def before(self, key: Hashable, answer: Hashable, row: int) -> tuple[int, bool] | None:
        """Keep a row, unless its key was there: then give that row's number and whether its answer was the same.

        Examples
        --------
        >>> seen = Seen()
        >>> seen.before(("u1", "ann"), "yes", 1) is None
        True
        >>> seen.before(("u1", "ann"), "no", 7)
        (1, False)
        """
        code, mark = hash(key) & _WORD or 1, hash(answer) & _HALF
        place = self._find(code)
        if self._keys[place]:
            return self._rows[place], self._answers[place] == mark
        self._keys[place], self._answers[place], self._rows[place] = code, mark, row & _HALF
        self._count += 1
        if 3 * self._count > 2 * (self._mask + 1):
            self._grow()
        return None

    def _find(self, code: int) -> int:
        """Give the place that holds a code, or the empty one where it belongs."""
        keys, mask = self._keys, self._mask
        place = code & mask
        while keys[place] not in (0, code):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = zip(self._keys, self._answers, self._rows, strict=True)
        self._allot(2 * (self._mask + 1))
        for code, mark, row in old:
            if code:
                place = self._find(code)
                self._keys[place], self._answers[place], self._rows[place] = code, mark, row
