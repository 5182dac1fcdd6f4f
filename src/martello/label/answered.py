"""Labels from what people answered: the settled answer of each unit of train and dev, and how common each class is.

Train units may have been picked because they are hard; only dev, drawn plainly at random, speaks for the population.
Gold's answers are not here: they belong to the verdict, and a model must not be made anew because gold was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa

from martello.errors import DataError, nearest
from martello.label.column import check_sides, class_code, class_names, class_shares
from martello.records import Labels, Sample, record_id
from martello.spec.schema import Output
from martello.store import Store

__all__ = ["label_from_answers"]


def label_from_answers(
    store: Store,
    sample: Sample,
    answers: Mapping[str, str | None],
    *,
    output: Output,
    kind: Literal["binary", "multiclass", "ranking"],
    level: float,
) -> Labels:
    """Take the settled answers of the sample's train and dev units.

    Parameters
    ----------
    store, sample
        Where the sample's units are, and the sample.
    answers
        Settled answer by unit; None for "unsure", which teaches nothing.
    output, kind, level
        The parts of the spec this stage reads.

    Raises
    ------
    DataError
        ``label.unknown-class``, or ``label.rare-class`` when a class is all but absent from train or dev.
    """
    units = store.get_table(sample.units)
    keys = [str(key) for key in units["unit"].to_pylist()]
    side = [str(each) for each in units["split"].to_pylist()]
    classes = class_names(output.classes, output, kind)
    learns = [each in ("train", "dev") for each in side]
    given = [answers.get(key) if on else None for key, on in zip(keys, learns, strict=True)]
    _check_classes(given, keys, output.classes)
    codes = [class_code(answer, classes, kind) for answer in given]
    check_sides(codes, side, classes, sides=("train", "dev"))
    known = np.asarray([code is not None for code in codes])
    from_dev = known & np.asarray([each == "dev" for each in side])
    return Labels(
        parents=(record_id(sample),),
        source="annotators",
        classes=classes,
        positive=output.positive if kind == "binary" else None,
        shares=class_shares(units, codes, from_dev, classes, sample.is_clustered, level),
        n_labeled=int(known.sum()),
        n_missing=int(sum(learns) - known.sum()),
        table=store.put_table(pa.table({"unit": units["unit"], "code": pa.array(codes, pa.int32())})),
    )


def _check_classes(given: list[str | None], keys: list[str], classes: tuple[str, ...]) -> None:
    for key, answer in zip(keys, given, strict=True):
        if answer is not None and answer not in classes:
            raise DataError(
                "label.unknown-class",
                f"the answer {answer!r} is not one of the classes",
                where=f"unit {key!r}",
                expected="one of " + ", ".join(map(repr, classes)),
                fix=f"write {near!r}" if (near := nearest(answer, classes)) else "declare it under output.classes",
            )
