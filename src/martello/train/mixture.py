"""Blend the logits of several models so that held-out log loss is least; this calibrates as well.

The weights are not negative and are drawn towards equal ones by 2k / n (k models, n rows), since with few rows the best
weights are mostly luck.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from martello.train.arrays import probabilities
from martello.train.learner import Floats

__all__ = ["fit_mixture", "mix"]

#: Two classes have one logit.
_BINARY = 1


def mix(logits: Sequence[Floats], weights: Floats, offsets: Floats) -> Floats:
    """Give the weighted sum of logits of shape (n, 1 or K) plus offsets, term after term."""
    total = np.tile(offsets, (len(logits[0]), 1))
    for own, weight in zip(logits, weights.tolist(), strict=True):
        total = total + own * weight
    return total


def fit_mixture(
    logits: Sequence[Floats], codes: npt.NDArray[np.int64], weights: Floats, *, has_offsets: bool = True
) -> tuple[Floats, Floats]:
    """Give the weights, shape (k,), and the offsets, shape (1 or K,), with the least held-out log loss.

    Parameters
    ----------
    logits
        Held-out logits of each model, shape (n, 1 or K) each.
    codes, weights
        Class and weight of each row, shape (n,).
    has_offsets
        Whether offsets are fitted; otherwise they are 0.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.repeat([0, 1, 1, 0], [731, 269, 731, 269])  # right as often as a logit of 1 says
    >>> told = np.repeat([-2.0, 2.0], 1000)[:, None]
    >>> fit_mixture([told], codes, np.ones(2000))[0].round(2)
    array([0.5])
    """
    from scipy.optimize import minimize

    k, width = len(logits), logits[0].shape[1]
    stacked = np.stack(logits)
    shares = weights / weights.sum()
    truth = codes[:, None] == (np.array([1]) if width == _BINARY else np.arange(width))

    def loss(point: Floats) -> tuple[float, Floats]:
        mixed = np.tensordot(point[:k], stacked, axes=1) + point[k:]
        chances, losses = _chances(mixed, codes)
        gap = (chances - truth) * shares[:, None]
        of_offsets = gap.sum(axis=0) * has_offsets
        return float(losses @ shares), np.append(np.tensordot(stacked, gap, axes=2), of_offsets)

    equal = np.append(np.full(k, 1.0 / k), np.zeros(width))
    bounds = [(0.0, None)] * k + [(None, None)] * width
    best = minimize(loss, equal, jac=True, bounds=bounds, method="L-BFGS-B").x
    pull = min(1.0, 2.0 * k / len(codes))
    point = (1.0 - pull) * best + pull * equal
    return point[:k], point[k:]


def _chances(mixed: Floats, codes: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Give what the gradient compares with the truth, and the log loss of each row."""
    scores = probabilities(mixed)
    losses = -np.log(np.clip(scores[np.arange(len(codes)), codes], 1e-15, 1.0))
    return (scores[:, 1:] if mixed.shape[1] == _BINARY else scores), losses
