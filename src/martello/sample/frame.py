"""The population as a countable list: how many units and groups, a fingerprint, and keys that name units.

Nothing is drawn here.
"""

from __future__ import annotations

from martello.engines.base import Engine
from martello.errors import DataError
from martello.records import Finding, Frame
from martello.sample.source import Source
from martello.spec.schema import Population

__all__ = ["count_frame"]


def count_frame(engine: Engine, source: Source, population: Population, spec_id: str) -> Frame:
    """Count the population, check that its keys name units, and take its fingerprint.

    The fingerprint is made of the engine's own hashes, which cost a fraction of an md5, and says whose they are: two
    can be compared when they begin with the same engine and version.

    Raises
    ------
    DataError
        ``sample.missing-key`` or ``sample.duplicate-key``.
    """
    n_groups = f"count(DISTINCT {source.group_value})" if source.has_group else "0"
    row = engine.arrow(
        f"""SELECT count(*) AS n, count(_unit) AS with_key, {n_groups} AS n_groups, count(_group) AS with_group,
                   count(_time) AS with_time, {source.fingerprint} AS fingerprint
            FROM {source.typed} AS frame"""
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
        fingerprint=f"{engine.name}:{row['fingerprint']}",
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
    # A key from content holds a count among equal rows: it names one row by its making.
    if not population.unit or engine.all_differ(source.typed, "_unit", row["n"]):
        return
    n_keys = engine.arrow(f"SELECT count(DISTINCT _unit) AS n FROM {source.typed} AS frame")["n"][0].as_py()
    if n_keys < row["n"]:
        example = engine.arrow(
            f"SELECT _unit, count(*) AS n FROM {source.typed} AS frame GROUP BY _unit ORDER BY n DESC, _unit LIMIT 1"
        ).to_pylist()[0]
        raise DataError(
            "sample.duplicate-key",
            f"{row['n'] - n_keys} rows repeat the key of another row",
            where=f"{population.source}, population.unit; for example {example['_unit']!r} stands {example['n']} times",
            expected="one row for each unit",
            fix="add the columns that make the key unique to population.unit, or remove the copies from the source",
        )
