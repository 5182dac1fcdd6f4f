"""The cluster bootstrap: the spread of a statistic under redrawing the clusters of a sample.

Here whole clusters (single rows, when there are none) are drawn again with replacement, which is the same as
multiplying each row's weight by how often its cluster came up. A statistic is a function of many weight vectors at a
time, so nothing is copied and nothing is sorted again. Which statistic and which interval is the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from martello.stats.areas import Statistic
from martello.stats.checks import Design, Floats

__all__ = ["bootstrap_values", "redrawn_weights"]

# rows * resamples held at a time: 1 MB of counts stays in the cache of one core
_BLOCK_CELLS = 1 << 17


def redrawn_weights(design: Design, *, resamples: int, seed: int) -> Iterator[npt.NDArray[np.number]]:
    """Give the weights of each redrawn sample, in blocks of shape (b, n).

    Assumptions
    -----------
    Clusters are independent draws from one population.

    Guarantee
    ---------
    Each resample is an exact multinomial draw of as many clusters as there were; the same seed gives the same
    resamples, and memory stays within about 2**17 cells or one row of n, whichever is more.

    References
    ----------
    Davison, A. C. and Hinkley, D. V. (1997), Bootstrap Methods and their Application, §2.4 and §3.8.

    Examples
    --------
    >>> from martello.stats.checks import check_design
    >>> blocks = list(redrawn_weights(check_design(4), resamples=3, seed=1))
    >>> [int(row.sum()) for row in np.concatenate(blocks)]
    [4, 4, 4]
    """
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK_CELLS // max(design.n, design.n_clusters))
    for start in range(0, resamples, size):
        yield _redraw(design, min(size, resamples - start), rng)


def _redraw(design: Design, rows: int, rng: np.random.Generator) -> npt.NDArray[np.number]:
    groups = design.n_clusters
    drawn = rng.integers(groups, size=(rows, groups))
    drawn += groups * np.arange(rows)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)
    if design.cluster is not None:
        counts = counts[:, design.cluster]
    return counts if design.weight is None else counts * design.weight


def bootstrap_values(statistic: Statistic, design: Design, *, resamples: int, seed: int) -> Floats:
    """Give the statistic of each redrawn sample, shape (resamples,), NaN where it is not defined.

    Assumptions
    -----------
    As for `redrawn_weights`; the statistic depends on the rows' weights only through their ratios.

    Guarantee
    ---------
    The same seed gives the same values, so two statistics bootstrapped with one seed are paired.

    References
    ----------
    Davison and Hinkley (1997), §2.4.

    Examples
    --------
    >>> from martello.stats.checks import check_design
    >>> values = np.array([1.0, 2.0, 3.0, 6.0])
    >>> means = bootstrap_values(lambda w: w @ values / w.sum(axis=-1), check_design(4), resamples=2000, seed=1)
    >>> abs(float(means.std()) - float(values.std() / 2)) < 0.03
    True
    """
    blocks = redrawn_weights(design, resamples=resamples, seed=seed)
    return np.concatenate([statistic(weight) for weight in blocks])
