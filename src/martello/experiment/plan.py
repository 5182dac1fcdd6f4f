"""Power before the start: how many whole weeks an experiment takes, and what to do where eight do not decide it.

Input are the team's own numbers (`Baseline`, from a log or by hand) and the effect worth seeing; output is a `Plan`
with the looks that go into the contract, or the refusal with its alternatives.
"""

from __future__ import annotations

import math

import msgspec
from scipy import optimize, special

from martello.errors import DataError
from martello.experiment.rules import FUTILE
from martello.stats.crossing import cross_chances
from martello.stats.spending import spending_bounds
from martello.stats.stopped_effect import futility_bound

__all__ = ["Baseline", "Detectable", "Plan", "plan_experiment"]

MOST_WEEKS, MOST_LOOKS = 8, 4


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What the metric does today.

    Attributes
    ----------
    mean, variance
        Of the metric per unit; for a ratio, the ratio and the variance of a unit's contribution to it.
    daily_units
        New units a day that enter the experiment, all arms together.
    explained
        Share of the variance that a covariate from before explains (ρ²); 0 without one.
    kept
        Share of exposures on which the product shows what the treatment decided; the effect shrinks with it.
    """

    mean: float
    variance: float
    daily_units: float
    explained: float = 0.0
    kept: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and self.variance > 0 and self.daily_units > 0):
            raise _unclear("the baseline has no spread or no units", "a finite mean, variance and daily units above 0")
        if not (0 <= self.explained < 1 and 0 < self.kept <= 1):
            raise _unclear("explained or kept is no share", "explained in [0, 1), kept in (0, 1]")


class Detectable(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest effect seen with the planned power after so many weeks, in the metric's unit and as a share."""

    weeks: int
    units: int
    effect: float
    relative: float | None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long it takes.

    Attributes
    ----------
    weeks, units, looks, power
        Whole weeks, units of both arms by then, days of the looks and the chance to ship if the effect is true; None
        (looks: none) where eight weeks are not enough.
    effect, relative
        The effect worth seeing, in the metric's unit, before dilution, and as a share of the mean.
    detectable
        What 1, 2, 4 and 8 weeks would show.
    weeks_without_covariate
        The same plan without the covariate; None beyond a year, or where there is none.
    alternatives
        What could be done instead, when it is refused.
    statement
        In a sentence.
    """

    weeks: int | None
    units: int | None
    looks: tuple[int, ...]
    power: float | None
    effect: float
    relative: float | None
    detectable: tuple[Detectable, ...]
    weeks_without_covariate: int | None
    alternatives: tuple[str, ...]
    statement: str


def plan_experiment(
    baseline: Baseline,
    effect: float,
    *,
    is_relative: bool = True,
    share: float = 0.5,
    power: float = 0.8,
    level: float = 0.95,
    min_days: int = 14,
) -> Plan:
    """Plan an experiment of two arms for whole weeks, shipped at O'Brien–Fleming looks.

    Parameters
    ----------
    effect
        Smallest effect worth seeing, above 0: a share of the mean, or in the metric's unit.
    share
        Share of units in the treatment.
    power
        Chance to ship if the effect is as large.
    level
        Confidence, over both sides and all looks.
    min_days
        First day on which it may be shipped; rounded up to whole weeks.

    Raises
    ------
    DataError
        ``experiment.plan-unclear``.

    Assumptions
    -----------
    Units to come are like those of the baseline, as many on every weekday of each week, and the metric of a unit is
    complete by the time it is judged.

    Guarantee
    ---------
    The power is exact for normal means, stops for want of hope included; weeks are the fewest that reach it.

    References
    ----------
    Jennison & Turnbull (2000), Group Sequential Methods, ch. 3 and 7; dilution: effect · kept, so units / kept².

    Examples
    --------
    >>> base = Baseline(mean=0.10, variance=0.09, daily_units=1100)
    >>> found = plan_experiment(base, 0.10)
    >>> (found.weeks, found.looks, round(found.power, 3))
    (4, (14, 21, 28), 0.824)
    """
    _check(baseline, effect, is_relative, share, power, level, min_days)
    size = effect * abs(baseline.mean) if is_relative else effect
    weeks = _weeks(baseline, size, share, power, level, min_days, MOST_WEEKS)
    plain = msgspec.structs.replace(baseline, explained=0.0)
    without = _weeks(plain, size, share, power, level, min_days, 52) if baseline.explained else None
    shown = tuple(
        _detectable(baseline, share, power, level, min_days, one) for one in (1, 2, 4, 8) if 7 * one >= min(min_days, 7)
    )
    relative = size / abs(baseline.mean) if baseline.mean else None
    return Plan(
        weeks=weeks,
        units=None if weeks is None else int(7 * weeks * baseline.daily_units),
        looks=() if weeks is None else _looks(weeks, min_days),
        power=None if weeks is None else _power(baseline, size, share, level, _looks(weeks, min_days)),
        effect=size,
        relative=relative,
        detectable=shown,
        weeks_without_covariate=without,
        alternatives=() if weeks is not None else _instead(baseline, size, share, power, level, min_days, shown[-1]),
        statement=_statement(baseline, weeks, without, shown[-1], relative, size, power),
    )


def _looks(weeks: int, min_days: int) -> tuple[int, ...]:
    """Give the days of the looks: ends of whole weeks, at most four, evenly spread, the last at the end."""
    first = max(math.ceil(min_days / 7), 1)
    ends = list(range(min(first, weeks), weeks + 1))
    n = min(len(ends), MOST_LOOKS)
    return tuple(sorted({7 * ends[len(ends) - 1 - round(k * (len(ends) - 1) / max(n - 1, 1))] for k in range(n)}))


def _drift(baseline: Baseline, size: float, share: float, days: float) -> float:
    """Give the expected standard errors of the effect at the end."""
    n = days * baseline.daily_units
    variance = baseline.variance * (1 - baseline.explained) * (1 / (n * share) + 1 / (n * (1 - share)))
    return size * baseline.kept / math.sqrt(variance)


def _power(baseline: Baseline, size: float, share: float, level: float, looks: tuple[int, ...]) -> float:
    """Give the chance to ship at one of the looks, not having stopped before for want of hope."""
    times = [look / looks[-1] for look in looks]
    upper = spending_bounds(times, error=(1 - level) / 2)
    drift = _drift(baseline, size, share, looks[-1])
    hoped = drift / baseline.kept  # the rule that stops knows the agreed effect, not its dilution
    lower = [futility_bound(t, bound=upper[-1], drift=hoped, least=FUTILE) for t in times[:-1]]
    lower = [min(low, high) for low, high in zip(lower, upper, strict=False)]
    return float(cross_chances([*lower, -math.inf], upper, times, drift=drift)[1].sum())


def _weeks(
    baseline: Baseline, size: float, share: float, power: float, level: float, min_days: int, most: int
) -> int | None:
    for weeks in range(max(math.ceil(min_days / 7), 1), most + 1):
        if _power(baseline, size, share, level, _looks(weeks, min_days)) >= power:
            return weeks
    return None


def _detectable(baseline: Baseline, share: float, power: float, level: float, min_days: int, weeks: int) -> Detectable:
    looks = _looks(weeks, min_days)
    once = float(special.ndtri(0.5 + level / 2) + special.ndtri(power)) / _drift(baseline, 1.0, share, 7 * weeks)

    def excess(size: float) -> float:
        return _power(baseline, size, share, level, looks) - power

    size = float(optimize.brentq(excess, 0.9 * once, 1.5 * once, xtol=1e-9 * once))
    return Detectable(
        weeks=weeks,
        units=int(7 * weeks * baseline.daily_units),
        effect=size,
        relative=size / abs(baseline.mean) if baseline.mean else None,
    )


def _instead(
    baseline: Baseline,
    size: float,
    share: float,
    power: float,
    level: float,
    min_days: int,
    longest: Detectable,
) -> tuple[str, ...]:
    """Say what could be done where eight weeks do not decide it, with numbers."""
    lack = (longest.effect / size) ** 2  # times too few units
    said = []
    if baseline.kept < 1 and lack * baseline.kept**2 <= 1:
        needed = baseline.kept * math.sqrt(lack)
        said.append(f"keep the order on {needed:.0%} of exposures; now it is {baseline.kept:.0%}")
    explained = 1 - (1 - baseline.explained) / lack
    if explained <= 0.8:
        said.append(f"a covariate from before the start that explains {explained:.0%} of the variance (CUPED)")
    if share != 0.5 and lack * 4 * share * (1 - share) <= 1:
        said.append("half of the units in each arm")
    said.append(f"a larger change: one worth {_worth(longest)} is seen in {MOST_WEEKS} weeks")
    said.append(f"a proxy metric that moves {math.sqrt(lack):.1f} times as much, in its own standard deviations")
    said.append("interleaving, if it is a ranking: which one users prefer, without a magnitude")
    said.append(f"ship with guardrails only: no harm beyond {_worth(longest)} can be shown in {MOST_WEEKS} weeks")
    return tuple(said)


def _worth(one: Detectable) -> str:
    return f"{one.effect:.3g}" if one.relative is None else f"{one.relative:.2g} of the mean"


def _statement(
    baseline: Baseline,
    weeks: int | None,
    without: int | None,
    longest: Detectable,
    relative: float | None,
    size: float,
    power: float,
) -> str:
    effect = f"{size:.3g}" if relative is None else f"{100 * relative:.3g} %"
    if weeks is None:
        seen = f"{longest.effect:.3g}" if longest.relative is None else f"{100 * longest.relative:.2g} %"
        return f"No: {MOST_WEEKS} weeks do not show an effect of {effect}; they show {seen}."
    saved = f" Without the covariate it would take {without}." if without is not None and without > weeks else ""
    units = int(7 * weeks * baseline.daily_units)
    return f"{weeks} weeks ({units:,} units) show an effect of {effect} with {power:.0%} chance.{saved}"


def _check(
    baseline: Baseline, effect: float, is_relative: bool, share: float, power: float, level: float, min_days: int
) -> None:
    if not effect > 0 or (is_relative and baseline.mean == 0):
        raise _unclear(f"an effect of {effect:g} is not worth seeing", "a size above 0; of a mean of 0, no share")
    for name, value in (("share", share), ("power", power), ("level", level)):
        if not 0 < value < 1:
            raise _unclear(f"{name} is {value:g}", "a number between 0 and 1")
    if not 1 <= min_days <= 7 * MOST_WEEKS:
        raise _unclear(f"min_days is {min_days}", f"from 1 to {7 * MOST_WEEKS}")


def _unclear(what: str, expected: str) -> DataError:
    return DataError("experiment.plan-unclear", what, where="the plan", expected=expected)
