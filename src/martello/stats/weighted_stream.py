"""The stream of draws behind a certification: it plans weights, draws, takes labels in draw order, and can be replayed.

Here the parts meet: bins, recalibration, sampler and martingale. The stream learns from labels only at fixed counts
(`_next_refit`), so what it does depends on the labels and not on how they were handed in. Who may be labeled, what is
done with verdicts, and the saved form are `martello.stats.certification`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from martello.stats.gates import Gates, Row
from martello.stats.label_sampler import Draws, Sampler, choose_weights, draw_units
from martello.stats.martingale import BettingMartingale, Evidence
from martello.stats.recalibration import Curve, recalibrate
from martello.stats.score_bins import bin_pool

__all__ = ["WeightedStream"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SLOWEST_REFIT, REFIT_GROWTH = 10, 0.1  # learn again after 10 labels or a tenth more, whichever is later


@dataclass(frozen=True)
class _Stretch:
    """Draws start..stop that were taken with one curve and one set of weights."""

    start: int
    stop: int
    curve: Curve
    weights: Floats


class WeightedStream:
    """Draw from a pool and gather evidence for the rows of its gates. This is a process: it changes as labels come in.

    Parameters
    ----------
    scores
        Scores in [0, 1], shape (N,).
    gates
        Rows to test and the kind of each unit.
    known
        Labels given before the first draw, by position: they count as they are and are never drawn.
    sampler, seed
        As in `martello.stats.certification.Certification`.

    Assumptions
    -----------
    As in `martello.stats.martingale.BettingMartingale`.

    Guarantee
    ---------
    The same labels give the same draws and the same evidence, however they are split over calls.

    References
    ----------
    Shekhar, Xu, Lipton, Liang & Ramdas, UAI 2023.

    Examples
    --------
    >>> from martello.stats.claims import precision
    >>> from martello.stats.gates import lay_out
    >>> scores = np.full(20, 0.9)
    >>> gates = lay_out(scores, [precision(0.5)], thresholds=[0.5], flagged=None, slices=None)
    >>> stream = WeightedStream(scores, gates, {}, sampler="random", seed=1)
    >>> stream.draw(2).probability.round(4).tolist()
    [0.05, 0.0526]
    """

    def __init__(self, scores: Floats, gates: Gates, known: dict[int, float], *, sampler: Sampler, seed: int) -> None:
        self.gates, self.sampler, self.seed, self.pool_size = gates, sampler, seed, len(scores)
        drawable = np.ones(len(scores), dtype=bool)
        drawable[list(known)] = False
        self.pool = bin_pool(scores, gates.kind, by_score=sampler == "weighted", drawable=drawable, seed=seed)
        self._known_kind = gates.kind[list(known)]
        self._known_label = np.array(list(known.values()), dtype=float)
        gain, offset = gates.terms()
        self.gain = gain[:, self.pool.cell_of]
        self._martingale = self._start(gain, offset)
        self._taken = np.zeros(len(self.pool), dtype=np.int64)
        self._n_labeled, self._n_yes = np.zeros(len(self.pool)), np.zeros(len(self.pool))
        self.plans: list[Floats] = []
        self._stretches: list[_Stretch] = []
        self._bins: list[Ints] = []
        self._labels: list[Floats] = []
        self.n_drawn = self.n_used = 0
        self._plan_in_use = -1
        self.learn(np.ones(len(gain)))

    def _start(self, gain: Floats, offset: Floats) -> BettingMartingale:
        """Begin the evidence of any claims given by kind of unit, (C, K): units known before count at face value."""
        per_kind = np.bincount(self.gates.kind, minlength=gain.shape[1])
        gains = gain[:, self._known_kind]
        known = np.where(np.isnan(self._known_label), np.minimum(gains, 0), gains * self._known_label).sum(axis=1)
        size = self.pool.size.astype(float)
        return BettingMartingale(gain[:, self.pool.cell_of], offset @ per_kind, known, size, self.pool_size)

    def learn(self, need: Floats) -> None:
        """Fit the curve to all labels so far and plan new weights; `need` as in `choose_weights`."""
        if self.sampler == "weighted":
            self._curve = recalibrate(self.pool.logit, self._n_labeled, self._n_yes)
        else:
            share = (self._n_yes + 0.5) / (self._n_labeled + 1)
            self._curve = Curve(share, share * (1 - share))
        left = (self.pool.size - self._n_labeled).astype(float)
        self.plans.append(choose_weights(self._curve.variance, self.gain, left, need, sampler=self.sampler))
        self.next_refit = self.n_used + max(SLOWEST_REFIT, int(self.n_used * REFIT_GROWTH))
        self._begin_stretch(len(self.plans) - 1)

    def draw(self, k: int) -> Draws:
        """Draw up to k units by the newest plan."""
        draws = draw_units(self.pool, self._taken, self.plans[-1], first=self.n_drawn, k=k, seed=self.seed)
        self.n_drawn += len(draws.position)
        return draws

    def take(self, positions: Ints, labels: Floats, *, plan: int) -> Evidence:
        """Take the next draws in their order: positions, labels (NaN for unsure) and the plan they were drawn by."""
        if plan != self._plan_in_use:
            self._begin_stretch(plan)
        bins = self.pool.bin_of[positions].astype(np.int64)
        evidence = self._martingale.consume(bins, labels)
        np.add.at(self._n_labeled, bins, 1)
        np.add.at(self._n_yes, bins, np.nan_to_num(labels))
        self._bins.append(bins)
        self._labels.append(labels)
        self.n_used += len(bins)
        return evidence

    def _begin_stretch(self, plan: int) -> None:
        self._plan_in_use = plan
        self._martingale.expect(self._curve, weights=self.plans[plan])
        if self._stretches:
            last = self._stretches[-1]
            self._stretches[-1] = _Stretch(last.start, self.n_used, last.curve, last.weights)
        self._stretches.append(_Stretch(self.n_used, self.n_used, self._curve, self.plans[plan]))

    @property
    def distance(self) -> Floats:
        """Estimate of each row's mean over the standard deviation of one draw, shape (C,)."""
        return self._martingale.estimate / self._martingale.sd

    @property
    def sd(self) -> Floats:
        """Standard deviation of one draw's reading, shape (C,)."""
        return self._martingale.sd

    def is_about_something(self, i: int) -> bool:
        """Whether any unit of the pool, labeled or not, matters to row i."""
        return bool(self.gates.rows[i].terms()[0][self.gates.kind].any())

    def remaining(self, rows: list[int]) -> int:
        """Units still to label that any of the rows is about."""
        relevant = self.gain[rows].any(axis=0)
        return int((self.pool.size - self._n_labeled) @ relevant)

    def peaks(self, row: Row, requirements: Floats) -> tuple[Floats, Floats]:
        """Replay all draws for one claim at many requirements; give the largest log e-values on both sides, (G,)."""
        gain, offset = map(np.stack, zip(*(row.terms(k) for k in requirements.tolist()), strict=True))
        martingale = self._start(gain, offset)
        bins, labels = self._history()
        ship, refuse = np.zeros(len(gain)), np.zeros(len(gain))
        for i, stretch in enumerate(self._stretches):
            stop = self.n_used if i == len(self._stretches) - 1 else stretch.stop
            if stop > stretch.start:
                martingale.expect(stretch.curve, weights=stretch.weights)
                evidence = martingale.consume(bins[stretch.start : stop], labels[stretch.start : stop])
                ship = np.maximum(ship, evidence.ship.max(axis=1))
                refuse = np.maximum(refuse, evidence.refuse.max(axis=1))
        return ship, refuse

    def ratio(self, row: Row, probability: Floats) -> tuple[float, float]:
        """Estimate numerator and denominator of a row's metric, as means over the pool.

        The current curve is corrected by the surprises of the draws, weighted so that each unit of the pool counts once
        (Farquhar, Gal & Rainforth, ICLR 2021, equation 9): nearly unbiased before, exact when all are labeled.
        """
        (top, top_offset), (rest, rest_offset) = row.terms(0.0), row.terms(1.0)
        gain, offset = np.stack([top, top - rest]), np.stack([top_offset, top_offset - rest_offset])
        against = row.terms()[0][self.pool.cell_of] < 0
        bins, labels = self._history()
        label = np.where(np.isnan(labels), against[bins], labels)
        per_bin = gain[:, self.pool.cell_of]
        known_label = np.where(np.isnan(self._known_label), row.terms()[0][self._known_kind] < 0, self._known_label)
        total = offset @ np.bincount(self.gates.kind, minlength=gain.shape[1]) + gain[:, self._known_kind] @ known_label
        drawable = self.gain.any(axis=0) * self.pool.size
        total += per_bin @ (drawable * self._curve.share)
        if len(bins):
            n, t = float(drawable.sum()), np.arange(1, len(bins) + 1)
            late = (n - len(bins)) / np.maximum(n - t, 1)
            weight = 1 + late * (1 / ((n - t + 1) * probability[: len(bins)]) - 1)
            total += n * np.mean(weight * per_bin[:, bins] * (label - self._curve.share[bins]), axis=1)
        return float(total[0]) / self.pool_size, float(total[1]) / self.pool_size

    def _history(self) -> tuple[Ints, Floats]:
        bins = np.concatenate([np.empty(0, dtype=np.int64), *self._bins])
        return bins, np.concatenate([np.empty(0), *self._labels])
