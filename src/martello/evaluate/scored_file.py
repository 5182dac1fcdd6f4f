"""A file of scores and labels as units: which column is what, and every way in which they do not fit together, named.

Reading columns is `reading`'s, judging them `file_verdict`'s and `rankings`' business.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from martello.engines.base import Engine
from martello.errors import DataError, nearest
from martello.evaluate.population import check_population
from martello.evaluate.reading import Names, numbers_of, probabilities_of, read_columns, texts_of
from martello.evaluate.units import ScoredUnits
from martello.stats.checks import check_design, check_numbers, check_probabilities, check_scores_by_class
from martello.stats.linearization import SurveyDesign, survey_design

__all__ = ["Columns", "ScoredFile", "ScoredRows", "read_ranked_file", "read_scored_file"]


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of a file are what.

    Attributes
    ----------
    score, against
        One column for a yes/no score, one per class for several classes; `against` may be empty.
    label
        What is true.
    classes
        Names of the classes in the order of `score`; empty: yes and no.
    positive
        The label that counts as yes; None: labels are 1 and 0, or true and false.
    weight, pi
        Design weight or inclusion probability; one of them at most.
    stratum, cluster
        Of the draw.
    slices
        Columns in each value of which the requirement must hold, too.
    query
        The list a row belongs to, for rankings.
    """

    score: tuple[str, ...]
    label: str
    against: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    positive: str | None = None
    weight: str | None = None
    pi: str | None = None
    stratum: str | None = None
    cluster: str | None = None
    slices: tuple[str, ...] = ()
    query: str | None = None

    def names(self) -> list[str]:
        """Give every column that is named."""
        single = (self.label, self.weight, self.pi, self.stratum, self.cluster, self.query)
        return [*self.score, *self.against, *(name for name in single if name is not None), *self.slices]


class ScoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file read: the labeled units, the other model's scores, and how many rows had no label."""

    units: ScoredUnits
    classes: tuple[str, ...]
    against: NDArray[np.float64] | None
    n_unlabeled: int


class ScoredRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of ranked lists: query codes with their names, relevance and scores; `units` has what else they carry.

    The truth and scores of `units` are not used.
    """

    query: NDArray[np.int64]
    relevance: NDArray[np.float64]
    against: NDArray[np.float64] | None
    units: ScoredUnits
    n_unlabeled: int


def read_scored_file(engine: Engine, source: str, columns: Columns, *, population: int | None = None) -> ScoredFile:
    """Read units with their labels and scores; where the size of the population is known, check weights against it.

    Raises
    ------
    DataError
        Named by column and row: what `read_columns` refuses, ``evaluate.options-disagree``,
        ``evaluate.label-not-binary``, ``evaluate.no-labels``, ``evaluate.weights-off-population``,
        ``label.no-such-class``, ``stats.label-outside-classes``, and faults of scores, weights, probabilities, strata
        and clusters (``stats.…``).
    """
    _check_counts(columns)
    table = read_columns(engine, source, columns.names())
    classes = columns.classes or ("no", "yes")
    label = texts_of(table, columns.label)
    truth = _by_class(label, columns) if columns.classes else _yes_or_no(label, columns)
    labeled = truth >= 0
    if not labeled.any():
        raise _no_labels(columns.label, source)
    if population is not None:
        _check_population(table, columns, labeled, population)
    return ScoredFile(
        units=ScoredUnits(
            truth=truth[labeled], scores=_scores(table, columns.score)[labeled], **_design(table, columns, labeled)
        ),
        classes=classes,
        against=_scores(table, columns.against)[labeled] if columns.against else None,
        n_unlabeled=int(np.sum(~labeled)),
    )


def read_ranked_file(engine: Engine, source: str, columns: Columns) -> ScoredRows:
    """Read rows of ranked lists with their relevance and scores.

    Raises
    ------
    DataError
        As `read_scored_file`.
    """
    assert columns.query is not None
    if len(columns.score) > 1 or columns.classes:
        raise _disagree("a ranking has one score and no classes", "one --score column and no --classes")
    table = read_columns(engine, source, columns.names())
    relevance = (
        numbers_of(table, columns.label)
        if columns.positive is None
        else _yes_or_no(texts_of(table, columns.label), columns).astype(np.float64)
    )
    labeled = ~np.isnan(relevance) if columns.positive is None else relevance >= 0
    if not labeled.any():
        raise _no_labels(columns.label, source)
    query = texts_of(table, columns.query, if_missing="query")[0]
    against = (
        check_numbers(numbers_of(table, columns.against[0]), where=columns.against[0]) if columns.against else None
    )
    score = check_numbers(numbers_of(table, columns.score[0]), where=columns.score[0])
    return ScoredRows(
        query=query[labeled],
        relevance=relevance[labeled],
        against=None if against is None else against[labeled],
        units=ScoredUnits(
            truth=np.zeros(int(labeled.sum()), dtype=np.int64),
            scores=score[labeled][:, None],
            **_design(table, columns, labeled),
        ),
        n_unlabeled=int(np.sum(~labeled)),
    )


def _check_counts(columns: Columns) -> None:
    if len(columns.score) > 1 and not columns.classes:
        raise _disagree("several score columns need the classes they are of", "--classes a,b,c in the order of --score")
    if columns.classes and len(columns.classes) != len(columns.score):
        n, k = len(columns.score), len(columns.classes)
        raise _disagree(f"{n} score columns and {k} classes", "one score column per class, in the same order")
    if columns.classes and columns.positive is not None:
        raise _disagree("--positive and --classes both say what counts as yes", "one of them")
    if columns.against and len(columns.against) != len(columns.score):
        raise _disagree("--against names another number of columns than --score", "as many columns as --score")


def _disagree(what: str, expected: str) -> DataError:
    return DataError("evaluate.options-disagree", what, where="the command line", expected=expected)


def _no_labels(label: str, source: str) -> DataError:
    return DataError(
        "evaluate.no-labels",
        f"no row of {source} has a label",
        where=label,
        expected="labeled units; before there are labels, the plan says how many it takes",
        fix="martello evaluate --plan --require precision=0.8 --expect 0.86",
    )


def _by_class(label: Names, columns: Columns) -> NDArray[np.int64]:
    codes, names = label
    outside = [name for name in names if name not in columns.classes]
    if outside:
        row = int(np.argmax(codes == names.index(outside[0])))
        close = nearest(outside[0], columns.classes)
        raise DataError(
            "stats.label-outside-classes",
            f"{columns.label} of row {row} is {outside[0]!r}, which is no class",
            where=f"{columns.label}, row {row}",
            expected="one of " + ", ".join(columns.classes),
            fix=f"{close!r} in the file, or in --classes" if close else "",
        )
    return _recoded(codes, [columns.classes.index(name) for name in names])


_YES = {"1": 1, "true": 1, "0": 0, "false": 0}


def _yes_or_no(label: Names, columns: Columns) -> NDArray[np.int64]:
    codes, names = label
    if columns.positive is not None:
        if columns.positive not in names and len(names) > 1:
            close = nearest(columns.positive, names)
            raise DataError(
                "label.no-such-class",
                f"no label is {columns.positive!r}",
                where=columns.label,
                expected="one of " + ", ".join(sorted(names)[:10]),
                fix=f"--positive {close!r}" if close else "",
            )
        return _recoded(codes, [int(name == columns.positive) for name in names])
    other = [name for name in names if name.lower() not in _YES]
    if other:
        row = int(np.argmax(codes == names.index(other[0])))
        raise DataError(
            "evaluate.label-not-binary",
            f"{columns.label} of row {row} is {other[0]!r}, neither yes nor no",
            where=f"{columns.label}, row {row}",
            expected="1 and 0, or true and false; else the label that counts as yes",
            fix=f"--positive {other[0]!r}",
        )
    return _recoded(codes, [_YES[name.lower()] for name in names])


def _recoded(codes: NDArray[np.int64], new: list[int]) -> NDArray[np.int64]:
    """Give each row the new code of its old one, -1 where it has none."""
    return np.array([*new, -1], dtype=np.int64)[codes]


def _scores(table: pa.Table, names: tuple[str, ...]) -> NDArray[np.float64]:
    if len(names) == 1:
        yes = check_probabilities(numbers_of(table, names[0]), where=names[0])
        return np.column_stack([1 - yes, yes])
    return check_scores_by_class(np.column_stack([numbers_of(table, name) for name in names]), where=",".join(names))


def _design(table: pa.Table, columns: Columns, labeled: NDArray[np.bool_]) -> dict[str, Any]:
    """Give what units carry of their draw, checked over the whole file, of the labeled rows."""
    weight = _weights(table, columns)
    cluster = texts_of(table, columns.cluster, if_missing="cluster")[0][labeled] if columns.cluster else None
    strata: SurveyDesign | None = None
    if columns.stratum:
        stratum = texts_of(table, columns.stratum, if_missing="stratum")[0][labeled]
        strata = survey_design(weight=weight[labeled], stratum=stratum, cluster=cluster)
    check_design(int(labeled.sum()), weight[labeled])
    return {
        "weight": weight[labeled],
        "cluster": cluster,
        "strata": strata,
        "slices": {name: _values(texts_of(table, name), labeled) for name in columns.slices},
    }


def _weights(table: pa.Table, columns: Columns) -> NDArray[np.float64]:
    if columns.weight and columns.pi:
        raise _disagree("--weight and --pi say the same thing in two ways", "one of them")
    if columns.pi:
        return 1 / probabilities_of(table, columns.pi)
    if not columns.weight:
        return np.ones(table.num_rows)
    weight = numbers_of(table, columns.weight)
    check_design(table.num_rows, weight)
    return weight


def _check_population(table: pa.Table, columns: Columns, labeled: NDArray[np.bool_], population: int) -> None:
    where = columns.weight or columns.pi
    if where is None:
        raise _disagree("--population is what design weights add up to, and there are none", "--weight or --pi")
    if population < 1:
        raise _disagree(f"the population has {population} units", "--population N, the number of units there are")
    cluster = texts_of(table, columns.cluster, if_missing="cluster")[0] if columns.cluster else None
    check_population(_weights(table, columns), labeled, cluster, population, where=where)


def _values(column: Names, labeled: NDArray[np.bool_]) -> list[str | None]:
    codes, names = column
    values = [*names, None]
    return [values[code] for code in codes[labeled].tolist()]
