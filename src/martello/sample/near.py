"""Near copies: units whose texts differ by little, which would let a model recognize gold instead of judging it.

Two units are near copies when all their inputs are equal once their texts are normalized (case, spaces, punctuation and
digits do not count), or when their texts, each of some length, share at least 0.9 of their runs of five words. The
search for the second kind is exact up to a bound on work: sets that are so alike must share one of their rarest runs
(prefix filtering: Chaudhuri, Ganti & Kaushik 2006; Bayardo, Ma & Srikant 2007), so only units that share a rare run are
compared. No randomness, no model. Exact copies and groups are the business of `split`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from martello.spec.schema import Field

__all__ = ["ALIKE", "near_copies", "normalize", "similar_texts"]

#: Share of common runs of words, of all runs in either text, from which two texts are near copies.
ALIKE = 0.9
_RUN = 5
# Shorter texts ("fits well", "call me later") are said by many people independently; they must be equal in all inputs.
_FEWEST_WORDS = 12
# A run shared by very many texts is a phrase, not a trace of copying; each is compared with so many of similar length.
_NEIGHBORS = 20
_PAIRS_AT_ONCE = 50_000
_DIGIT = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_MIX = np.uint64(0x9E3779B97F4A7C15)

_Ints = NDArray[np.int64]


def normalize(text: str | None) -> str:
    """Give a text without case, punctuation, and the amount of its spaces; every number reads 0.

    Examples
    --------
    >>> normalize("Call 0800-555, NOW!!")
    'call 0 0 now'
    """
    return " ".join(_WORD.findall(_DIGIT.sub("0", (text or "").casefold())))


def near_copies(units: pa.Table, fields: tuple[Field, ...]) -> _Ints:
    """Give pairs of rows that are near copies, shape (k, 2), enough of them to connect all that belong together.

    Parameters
    ----------
    units
        Table with a column `input.NAME` for each field.
    fields
        The declared inputs; without a text among them there is no pair.
    """
    texts = [field.column for field in fields if field.type == "text"]
    if not texts or not units.num_rows:
        return np.empty((0, 2), dtype=np.int64)
    others = [field.column for field in fields if field.type != "text"]
    words = [[normalize(text) for text in units[name].to_pylist()] for name in texts]
    records = zip(*words, *(units[name].to_pylist() for name in others), strict=True)
    joined = [" ".join(parts) for parts in zip(*words, strict=True)]
    return np.concatenate([_star(_codes(records)), similar_texts(joined)])


def similar_texts(texts: list[str]) -> _Ints:
    """Give pairs of normalized texts that share at least `ALIKE` of their runs of five words, shape (k, 2).

    Examples
    --------
    >>> one = "the dress is lovely and fits well but it runs a bit small so order one size up and enjoy wearing it all"
    >>> similar_texts([one, "something else", one + " day"]).tolist()
    [[0, 2]]
    """
    runs = _runs(texts)
    # Texts with the very same runs are one thing from here on: the first of them.
    same = _codes(tuple(found.tolist()) or place for place, found in enumerate(runs))
    first = np.unique(same, return_index=True)[1]
    first = first[[runs[place].size > 0 for place in first]]
    pairs = first[_alike([runs[place] for place in first])]
    return np.concatenate([_star(same), np.sort(pairs, axis=1)])


def _codes(values: Iterable[Any]) -> _Ints:
    seen: dict[Any, int] = {}
    return np.fromiter((seen.setdefault(value, len(seen)) for value in values), dtype=np.int64)


def _star(codes: _Ints) -> _Ints:
    """Pair every row with the first one of the same code."""
    first = np.unique(codes, return_index=True)[1][codes]
    rows = np.arange(codes.size)
    return np.stack([first, rows], axis=1)[first < rows]


def _runs(texts: list[str]) -> list[NDArray[np.uint64]]:
    """Give the distinct runs of words of every text as numbers, in order; none for short texts."""
    words: dict[str, int] = {}
    lists = [text.split() for text in texts]
    codes = np.fromiter((words.setdefault(word, len(words)) + 1 for each in lists for word in each), dtype=np.uint64)
    runs = np.zeros(max(codes.size - _RUN + 1, 0), dtype=np.uint64)
    for place in range(_RUN):  # arithmetic modulo 2**64: two runs of one corpus collide with negligible chance
        runs = runs * _MIX + codes[place : place + runs.size]
    ends = np.cumsum([len(each) for each in lists])
    return [
        np.unique(runs[end - len(each) : end - _RUN + 1] if len(each) >= _FEWEST_WORDS else runs[:0])
        for end, each in zip(ends, lists, strict=True)
    ]


def _alike(runs: list[NDArray[np.uint64]]) -> _Ints:
    """Give the pairs of distinct sets of runs that are alike."""
    if len(runs) < 2:
        return np.empty((0, 2), dtype=np.int64)
    size = np.asarray([each.size for each in runs])
    owner = np.repeat(np.arange(size.size), size)
    _, code, count = np.unique(np.concatenate(runs), return_inverse=True, return_counts=True)
    incidence = csr_array((np.ones(code.size, dtype=np.int32), (owner, code)), shape=(size.size, count.size))
    pairs = _candidates(owner, code, count, size)
    found = [
        _verified(incidence, size, pairs[start : start + _PAIRS_AT_ONCE])
        for start in range(0, len(pairs), _PAIRS_AT_ONCE)
    ]
    return np.concatenate([np.empty((0, 2), dtype=np.int64), *found])


def _candidates(owner: _Ints, code: _Ints, count: _Ints, size: _Ints) -> _Ints:
    """Pair the sets that share one of their rarest runs and are near in size."""
    order = np.lexsort((code, count[code], owner))  # by set, the rarest runs first
    rank = np.arange(code.size) - np.repeat(np.cumsum(size) - size, size)
    # A set of s runs shares at least 0.9 s with any that is alike, so one of its s - 0.9 s + 1 rarest is shared.
    is_rare = rank < np.repeat(size - np.ceil(ALIKE * size).astype(np.int64) + 1, size)
    code, owner = code[order][is_rare], owner[order][is_rare]
    order = np.lexsort((owner, size[owner], code))
    code, owner = code[order], owner[order]
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for step in range(1, _NEIGHBORS + 1):
        left, right = owner[:-step], owner[step:]
        keep = (code[:-step] == code[step:]) & (size[left] >= ALIKE * size[right])
        pairs.append(np.stack([left[keep], right[keep]], axis=1))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def _verified(incidence: csr_array, size: _Ints, pairs: _Ints) -> _Ints:
    left, right = pairs.T
    common = np.asarray(incidence[left].multiply(incidence[right]).sum(axis=1)).ravel()
    is_alike: NDArray[np.bool_] = common >= ALIKE * (size[left] + size[right] - common)
    return pairs[is_alike]
