"""The audit of a divided sample: nothing lies on two sides. It looks at the table only, not at how it was made."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from martello.records import Finding

__all__ = ["audit_sides"]

_JUDGED = ("train", "dev", "gold")


def audit_sides(units: pa.Table) -> tuple[Finding, ...]:
    """Say which units, groups, clusters or contents lie on two sides: nothing, if all is well.

    Parameters
    ----------
    units
        Columns `unit` and `split`, and those of `group`, `cluster` and `content` that are to be held to one side. Units
        set aside count nowhere; the reserve may only have nothing in common with train.

    Examples
    --------
    >>> audit_sides(pa.table({"unit": ["a", "b"], "group": ["g", "g"], "split": ["train", "gold"]}))[0].what
    "1 group on two sides, for example 'g'"
    """
    held = [name for name in ("unit", "group", "cluster", "content") if name in units.column_names]
    return tuple(finding for name in held if (finding := _on_two_sides(units, name)) is not None)


def _on_two_sides(units: pa.Table, name: str) -> Finding | None:
    torn = sorted({*_torn(units, name, _JUDGED), *_torn(units, name, ("train", "reserve"))})
    if not torn:
        return None
    what = f"{len(torn)} {name}{'s' if len(torn) > 1 else ''} on two sides, for example {torn[0]!r}"
    return Finding(code="sample.on-two-sides", what=what, severity="warning")


def _torn(units: pa.Table, name: str, sides: tuple[str, ...]) -> list[str]:
    some = units.select([name, "split"]).filter(pc.is_in(units["split"], value_set=pa.array(sides)))
    some = some.filter(pc.is_valid(some[name]))
    counts = some.group_by(name).aggregate([("split", "count_distinct")]).to_pydict()
    return [str(key) for key, count in zip(counts[name], counts["split_count_distinct"], strict=True) if count > 1]
