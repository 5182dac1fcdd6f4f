"""A requirement laid out for testing: which claims on which units must hold together, and which gate is tried when.

A gate is one threshold; it opens when every claim holds there, over all units and in each slice. Several thresholds are
gates in a fixed order. Nothing here looks at labels: the result is the table of gains and offsets that
`martello.stats.martingale` tests, and the names that `martello.stats.certification` reports by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.errors import DataError
from martello.stats.checks import check_flags, check_same_length
from martello.stats.claims import Claim
from martello.stats.pool_margin import PoolFloor

__all__ = ["Gates", "Row", "lay_out"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Row:
    """One claim at one gate, over all units or those of one slice.

    Attributes
    ----------
    claim
        What is claimed.
    gate
        Index of the gate it belongs to.
    slice_name
        Slice it is about, such as ``sex=F``; None for all units.
    flagged, member
        Per kind of unit: is it flagged at this gate, is it in the slice; shape (K,).
    only_refutes
        It asks less than is claimed, and only stands for the refuting side of another row.
    """

    claim: Claim
    gate: int
    slice_name: str | None
    flagged: Bools
    member: Bools
    only_refutes: bool = False

    @property
    def name(self) -> str:
        """The metric, with its slice if any."""
        return self.claim.name if self.slice_name is None else f"{self.claim.name} | {self.slice_name}"

    def terms(self, at_least: float | None = None) -> tuple[Floats, Floats]:
        """Gain and offset per kind of unit, both of shape (K,); at another requirement when one is given."""
        claim = self.claim if at_least is None else self.claim.asking(at_least)
        yes, no = claim.cell(flagged=True), claim.cell(flagged=False)
        gain = np.where(self.flagged, yes.gain, no.gain) * self.member
        offset = np.where(self.flagged, yes.offset, no.offset) * self.member
        return gain + 0.0, offset + 0.0


@dataclass(frozen=True)
class Gates:
    """Every row of a requirement, and the kind of each unit.

    Attributes
    ----------
    rows
        Claims by gate and slice, gates in their order; then those that only refute.
    refuting
        For each row that is claimed, the row whose failing refutes it: itself, unless less was agreed to refute.
    thresholds
        One per gate; None where flags were given directly.
    kind
        Kind of each unit, shape (N,).
    """

    rows: tuple[Row, ...]
    refuting: tuple[int, ...]
    thresholds: tuple[float | None, ...]
    kind: Ints

    def of_gate(self, gate: int) -> list[int]:
        """Indices of the rows claimed at one gate."""
        return [i for i, row in enumerate(self.rows) if row.gate == gate and not row.only_refutes]

    def terms(self) -> tuple[Floats, Floats]:
        """Gain and offset per row and kind of unit, both of shape (C, K)."""
        gains, offsets = zip(*(row.terms() for row in self.rows), strict=True)
        return np.stack(gains), np.stack(offsets)


def lay_out(
    scores: Floats,
    claims: Sequence[Claim],
    *,
    thresholds: Sequence[float] | None,
    flagged: ArrayLike | None,
    slices: Mapping[str, ArrayLike] | None,
    floors: Mapping[str, PoolFloor] | None = None,
) -> Gates:
    """Lay out claims over thresholds and slices.

    Parameters
    ----------
    scores
        Scores in [0, 1], shape (N,).
    claims
        Claims that must hold together.
    thresholds
        Thresholds in the order in which they are tried; a unit is flagged at or above one.
    flagged
        Flags of the units, in place of thresholds.
    slices
        Names of columns, each with one value per unit; every claim must also hold for each value.
    floors
        By name of a row: the numbers from which it is shown and up to which it is refuted, where these are not the
        claim's own.

    Raises
    ------
    DataError
        ``stats.flag-rule-unclear``, ``stats.no-such-claim`` or ``stats.length-mismatch``.

    Assumptions
    -----------
    Thresholds, their order and slices were declared before a gold label was seen.

    Guarantee
    ---------
    Units of one kind have the same gain and offset in every row.

    References
    ----------
    Angelopoulos, Bates, Candès, Jordan & Lei 2025 (Learn then Test), section on fixed sequence testing.

    Examples
    --------
    >>> from martello.stats.claims import precision
    >>> gates = lay_out(np.array([0.2, 0.9]), [precision(0.8)], thresholds=[0.5], flagged=None, slices=None)
    >>> [row.name for row in gates.rows], gates.kind.tolist()
    (['precision'], [0, 1])
    """
    depth, passes = _flag_levels(scores, thresholds, flagged)
    named = {name: np.asarray(values).astype(str) for name, values in (slices or {}).items()}
    check_same_length(scores=scores, **named)
    columns = {name: np.unique(values, return_inverse=True) for name, values in named.items()}
    key = np.stack([depth, *(codes.reshape(-1) for _, codes in columns.values())], axis=1)
    kinds, kind = np.unique(key, axis=0, return_inverse=True)
    everyone = np.ones(len(kinds), dtype=bool)
    scopes = [(None, everyone)] + [
        (f"{name}={value}", kinds[:, 1 + at] == code)
        for at, (name, (values, _)) in enumerate(columns.items())
        for code, value in enumerate(values)
    ]
    rows = tuple(
        Row(claim, gate, scope, passes[gate, kinds[:, 0]], member)
        for gate in range(len(passes))
        for claim in claims
        for scope, member in scopes
    )
    rows, refuting = _with_floors(rows, floors or {})
    return Gates(
        rows=rows,
        refuting=refuting,
        thresholds=tuple(thresholds) if thresholds else (None,),
        kind=kind.reshape(-1),
    )


def _with_floors(rows: tuple[Row, ...], floors: Mapping[str, PoolFloor]) -> tuple[tuple[Row, ...], tuple[int, ...]]:
    """Give the rows with their own numbers, and for each the row that refutes it."""
    names = {row.name for row in rows}
    for name in floors:
        if name not in names:
            raise DataError(
                "stats.no-such-claim",
                f"a floor is given for {name!r}, which nothing is claimed of",
                where="floors",
                expected="one of " + ", ".join(sorted(names)),
            )
    shown, refuting = [], []
    lower: list[Row] = []
    for i, row in enumerate(rows):
        own = PoolFloor(raised=row.claim.at_least, lowered=row.claim.at_least)
        floor = floors.get(row.name, own)
        shown.append(replace(row, claim=row.claim.asking(floor.raised)))
        if floor.lowered < floor.raised:
            refuting.append(len(rows) + len(lower))
            lower.append(replace(row, claim=row.claim.asking(floor.lowered), only_refutes=True))
        else:
            refuting.append(i)
    return (*shown, *lower), tuple(refuting)


def _flag_levels(scores: Floats, thresholds: Sequence[float] | None, flagged: ArrayLike | None) -> tuple[Ints, Bools]:
    """How many distinct thresholds each unit passes, (N,), and which gates a unit of that depth passes, (G, depths)."""
    if (thresholds is None) == (flagged is None):
        raise DataError(
            "stats.flag-rule-unclear",
            "either a threshold or the flags of the units decide what is flagged",
            expected="exactly one of threshold= and flagged=",
            fix="threshold=0.5",
        )
    if thresholds is None:
        flags = check_flags(np.asarray(flagged), where="flagged")
        check_same_length(scores=scores, flagged=flags)
        return flags.astype(np.int64), np.array([[False, True]])
    levels = np.unique(np.asarray(thresholds, dtype=float))
    depth = np.searchsorted(levels, scores, side="right")
    return depth, np.arange(len(levels) + 1)[None, :] > np.searchsorted(levels, thresholds)[:, None]
