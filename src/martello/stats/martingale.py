"""Evidence from draws with recorded probabilities: a betting martingale for "the mean of gain * Y + offset is >= 0".

Here lives the evidence alone: it takes draws in the order they were made, with the weights they were drawn by, and
keeps the wealth of a few bettors for and against each claim. Which units to draw is decided in `label_sampler`, what
the evidence means in `certification`. Several claims, or one claim at many requirements (for a confidence sequence),
are rows of the same arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from martello.stats.recalibration import Curve

__all__ = ["BettingMartingale", "Evidence"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Standardized distances of the truth from the requirement that fixed bettors are prepared for: at .50 a dozen labels
# decide, at .03 some 7,000. One more bettor follows the running estimate.
DISTANCES = np.geomspace(0.03, 0.5, 6)
LARGEST_STAKE = 0.95  # share of the wealth that one draw can take; a bettor with no wealth left can never come back
CERTAIN = 1e-9  # room for rounding when the labels still missing cannot change the answer, per unit of the pool


class Evidence(NamedTuple):
    """Logarithm of the e-values after each of T draws, shape (claims, T).

    `ship` argues against "the mean is below 0", `refuse` against "the mean is at least 0".
    """

    ship: Floats
    refuse: Floats


class BettingMartingale:
    """Keep the evidence for and against each claim, draw by draw. This is a process: it changes as draws come in.

    Parameters
    ----------
    gain
        Gain of one yes, per claim and bin, shape (C, B).
    offset
        Sum of the offsets over the whole pool, shape (C,).
    known
        Sum of gain * label over units labeled before the first draw, shape (C,).
    size
        Drawable units per bin, shape (B,).
    pool_size
        All units of the pool; only the scale of the mean.

    Assumptions
    -----------
    Each draw takes a unit not drawn before with probability proportional to its bin's weight; weights and expected
    shares were fixed before the draw's label was seen.

    Guarantee
    ---------
    For each draw, ``Z = mean of known, offset, expected part, plus the drawn unit's surprise over its probability`` has
    the mean theta of the pool given the past, so each bettor's wealth is a nonnegative supermartingale while the
    hypothesis argued against holds: it ever reaches 1/a with probability at most a.

    References
    ----------
    Waudby-Smith & Ramdas, JRSS-B 2024; Shekhar, Xu, Lipton, Liang & Ramdas, UAI 2023 (weights and control variates
    without replacement).

    Examples
    --------
    >>> m = BettingMartingale(np.ones((1, 1)), np.array([-80.0]), np.zeros(1), np.array([100.0]), 100)
    >>> m.expect(Curve(np.array([0.9]), np.array([0.09])), weights=np.ones(1))
    >>> bool(m.consume(np.zeros(40, dtype=np.int64), np.ones(40)).ship[0, -1] > np.log(20))
    True
    """

    def __init__(self, gain: Floats, offset: Floats, known: Floats, size: Floats, pool_size: int) -> None:
        self.gain, self.pool_size = gain, pool_size
        self.worst, self.best = np.minimum(gain, 0), np.maximum(gain, 0)
        self.settled = offset + known  # what is certain: offsets and labels
        self.remaining = size.astype(float).copy()
        self.n_drawn = 0
        self.log_wealth = np.zeros((2, len(gain), len(DISTANCES) + 1))

    def expect(self, curve: Curve, *, weights: Floats) -> None:
        """Begin a stretch of draws with this curve over the bins and these weights, shape (B,).

        Bets are placed for the stretch: fixed bettors stake distance / sd, the last one estimate / variance.
        """
        open_ = (self.remaining > 0) & (weights > 0)
        assert open_[(self.remaining > 0) & self.gain.any(axis=0)].all(), "a unit that matters can never be drawn"
        divisor = np.where(open_, weights, 1.0)
        self._weights, self._forecast = weights, self.gain * curve.share
        self._total = float(self.remaining @ weights)
        self._reading = self.settled + self._forecast @ self.remaining  # N times the estimate of theta
        spread = (self.gain**2 * curve.variance / divisor) @ (self.remaining * open_)
        variance = np.maximum(self._total * spread / self.pool_size**2, 1e-300)
        self._sd = np.sqrt(variance)
        estimate = np.stack([self._reading, -self._reading]) / self.pool_size
        timid = 0.3 * self._sd / np.sqrt(self.n_drawn + 10)  # a third of the standard error: never stake on nothing
        following = np.maximum(estimate, timid) / variance
        fixed = np.broadcast_to((DISTANCES / self._sd[:, None]), (2, len(self._sd), len(DISTANCES)))
        self._stakes = np.concatenate([fixed, following[..., None]], axis=-1)
        swing = np.where(open_, 1 / divisor, 0.0)
        self._fall = ((self._forecast - self.worst) * swing).max(axis=1, initial=0.0)
        self._rise = ((self.best - self._forecast) * swing).max(axis=1, initial=0.0)

    @property
    def estimate(self) -> Floats:
        """Current estimate of each claim's mean, shape (C,)."""
        return np.asarray(self._reading / self.pool_size)

    @property
    def sd(self) -> Floats:
        """Standard deviation of one draw's reading as expected at the start of the stretch, shape (C,)."""
        return np.asarray(self._sd)

    def consume(self, bins: Ints, label: Floats) -> Evidence:
        """Take T draws in their order: their bins and labels (1, 0, or NaN for unsure), both of shape (T,).

        An unsure label counts against the claim. Every running sum starts from its stored value and adds one draw at a
        time, so that draws taken one by one or all at once give the same bits.
        """
        gained = np.where(np.isnan(label), self.worst[:, bins], self.gain[:, bins] * label)
        surprise = gained - self._forecast[:, bins]
        weight = self._weights[bins]
        total = _before(self._total, -weight)
        reading = _before(self._reading, surprise)
        z = (reading[:, :-1] + surprise * (total[:-1] / weight)) / self.pool_size
        least = (reading[:, :-1] - self._fall[:, None] * total[:-1]) / self.pool_size
        most = (reading[:, :-1] + self._rise[:, None] * total[:-1]) / self.pool_size
        ship = self._bet(0, z, -least)
        refuse = self._bet(1, -z, most)
        self._settle_certain(bins, gained, ship, refuse)
        self._total, self._reading = float(total[-1]), reading[:, -1]
        np.subtract.at(self.remaining, bins, 1)
        self.n_drawn += len(bins)
        return Evidence(ship, refuse)

    def _bet(self, side: int, z: Floats, loss: Floats) -> Floats:
        """Let every bettor stake on z, never more than a loss allows; give the log of their mean wealth, (C, T)."""
        most = LARGEST_STAKE / np.maximum(loss, 1e-300)
        growth = np.log1p(np.minimum(self._stakes[side][:, :, None], most[:, None, :]) * z[:, None, :])
        wealth = _before(self.log_wealth[side], growth)
        self.log_wealth[side] = wealth[..., -1]
        top = wealth[..., 1:].max(axis=1)
        return np.asarray(top + np.log(np.mean(np.exp(wealth[..., 1:] - top[:, None, :]), axis=1)))

    def _settle_certain(self, bins: Ints, gained: Floats, ship: Floats, refuse: Floats) -> None:
        """Where the labels still missing cannot change the answer, make the evidence infinite."""
        settled = _before(self.settled, gained)
        least = _before(self.worst @ self.remaining, -self.worst[:, bins])[:, 1:] + settled[:, 1:]
        most = _before(self.best @ self.remaining, -self.best[:, bins])[:, 1:] + settled[:, 1:]
        self.settled = settled[:, -1]
        holds, fails = least >= -CERTAIN * self.pool_size, most < -CERTAIN * self.pool_size
        ship[holds], refuse[holds] = np.inf, -np.inf
        ship[fails], refuse[fails] = -np.inf, np.inf


def _before(start: Floats | float, steps: Floats) -> Floats:
    """Running sums along the last axis, beginning with `start` itself: one longer than `steps`."""
    first = np.broadcast_to(np.asarray(start)[..., None], (*steps.shape[:-1], 1))
    return np.cumsum(np.concatenate([first, steps], axis=-1), axis=-1)
