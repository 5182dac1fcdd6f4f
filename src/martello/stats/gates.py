"""A requirement laid out for testing: which claims on which units must hold together, and which gate is tried when.

A gate is one threshold; it opens when every claim holds there, over all units and in each slice. Several thresholds are
gates in a fixed order. Nothing here looks at labels: the result is the table of gains and offsets that
`martello.stats.martingale` tests, and the names that `martello.stats.certification` reports by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from martello.errors import DataError
from martello.stats.checks import check_flags, check_same_length
from martello.stats.claims import Claim

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
    """

    claim: Claim
    gate: int
    slice_name: str | None
    flagged: Bools
    member: Bools

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
        Claims by gate and slice, gates in their order.
    thresholds
        One per gate; None where flags were given directly.
    kind
        Kind of each unit, shape (N,).
    """

    rows: tuple[Row, ...]
    thresholds: tuple[float | None, ...]
    kind: Ints

    def of_gate(self, gate: int) -> list[int]:
        """Indices of the rows of one gate."""
        return [i for i, row in enumerate(self.rows) if row.gate == gate]

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
    return Gates(rows=rows, thresholds=tuple(thresholds) if thresholds else (None,), kind=kind.reshape(-1))


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
