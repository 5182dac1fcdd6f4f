"""Which units are looked at: a deterministic draw with the inclusion probability on every row.

A unit is drawn when the hash of the seed and its key falls below a threshold, so the same rows are drawn on every
engine and on every machine, whatever the order of the source. Where groups are declared whole groups are drawn.
"""

from __future__ import annotations

import msgspec
import pyarrow as pa

from martello.engines.base import Engine, quote
from martello.errors import DataError
from martello.records import Finding, Frame
from martello.sample.source import Source
from martello.spec.schema import Field, Population

__all__ = ["Draw", "count_frame", "draw_units", "hash_threshold"]

_DIGITS = 16
_SPACE = 16**_DIGITS


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """The drawn units and, if asked for, some of those that were not drawn.

    Both tables hold `unit`, `group`, `time`, `content`, `inclusion_probability`, `label` and `input.*`, `slice.*`
    columns, in order of `unit`.
    """

    units: pa.Table
    reserve: pa.Table
    design: str


def hash_threshold(probability: float) -> tuple[str, float]:
    """Give the hex threshold of an inclusion probability, and the probability it really gives.

    Examples
    --------
    >>> hash_threshold(0.5)
    ('8000000000000000', 0.5)
    """
    count = min(round(probability * _SPACE), _SPACE - 1)
    return f"{count:0{_DIGITS}x}", count / _SPACE


def count_frame(engine: Engine, source: Source, population: Population, spec_id: str) -> Frame:
    """Count the population, check that its keys name units, and take its fingerprint.

    Raises
    ------
    DataError
        ``sample.missing-key`` or ``sample.duplicate-key``.
    """
    row = engine.arrow(
        f"""SELECT count(*) AS n, count(_unit) AS with_key, count(DISTINCT _unit) AS n_keys,
                   count(DISTINCT _group) AS n_groups, count(_group) AS with_group, count(_time) AS with_time,
                   CAST(sum(CAST(md5_number_lower(_unit || '|' || {source.content}) AS HUGEINT)) AS VARCHAR) AS
                   fingerprint
            FROM {source.typed}"""
    ).to_pylist()[0]
    _check_keys(engine, source, population, row)
    findings = []
    if not population.unit:
        findings.append(
            Finding(
                code="sample.key-from-content",
                what="no unit key is declared: units are named by their rows' content, and a corrected row is another",
                severity="note",
            )
        )
    return Frame(
        parents=(spec_id,),
        source=population.source,
        fingerprint=str(row["fingerprint"]),
        n_units=row["n"],
        n_groups=row["n_groups"] if source.has_group else None,
        unit=population.unit,
        findings=tuple(findings),
    )


def _check_keys(engine: Engine, source: Source, population: Population, row: dict[str, int]) -> None:
    missing = [
        (name, row["n"] - row[counted])
        for name, counted, is_declared in (
            ("unit", "with_key", True),
            ("group", "with_group", source.has_group),
            ("time", "with_time", source.has_time),
        )
        if is_declared and row[counted] < row["n"]
    ]
    if missing:
        name, n = missing[0]
        raise DataError(
            "sample.missing-key",
            f"{n} of {row['n']} rows have no {name}",
            where=f"{population.source}, population.{name}",
            expected=f"a {name} on every row",
            fix="mend the source, or exclude these rows with population.where",
        )
    if row["n_keys"] < row["n"]:
        example = engine.arrow(
            f"SELECT _unit, count(*) AS n FROM {source.typed} GROUP BY _unit ORDER BY n DESC, _unit LIMIT 1"
        ).to_pylist()[0]
        raise DataError(
            "sample.duplicate-key",
            f"{row['n'] - row['n_keys']} rows repeat the key of another row",
            where=f"{population.source}, population.unit; for example {example['_unit']!r} stands {example['n']} times",
            expected="one row for each unit",
            fix="add the columns that make the key unique to population.unit, or remove the copies from the source",
        )


def draw_units(
    engine: Engine,
    source: Source,
    frame: Frame,
    fields: tuple[Field, ...],
    label: str | None,
    slices: tuple[str, ...],
    *,
    n: int | None,
    seed: int,
    n_reserve: int,
) -> Draw:
    """Draw about `n` units (all when None) and give up to `n_reserve` of the units not drawn.

    Raises
    ------
    DataError
        ``sample.too-many`` when more units are asked for than there are.
    """
    if n is not None and n > frame.n_units:
        raise DataError(
            "sample.too-many",
            f"{n} units were asked for, but the population has {frame.n_units}",
            where="[sample] n",
            expected=f"at most {frame.n_units}",
            fix="lower sample.n, or leave it out to take all units",
        )
    if n is None or n == frame.n_units:
        units = engine.arrow(_select(source, fields, label, slices, 1.0, "TRUE", "unit"))
        return Draw(units=units, reserve=units.slice(0, 0), design="census: every unit of the frame")
    threshold, probability = hash_threshold(n / frame.n_units)
    # Groups are drawn whole, by the hash of the group.
    key = "_group" if source.has_group else "_unit"
    position = f"md5('{seed}|draw|' || {key})"
    units = engine.arrow(_select(source, fields, label, slices, probability, f"{position} < '{threshold}'", "unit"))
    order = f"{position}, unit LIMIT {n_reserve}"
    reserve = engine.arrow(_select(source, fields, label, slices, probability, f"{position} >= '{threshold}'", order))
    of_what = "groups" if source.has_group else "units"
    return Draw(
        units=units, reserve=reserve, design=f"Bernoulli sample of {of_what} by hash, probability {probability:.6g}"
    )


def _select(
    source: Source,
    fields: tuple[Field, ...],
    label: str | None,
    slices: tuple[str, ...],
    probability: float,
    condition: str,
    order: str,
) -> str:
    inputs = [f"{quote(field.name)} AS {quote(field.column)}" for field in fields]
    parts = [f"CAST({quote(name)} AS VARCHAR) AS {quote('slice.' + name)}" for name in slices]
    answer = f"CAST({quote(label)} AS VARCHAR)" if label else "CAST(NULL AS VARCHAR)"
    columns = ", ".join(
        [
            "_unit AS unit",
            '_group AS "group"',
            "_time AS time",
            f"{source.content} AS content",
            f"CAST({probability!r} AS DOUBLE) AS inclusion_probability",
            f"{answer} AS label",
            *inputs,
            *parts,
        ]
    )
    return f"SELECT {columns} FROM {source.typed} WHERE {condition} ORDER BY {order}"
