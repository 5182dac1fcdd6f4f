"""Public checks for a learner that comes from outside: run `check_learner(MyLearner())` in its own test suite."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from martello.errors import PluginError
from martello.spec.schema import Field
from martello.train.learner import Fitted, Learner, TrainingData

__all__ = ["check_learner", "example_rows"]

_FIELDS = (
    Field(name="size", type="number", optional=True),
    Field(name="rooms", type="integer", optional=True),
    Field(name="city", type="category", optional=True),
    Field(name="new", type="boolean", optional=True),
    Field(name="listed", type="time", optional=True),
    Field(name="note", type="text", optional=True),
)
_WORDS = ("bright", "quiet", "central", "large", "garden", "lift", "old", "near", "park", "!")


def example_rows(n: int, n_classes: int, *, seed: int) -> TrainingData:
    """Make rows of every type, with missing values, whose class can be learned in part.

    Examples
    --------
    >>> len(example_rows(50, 3, seed=0)), example_rows(50, 3, seed=0).classes
    (50, ('0', '1', '2'))
    """
    rng = np.random.default_rng(seed)
    size = rng.normal(80, 20, n)
    city = rng.choice(["Aa", "Be", "Ce", "De"], n)
    signal = (size - 80) / 20 + (city == "Aa") + rng.normal(0, 1, n)
    codes = np.searchsorted(np.quantile(signal, np.arange(1, n_classes) / n_classes), signal)
    columns: dict[str, list[Any]] = {
        "size": size.tolist(),
        "rooms": rng.integers(1, 6, n).tolist(),
        "city": city.tolist(),
        "new": (rng.random(n) < 0.3).tolist(),
        "listed": (rng.integers(1_500_000_000, 1_700_000_000, n) * 1_000_000).tolist(),
        "note": [" ".join(rng.choice(_WORDS, rng.integers(1, 8))) for _ in range(n)],
    }
    for values in columns.values():
        for i in np.flatnonzero(rng.random(n) < 0.1):
            values[i] = None
    return TrainingData(
        fields=_FIELDS,
        columns=columns,
        codes=codes.astype(np.int64),
        weights=np.ones(n),
        clusters=[f"c{i}" for i in range(n)],
        classes=tuple(str(k) for k in range(n_classes)),
    )


def check_learner(learner: Learner, *, n_classes: tuple[int, ...] = (2, 3), seed: int = 0) -> None:
    """Check that a learner keeps the contract; call it from the tests of the package that brings the learner.

    Checked are: the same seed gives the same bytes; files are named .json, .npz or .txt; a model read back from its
    files scores alike; rows sum to 1; missing values and unseen categories are scored; a row scores the same alone
    and in a batch; settings given back are taken.

    Parameters
    ----------
    learner
        The learner.
    n_classes
        Numbers of classes to check with.
    seed
        Seed of the example rows and of the training.

    Raises
    ------
    PluginError
        ``testing.learner-broken`` with the first promise that is not kept.
    """
    for k in n_classes:
        for fault in _faults(learner, k, seed):
            raise PluginError(
                "testing.learner-broken",
                f"{getattr(learner, 'name', learner)!s} with {k} classes: {fault}",
                expected="the contract of martello.train.Learner",
                fix="see docs/train.md, A learner of your own",
            )


def _faults(learner: Learner, k: int, seed: int) -> Iterator[str]:
    """Give the promises not kept, as sentences."""
    data = example_rows(400, k, seed=seed)
    fitted = learner.fit(data, seed=seed)
    if learner.fit(data, seed=seed).files != fitted.files:
        yield "the same data and seed give other bytes"
    odd = [name for name in fitted.files if not name.endswith((".json", ".npz", ".txt"))]
    if odd:
        yield f"the file {odd[0]} is not named .json, .npz or .txt"
    if not all(isinstance(value, (str, int, float, bool)) for value in fitted.settings.values()):
        yield "a setting is not text, a number or true/false"
    again = learner.fit(data, seed=seed, settings=fitted.settings)
    if again.settings != fitted.settings:
        yield "settings that were given back are not taken"
    yield from _score_faults(learner, fitted, data, k, seed)


def _score_faults(learner: Learner, fitted: Fitted, data: TrainingData, k: int, seed: int) -> Iterator[str]:
    asked = _odd_rows(example_rows(60, k, seed=seed + 1))
    scorer = learner.load(fitted.files, fields=data.fields, classes=data.classes)
    scores = scorer.scores(asked)
    if scores.shape != (60, k):
        yield f"scores have shape {scores.shape}, not {(60, k)}"
        return
    if not (np.all(scores >= 0) and np.allclose(scores.sum(axis=1), 1.0, rtol=0.0, atol=1e-9)):
        yield "a row of scores is not a distribution over the classes"
    if not np.array_equal(learner.load(fitted.files, fields=data.fields, classes=data.classes).scores(asked), scores):
        yield "a model loaded twice scores differently"
    for i in range(60):
        if not np.array_equal(scorer.scores({name: [values[i]] for name, values in asked.items()})[0], scores[i]):
            yield "a row scores differently alone and in a batch"
            return


def _odd_rows(data: TrainingData) -> dict[str, list[Any]]:
    """Give rows with what training did not show: unseen categories, extreme numbers, foreign text, nothing at all."""
    columns = {name: list(values) for name, values in data.columns.items()}
    columns["city"][0] = "Never Seen"
    columns["size"][1], columns["rooms"][1] = -1e300, 2**62
    columns["size"][2] = math.nextafter(0.0, 1.0)
    columns["note"][3] = "İstanbul 東京 🙂 ¿qué? \x00"
    columns["listed"][4] = -(10**15)
    for values in columns.values():
        values[5] = None
    return columns
