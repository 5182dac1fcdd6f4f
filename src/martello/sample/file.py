"""A draw from one file without a project: its rows as they stand, with what a design-based estimate needs.

The same designs and the same rows as in a project. Means and totals come from `martello.stats.survey`; reading options
and writing the result are the command's.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from martello.engines.base import Engine, quote
from martello.errors import DataError, nearest
from martello.records import Measure
from martello.sample.frame import count_frame
from martello.sample.lot import cast_lots
from martello.sample.quota import Quota, frame_size
from martello.sample.source import open_source
from martello.spec.schema import Output, Population, SampleDesign
from martello.stats.linearization import SurveyDesign, survey_design
from martello.stats.survey import design_effect, survey_mean, survey_total
from martello.stats.weighting import kish_effective_n

__all__ = ["ColumnEstimate", "FileDraw", "draw_from_file", "estimate_column", "expected_design_effect"]

_PI = "inclusion_probability"
_STRATUM = "stratum"


class FileDraw(msgspec.Struct, frozen=True, kw_only=True):
    """The drawn rows of a file.

    Attributes
    ----------
    rows
        Every column of the file, then `inclusion_probability`, and `stratum` where the strata are not one column of
        that name; in order of the unit's key.
    design
        The draw in a sentence.
    n_population, n_groups
        Units, and groups where they are declared, in the file.
    quotas
        How many of how many units (or groups), in all or by stratum; empty for draws by threshold.
    group, stratum, stage_pi
        Of every row, for the variance: its group, its stratum (None where there are none) and its chance by stage.
    """

    rows: pa.Table
    design: str
    n_population: int
    n_groups: int | None
    quotas: tuple[Quota, ...]
    group: list[str] | None
    stratum: list[str] | None
    stage_pi: tuple[NDArray[np.float64], ...]


class ColumnEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What the sample says of a number column in the whole file, over the units that have a value."""

    column: str
    mean: Measure
    total: Measure
    design_effect: Measure | float
    effective_n: float | None
    n_without_value: int


def draw_from_file(engine: Engine, population: Population, design: SampleDesign) -> FileDraw:
    """Draw rows of a file by a design.

    Raises
    ------
    DataError
        Faults of the file and of the design, or ``sample.column-taken``.
    """
    source = open_source(engine, population, (), Output(), (), design)
    columns = engine.columns(engine.relation(population.source))
    added = _added(list(columns), design)
    frame = count_frame(engine, source, population, "")
    lot = cast_lots(engine, source, frame, design)
    stored = (
        f"{engine.dialect.shown(quote(name), engine.dialect.kind(type_))} AS {quote(name)}"
        for name, type_ in columns.items()
    )
    kept = ", ".join((*stored, *added, "_group", "_stratum", "_pi", "_pi_within"))
    table = engine.arrow(f"SELECT {kept} FROM {lot.drawn} AS drawn ORDER BY _unit")
    groups = _texts(table, "_group") if source.has_group else None
    first, within = table["_pi"].to_numpy(), table["_pi_within"].to_numpy()
    if design.design == "bernoulli":
        # Given how many were drawn, all sets of so many are equally likely; this chance estimates better.
        n_drawn = len(set(groups)) if groups is not None else table.num_rows
        first = np.full(table.num_rows, n_drawn / frame_size(source, frame))
    return FileDraw(
        rows=table.drop_columns(["_group", "_stratum", "_pi", "_pi_within"]),
        design=lot.design,
        n_population=frame.n_units,
        n_groups=frame.n_groups,
        quotas=lot.quotas,
        group=groups,
        stratum=_texts(table, "_stratum") if source.has_strata else None,
        stage_pi=(first, within) if design.per_cluster is not None else (first,),
    )


def _texts(table: pa.Table, name: str) -> list[str]:
    return [str(value) for value in table[name].to_pylist()]


def _added(columns: list[str], design: SampleDesign) -> list[str]:
    """Name what is added to the columns of the file, which must not be there already."""
    taken = {name.lower() for name in columns}
    wanted = {_PI: f"_pi * _pi_within AS {_PI}"}
    if design.by and tuple(name.lower() for name in design.by) != (_STRATUM,):
        wanted[_STRATUM] = f"_stratum AS {_STRATUM}"
    for name in wanted:
        if name in taken:
            raise DataError(
                "sample.column-taken",
                f"the file has a column {name!r} already",
                expected="a file that was not drawn before: the chance, or stratum, of this draw gets this name",
                fix="rename the column in the file",
            )
    return list(wanted.values())


def _survey_design(draw: FileDraw) -> SurveyDesign:
    pi = np.prod(draw.stage_pi, axis=0)
    return survey_design(pi=pi, stratum=draw.stratum, cluster=draw.group, stage_pi=draw.stage_pi)


def estimate_column(draw: FileDraw, column: str, *, level: float = 0.95) -> ColumnEstimate:
    """Estimate the mean and the total of a number column in the file from the drawn rows.

    Raises
    ------
    DataError
        ``data.no-such-column`` or ``data.wrong-type``; ``stats.level-out-of-range``.
    """
    values = _numbers(draw.rows, column)
    has_value = ~np.isnan(values)
    design = _survey_design(draw)
    mean = survey_mean(design, values, domain=has_value, level=level)
    total = survey_total(design, values, domain=has_value, level=level)
    effect = design_effect(mean)
    return ColumnEstimate(
        column=column,
        mean=mean,
        total=total,
        design_effect=effect,
        effective_n=getattr(mean, "effective_n", None),
        n_without_value=int((~has_value).sum()),
    )


def _numbers(rows: pa.Table, column: str) -> NDArray[np.float64]:
    if column not in rows.column_names:
        near = nearest(column, rows.column_names)
        raise DataError(
            "data.no-such-column",
            f"the file has no column {column!r}",
            expected="one of " + ", ".join(rows.column_names[:12]),
            fix=f"write {near!r}" if near else "name a column the file has",
        )
    values = rows[column]
    try:
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):  # CSV is read as text
            numbers = [float(text) if text and text.strip() else None for text in values.to_pylist()]
            values = pa.chunked_array([pa.array(numbers, pa.float64())])
        found = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except (ValueError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as err:
        raise DataError(
            "data.wrong-type",
            f"{column!r} holds values that are no numbers: {err}",
            expected="a number column",
            fix="name another column, or mend the values",
        ) from err
    return found


def expected_design_effect(draw: FileDraw, correlation: float) -> float:
    """Give how many times larger the variance of a mean will be than from as many rows drawn simply (Kish).

    Parameters
    ----------
    draw
        Drawn rows.
    correlation
        How alike units of one group are: the correlation of two of them.

    Examples
    --------
    Groups of four, alike by 0.05, cost 15 percent.

    >>> draw = FileDraw(rows=pa.table({}), design="", n_population=80, n_groups=20, quotas=(), stratum=None,
    ...     group=["a"] * 4 + ["b"] * 4, stage_pi=(np.full(8, 0.1),))
    >>> round(expected_design_effect(draw, 0.05), 3)
    1.15
    """
    weight = 1 / np.prod(draw.stage_pi, axis=0)
    uneven = float(weight.size / kish_effective_n(weight))
    if draw.group is None:
        return uneven
    held = np.unique(draw.group, return_counts=True)[1]
    # Of a unit's group, the mean size is that which units see, not that of groups.
    return uneven * (1 + (float(np.sum(held**2) / np.sum(held)) - 1) * correlation)
