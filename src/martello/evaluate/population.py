"""Do design weights add up to the population they are said to stand for?

Means do not change when all weights are multiplied, so weights that were scaled to the sample, or an inclusion
probability of another draw, would go unseen. A population of known size shows them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from martello.errors import DataError

__all__ = ["check_population"]

#: Standard errors that a size may be off; a right design is refused about once in 16,000 files.
_ERRORS = 4.0


def check_population(
    weight: NDArray[np.float64],
    labeled: NDArray[np.bool_],
    cluster: NDArray[np.int64] | None,
    population: int,
    *,
    where: str,
) -> None:
    """Refuse weights whose sum is not the size of the population, as far as the design knows it.

    The sum over all rows counts where labels are missing from a sample, that over labeled rows where the file is the
    population itself; either may fit. A size is known least where every row (or cluster) was drawn for itself, with
    a variance of the sum of weight² (1 - 1 / weight); a design that fixes the size passes all the more.

    Parameters
    ----------
    weight
        Design weight of every row of the file, shape (n,).
    labeled
        Rows that have a label.
    cluster
        Code of what was drawn together; None when each row was drawn by itself.
    population
        Units there are.
    where
        The column the weights come from.

    Raises
    ------
    DataError
        ``evaluate.weights-off-population``.

    References
    ----------
    Särndal, Swensson & Wretman (1992). Model Assisted Survey Sampling, §3.2 (Poisson sampling).
    """
    said = [_size(weight, cluster, rows) for rows in (labeled, np.ones_like(labeled))]
    if any(abs(total - population) <= _ERRORS * error + 1e-6 * population for total, error in said):
        return
    total, error = min(said, key=lambda one: abs(np.log(max(one[0], 1e-300) / population)))
    factor = population / max(total, 1e-300)
    raise DataError(
        "evaluate.weights-off-population",
        f"the design weights add up to {total:,.0f} units, and the population has {population:,}: "
        f"{max(factor, 1 / factor):,.3g} times too {'few' if factor > 1 else 'many'}",
        where=where,
        expected=f"a sum of {population:,}, give or take {_ERRORS * error:,.0f} (four standard errors of the size)",
        fix="give 1 over the inclusion probability of the draw, not weights that were scaled to the sample",
    )


def _size(
    weight: NDArray[np.float64], cluster: NDArray[np.int64] | None, rows: NDArray[np.bool_]
) -> tuple[float, float]:
    """Estimate the size of the population from some rows, with its standard error were all drawn for themselves."""
    drawn = np.arange(len(weight)) if cluster is None else cluster
    codes = np.unique(drawn[rows], return_inverse=True)[1]
    totals = np.bincount(codes, weights=weight[rows])
    mean = totals / np.bincount(codes)
    unseen = np.where(mean > 1, 1 - 1 / np.maximum(mean, 1), 0.0)
    return float(totals.sum()), float(np.sqrt(np.sum(totals**2 * unseen)))
