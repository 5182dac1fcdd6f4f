"""Self-test rows: a few raw inputs with the scores they must give, sealed into the release and run before it serves.

They catch what hashes cannot: another library version, another processor, another reading of the same bytes. How a row
is scored is handed in; nothing here knows a model.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from martello.errors import DataError, IntegrityError

__all__ = ["SELFTEST_ROWS", "SelftestRow", "decode_selftest", "encode_selftest", "run_selftest"]

#: A release carries at most this many rows: enough to meet most shapes of every input, few enough to start at once.
SELFTEST_ROWS = 50


class SelftestRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One raw input as the API takes it, and the score of each class it must give, bit for bit.

    Where features are computed, `now` is the moment of the decision in microseconds and `history` what was known then.
    """

    record: dict[str, str | int | float | bool | None]
    scores: tuple[float, ...]
    now: int | UnsetType = UNSET
    history: dict[str, Any] | UnsetType = UNSET


_DECODER = msgspec.json.Decoder(tuple[SelftestRow, ...])


def encode_selftest(rows: Iterable[SelftestRow]) -> bytes:
    """Write the first rows as JSON, a row per line; floats survive the round trip bit for bit.

    Raises
    ------
    DataError
        When a score is not finite: it could never be compared.
    """
    kept = list(rows)[:SELFTEST_ROWS]
    for number, row in enumerate(kept):
        if not all(math.isfinite(score) for score in row.scores):
            raise DataError(
                "ship.selftest-not-finite",
                f"self-test row {number} has a score that is not a finite number: {row.scores}",
                expected="a finite score for every class",
                fix="look at the model: a score that is not finite cannot be served",
            )
    lines = ",\n".join(msgspec.json.encode(row, order="deterministic").decode() for row in kept)
    return f"[\n{lines}\n]\n".encode()


def decode_selftest(content: bytes) -> tuple[SelftestRow, ...]:
    """Read self-test rows back.

    Raises
    ------
    IntegrityError
        When the content is not what `encode_selftest` writes, or holds no row.
    """
    try:
        rows = _DECODER.decode(content)
    except msgspec.DecodeError as err:
        raise _unusable(f"the self-test rows cannot be read: {err}") from err
    if not rows:
        raise _unusable("the release holds no self-test row")
    return rows


def _unusable(what: str) -> IntegrityError:
    return IntegrityError(
        "ship.selftest-unusable",
        what,
        where="selftest.json",
        expected=f"1 to {SELFTEST_ROWS} rows with their scores",
        fix="make the release again with `martello run`",
    )


def _bits(scores: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(scores)}d", *scores)


def _given(row: SelftestRow) -> tuple[object, ...]:
    return (row.record,) if row.now is UNSET else (row.record, row.now, row.history)


def run_selftest(rows: Iterable[SelftestRow], decide: Callable[..., Sequence[float]]) -> None:
    """Score every row and compare bit for bit.

    Parameters
    ----------
    rows
        Rows of the release.
    decide
        Gives the score of each class for one raw record, by the path that serves; where features are computed it is
        handed `now` and `history`, too.

    Raises
    ------
    IntegrityError
        When one score differs in one bit; it names the first row and how many differ.
    """
    checked = [(row.scores, tuple(float(score) for score in decide(*_given(row)))) for row in rows]
    wrong = [(n, want, got) for n, (want, got) in enumerate(checked) if _bits(want) != _bits(got)]
    if wrong:
        number, want, got = wrong[0]
        raise IntegrityError(
            "ship.selftest-differs",
            f"{len(wrong)} of {len(checked)} self-test rows give other scores here than when the release was made",
            where=f"selftest.json, row {number}: {list(got)}",
            expected=str(list(want)),
            fix="serve with the library versions it was made with, or make the release again with `martello run`",
        )
