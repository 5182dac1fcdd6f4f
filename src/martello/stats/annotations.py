"""Answers of several annotators in the one shape that every estimator of agreement and aggregation takes.

One row per unit and annotator who answered; who did not answer has no row. Here lives what can be wrong with such rows.
Nothing here estimates anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from martello.errors import DataError
from martello.stats.checks import Floats, Ints, check_codes, check_same_length

__all__ = ["Annotations", "check_annotations"]


@dataclass(frozen=True, slots=True)
class Annotations:
    """Who said what of which unit, as codes counted from 0.

    Attributes
    ----------
    unit, annotator, answer
        One code each per answer, shape (m,); no annotator answers a unit twice.
    n_units, n_annotators, n_classes
        How many there are, also where some have no answer.
    """

    unit: Ints
    annotator: Ints
    answer: Ints
    n_units: int
    n_annotators: int
    n_classes: int

    def per_unit(self) -> Ints:
        """Count the answers of each unit, shape (n_units,)."""
        return np.bincount(self.unit, minlength=self.n_units)

    def votes(self) -> Floats:
        """Count the answers of each unit by class, shape (n_units, n_classes)."""
        cells = np.bincount(self.unit * self.n_classes + self.answer, minlength=self.n_units * self.n_classes)
        return cells.reshape(self.n_units, self.n_classes).astype(np.float64)


def check_annotations(
    unit: npt.ArrayLike,
    annotator: npt.ArrayLike,
    answer: npt.ArrayLike,
    *,
    n_units: int | None = None,
    n_annotators: int | None = None,
    n_classes: int | None = None,
) -> Annotations:
    """Give answers as checked codes, or refuse them by name.

    Parameters
    ----------
    unit, annotator, answer
        Codes counted from 0, shape (m,).
    n_units, n_annotators, n_classes
        How many there are; one more than the highest code when left out.

    Raises
    ------
    DataError
        ``stats.length-mismatch``, ``stats.empty``, ``stats.label-outside-classes`` or ``stats.annotated-twice``.

    Examples
    --------
    >>> check_annotations([0, 0, 1], [0, 1, 0], [1, 1, 0]).votes().tolist()
    [[0.0, 2.0], [1.0, 0.0]]
    """
    columns = {"unit": np.asarray(unit), "annotator": np.asarray(annotator), "answer": np.asarray(answer)}
    check_same_length(**columns)
    given = {"unit": n_units, "annotator": n_annotators, "answer": n_classes}
    sizes = {name: _size(columns[name], size) for name, size in given.items()}
    codes = {name: check_codes(columns[name], sizes[name], where=name) for name in columns}
    pairs = codes["unit"] * sizes["annotator"] + codes["annotator"]
    order = np.argsort(pairs, kind="stable")
    again = np.flatnonzero(np.diff(pairs[order]) == 0)
    if len(again):
        row = int(order[again[0] + 1])
        raise DataError(
            "stats.annotated-twice",
            f"annotator {codes['annotator'][row]} answered unit {codes['unit'][row]} more than once",
            where=f"row {row}",
            expected="one answer per unit and annotator",
            fix="keep the latest answer of each, or the one that was meant",
        )
    return Annotations(
        **codes, n_units=sizes["unit"], n_annotators=sizes["annotator"], n_classes=max(2, sizes["answer"])
    )


def _size(codes: npt.NDArray[np.generic], given: int | None) -> int:
    if given is not None:
        return given
    return int(codes.max()) + 1 if codes.size and codes.dtype.kind in "iub" else 1
