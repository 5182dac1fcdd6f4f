"""Which of many secondary metrics moved, when most of them are expected not to have."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from scipy import stats

from martello.stats.checks import check_level
from martello.stats.effects import Effect, effect_estimate, p_value
from martello.stats.estimate import Estimate

__all__ = ["Discovery", "find_discoveries"]


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """One secondary metric: whether it is among those that moved, its interval, and the smallest share it passes at."""

    name: str
    is_found: bool
    estimate: Estimate
    adjusted: float


def find_discoveries(effects: Mapping[str, Effect], *, false_share: float = 0.05) -> tuple[Discovery, ...]:
    """Say which metrics moved so that few of those named did not.

    Parameters
    ----------
    effects
        By metric.
    false_share
        Share of the named that may be wrong, on average.

    Raises
    ------
    DataError
        ``stats.level-out-of-range``.

    Assumptions
    -----------
    As `effect_estimate`; metrics independent of each other or positively dependent.

    Guarantee
    ---------
    Of the metrics named as moved, at most `false_share` did not, on average (Benjamini–Hochberg). Intervals of the
    named are widened to 1 − false_share · (named / all), so that of them, too, at most that share misses
    (Benjamini–Yekutieli); the others have plain intervals at 1 − false_share and are only for reading.

    References
    ----------
    Benjamini & Hochberg (1995), JRSS-B 57; Benjamini & Yekutieli (2005), JASA 100 (intervals).

    Examples
    --------
    >>> found = find_discoveries({"time": Effect(value=4.0, error=1.0, df=999, n=1000),
    ...                           "pages": Effect(value=1.0, error=1.0, df=999, n=1000)})
    >>> [(one.name, one.is_found, str(one.estimate)) for one in found]
    [('time', True, '4.000 (1.755 to 6.245)'), ('pages', False, '1.000 (-0.962 to 2.962)')]
    """
    check_level(1 - false_share)
    if not effects:
        return ()
    adjusted = stats.false_discovery_control(np.array([p_value(one) for one in effects.values()]))
    n_found = int(np.sum(adjusted <= false_share))
    widened = 1 - false_share * n_found / len(effects)
    return tuple(
        Discovery(
            name=name,
            is_found=bool(share <= false_share),
            estimate=effect_estimate(effect, level=widened if share <= false_share else 1 - false_share),
            adjusted=float(share),
        )
        for (name, effect), share in zip(effects.items(), adjusted, strict=True)
    )
