"""A table of scores made elsewhere, by unit: judged like any other candidate, and not to be served.

The table has a column with the unit and, for two classes, one named ``score`` with the score of the second; for more,
one named like each class. A unit that is asked about must be in it once. The sides of a task carry their units under
the name `UNIT` beside the inputs; a request to a server carries none and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from martello.errors import DataError, SpecError
from martello.spec.schema import Field
from martello.train.arrays import pack_arrays, unpack_arrays
from martello.train.learner import UNIT, Columns, Fitted, Floats, TrainingData

__all__ = ["Scores"]


class Scores:
    """Bring scores.

    Parameters
    ----------
    file
        The table, CSV or Parquet.
    unit
        Its column with the unit.
    """

    name = "scores"

    def __init__(self, file: str = "", unit: str = "unit") -> None:
        self._file = file
        self._unit = unit

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Read the table; nothing is learned.

        Raises
        ------
        DataError
            ``train.scores-file``, or ``train.scores-table`` when a column lacks, a unit stands there twice or a row is
            no distribution over the classes.
        """
        units, scores = _read(Path(self._file), self._unit, data.classes)
        order = np.argsort(units, kind="stable")
        files = {"scores.npz": pack_arrays({"units": units[order], "scores": scores[order]})}
        return Fitted(settings={"rows": len(units)}, files=files)

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Table:
        """Make the scorer from the kept table."""
        arrays = unpack_arrays(files["scores.npz"])
        return _Table({unit: i for i, unit in enumerate(arrays["units"].tolist())}, arrays["scores"])


class _Table:
    def __init__(self, places: Mapping[str, int], scores: Floats) -> None:
        self._places = places
        self._scores = scores

    def scores(self, columns: Columns) -> Floats:
        if UNIT not in columns:
            raise SpecError(
                "train.scores-no-unit",
                "a table of scores knows units, and this request names none",
                expected="units of the task: a table is for judging, not for serving",
                fix="serve the model that made the scores, for instance as an ONNX file or an endpoint",
            )
        lacking = [unit for unit in columns[UNIT] if unit not in self._places]
        if lacking:
            raise DataError(
                "train.scores-lack-units",
                f"{len(lacking)} of {len(columns[UNIT])} units have no score, such as {lacking[0]}",
                expected="one row for each labeled unit of the sample",
                fix="score all units of the sample",
            )
        return self._scores[[self._places[unit] for unit in columns[UNIT]]]


def _read(path: Path, unit: str, classes: tuple[str, ...]) -> tuple[Any, Floats]:
    """Give units, shape (n,), and scores, shape (n, K)."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        text = pa.csv.ConvertOptions(column_types={unit: pa.string()})
        is_csv = path.suffix == ".csv"
        table = pa.csv.read_csv(path, convert_options=text) if is_csv else pa.parquet.read_table(path)
    except (OSError, pa.ArrowException) as err:
        raise DataError(
            "train.scores-file",
            f"the scores cannot be read: {err}",
            where=str(path),
            expected="a table, CSV or Parquet",
            fix='file = "scores.parquet"',
        ) from err
    names = ["score"] if len(classes) == 2 else list(classes)
    if absent := [name for name in (unit, *names) if name not in table.column_names]:
        raise _bad_table(path, f"it has no column {absent[0]}", [unit, *names])
    units = np.array([str(one) for one in table[unit].to_pylist()])
    if len(set(units.tolist())) < len(units):
        raise _bad_table(path, "a unit stands in it twice", [unit, *names])
    is_number = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal)
    if not all(any(is_kind(kind) for is_kind in is_number) for kind in table.select(names).schema.types):
        raise _bad_table(path, "a score is no number", [unit, *names])
    found = np.array([table[name].to_pylist() for name in names], dtype=np.float64).T.reshape(len(units), len(names))
    scores = np.hstack([1.0 - found, found]) if len(classes) == 2 else found
    if not (np.all((scores >= 0) & (scores <= 1)) and np.allclose(scores.sum(axis=1), 1.0, rtol=0.0, atol=1e-6)):
        raise _bad_table(path, "a row is no distribution over the classes", [unit, *names])
    return units, scores / scores.sum(axis=1, keepdims=True)


def _bad_table(path: Path, why: str, names: list[str]) -> DataError:
    return DataError(
        "train.scores-table",
        f"the table of scores cannot be taken: {why}",
        where=str(path),
        expected="each unit once, with probabilities, in the columns " + ", ".join(names),
        fix="write the table again",
    )
