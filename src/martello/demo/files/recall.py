"""From a repository to the answer: learn on earlier moments, judge on later ones, against the order by recency.

How much is looked at is bounded, so that it takes under a minute: the newest commits, some of the moments, some of the
files of each. Every sample is random with a recorded probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from martello.demo.files.commits import Past, read_past
from martello.demo.files.compute import RECENCY, compute, ranker_fields
from martello.demo.files.judge import Judged, Places, compare, judge, places_of
from martello.demo.files.task import Moment, Wanted, candidates, eligible, events_of, moments_of
from martello.errors import DataError
from martello.records import Measure
from martello.train.ranking import LambdaRank, OneFeature, Ranker, fit_ranker, load_ranker

__all__ = ["DAY", "ORDERS", "Listener", "Recall", "Sampled", "learn_orders", "recall_files"]

#: Microseconds of a day.
DAY = 86_400_000_000

#: The orders: learned with the words and without them, and by recency.
ORDERS = ("learned", "learned without words", "recency")

_FEWEST = 60
_EARLY_SHARE = 0.7
_MOST_LEARNED, _MOST_JUDGED = 1_200, 250
# Drawn by chance alone: where recent files are taken for certain, being recent looks like not being wanted, and the
# order learned is worse (datasette's earlier moments: mean reciprocal rank .52 against .58).
_LEARN = Wanted(recent=0, mine=0, named=0, others=22)
# What may stand near the top is looked at for certain, so that a place there is hardly an estimate; in a repository of
# 200 files or fewer it is none.
_JUDGE = Wanted(recent=80, mine=30, named=30, others=60)


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """Moments that were drawn from those there were: each with this inclusion probability."""

    n: int
    of: int
    inclusion_probability: float


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes
    ----------
    repository
        Name of its folder.
    commits, is_capped
        Commits read, merges left out; whether there were older ones that were not.
    learned, judged
        The earlier and the later moments.
    files
        Files there were at the moments judged, the median.
    candidates
        Of those, looked at, the median.
    orders
        What each order does, by the names of `ORDERS`.
    gains
        Mean reciprocal rank of each learned order minus that of recency, on the same moments.
    """

    repository: str
    commits: int
    is_capped: bool
    learned: Sampled
    judged: Sampled
    files: int
    candidates: int
    orders: dict[str, Judged]
    gains: dict[str, Measure]


class Listener(Protocol):
    """Told how far it has come."""

    def started(self, word: str) -> None:
        """A part begins: sample, features or train."""
        ...

    def advanced(self, done: int, total: int) -> None:
        """Some of its steps are done."""
        ...

    def finished(self, word: str, seconds: float, *, was_kept: bool) -> None:
        """A part is done."""
        ...


def recall_files(repository: Path, listener: Listener, *, seed: int = 0) -> Recall:
    """Learn an order of files from a repository's past and judge it on later moments.

    Raises
    ------
    EnvironmentFault
        ``demo.no-git``.
    DataError
        ``demo.no-repository``, ``demo.git-failed``; ``demo.history-too-short`` when too few commits change files that
        existed.
    """
    with _shown(listener, "sample"):
        past = read_past(repository)
        numbers = _enough(eligible(past), past, repository)
        cut = int(len(numbers) * _EARLY_SHARE)
        random = np.random.default_rng(seed)
        early, learned = _drawn(numbers[:cut], _MOST_LEARNED, random)
        late, judged = _drawn(numbers[cut:], _MOST_JUDGED, random)
        moments = moments_of(past, dict.fromkeys(early, _LEARN) | dict.fromkeys(late, _JUDGE), seed=seed)
        rows = candidates(moments)
    with _shown(listener, "features"):
        values = compute(events_of(past), rows, advanced=listener.advanced)
    with _shown(listener, "train"):
        places = learn_orders(rows, values, learned.n, seed=seed)
    return _recall(past, moments[learned.n :], places, learned, judged)


@contextmanager
def _shown(listener: Listener, word: str) -> Iterator[None]:
    began = perf_counter()
    listener.started(word)
    yield
    listener.finished(word, perf_counter() - began, was_kept=False)


def learn_orders(rows: pa.Table, values: dict[str, list[Any]], n_learned: int, *, seed: int) -> dict[str, Places]:
    """Fit each order on the first moments and place the wanted files of the later ones.

    Parameters
    ----------
    rows, values
        Candidates as `candidates` gives them, and their features as `compute` does.
    n_learned
        Moments to learn from; the others are judged.
    seed
        Of the fits.
    """
    moment, touched = rows["moment"].to_numpy(), rows["touched"].to_numpy()
    chance = rows["inclusion_probability"].to_numpy()
    early, late = np.flatnonzero(moment < n_learned), np.flatnonzero(moment >= n_learned)
    everything, without_words = ranker_fields(), ranker_fields(with_words=False)
    rankers: tuple[tuple[str, Ranker, Any], ...] = (
        (ORDERS[0], LambdaRank(), everything),
        (ORDERS[1], LambdaRank(), without_words),
        (ORDERS[2], OneFeature(RECENCY, largest_first=False), everything),
    )
    places = {}
    for name, ranker, fields in rankers:
        fitted = fit_ranker(
            ranker, _some(values, early), touched[early].astype(int), moment[early], fields=fields, seed=seed
        )
        scores = load_ranker(fitted.files, fields=fields).scores(_some(values, late))
        places[name] = places_of(moment[late], touched[late], scores, chance[late])
    return places


def _some(values: dict[str, list[Any]], rows: Any) -> dict[str, list[Any]]:
    return {name: [own[i] for i in rows] for name, own in values.items()}


def _recall(
    past: Past, moments: Sequence[Moment], places: dict[str, Places], learned: Sampled, judged: Sampled
) -> Recall:
    weight = np.full(len(moments), 1.0 / judged.inclusion_probability)
    cluster = [f"{each.at // DAY} {each.user}" for each in moments]
    gains = {
        name: compare(own, places["recency"], weight=weight, cluster=cluster)
        for name, own in places.items()
        if name != "recency"
    }
    return Recall(
        repository=past.name,
        commits=len(past.commits),
        is_capped=past.is_capped,
        learned=learned,
        judged=judged,
        files=int(np.median([each.n_alive for each in moments])),
        candidates=int(np.median([len(each.drawn) + len(each.touched) for each in moments])),
        orders={name: judge(own, weight=weight, cluster=cluster) for name, own in places.items()},
        gains=gains,
    )


def _drawn(numbers: Sequence[int], most: int, random: np.random.Generator) -> tuple[list[int], Sampled]:
    """Draw some of the moments, each with the same probability."""
    n = min(len(numbers), most)
    chosen = sorted(random.choice(np.array(numbers), n, replace=False).tolist())
    return chosen, Sampled(n=n, of=len(numbers), inclusion_probability=n / len(numbers))


def _enough(numbers: list[int], past: Past, repository: Path) -> list[int]:
    if len(numbers) >= _FEWEST:
        return numbers
    raise DataError(
        "demo.history-too-short",
        f"only {len(numbers)} of the {len(past.commits)} commits of {past.name} change files that existed: too few to "
        "learn from and to judge by",
        where=str(repository.resolve()),
        expected=f"at least {_FEWEST} commits that change one to ten files, merges not counted",
        fix="name a repository with a longer past; of a shallow clone, fetch the rest: git fetch --unshallow",
    )
