"""What the labels so far say about the scores: the share of yes to expect in each bin, and how far a label may be off.

A two-parameter logistic curve, held near the scores until labels pull it away. It only makes bets better; evidence
stays valid whatever it says. Calibration as an estimate with an interval is another matter and lives elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

__all__ = ["Curve", "recalibrate"]

Floats = NDArray[np.float64]

# Prior center and precision of (intercept, slope): the scores are believed as far as a handful of labels would be.
# Between a quarter and four times these precisions the expected labels move by less than their simulation error.
CENTER, PRIOR = np.array([0.0, 1.0]), np.array([1.0, 4.0])
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
SURE = 1e-3  # no bin is taken as surer than this


class Curve(NamedTuple):
    """What to expect of one label per bin: its share of yes, and its variance around it, both of shape (B,)."""

    share: Floats
    variance: Floats


def recalibrate(score_logit: Floats, n_labeled: Floats, n_yes: Floats) -> Curve:
    """Fit a ridge logistic regression of the labels on the score, with the doubt that is left in it.

    Parameters
    ----------
    score_logit
        Mean score per bin on the logit scale, shape (B,).
    n_labeled, n_yes
        Labels so far per bin, and how many said yes, shape (B,).

    Assumptions
    -----------
    None that matters for validity; the closer the curve, the fewer labels.

    Guarantee
    ---------
    Shares strictly within (0, 1); with no labels, the scores themselves. The variance includes the curve's own (Laplace
    approximation), so a model that is sure of itself is doubted until labels agree.

    References
    ----------
    Platt 1999; le Cessie & van Houwelingen 1992 (ridge); MacKay 1992 (moderated outputs).

    Examples
    --------
    >>> curve = recalibrate(np.array([-6.0, 0.0, 2.0]), np.zeros(3), np.zeros(3))
    >>> curve.share.round(3).tolist(), curve.variance.round(3).tolist()
    ([0.002, 0.5, 0.881], [0.05, 0.25, 0.154])
    >>> recalibrate(np.array([-2.0, 0.0, 2.0]), np.full(3, 100.0), np.full(3, 50.0)).share.round(2).tolist()
    [0.49, 0.5, 0.51]
    """
    design = np.stack([np.ones_like(score_logit), score_logit], axis=1)
    weights = CENTER.copy()
    for _ in range(50):
        share = expit(design @ weights)
        slope = design.T @ (n_yes - n_labeled * share) - PRIOR * (weights - CENTER)
        curve = (design * (n_labeled * share * (1 - share))[:, None]).T @ design + np.diag(PRIOR)
        step = np.linalg.solve(curve, slope)
        if slope @ step < 1e-9:
            break
        weights = _uphill(design, n_labeled, n_yes, weights, step)
    doubt = np.sqrt(np.einsum("bi,ij,bj->b", design, np.linalg.inv(curve), design))
    middle = design @ weights
    share = np.clip(expit(middle), SURE, 1 - SURE)
    moderated = np.clip(expit(middle[:, None] + doubt[:, None] * NODES) @ (WEIGHTS / WEIGHTS.sum()), SURE, 1 - SURE)
    return Curve(share=share, variance=moderated * (1 - moderated) + (moderated - share) ** 2)


def _uphill(design: Floats, n_labeled: Floats, n_yes: Floats, weights: Floats, step: Floats) -> Floats:
    """Halve a Newton step until it climbs: on long logit scales a full one can leap past the top and never return."""
    before = _fit(design, n_labeled, n_yes, weights)
    while _fit(design, n_labeled, n_yes, weights + step) < before and np.abs(step).max() > 1e-12:
        step = step / 2
    return weights + step


def _fit(design: Floats, n_labeled: Floats, n_yes: Floats, weights: Floats) -> float:
    """Log likelihood of the labels plus log prior of the weights."""
    value = design @ weights
    likelihood = n_yes @ value - n_labeled @ np.logaddexp(0, value)
    return float(likelihood - PRIOR @ (weights - CENTER) ** 2 / 2)
