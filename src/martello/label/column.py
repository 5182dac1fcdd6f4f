"""Labels from a column of the source: the classes, how common each is, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from martello.errors import DataError, nearest
from martello.records import Labels, Measure, Sample, record_id
from martello.spec.schema import Output
from martello.stats.intervals import mean_estimate
from martello.store import Store

__all__ = ["check_sides", "class_code", "class_names", "class_shares", "label_from_column"]

_MOST_CLASSES = 1000
_FEWEST_OF_A_CLASS = 3


def label_from_column(
    store: Store,
    sample: Sample,
    *,
    output: Output,
    kind: Literal["binary", "multiclass", "ranking"],
    missing: tuple[str, ...],
    level: float,
) -> Labels:
    """Read the answer of every sampled unit from the source's column.

    Parameters
    ----------
    store
        Where the sample's units are.
    sample
        Drawn units.
    output, kind, missing, level
        The parts of the spec this stage reads.

    Raises
    ------
    DataError
        ``label.no-labels``, ``label.one-class``, ``label.no-such-class``, ``label.rare-class``,
        ``label.too-many-classes`` or ``label.gold-by-model``.
    """
    units = store.get_table(sample.units)
    answers = [
        None if answer is None or answer == "" or answer in missing else answer for answer in units["label"].to_pylist()
    ]
    _check_answers(answers, output, kind)
    classes = class_names(sorted({answer for answer in answers if answer is not None}), output, kind)
    codes = [class_code(answer, classes, kind) for answer in answers]
    split: list[Any] = units["split"].to_pylist()
    _check_authors(units["author"].to_pylist(), split, codes, output)
    drawn = np.asarray([side != "reserve" for side in split], dtype=bool)
    labeled = drawn & np.asarray([code is not None for code in codes])
    check_sides(codes, split, classes)
    return Labels(
        parents=(record_id(sample),),
        source="column",
        classes=classes,
        positive=output.positive if kind == "binary" else None,
        shares=class_shares(units, codes, labeled, classes, sample.is_clustered, level),
        n_labeled=int(labeled.sum()),
        n_missing=int((drawn & ~labeled).sum()),
        table=store.put_table(pa.table({"unit": units["unit"], "code": pa.array(codes, pa.int32())})),
    )


def _check_authors(author: list[str | None], split: list[str], codes: list[int | None], output: Output) -> None:
    """Refuse answers by a model where models are judged."""
    by_model = [a is not None and (a == "model" or a.startswith("model:")) for a in author]
    found = [
        a for a, is_model, on, code in zip(author, by_model, split, codes, strict=True)
        if is_model and on == "gold" and code is not None
    ]  # fmt: skip
    if found:
        raise DataError(
            "label.gold-by-model",
            f"{len(found)} gold units were answered by a model",
            where=f"column {output.author!r}, for example {found[0]!r}",
            expected="people's answers on gold: a model that is judged by a model is judged by nobody",
            fix="have people answer these units, or cut them out with population.where; a model's answers may train",
        )


def class_names(found: Sequence[str], output: Output, kind: str) -> tuple[str, ...]:
    """Give the classes in the order of their codes: of a binary task, what is not positive and what is."""
    if kind == "multiclass":
        return tuple(found)
    others = [answer for answer in found if answer != output.positive]
    return (others[0] if len(others) == 1 else f"not {output.positive}", str(output.positive))


def _check_answers(answers: list[str | None], output: Output, kind: str) -> None:
    found = sorted({answer for answer in answers if answer is not None})
    where = f"column {output.column!r}"
    if not found:
        raise DataError("label.no-labels", "no unit has a label", where=where, expected="an answer on most rows")
    if len(found) == 1:
        raise DataError(
            "label.one-class",
            f"every label is {found[0]!r}: there is nothing to tell apart",
            where=where,
            expected="at least two different answers",
            fix="check population.where and the column, or gather cases of the other kind",
        )
    if kind == "multiclass":
        if len(found) > _MOST_CLASSES:
            raise DataError(
                "label.too-many-classes",
                f"{len(found)} different answers look like free text or a number, not classes",
                where=where,
                expected=f"at most {_MOST_CLASSES} classes",
                fix="group the answers in the source",
            )
        return
    if output.positive not in found:
        near = nearest(str(output.positive), found)
        raise DataError(
            "label.no-such-class",
            f"no unit has the positive answer {output.positive!r}",
            where=where,
            expected="one of " + ", ".join(repr(answer) for answer in found[:8]),
            fix=f"positive = {(near or found[0])!r}",
        )


def class_code(answer: str | None, classes: tuple[str, ...], kind: str) -> int | None:
    """Give an answer's code; None where there is no answer."""
    if answer is None:
        return None
    return classes.index(answer) if kind == "multiclass" else int(answer == classes[1])


def check_sides(
    codes: list[int | None],
    split: list[str],
    classes: tuple[str, ...],
    *,
    sides: tuple[str, ...] = ("train", "dev", "gold"),
) -> None:
    """Refuse a binary task with a side from which a class is all but absent.

    Raises
    ------
    DataError
        ``label.rare-class``.
    """
    for side in sides:
        counts = np.bincount(
            [code for code, on in zip(codes, split, strict=True) if on == side and code is not None],
            minlength=len(classes),
        )
        if len(classes) == 2 and counts.min() < _FEWEST_OF_A_CLASS:
            rare = classes[int(counts.argmin())]
            raise DataError(
                "label.rare-class",
                f"only {counts.min()} {side} units are {rare!r}",
                where=f"{side}, {counts.sum()} units",
                expected=f"at least {_FEWEST_OF_A_CLASS} of each class on each side",
                fix="label more units of the rare class, or sample more units",
            )


def class_shares(
    units: pa.Table,
    codes: list[int | None],
    labeled: np.ndarray,
    classes: tuple[str, ...],
    is_clustered: bool,
    level: float,
) -> tuple[Measure, ...]:
    """Estimate the share of each class in the population from some units, a mask over the rows of `units`."""
    values = np.asarray([-1 if code is None else code for code in codes])[labeled]
    weight = 1 / units["inclusion_probability"].to_numpy()[labeled]
    cluster = np.asarray(units["cluster"].to_pylist(), dtype=str)[labeled] if is_clustered else None
    return tuple(
        mean_estimate((values == k).astype(float), weight=weight, cluster=cluster, level=level)
        for k in range(len(classes))
    )
