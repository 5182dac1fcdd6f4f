"""The input checks of the evaluation estimators, and the one shape their rows are brought into.

Here lives every refusal of arrays that cannot be evaluated: wrong lengths, scores that are no numbers, labels outside
the classes, weights that cannot be weights. Nothing here estimates anything. Whoever computes calls these first and
then works on clean arrays; a lack of information (one class only, nothing flagged) is no fault and answered elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from martello.errors import DataError

__all__ = [
    "Bools",
    "Design",
    "Floats",
    "Ints",
    "check_codes",
    "check_design",
    "check_flags",
    "check_level",
    "check_numbers",
    "check_probabilities",
    "check_same_length",
    "check_scores_by_class",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Design:
    """How the rows were drawn, as far as an estimator needs to know: their weights and the clusters they came in.

    Attributes
    ----------
    n
        Number of rows.
    weight
        Design weights, shape (n,), at least 0; None when every row counts the same.
    cluster
        Cluster of each row as a code in 0..n_clusters-1, shape (n,); None when each row was drawn by itself.
    n_clusters
        Number of independent draws: clusters, or rows when there are none.
    """

    n: int
    weight: Floats | None
    cluster: Ints | None
    n_clusters: int

    @property
    def is_simple(self) -> bool:
        """Whether rows are equally weighted and drawn one by one."""
        return self.weight is None and self.cluster is None

    def weights(self) -> Floats:
        """Give the weight of each row, ones when there are none."""
        return np.ones(self.n) if self.weight is None else self.weight

    def totals(self, values: Floats) -> Floats:
        """Add values up within clusters, shape (n_clusters,)."""
        if self.cluster is None:
            return values
        return np.bincount(self.cluster, weights=values, minlength=self.n_clusters).astype(np.float64, copy=False)

    def take(self, rows: Bools | Ints) -> Design:
        """Give the design of some of the rows, clusters counted anew."""
        weight = None if self.weight is None else self.weight[rows]
        if self.cluster is None:
            n = len(np.arange(self.n)[rows])
            return Design(n, weight, None, n)
        kept, codes = np.unique(self.cluster[rows], return_inverse=True)
        return Design(len(codes), weight, codes, len(kept))


def check_level(level: float) -> float:
    """Refuse a confidence level that is not strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise DataError(
            "stats.level-out-of-range",
            f"level is {level}, not a confidence",
            where="level",
            expected="a number strictly between 0 and 1",
            fix="level = 0.95",
        )
    return float(level)


def check_numbers(values: npt.ArrayLike, *, where: str = "score") -> Floats:
    """Give values as finite floats, shape (n,), or refuse them by name."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise DataError("stats.score-not-finite", f"{where} holds something that is not a number", where=where) from err
    _check_column(array, where)
    _check_finite(array, where)
    return array


def check_probabilities(values: npt.ArrayLike, *, where: str = "score") -> Floats:
    """Give values as floats in [0, 1], shape (n,), or refuse them by name."""
    array = check_numbers(values, where=where)
    _check_unit_range(array, where)
    return array


def check_scores_by_class(values: npt.ArrayLike, *, where: str = "scores") -> Floats:
    """Give class probabilities as floats, shape (n, K), each row summing to 1, or refuse them by name."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise DataError(
            "stats.wrong-shape",
            f"{where} has shape {array.shape}",
            where=where,
            expected="one row per unit and one column per class, two classes at least",
        )
    if len(array) == 0:
        raise _empty(where)
    _check_finite(array, where)
    _check_unit_range(array, where)
    wrong = np.flatnonzero(np.abs(array.sum(axis=1) - 1.0) > 1e-3)
    if len(wrong):
        raise DataError(
            "stats.score-not-a-probability",
            f"{where} of row {wrong[0]} add up to {array[wrong[0]].sum():.6g}",
            where=f"{where}, row {wrong[0]} ({len(wrong)} such rows)",
            expected="class probabilities that add up to 1",
            fix="divide each row by its sum, or give the model's probabilities instead of its raw margins",
        )
    return array


def check_flags(values: npt.ArrayLike, *, where: str = "truth") -> Bools:
    """Give yes/no values as booleans, shape (n,); accepts booleans and numbers that are exactly 0 or 1."""
    array = np.asarray(values)
    _check_column(array, where)
    if array.dtype == np.bool_:
        return array.astype(np.bool_, copy=False)
    numbers = array.astype(np.float64) if array.dtype.kind in "iuf" else _flags_of_objects(array, where)
    wrong = np.flatnonzero((numbers != 0) & (numbers != 1))
    if len(wrong):
        raise _outside(where, int(wrong[0]), array[wrong[0]], "True or False (or 1 and 0)")
    return np.equal(numbers, 1)


def check_codes(codes: npt.ArrayLike, n_classes: int, *, where: str = "truth") -> Ints:
    """Give class codes as integers in 0..n_classes-1, shape (n,), or refuse them by name."""
    array = np.asarray(codes)
    _check_column(array, where)
    if array.dtype.kind not in "iub":
        raise _outside(where, 0, array[0], "class codes as integers")
    wrong = np.flatnonzero((array < 0) | (array >= n_classes))
    if len(wrong):
        raise _outside(where, int(wrong[0]), array[wrong[0]], f"a class code in 0..{n_classes - 1}")
    return array.astype(np.intp)


def check_same_length(**columns: Sequence[object] | npt.NDArray[np.generic]) -> int:
    """Give the common number of rows of named columns, or refuse columns of different lengths."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(
            "stats.length-mismatch",
            "the columns have different lengths: " + ", ".join(f"{name} {size}" for name, size in lengths.items()),
            where=", ".join(lengths),
            expected="one value per unit in every column",
        )
    return next(iter(lengths.values()))


def check_design(n: int, weight: npt.ArrayLike | None = None, cluster: npt.ArrayLike | None = None) -> Design:
    """Give the design of n rows from their optional weights and cluster names, or refuse them by name."""
    weights = None if weight is None else _check_weight(weight, n)
    if cluster is None:
        return Design(n, weights, None, n)
    names = np.asarray(cluster)
    check_same_length(rows=np.empty(n), cluster=names)
    _check_no_missing(names)
    kept, codes = np.unique(names, return_inverse=True)
    return Design(n, weights, codes, len(kept))


def _check_weight(weight: npt.ArrayLike, n: int) -> Floats | None:
    """Give weights as floats, None when they are all the same, or refuse them."""
    array = np.asarray(weight, dtype=np.float64)
    check_same_length(rows=np.empty(n), weight=array)
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise DataError(
            "stats.weight-not-finite",
            f"weight of row {bad[0]} is {array[bad[0]]}",
            where=f"weight, row {bad[0]} ({len(bad)} such rows)",
            expected="a number of at least 0; design weights are 1 over the inclusion probability",
        )
    negative = np.flatnonzero(array < 0)
    if len(negative):
        raise DataError(
            "stats.weight-negative",
            f"weight of row {negative[0]} is {array[negative[0]]:g}",
            where=f"weight, row {negative[0]} ({len(negative)} such rows)",
            expected="a number of at least 0",
        )
    if not array.sum() > 0:
        raise DataError(
            "stats.weight-sums-to-zero", "the weights sum to 0", where="weight", expected="at least one weight above 0"
        )
    return None if np.all(array == array[0]) else array


def _check_column(array: npt.NDArray[np.generic], where: str) -> None:
    if array.ndim != 1:
        raise DataError(
            "stats.wrong-shape", f"{where} has shape {array.shape}", where=where, expected="one value per unit"
        )
    if len(array) == 0:
        raise _empty(where)


def _check_finite(array: Floats, where: str) -> None:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        row = int(bad[0][0])
        raise DataError(
            "stats.score-not-finite",
            f"{where} of row {row} is {array[tuple(bad[0])]}",
            where=f"{where}, row {row} ({len(bad)} such values)",
            expected="a finite number for every unit",
            fix="find why the model gave no number for this unit; do not drop the row, it would bias the estimate",
        )


def _check_unit_range(array: Floats, where: str) -> None:
    bad = np.argwhere((array < 0) | (array > 1))
    if len(bad):
        row = int(bad[0][0])
        raise DataError(
            "stats.score-not-a-probability",
            f"{where} of row {row} is {array[tuple(bad[0])]:g}",
            where=f"{where}, row {row} ({len(bad)} such values)",
            expected="a number in [0, 1]",
            fix="give the model's probabilities instead of its raw margins",
        )


def _check_no_missing(names: npt.NDArray[np.generic]) -> None:
    missing = names.dtype.kind == "f" and np.isnan(names.astype(np.float64)).any()
    if missing or (names.dtype.kind == "O" and any(name is None or name != name for name in names.tolist())):
        raise DataError(
            "stats.cluster-missing",
            "a row has no cluster",
            where="cluster",
            expected="the name of a cluster in every row",
            fix="give a row that stands alone a cluster name of its own",
        )


def _flags_of_objects(array: npt.NDArray[np.generic], where: str) -> Floats:
    values = array.tolist()
    for row, value in enumerate(values):
        if not isinstance(value, bool | int | float):
            raise _outside(where, row, value, "True or False (or 1 and 0)")
    return np.array(values, dtype=np.float64)


def _empty(where: str) -> DataError:
    return DataError("stats.empty", f"{where} has no rows", where=where, expected="at least one unit")


def _outside(where: str, row: int, value: object, expected: str) -> DataError:
    return DataError(
        "stats.label-outside-classes",
        f"{where} of row {row} is {value!r}",
        where=f"{where}, row {row}",
        expected=expected,
    )
