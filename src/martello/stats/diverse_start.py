"""Where to begin when there is no model yet: one typical unit from each large group of similar units.

Groups are k-means clusters of the features the caller has; which features those are is the caller's business. Useful
for the first few labels per class, and beaten by `martello.stats.margin` after that, which takes its groups from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from martello.errors import DataError
from martello.stats.checks import Floats, Ints
from martello.stats.training_draw import TrainingDraw, no_draw, open_positions, random_stream

__all__ = ["check_features", "group_similar", "pick_diverse"]

#: Of a larger pool a random part of this size is grouped; the groups that matter for a start are seen in it.
_MOST = 20_000
#: More groups take long and are smaller than a start is meant to find.
_MOST_GROUPS = 200


def pick_diverse(features: Any, k: int, drawn: Sequence[int] | Ints, *, seed: int) -> TrainingDraw:
    """Pick up to k units, each the most typical of the largest group of similar units that has the fewest labels.

    Parameters
    ----------
    features
        Matrix of the whole pool, dense or scipy.sparse, shape (n, d). Columns of a dense one are brought to unit
        spread; rows of a sparse one to unit length.
    k
        How many; fewer come back when fewer are left.
    drawn
        Positions of all draws so far, labels back or not.
    seed
        Of the whole campaign.

    Raises
    ------
    DataError
        ``stats.wrong-shape``, ``stats.value-not-finite``, ``stats.no-such-unit``.

    Assumptions
    -----------
    Units near each other in these features tend to have the same label.

    Guarantee
    ---------
    None about the pool: no unit has a probability. The same features, draws and seed give the same units.

    References
    ----------
    Hacohen, Dekel & Weinshall (2022), "Active learning on a budget", ICML (TypiClust; there typical is a high density,
    here nearness to the middle of the group); Zhdanov (2019), arXiv 1901.05954.

    Examples
    --------
    >>> import numpy as np
    >>> points = np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2], [9.3]])
    >>> print(pick_diverse(points, 2, [], seed=0).why[0])
    typical of a group of 4 similar units, none of which has a label
    """
    matrix = check_features(features)
    n = matrix.shape[0]
    left = open_positions(n, drawn)
    k = min(k, len(left))
    if k < 1:
        return no_draw()
    rng = random_stream(seed, len(drawn))
    looked_at = left if len(left) <= _MOST else np.sort(rng.choice(left, _MOST, replace=False))
    rows = np.concatenate([looked_at, np.asarray(drawn, dtype=np.int64)])
    n_groups = min(len(drawn) + k, _MOST_GROUPS, len(rows))
    group, distance = group_similar(matrix, rows, n_groups, rng=rng)
    index, why = _most_typical(group, distance, len(looked_at), k, scale=len(left) / len(looked_at))
    return TrainingDraw(looked_at[index], None, why)


def _most_typical(group: Ints, distance: Floats, n_open: int, k: int, *, scale: float) -> tuple[Ints, tuple[str, ...]]:
    """Pick k of the first n_open rows, going to the group with the fewest labels, the largest of such, each time."""
    size = np.bincount(group)
    n_labeled = np.bincount(group[n_open:], minlength=len(size))
    n_left = np.bincount(group[:n_open], minlength=len(size))
    by_group = np.lexsort((distance[:n_open], group[:n_open]))
    next_one = np.concatenate([[0], np.cumsum(n_left)[:-1]])
    index, why = [], []
    for _ in range(min(k, n_open)):
        at = min(np.flatnonzero(n_left).tolist(), key=lambda g: (n_labeled[g], -size[g], g))
        index.append(by_group[next_one[at]])
        why.append(_why(round(n_labeled[at] + (size[at] - n_labeled[at]) * scale), int(n_labeled[at])))
        next_one[at] += 1
        n_left[at] -= 1
        n_labeled[at] += 1
    return np.array(index, dtype=np.int64), tuple(why)


def _why(size: int, n_labeled: int) -> str:
    labeled = "none of which has a label" if not n_labeled else f"of which {n_labeled} are labeled or asked for already"
    return f"typical of a group of {size:,} similar units, {labeled}"


def group_similar(matrix: Any, rows: Ints, n_groups: int, *, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Give some rows of a matrix their group, as a code, and their distance from the middle of it, (len(rows),) each.

    Parameters
    ----------
    matrix
        As `check_features` gives it. Its own spread brings the columns to one scale, whichever rows are grouped.
    rows
        Positions of the rows to group, at least `n_groups`.
    n_groups
        Groups at most; fewer come back when rows are alike.
    rng
        Random numbers of the batch.

    Assumptions
    -----------
    Rows near each other are similar.

    Guarantee
    ---------
    The same matrix, rows and random numbers give the same groups, codes 0, 1, … without gaps.

    References
    ----------
    Sculley (2010), "Web-scale k-means clustering", WWW.

    Examples
    --------
    >>> matrix = np.array([[0.0], [0.1], [9.0], [9.1]])
    >>> group, _ = group_similar(matrix, np.arange(4), 2, rng=np.random.default_rng(0))
    >>> bool(group[0] == group[1] != group[2] == group[3])
    True
    """
    # scikit-learn takes a second to load, and not every campaign has features.
    from sklearn.cluster import MiniBatchKMeans

    n = matrix.shape[0]
    seen = matrix if n <= _MOST else matrix[np.sort(rng.choice(n, _MOST, replace=False))]
    scaled = _scaled(matrix[rows], seen)
    # Groups of one are what is looked for: small ones may not be moved into large ones, as the default would.
    fitted = MiniBatchKMeans(
        n_groups, random_state=int(rng.integers(2**31)), n_init=3, batch_size=2048, reassignment_ratio=0.0
    ).fit(scaled)
    distance = fitted.transform(scaled)
    group = distance.argmin(axis=1)
    return np.unique(group, return_inverse=True)[1], distance[np.arange(len(group)), group]


def check_features(features: Any) -> Any:
    """Give features as a CSR or a float array, shape (n, d), or refuse them by name."""
    is_sparse: bool = sparse.issparse(features)
    matrix = features.tocsr() if is_sparse else np.asarray(features, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise DataError(
            "stats.wrong-shape",
            f"the features have shape {matrix.shape}",
            where="features",
            expected="one row per unit and one column at least",
        )
    if not np.isfinite(matrix.data if is_sparse else matrix).all():
        raise DataError(
            "stats.value-not-finite", "a feature is missing or not finite", where="features", expected="finite numbers"
        )
    return matrix


def _scaled(matrix: Any, seen: Any) -> Any:
    """Bring the rows of a sparse matrix to unit length, the columns of a dense one to the spread that was seen."""
    is_sparse: bool = sparse.issparse(matrix)
    if is_sparse:
        length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        return sparse.diags_array(1 / np.where(length > 0, length, 1.0)) @ matrix
    spread = seen.std(axis=0)
    return (matrix - seen.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
