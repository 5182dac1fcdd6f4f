"""How a certification looks from outside: its saved form, plain JSON with every draw and every label, and its summary.

Scores are not stored, only their fingerprint: they come back from the model, and a changed model is noticed.
"""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.errors import DataError, IntegrityError
from martello.stats.claims import Claim
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.stats.label_sampler import Draws, Sampler
from martello.stats.labels_left import Forecast
from martello.stats.pool_margin import PoolFloor

__all__ = ["CertificationRecord", "CertificationSummary", "check_replayed", "fingerprint", "read_record"]


class CertificationRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is needed to go on: what is claimed, how it is drawn, what was drawn, and what came back.

    Attributes
    ----------
    claims, thresholds, floors, sampler, level, seed, budget
        As given to `martello.stats.certification.Certification`.
    fingerprint
        Of scores, flags and slices.
    pool_size
        Units of the pool.
    known
        Labels from before the first draw, by position; null is "unsure".
    draws
        Positions in the order of the draw.
    probability
        Probability each was drawn with, given the past.
    after
        Labels taken into account at each draw.
    labels
        Answers by position, in the order they came; null is "unsure".
    late
        Positions handed out before a restart; their answers are still kept.
    restarts
        How often a changed model made the evidence begin anew.

    Examples
    --------
    >>> CertificationRecord.__struct_fields__[0]
    'claims'
    """

    claims: list[Claim]
    thresholds: list[float] | None
    floors: dict[str, PoolFloor]
    sampler: Sampler
    level: float
    seed: int
    budget: int | None
    fingerprint: str
    pool_size: int
    known: list[tuple[int, int | None]]
    draws: list[int]
    probability: list[float]
    after: list[int]
    labels: list[tuple[int, int | None]]
    late: list[int]
    restarts: int


class CertificationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Where a certification stands.

    Attributes
    ----------
    verdict
        Of the requirement at the first threshold.
    certified_thresholds
        Thresholds certified so far, in the declared order.
    decided_at
        Labels at which the verdict fell; None while undecided.
    n_labeled, n_pending, n_unsure
        Labels taken as evidence, handed out and not answered, and answered "unsure".
    intervals
        Confidence sequence of every claim.
    labels_left
        Forecast of the labels still needed.
    level, sampler, seed, restarts
        How it was run.

    Examples
    --------
    >>> "verdict" in CertificationSummary.__struct_fields__
    True
    """

    verdict: Verdict
    certified_thresholds: tuple[float, ...]
    decided_at: int | None
    n_labeled: int
    n_pending: int
    n_unsure: int
    intervals: dict[str, Estimate | NotEstimable]
    labels_left: Forecast | NotEstimable
    level: float
    sampler: Sampler
    seed: int
    restarts: int


def fingerprint(scores: NDArray[np.float64], kind: NDArray[np.int64]) -> str:
    """Name a pool by its scores and the kinds its flags and slices make.

    Assumptions
    -----------
    None.

    Guarantee
    ---------
    Pools that differ in one score, flag or slice have different names (SHA-256).

    References
    ----------
    FIPS 180-4.

    Examples
    --------
    >>> fingerprint(np.array([0.5]), np.array([0]))[:8]
    '898cbf30'
    """
    content = hashlib.sha256(np.ascontiguousarray(scores, dtype="<f8").tobytes())
    content.update(np.ascontiguousarray(kind, dtype="<i8").tobytes())
    return content.hexdigest()


def read_record(text: str | bytes) -> CertificationRecord:
    """Read a saved certification.

    Raises
    ------
    DataError
        ``stats.not-a-certification`` when the text is not one.

    Assumptions
    -----------
    None.

    Guarantee
    ---------
    Reading runs nothing; unknown fields and wrong types are refused.

    References
    ----------
    RFC 8259.

    Examples
    --------
    >>> read_record("{}")
    Traceback (most recent call last):
    ...
    martello.errors.DataError: the text is not a saved certification  [stats.not-a-certification]
      where     Object missing required field `claims`
      expected  the text that to_json() gave
    """
    try:
        return msgspec.json.decode(text, type=CertificationRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError) as err:
        raise DataError(
            "stats.not-a-certification",
            "the text is not a saved certification",
            where=str(err),
            expected="the text that to_json() gave",
        ) from err


def check_replayed(record: CertificationRecord, draws: Draws, start: int) -> None:
    """Refuse a saved process whose draws, from `start`, are not the ones its pool and seed give.

    Raises
    ------
    IntegrityError
        ``stats.certification-does-not-replay``.
    """
    stop = start + len(draws.position)
    same = draws.position.tolist() == record.draws[start:stop]
    if not same or not np.allclose(draws.probability, record.probability[start:stop], rtol=1e-6):
        raise IntegrityError(
            "stats.certification-does-not-replay",
            "the saved draws are not those of this pool and seed",
            where=f"draw {start}",
            expected="the text as to_json() gave it",
        )
