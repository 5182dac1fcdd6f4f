"""An effect that was chosen for being large is, on average, too large: what is left once that is taken off.

From the choice alone (`selected_estimate`), or from what earlier changes of the same team did (`shrunken_estimate`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import optimize, special

from martello.stats.checks import check_level
from martello.stats.effects import Effect
from martello.stats.estimate import Estimate, NotEstimable

__all__ = ["selected_estimate", "shrunken_estimate"]

_LEAST_HISTORY = 5
_REACH = 40.0  # standard errors to search below, at a gap of one
_LEAST_GAP = 1e-3


def selected_estimate(effect: Effect, bound: float, *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give the effect of a change that was kept because it exceeded a bound, less what the choice added.

    Parameters
    ----------
    bound
        z that it had to exceed.

    Raises
    ------
    DataError
        ``stats.level-out-of-range``.

    Assumptions
    -----------
    A normal estimate; kept for exceeding the bound and for nothing else. Earlier looks are not accounted for.

    Guarantee
    ---------
    The interval covers with probability `level` among kept changes, exactly; just above the bound it reaches far down,
    since such an effect says little. The value has the excess expected at the observed effect taken off: lower than
    the raw one, on average still above the truth where true effects are small (of effects of 0 kept above 1.96, the raw
    mean is 2.34 and this one 1.73); `shrunken_estimate` has no such rest.

    References
    ----------
    Lee & Shen (2018), "Winner's curse: bias estimation for total effects of features in online controlled experiments",
    KDD, eq. 3; interval: Zhong & Prentice (2008), Biostatistics 9.

    Examples
    --------
    >>> print(selected_estimate(Effect(value=3.0, error=1.0, df=1e6, n=1000), 1.96))
    2.727 (-0.801 to 4.936)
    """
    check_level(level)
    z = effect.value / effect.error
    if z <= bound:
        return NotEstimable(reason="the effect is not above its bound", needs="an effect that was chosen by it")
    # Closer to the bound than this, the lower end is thousands of errors below and no number at all.
    gap = max(z - bound, _LEAST_GAP)
    # The mean excess φ(c − z) / Φ(z − c), by logarithms so that it holds far above the bound.
    excess = math.exp(-0.5 * gap**2 - 0.5 * math.log(2 * math.pi) - float(special.log_ndtr(gap)))

    def end(chance: float) -> float:
        """Give the drift at which an outcome at least as high, among those kept, has this chance."""

        def missed(drift: float) -> float:
            return float(special.log_ndtr(drift - z) - special.log_ndtr(drift - z + gap)) - math.log(chance)

        return float(optimize.brentq(missed, z - _REACH / min(gap, 1.0), z + 10))

    tail = (1 - level) / 2
    return Estimate(
        value=effect.error * (z - excess),
        low=effect.error * end(tail),
        high=effect.error * end(1 - tail),
        level=level,
        n=effect.n,
        method="truncated normal",
    )


def shrunken_estimate(effect: Effect, history: Sequence[Effect], *, level: float = 0.95) -> Estimate | NotEstimable:
    """Give the effect drawn towards what earlier changes did, as far as it is uncertain.

    Parameters
    ----------
    history
        Effects of earlier experiments on the same metric and scale, won or lost, this one left out.

    Raises
    ------
    DataError
        ``stats.level-out-of-range``.

    Assumptions
    -----------
    True effects are normal, and this change was drawn from the same lot; all experiments are in the history, not only
    those that won.

    Guarantee
    ---------
    On average over changes, unbiased and covering at about `level`, however the winners are picked. Refuses under 5
    earlier experiments, and where they differ by no more than chance.

    References
    ----------
    Efron (2011), "Tweedie's formula and selection bias", JASA 106; spread of effects: DerSimonian & Laird (1986).

    Examples
    --------
    >>> past = [Effect(value=v, error=1.0, df=999, n=1000) for v in (-3.0, -2.0, 0.0, 1.0, 2.0, 3.0)]
    >>> print(shrunken_estimate(Effect(value=4.0, error=1.0, df=999, n=1000), past))
    3.286 (1.518 to 5.054)
    """
    check_level(level)
    if len(history) < _LEAST_HISTORY:
        return NotEstimable(
            reason=f"there are {len(history)} earlier experiments", needs=f"at least {_LEAST_HISTORY}, lost ones too"
        )
    weights = [1 / one.error**2 for one in history]
    total = sum(weights)
    center = sum(w * one.value for w, one in zip(weights, history, strict=True)) / total
    scatter = sum(w * (one.value - center) ** 2 for w, one in zip(weights, history, strict=True))
    spread = (scatter - (len(history) - 1)) / (total - sum(w * w for w in weights) / total)
    if spread <= 0:
        return NotEstimable(
            reason="earlier effects differ by no more than chance", needs="larger or more earlier experiments"
        )
    share = spread / (spread + effect.error**2)
    value = center + share * (effect.value - center)
    half = float(special.ndtri(0.5 + level / 2)) * effect.error * math.sqrt(share)
    return Estimate(value=value, low=value - half, high=value + half, level=level, n=effect.n, method="empirical Bayes")
