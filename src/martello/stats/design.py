"""Which units are drawn, and with what probability: the classical designs, without a random number generator.

Every design takes permanent random numbers: one uniform per unit, made by `hash_order` from the unit's key, so that the
same rows are drawn on every engine and in every run. Each gives a `Selection`: positions in the frame and the inclusion
probability of every drawn unit at every stage. Estimates from such samples live in `martello.stats.survey`; adaptive,
score-weighted draws belong to certification. Nothing here reads a table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.errors import DataError

__all__ = [
    "Selection",
    "draw_clusters",
    "draw_simple",
    "draw_stratified",
    "draw_two_stage",
    "hash_order",
]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class Selection(msgspec.Struct, frozen=True, eq=False):
    """The drawn units with the probability that the design gave them.

    Attributes
    ----------
    positions
        Positions in the frame, shape (n,), in the order of the draw (two-stage draws: in frame order).
    stage_pi
        Inclusion probability of every drawn unit at each stage, one array of shape (n,) per stage: given that its
        cluster was drawn, for the second.
    """

    positions: _Ints
    stage_pi: tuple[_Floats, ...]

    @property
    def pi(self) -> _Floats:
        """First-order inclusion probability of every drawn unit: the product over the stages."""
        return np.asarray(np.prod(self.stage_pi, axis=0), dtype=np.float64)


def hash_order(keys: Iterable[int | str], salt: str) -> _Floats:
    """Give one uniform number in (0, 1) per key, the same in every process and on every engine.

    The number is the first 16 hex digits of the md5 of ``salt|key``, read as a fraction: sorting by it is sorting by
    the hex text, which SQL can do.

    Raises
    ------
    DataError
        ``stats.key-not-portable``: a key is neither an integer nor text (other types print differently by engine).

    Assumptions
    -----------
    A key stands for one unit; the salt was not chosen by looking at the outcome.

    Guarantee
    ---------
    Pure function of (salt, key). Two of N keys tie with probability below N² / 2⁵³; ties are then broken by position.

    References
    ----------
    Ohlsson, E. (1995). Coordination of samples using permanent random numbers. Business Survey Methods, ch. 9.

    Examples
    --------
    >>> hash_order([1, 2, "a"], "pilot").round(4)
    array([0.9085, 0.3387, 0.9419])
    """
    prefix = hashlib.md5(f"{salt}|".encode(), usedforsecurity=False)
    words = np.fromiter((_first_word(prefix, key) for key in keys), dtype=np.uint64)
    # The largest words round up to 1.0 as floats; the last float below 1 keeps the interval open.
    return np.minimum((words.astype(np.float64) + 0.5) / 2.0**64, np.nextafter(1.0, 0.0))


def draw_simple(uniforms: ArrayLike, n: int) -> Selection:
    """Draw n units by simple random sampling: the n smallest uniforms.

    Raises
    ------
    DataError
        ``stats.uniform-out-of-range``, ``stats.sample-size``.

    Assumptions
    -----------
    Uniforms are independent of the outcome, one per unit (`hash_order`).

    Guarantee
    ---------
    π = n / N exactly for every unit; every set of n units is equally likely. A larger n holds the smaller draw, so a
    sample can be made longer later.

    References
    ----------
    Fan, Muller & Rezucha (1962). Journal of the American Statistical Association 57.

    Examples
    --------
    >>> drawn = draw_simple([0.9, 0.1, 0.5, 0.3], 2)
    >>> drawn.positions.tolist(), drawn.pi.tolist()
    ([1, 3], [0.5, 0.5])
    """
    u = check_uniforms(uniforms)
    check_size(n, at_least=1, at_most=u.size)
    return selection(_smallest(u, n), np.full(n, n / u.size))


def draw_stratified(uniforms: ArrayLike, strata: ArrayLike, sizes: Mapping[Any, int]) -> Selection:
    """Draw the given number of units in every stratum by simple random sampling.

    Parameters
    ----------
    uniforms
        One number in (0, 1) per unit, shape (N,).
    strata
        The stratum of every unit, shape (N,).
    sizes
        Units to draw per stratum, from one of the allocations.

    Raises
    ------
    DataError
        ``stats.stratum-without-draw`` (its π would be 0), ``stats.unknown-stratum``, ``stats.sample-size``,
        ``stats.label-missing``, ``stats.uniform-out-of-range``, ``stats.length-mismatch``.

    Assumptions
    -----------
    As `draw_simple`; the strata are known for the whole frame.

    Guarantee
    ---------
    π = n_h / N_h exactly; draws in different strata are independent. Order: by uniform over the whole sample, so that
    every beginning of it is itself spread over the strata.

    References
    ----------
    Cochran, W. G. (1977). Sampling Techniques, 3rd ed., ch. 5.

    Examples
    --------
    >>> drawn = draw_stratified([0.9, 0.1, 0.5, 0.3], ["a", "b", "b", "a"], {"a": 1, "b": 2})
    >>> drawn.positions.tolist(), drawn.pi.tolist()
    ([1, 3, 2], [1.0, 0.5, 1.0])
    """
    u = check_uniforms(uniforms)
    names, codes = _codes(strata, "stratum", u.size)
    _check_strata(names, sizes)
    rows, counts = _groups(codes, len(names))
    parts = []
    pi = np.empty(u.size)
    for name, members, count in zip(names, rows, counts, strict=True):
        check_size(sizes[name], at_least=1, at_most=int(count), where=f"stratum {name!r}")
        parts.append(members[_smallest(u[members], sizes[name])])
        pi[members] = sizes[name] / count
    drawn = np.concatenate(parts)
    drawn = drawn[np.argsort(u[drawn], kind="stable")]
    return selection(drawn, pi[drawn])


def draw_clusters(cluster_uniforms: ArrayLike, clusters: ArrayLike, n_clusters: int) -> Selection:
    """Draw whole clusters by simple random sampling and take every unit in them.

    Parameters
    ----------
    cluster_uniforms
        The cluster's number in (0, 1), repeated on each of its units: `hash_order` of the cluster's key, shape (N,).
    clusters
        The cluster of every unit, shape (N,).

    Raises
    ------
    DataError
        ``stats.cluster-uniform-varies``, ``stats.sample-size``, ``stats.label-missing``, ``stats.length-mismatch``,
        ``stats.uniform-out-of-range``.

    Assumptions
    -----------
    As `draw_simple`, for clusters.

    Guarantee
    ---------
    π = m / M exactly for every cluster and every unit in it. Units are given in frame order.

    References
    ----------
    Cochran, W. G. (1977). Sampling Techniques, 3rd ed., ch. 9.

    Examples
    --------
    >>> drawn = draw_clusters([0.2, 0.2, 0.7, 0.4], ["a", "a", "b", "c"], 1)
    >>> drawn.positions.tolist(), drawn.pi.round(3).tolist()
    ([0, 1], [0.333, 0.333])
    """
    codes, chosen, pi_first = _first_stage(cluster_uniforms, clusters, n_clusters)
    rows = np.flatnonzero(np.isin(codes, chosen))
    return selection(rows, np.full(rows.size, pi_first))


def draw_two_stage(
    cluster_uniforms: ArrayLike, uniforms: ArrayLike, clusters: ArrayLike, n_clusters: int, n_per_cluster: int
) -> Selection:
    """Draw clusters, then units inside the drawn clusters, both by simple random sampling.

    A cluster with fewer than `n_per_cluster` units is taken whole. Parameters and errors are those of `draw_clusters`,
    with `uniforms` one number per unit, hashed with another salt.

    Assumptions
    -----------
    The two sets of uniforms are independent (two salts).

    Guarantee
    ---------
    π = (m / M) · min(k, N_c) / N_c exactly; both factors are kept, because the variance needs them apart.

    References
    ----------
    Särndal, Swensson & Wretman (1992). Model Assisted Survey Sampling, §4.3.

    Examples
    --------
    >>> drawn = draw_two_stage([0.2, 0.2, 0.7, 0.4], [0.9, 0.1, 0.5, 0.3], ["a", "a", "b", "c"], 1, 1)
    >>> drawn.positions.tolist(), [stage.round(3).tolist() for stage in drawn.stage_pi]
    ([1], [[0.333], [0.5]])
    """
    codes, chosen, pi_first = _first_stage(cluster_uniforms, clusters, n_clusters)
    u = check_uniforms(uniforms)
    if u.size != codes.size:
        raise length_error("uniforms", u.size, codes.size)
    check_size(n_per_cluster, at_least=1, at_most=codes.size, where="each cluster")
    rows, counts = _groups(codes, int(codes.max()) + 1)
    taken = np.minimum(n_per_cluster, counts)
    drawn = np.sort(np.concatenate([rows[c][_smallest(u[rows[c]], int(taken[c]))] for c in chosen]))
    return selection(drawn, np.full(drawn.size, pi_first), (taken / counts)[codes[drawn]])


def selection(positions: NDArray[Any], *stage_pi: _Floats) -> Selection:
    """Put drawn positions and their probabilities, stage by stage, together."""
    return Selection(positions.astype(np.int64), stage_pi)


def _first_word(prefix: Any, key: int | str) -> int:
    if isinstance(key, bool | np.bool_) or not isinstance(key, int | str | np.integer):
        raise DataError(
            "stats.key-not-portable",
            f"a unit's key is {type(key).__name__}: {key!r}",
            expected="an integer or text, which print the same on every engine",
            fix="cast the key to text in the source",
        )
    digest = prefix.copy()
    digest.update(str(key).encode())
    return int.from_bytes(digest.digest()[:8], "big")


def _smallest(u: _Floats, n: int) -> _Ints:
    return np.argsort(u, kind="stable")[:n]


def _groups(codes: _Ints, n_groups: int) -> tuple[list[_Ints], _Ints]:
    counts = np.bincount(codes, minlength=n_groups)
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1]), counts


def _first_stage(cluster_uniforms: ArrayLike, clusters: ArrayLike, n_clusters: int) -> tuple[_Ints, _Ints, float]:
    u = check_uniforms(cluster_uniforms)
    names, codes = _codes(clusters, "cluster", u.size)
    of_cluster = np.zeros(len(names))
    of_cluster[codes] = u
    if (of_cluster[codes] != u).any():
        raise DataError(
            "stats.cluster-uniform-varies",
            "units of one cluster carry different uniforms",
            expected="the same number on every unit of a cluster",
            fix="hash_order(cluster_keys, salt)",
        )
    check_size(n_clusters, at_least=1, at_most=len(names), where="clusters")
    return codes, _smallest(of_cluster, n_clusters), n_clusters / len(names)


def _codes(labels: ArrayLike, what: str, size: int) -> tuple[list[Any], _Ints]:
    array = np.asarray(labels)
    if array.shape != (size,):
        raise length_error(what, array.size, size)
    # Only None and NaN differ from themselves or equal None, whatever the labels' type.
    if any(label is None or label != label for label in array.tolist()):
        raise DataError(
            "stats.label-missing",
            f"a unit has no {what}",
            expected=f"a {what} for every unit of the frame",
            fix=f"name the missing ones, as a {what} of their own",
        )
    names, codes = np.unique(array, return_inverse=True)
    return names.tolist(), codes.astype(np.int64)


def check_uniforms(uniforms: ArrayLike) -> _Floats:
    """Give permanent random numbers as an array, or refuse what is not inside (0, 1)."""
    u = np.asarray(uniforms, dtype=np.float64)
    if u.ndim != 1 or not ((u > 0) & (u < 1)).all():
        raise DataError(
            "stats.uniform-out-of-range",
            "a permanent random number is missing or not inside (0, 1)",
            expected="one number in (0, 1) per unit",
            fix="hash_order(keys, salt)",
        )
    return u


def _check_strata(names: list[Any], sizes: Mapping[Any, int]) -> None:
    for name in names:
        if sizes.get(name, 0) <= 0:
            raise DataError(
                "stats.stratum-without-draw",
                f"no unit is to be drawn from stratum {name!r}: its inclusion probability would be 0",
                expected="at least 1 unit from every stratum of the frame",
                fix="draw from it, or take it out of the population by name",
            )
    for name in sizes:
        if name not in names:
            raise DataError("stats.unknown-stratum", f"the frame has no stratum {name!r}", expected=f"one of {names}")


def check_size(n: int, *, at_least: int, at_most: int, where: str = "") -> None:
    """Refuse a number of units that cannot be drawn."""
    if not at_least <= n <= at_most:
        raise DataError(
            "stats.sample-size",
            f"{n} units cannot be drawn",
            where=where,
            expected=f"between {at_least} and {at_most}",
        )


def length_error(what: str, got: int, expected: int) -> DataError:
    """Name an array that has not one entry per unit."""
    return DataError("stats.length-mismatch", f"{what} has {got} entries", expected=f"{expected}, one per unit")
