"""The three arms, each measured on dev by the paired difference in log loss; a positive gain is better.

More labels: what the last doubling of the training data brought. Other features: what each input adds to the rest, and
on average. Another algorithm: the best of the losers, and the average of the two best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.records import Arm, Measure
from martello.stats.compare import paired_difference, unit_losses
from martello.stats.estimate import Estimate, NotEstimable

__all__ = ["DevUnits", "Refit", "algorithm_arm", "features_arm", "labels_arm"]

_SHARES = (0.125, 0.25, 0.5)


class Refit(Protocol):
    """Train the winning learner again on part of the data and give its scores of the dev units, shape (n, K)."""

    def __call__(self, *, share: float = 1.0, without: str | None = None) -> NDArray[np.float64]:
        """Use a share of the training clusters, or leave one input out."""
        ...


class DevUnits(msgspec.Struct, frozen=True, kw_only=True):
    """The dev units as arrays: class codes, design weights, clusters, and the winner's scores."""

    truth: NDArray[np.int64]
    weight: NDArray[np.float64]
    cluster: NDArray[np.str_] | None
    scores: NDArray[np.float64]
    level: float

    def losses(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log loss of each unit."""
        return unit_losses(self.truth, scores)

    def gain(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> Measure:
        """Mean of losses before minus losses after, paired."""
        return paired_difference(before, after, weight=self.weight, cluster=self.cluster, level=self.level)

    def mean(self, losses: NDArray[np.float64]) -> Measure:
        """Mean loss."""
        return self.gain(losses, np.zeros_like(losses))


def labels_arm(dev: DevUnits, refit: Refit, n_train: int, tick: Callable[[], None]) -> Arm:
    """Measure the learning curve: an eighth, a quarter, half and all of the training data."""
    losses = {}
    for share in _SHARES:
        losses[share] = dev.losses(refit(share=share))
        tick()
    now = dev.losses(dev.scores)
    points = [(f"{round(share * n_train)}", dev.mean(loss)) for share, loss in losses.items()]
    return Arm(
        kind="more labels",
        what=f"doubling the training data from {n_train // 2:,} to {n_train:,} units",
        gain=dev.gain(losses[_SHARES[-1]], now),
        detail=(*points, (f"{n_train}", dev.mean(now))),
    )


def features_arm(dev: DevUnits, refit: Refit, inputs: tuple[str, ...], tick: Callable[[], None]) -> Arm:
    """Measure what each input adds to the rest, by leaving it out."""
    if len(inputs) < 2:
        return Arm(
            kind="other features",
            what="another source of information",
            gain=NotEstimable(reason="there is one input, so none can be left out", needs="at least two inputs"),
            detail=(),
        )
    now = dev.losses(dev.scores)
    without = {}
    for name in inputs:
        without[name] = dev.losses(refit(without=name))
        tick()
    worth = [(name, dev.gain(losses, now)) for name, losses in without.items()]
    worth.sort(key=lambda pair: -_value(pair[1]))
    return Arm(
        kind="other features",
        what=f"one more input like the {len(inputs)} there are, on average",
        gain=dev.gain(np.mean(list(without.values()), axis=0), now),
        detail=tuple(worth),
    )


def algorithm_arm(dev: DevUnits, others: Mapping[str, NDArray[np.float64]], winner: str) -> Arm:
    """Measure the losers against the winner, and the average of the winner with the best loser."""
    if not others:
        return Arm(
            kind="another algorithm",
            what="another learner",
            gain=NotEstimable(reason="only one learner was tried", needs="at least two under train.learners"),
            detail=(),
        )
    now = dev.losses(dev.scores)
    tried = {name: dev.losses(scores) for name, scores in others.items()}
    best = min(others, key=lambda name: float(np.average(tried[name], weights=dev.weight)))
    tried[f"average of {winner} and {best}"] = dev.losses(_average(dev.scores, others[best]))
    gains = sorted(((name, dev.gain(now, losses)) for name, losses in tried.items()), key=lambda pair: -_value(pair[1]))
    return Arm(
        kind="another algorithm", what=f"{gains[0][0]} instead of {winner}", gain=gains[0][1], detail=tuple(gains)
    )


def _average(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average two scores in the logit (the normalized geometric mean), where models of different kinds blend best."""
    mean = np.sqrt(np.clip(a, 1e-12, 1) * np.clip(b, 1e-12, 1))
    return np.asarray(mean / mean.sum(axis=1, keepdims=True))


def _value(measure: Measure) -> float:
    return measure.value if isinstance(measure, Estimate) else -np.inf
