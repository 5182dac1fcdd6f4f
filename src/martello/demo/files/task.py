"""The task: at which moments somebody was about to touch a file, and among which files it had to be found.

A moment is a commit that changes one to ten files which existed. Its candidates are drawn from all files alive then;
every draw leaves its inclusion probability on the row, and the estimates of `judge` speak of all files by it. What
happened is in `Events`; only what happened strictly before a moment is told of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, permutations
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from martello.demo.files.commits import Commit, Past

__all__ = [
    "Events",
    "Moment",
    "Wanted",
    "candidates",
    "eligible",
    "events_of",
    "moments_of",
    "pairs_table",
    "touches_table",
]

_WORD = re.compile(r"[^\W_]{3,}")

#: A commit that changes more files than this is no moment of one person looking for a file.
_MOST_CHANGED = 10
#: A commit that touches more than this says little about which files belong together.
_MOST_PAIRED = 15


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How many candidates are drawn beside those that were touched.

    Attributes
    ----------
    recent
        Files touched last by anyone, taken for certain.
    mine
        Files this person touched last, taken for certain.
    named
        Files whose paths share most words with what is said, one at least, taken for certain.
    others
        Drawn at random from the rest; where fewer are certain than wanted, so many more are drawn.
    """

    recent: int
    mine: int
    named: int
    others: int


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody is about to touch files.

    Attributes
    ----------
    at
        Microseconds.
    user, latest, words
        Who, the file this person touched last, what is said.
    touched
        The files that were then touched.
    drawn
        The other candidates, each with its inclusion probability.
    n_alive
        Files there were.
    """

    at: int
    user: str
    latest: str | None
    words: str
    touched: tuple[str, ...]
    drawn: dict[str, float]
    n_alive: int


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, as the tables that `features.toml` names."""

    touches: pa.Table
    pairs: pa.Table


def events_of(past: Past) -> Events:
    """Give the touches of every commit, and which files were touched together."""
    rows = [(each.at, each.user, each.words, path) for each in past.commits for _, path in each.changes]
    pairs = [
        (each.at, *pair)
        for each in past.commits
        if len(each.changes) <= _MOST_PAIRED
        for pair in permutations((path for _, path in each.changes), 2)
    ]
    return Events(touches=touches_table(rows), pairs=pairs_table(pairs))


def touches_table(rows: Iterable[tuple[int, str, str | None, str]]) -> pa.Table:
    """Give touches (when, who, words, path) as a table, numbered in their order."""
    return _table(rows, "touch", {"at": pa.int64(), "user": pa.string(), "words": pa.string(), "path": pa.string()})


def pairs_table(rows: Iterable[tuple[int, str, str]]) -> pa.Table:
    """Give pairs (when, path, the path beside it) as a table, numbered in their order."""
    return _table(rows, "pair", {"at": pa.int64(), "path": pa.string(), "beside": pa.string()})


def _table(rows: Iterable[Sequence[Any]], number: str, types: dict[str, Any]) -> pa.Table:
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(types)
    arrays = {name: pa.array(own, kind) for (name, kind), own in zip(types.items(), columns, strict=True)}
    return pa.table({number: pa.array(range(len(columns[0])), pa.int64()), **arrays})


class _Replay:
    """The repository as it stood, commit after commit; dictionaries hold the most recently touched last."""

    def __init__(self, alive: Iterable[str]) -> None:
        self.alive: dict[str, None] = dict.fromkeys(alive)
        self.of: dict[str, dict[str, None]] = {}

    def touch(self, user: str, letter: str, path: str) -> None:
        own = self.of.setdefault(user, {})
        self.alive.pop(path, None)
        own.pop(path, None)
        own[path] = None
        if letter != "D":
            self.alive[path] = None

    def draw(
        self, commit: Commit, touched: Sequence[str], wanted: Wanted, random: np.random.Generator
    ) -> dict[str, float]:
        """Draw candidates: those looked at for certain, and some of the rest at random."""
        mine = (path for path in reversed(self.of.get(commit.user, {})) if path in self.alive)
        sure = dict.fromkeys([*islice(reversed(self.alive), wanted.recent), *islice(mine, wanted.mine)], 1.0)
        said = _words(commit.words) if wanted.named else frozenset()
        shared = {path: len(said & _words(path)) for path in self.alive if path not in sure} if said else {}
        named = sorted((path for path, n in shared.items() if n), key=lambda path: (-shared[path], path))
        sure |= dict.fromkeys(named[: wanted.named], 1.0)
        rest = [path for path in self.alive if path not in sure and path not in touched]
        n = min(wanted.recent + wanted.mine + wanted.named + wanted.others - len(sure), len(rest))
        drawn = {rest[i]: n / len(rest) for i in sorted(random.choice(len(rest), n, replace=False).tolist())}
        return {path: chance for path, chance in (sure | drawn).items() if path not in touched}


@lru_cache(maxsize=2**18)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def eligible(past: Past) -> list[int]:
    """Number the commits that are moments."""
    return [number for number, _, touched, _ in _replayed(past) if 1 <= len(touched) <= _MOST_CHANGED]


def moments_of(past: Past, wanted: dict[int, Wanted], *, seed: int) -> list[Moment]:
    """Give the moments at some commits, in order of time.

    Parameters
    ----------
    past
        The history.
    wanted
        How many candidates to draw at a commit, by its number.
    seed
        Of the draws.
    """
    random = np.random.default_rng(seed)
    return [
        Moment(
            at=commit.at,
            user=commit.user,
            latest=next(reversed(replay.of.get(commit.user, {})), None),
            words=commit.words,
            touched=touched,
            drawn=replay.draw(commit, touched, wanted[number], random),
            n_alive=len(replay.alive),
        )
        for number, commit, touched, replay in _replayed(past)
        if number in wanted
    ]


def _replayed(past: Past) -> Iterator[tuple[int, Commit, tuple[str, ...], _Replay]]:
    """Give each commit with the files it changes and the repository as it stood strictly before that second."""
    replay = _Replay(past.alive_before)
    waiting: list[Commit] = []
    for number, commit in enumerate(past.commits):
        if waiting and waiting[0].at < commit.at:
            for earlier in waiting:
                for letter, path in earlier.changes:
                    replay.touch(earlier.user, letter, path)
            waiting = []
        touched = tuple(path for letter, path in commit.changes if letter == "M" and path in replay.alive)
        yield number, commit, touched, replay
        waiting.append(commit)


def candidates(moments: Sequence[Moment]) -> pa.Table:
    """Give a row per moment and candidate: what a request says, whether it was touched, the chance of its draw."""
    rows = [
        (number, each.at, each.user, each.latest, each.words, path, path in each.touched, chance)
        for number, each in enumerate(moments)
        for path, chance in {**each.drawn, **dict.fromkeys(each.touched, 1.0)}.items()
    ]
    return _table(
        rows,
        "row",
        {
            "moment": pa.int64(),
            "at": pa.int64(),
            "user": pa.string(),
            "latest": pa.string(),
            "words": pa.string(),
            "path": pa.string(),
            "touched": pa.bool_(),
            "inclusion_probability": pa.float64(),
        },
    )
