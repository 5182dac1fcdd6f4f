"""How many are to be drawn from each stratum, and which chance that gives: decided before anything is drawn.

The counts and spreads come from the engine, the shares from `martello.stats.allocation`; `lot` draws by them. Without
strata there is one quota, for all. What is counted and drawn is the unit, or the group where groups are declared.
"""

from __future__ import annotations

import msgspec

from martello.engines.base import Engine
from martello.errors import DataError
from martello.records import Frame
from martello.sample.source import Source
from martello.spec.schema import SampleDesign
from martello.stats.allocation import allocate_equal, allocate_neyman, allocate_proportional

__all__ = ["Quota", "frame_size", "lots_to_draw", "plan_quotas"]

# The spread that a stratum without any counts as, beside the largest: it then gets the least number, two.
_NO_SPREAD = 1e-9


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Draw `n` of the `of` units (or groups) of a stratum; None: of all."""

    stratum: str | None
    n: int
    of: int


def frame_size(source: Source, frame: Frame) -> int:
    """Give how many units, or groups where they are declared, there are to draw from."""
    return frame.n_groups if source.has_group and frame.n_groups is not None else frame.n_units


def lots_to_draw(design: SampleDesign, source: Source, frame: Frame) -> int:
    """Give how many units, or groups, a design without strata draws.

    Raises
    ------
    DataError
        ``sample.too-many``.
    """
    size = frame_size(source, frame)
    if design.clusters is not None:
        _check_enough(design.clusters, size, "[sample] clusters", "groups")
        return design.clusters
    if design.n is None:
        return size
    _check_enough(design.n, frame.n_units, "[sample] n", "units")
    # Of groups as many as hold about n units.
    return max(1, round(design.n * size / frame.n_units))


def _check_enough(wanted: int, there: int, where: str, what: str) -> None:
    if wanted > there:
        raise DataError(
            "sample.too-many",
            f"{wanted} {what} were asked for, but the population has {there}",
            where=where,
            expected=f"at most {there}",
            fix="lower it; without sample.n all units are taken",
        )


def plan_quotas(engine: Engine, source: Source, frame: Frame, design: SampleDesign) -> tuple[Quota, ...]:
    """Decide how many units, or groups, each stratum gives.

    Raises
    ------
    DataError
        ``sample.too-many``, ``sample.too-few-for-strata``, ``sample.group-in-two-strata`` or ``sample.no-spread``.
    """
    if design.design != "stratified":
        return (Quota(stratum=None, n=lots_to_draw(design, source, frame), of=frame_size(source, frame)),)
    if source.has_group:
        _check_groups(engine, source)
    rows = engine.arrow(_count_strata(source)).to_pylist()
    counts = {str(row["stratum"]): int(row["n"]) for row in sorted(rows, key=lambda row: str(row["stratum"]))}
    sizes = _allocate(design, source, frame, counts, {str(row["stratum"]): row["spread"] for row in rows})
    return tuple(Quota(stratum=name, n=sizes[name], of=count) for name, count in counts.items())


def _count_strata(source: Source) -> str:
    if not source.has_group:
        lots = f"(SELECT _stratum, _spread FROM {source.typed} AS typed)"
    else:  # a group counts with the sum of its units
        lots = (
            f"(SELECT min(_stratum) AS _stratum, sum(_spread) AS _spread FROM {source.typed} AS typed GROUP BY _group)"
        )
    return (
        f"SELECT _stratum AS stratum, count(*) AS n, stddev_pop(_spread) AS spread FROM {lots} AS lots "
        "GROUP BY _stratum"
    )


def _check_groups(engine: Engine, source: Source) -> None:
    rows = engine.arrow(
        f"""SELECT min(_group) AS example, count(*) AS n FROM
        (SELECT _group FROM {source.typed} AS typed GROUP BY _group HAVING count(DISTINCT _stratum) > 1) AS torn"""
    ).to_pylist()
    if rows[0]["n"]:
        raise DataError(
            "sample.group-in-two-strata",
            f"{rows[0]['n']} groups have units in more than one stratum, so they cannot be drawn whole",
            where=f"[sample] by; for example group {rows[0]['example']!r}",
            expected="one stratum for all units of a group",
            fix="take strata of columns that belong to the group",
        )


def _allocate(
    design: SampleDesign, source: Source, frame: Frame, counts: dict[str, int], spreads: dict[str, float | None]
) -> dict[str, int]:
    if design.allocation == "equal":
        assert design.per_stratum is not None  # the rules of the spec
        return allocate_equal(counts, min(design.per_stratum, max(counts.values())))
    n = lots_to_draw(design, source, frame)
    least = sum(min(2, count) for count in counts.values())
    if n < least:
        raise DataError(
            "sample.too-few-for-strata",
            f"{n} cannot be shared among {len(counts)} strata",
            where="[sample] n and by",
            expected=f"at least {least}: two from each stratum, or its spread cannot be seen",
            fix="raise sample.n, or take columns with fewer values",
        )
    if design.allocation == "proportional":
        return allocate_proportional(counts, n)
    return allocate_neyman(counts, _positive(spreads, design), n)


def _positive(spreads: dict[str, float | None], design: SampleDesign) -> dict[str, float]:
    unknown = [name for name, spread in spreads.items() if spread is None]
    largest = max((spread for spread in spreads.values() if spread), default=0.0)
    if unknown or not largest:
        raise DataError(
            "sample.no-spread",
            f"{design.spread!r} has no number in stratum {unknown[0]!r}"
            if unknown
            else f"{design.spread!r} is constant",
            where="[sample] spread",
            expected="a number column that varies about as the answer does, known for the whole population",
            fix='take another column, or allocation = "proportional"',
        )
    # Nine digits, so that engines that add up in another order share out alike.
    return {name: float(f"{max(spread or 0.0, _NO_SPREAD * largest):.9g}") for name, spread in spreads.items()}
