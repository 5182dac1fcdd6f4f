"""Whether the arms have the sizes they were meant to have: if not, assignment or logging is broken, and so is all else.

Once at the end (`sample_ratio_p`), or watched every day without a false alarm building up (`watch_sample_ratio`).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from martello.errors import DataError
from martello.stats.checks import check_level

__all__ = ["SampleRatio", "sample_ratio_p", "watch_sample_ratio"]

_Floats = NDArray[np.float64]

#: Weight of the plan in the watch's prior, in units: most sensitive to shares that are off by about a percentage point.
CONCENTRATION = 1000.0


class SampleRatio(msgspec.Struct, frozen=True, kw_only=True):
    """What the watch found.

    Attributes
    ----------
    broken_on
        The first day (index from 0) by which the plan was refuted; None: it was not.
    p
        Always-valid p-value of the running totals: small is bad, and it may be read any day.
    worst_day, worst_day_p
        The day (index from 0) whose own counts fit the plan least, and its p-value times the number of days.
    """

    broken_on: int | None
    p: float
    worst_day: int
    worst_day_p: float


def sample_ratio_p(counts: ArrayLike, shares: ArrayLike) -> float:
    """Give the p-value of the counts of arms under their planned shares, looked at once.

    Parameters
    ----------
    counts
        Units per arm, shape (K,), K at least 2.
    shares
        Planned shares, adding up to 1, shape (K,).

    Raises
    ------
    DataError
        ``stats.shares-unclear``.

    Assumptions
    -----------
    Units are assigned one by one, and counted once each.

    Guarantee
    ---------
    Pearson's chi-squared test: exact in large samples (at least 5 expected units per arm).

    References
    ----------
    Fabijan et al. (2019), "Diagnosing sample ratio mismatch in online controlled experiments", KDD (alarm below .001).

    Examples
    --------
    >>> round(sample_ratio_p([821_588, 815_482], [0.5, 0.5]), 7)
    1.8e-06
    """
    n, share = _counts(counts, shares)
    if n.sum() == 0:
        return 1.0
    return float(stats.chisquare(n, n.sum() * share).pvalue)


def watch_sample_ratio(daily: ArrayLike, shares: ArrayLike, *, level: float = 0.999, days: int = 0) -> SampleRatio:
    """Watch the arms' sizes day by day: the running totals by an always-valid test, and each day by itself.

    Parameters
    ----------
    daily
        New units per day and arm, shape (D, K).
    shares
        Planned shares, shape (K,).
    level
        Chance of no false alarm over the whole run; half of the error goes to the totals, half to single days.
    days
        Days the run is planned for, at least D counts; 0: D.

    Raises
    ------
    DataError
        ``stats.shares-unclear``, ``stats.level-out-of-range``.

    Assumptions
    -----------
    As `sample_ratio_p`; no day is looked at before it is over.

    Guarantee
    ---------
    With a sound assignment the chance ever to call it broken is at most 1 − level: for totals by Ville's inequality at
    any sample size, for single days by Bonferroni and the chi-squared test.

    References
    ----------
    Lindon & Malek (2022), "Anytime-valid inference for multinomial count data", NeurIPS, eq. 7.

    Examples
    --------
    >>> sound, broken = [[500, 500]] * 7, [[500, 500]] * 6 + [[500, 380]]
    >>> watch_sample_ratio(sound, [0.5, 0.5]).broken_on, watch_sample_ratio(broken, [0.5, 0.5]).worst_day
    (None, 6)
    """
    check_level(level)
    table = np.atleast_2d(np.asarray(daily, dtype=np.float64))
    n, share = _counts(table, shares)
    with np.errstate(invalid="ignore"):
        expected = n.sum(axis=1, keepdims=True) * share
        distance = np.where(expected > 0, (n - expected) ** 2 / expected, 0.0).sum(axis=1)
    by_day = special.chdtrc(len(share) - 1, distance) * max(days, len(n))
    evidence = _log_evidence(n.cumsum(axis=0), share)
    p = float(np.exp(-max(float(evidence.max()), 0.0)))
    worst = int(by_day.argmin())
    alarm = (1 - level) / 2
    alarmed = np.flatnonzero((evidence >= -np.log(alarm)) | (by_day <= alarm))
    return SampleRatio(
        broken_on=int(alarmed[0]) if len(alarmed) else None,
        p=p,
        worst_day=worst,
        worst_day_p=min(float(by_day[worst]), 1.0),
    )


def _log_evidence(totals: _Floats, share: _Floats) -> _Floats:
    """Give the log Bayes factor of a Dirichlet around the plan against the plan itself, after each day."""
    prior = CONCENTRATION * share
    n = totals.sum(axis=-1)
    gain = special.gammaln(prior + totals) - special.gammaln(prior) - totals * np.log(share)
    whole = special.gammaln(CONCENTRATION) - special.gammaln(CONCENTRATION + n)
    return np.asarray(gain.sum(axis=-1) + whole, dtype=np.float64)


def _counts(counts: ArrayLike, shares: ArrayLike) -> tuple[_Floats, _Floats]:
    n, share = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if share.ndim != 1 or len(share) < 2 or n.shape[-1] != len(share) or not np.isclose(share.sum(), 1, atol=1e-6):
        raise _unclear(f"{n.shape[-1]} arms with shares {share.tolist()}")
    if not ((share > 0).all() and np.isfinite(n).all() and (n >= 0).all()):
        raise _unclear("a share is not above 0, or a count is negative")
    return n, share / share.sum()


def _unclear(what: str) -> DataError:
    return DataError("stats.shares-unclear", what, where="shares", expected="a share per arm, adding up to 1")
