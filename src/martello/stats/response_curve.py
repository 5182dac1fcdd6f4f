"""The response curve: how likely a unit of each score is positive, with what is not known about it.

Here lives a small smooth model (a logistic spline of the score's rank) that pools what neighboring scores say. Choosing
the best of many thresholds by their raw counts picks the luckiest one; a smooth curve has no lucky spots. It serves the
choice on dev only: nothing is certified with it, and no estimate is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy.stats import qmc

from martello.stats.checks import Bools, Design, Floats
from martello.stats.intervals import linearized_value

__all__ = ["ResponseCurve", "fit_response_curve"]

_KNOTS = (0.05, 0.35, 0.65, 0.95)  # of the scores, both classes counting half: rare positives get their knots
_PRIOR_SD = 5.0  # on the scale of log-odds per standard score; keeps a perfect score finite
_STEPS = 30
_DRAWS_LOG2 = 6


@dataclass(frozen=True, slots=True)
class ResponseCurve:
    """Chance of a positive in each bin of scores, from strict to loose, for equally likely versions of the curve.

    Attributes
    ----------
    mass
        Share of all units in each bin, shape (k,).
    positive
        Chance of a positive, shape (draws, k).
    design_effect
        Rows that are worth one independent row, at least 1.
    """

    mass: Floats
    positive: Floats
    design_effect: float


def fit_response_curve(true: Bools, scores: Floats, design: Design, thresholds: Floats) -> ResponseCurve:
    """Fit the chance of a positive by score, binned at falling thresholds, the last of them the lowest score.

    Assumptions
    -----------
    Arrays are checked already; the chance changes smoothly with the score's rank.

    Guarantee
    ---------
    None beyond large samples: draws are from the normal approximation to the posterior, widened by the design effect.
    The same data give the same draws (a Sobol sequence, no randomness).

    References
    ----------
    Harrell, F. E. (2015), Regression Modeling Strategies, §2.4.5 (restricted cubic splines); Gelman et al. (2013),
    Bayesian Data Analysis, §4.1.

    Examples
    --------
    >>> from martello.stats.checks import check_design
    >>> score = np.linspace(0, 1, 4000)
    >>> truth = np.random.default_rng(1).random(4000) < score
    >>> curve = fit_response_curve(truth, score, check_design(4000), np.array([0.75, 0.5, 0.0]))
    >>> curve.positive.mean(axis=0).round(1).tolist()
    [0.9, 0.6, 0.2]
    """
    weight = design.weights() / design.weights().sum()
    # rows at or above a threshold belong to the first, strictest bin that takes them
    code = np.searchsorted(-thresholds, -scores, side="left")
    code = np.minimum(code, len(thresholds) - 1)
    mass = np.bincount(code, weights=weight, minlength=len(thresholds)).astype(np.float64)
    hits = np.bincount(code, weights=weight * true, minlength=len(thresholds)).astype(np.float64)
    basis = _spline(mass, hits)
    rows = float(np.count_nonzero(design.weights()))
    beta, information = _fit(basis, mass * rows, hits * rows)
    residual = true - special.expit(basis @ beta)[code]
    effect = _design_effect(residual, design)
    root = np.linalg.cholesky(np.linalg.inv(information) * effect)
    normal = special.ndtri(qmc.Sobol(basis.shape[1], scramble=False).random_base2(_DRAWS_LOG2) * 0.98 + 0.01)
    # Gold will also differ in which scores it draws, and clusters share those: then the spread of plain truth decides.
    of_gold = max(effect, _design_effect(true.astype(np.float64), design))
    return ResponseCurve(mass, special.expit((beta + normal @ root.T) @ basis.T), of_gold)


def _spline(mass: Floats, hits: Floats) -> Floats:
    """Give the restricted cubic spline of each bin's normal score, shape (k, 4): straight beyond the outer knots."""
    z = special.ndtri(np.clip(1 - (np.cumsum(mass) - mass / 2), 1e-6, 1 - 1e-6))
    positive = hits / max(hits.sum(), 1e-300)
    negative = (mass - hits) / max((mass - hits).sum(), 1e-300)
    balanced = np.cumsum((positive + negative)[::-1])
    knots = np.interp(np.array(_KNOTS) * balanced[-1], balanced, z[::-1])
    columns = [np.ones_like(z), z]
    if knots[0] < knots[1] < knots[2] < knots[3]:
        last, previous, span = knots[3], knots[2], knots[3] - knots[0]
        for knot in knots[:2]:
            bend = _cube(z - knot) - _cube(z - previous) * (last - knot) / (last - previous)
            columns.append((bend + _cube(z - last) * (previous - knot) / (last - previous)) / span**2)
    return np.stack(columns, axis=1)


def _cube(x: Floats) -> Floats:
    return np.maximum(x, 0.0) ** 3


def _fit(basis: Floats, mass: Floats, hits: Floats) -> tuple[Floats, Floats]:
    """Give coefficients and their information by penalized Newton steps, halved while they overshoot."""
    prior = np.eye(basis.shape[1]) / _PRIOR_SD**2

    def loss(beta: Floats) -> float:
        linear = basis @ beta
        return float(np.sum(mass * np.logaddexp(0, linear) - hits * linear) + beta @ prior @ beta / 2)

    beta, information = np.zeros(basis.shape[1]), prior
    for _ in range(_STEPS):
        chance = special.expit(basis @ beta)
        information = (basis * (mass * chance * (1 - chance))[:, None]).T @ basis + prior
        step = np.linalg.solve(information, basis.T @ (hits - mass * chance) - prior @ beta)
        while loss(beta + step) > loss(beta) + 1e-9 and np.abs(step).max() > 1e-9:
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return beta, information


def _design_effect(residual: Floats, design: Design) -> float:
    if design.is_simple:
        return 1.0
    weight = design.weights()
    centered = residual - np.sum(weight * residual) / weight.sum()
    found = linearized_value(0.0, centered, design, weight > 0)
    return max(found.n / found.effective_n, 1.0)
