"""One day of an experiment as numbers: the effect of the change, its guardrails, how far from no effect it stands.

Input is a `Checkpoint` and the contract; the rules that make a verdict of days are `verdict`'s.
"""

from __future__ import annotations

import msgspec
from scipy import special

from martello.experiment.contract import Contract
from martello.experiment.history import Checkpoint
from martello.records import Measure
from martello.stats.arms import ArmMean, adjusted_arms, arm_mean
from martello.stats.confidence_sequence import always_valid_estimate, sequence_bound
from martello.stats.effects import Effect, mean_effect, relative_estimate
from martello.stats.estimate import NotEstimable
from martello.stats.noninferiority import Margin, margin_effect
from martello.stats.sums import Sums

__all__ = ["Reading", "compare_arms", "read_day"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a day's sums say.

    Attributes
    ----------
    day, information
        The day, and the units behind it as those of one arm of a balanced pair.
    control, treatment, effect
        Means of the metric, adjusted where there is a covariate, and treatment minus control.
    z
        Standard errors by which it is better.
    watched, gain
        The always-valid effect, as it is and in the direction that is better.
    guardrails_watched, guardrails_z
        By metric: how clear of its margin, always-valid, and in standard errors; None where it cannot be told.
    no_harm_z
        Standard errors clear of the margin of no harm; None where none was agreed.
    secondary
        Effects that decide nothing.
    tuned_at, level
        Of the watch.
    """

    day: int
    information: float
    control: ArmMean
    treatment: ArmMean
    effect: Effect
    z: float
    watched: Measure
    gain: Measure
    guardrails_watched: dict[str, Measure]
    guardrails_z: dict[str, float | None]
    no_harm_z: float | None
    secondary: dict[str, Effect]
    tuned_at: float
    level: float

    def relative(self, bound: float | None) -> Measure:
        """Give the effect as a share of the control's mean, as wide as a look's bound; None: as the watch."""
        errors = sequence_bound(self.effect.n, tuned_at=self.tuned_at, level=self.level) if bound is None else bound
        # Fieller's interval takes a level: the one whose t has so many errors.
        reach = float(2 * special.stdtr(self.effect.df, errors) - 1)
        if reach >= 1:
            return NotEstimable(reason="it is too early for a share", needs="a later look")
        found = relative_estimate(self.control, self.treatment, level=reach)
        return found if isinstance(found, NotEstimable) else msgspec.structs.replace(found, level=self.level)


def read_day(point: Checkpoint, contract: Contract, *, tuned_at: float) -> Reading | NotEstimable:
    """Read one day.

    Parameters
    ----------
    tuned_at
        Units of both arms at which the watch is sharpest.
    """
    old, new = point.arms[contract.control], point.arms[contract.treatment]
    arms = compare_arms(old.metrics[contract.metric], new.metrics[contract.metric])
    if isinstance(arms, NotEstimable):
        return arms
    effect = mean_effect(*arms)
    if isinstance(effect, NotEstimable):
        return effect
    # Several metrics can call for a roll back: each has its share of the error.
    watch_level = 1 - (1 - contract.level) / (1 + len(contract.guardrails))
    watched = always_valid_estimate(effect, tuned_at=tuned_at, level=watch_level)
    clear = {one.metric: _clear(point, contract, one.metric, one.as_margin()) for one in contract.guardrails}
    no_harm = None
    if contract.no_harm is not None:
        margin = Margin(
            size=contract.no_harm, is_relative=contract.is_relative, is_up_better=contract.direction == "up"
        )
        no_harm = _z_of(margin_effect(*arms, margin))
    return Reading(
        day=point.day,
        information=2 / (1 / arms[0].n + 1 / arms[1].n),
        control=arms[0],
        treatment=arms[1],
        effect=effect,
        z=contract.sign * _z(effect),
        watched=watched,
        gain=_better(watched, contract.sign),
        guardrails_watched={name: _watch(one, tuned_at, watch_level) for name, one in clear.items()},
        guardrails_z={name: _z_of(one) for name, one in clear.items()},
        no_harm_z=no_harm,
        secondary=_secondary(point, contract),
        tuned_at=tuned_at,
        level=watch_level,
    )


def compare_arms(old: Sums, new: Sums) -> tuple[ArmMean, ArmMean] | NotEstimable:
    """Give both arms' means, adjusted by the covariate where both have one."""
    if old.x is not None and new.x is not None:
        return adjusted_arms(old, new)
    first, second = arm_mean(old), arm_mean(new)
    if isinstance(first, NotEstimable):
        return first
    if isinstance(second, NotEstimable):
        return second
    return first, second


def _clear(point: Checkpoint, contract: Contract, metric: str, margin: Margin) -> Effect | NotEstimable:
    arms = compare_arms(point.arms[contract.control].metrics[metric], point.arms[contract.treatment].metrics[metric])
    return arms if isinstance(arms, NotEstimable) else margin_effect(*arms, margin)


def _secondary(point: Checkpoint, contract: Contract) -> dict[str, Effect]:
    found = {}
    for metric in contract.secondary:
        arms = compare_arms(
            point.arms[contract.control].metrics[metric], point.arms[contract.treatment].metrics[metric]
        )
        effect = arms if isinstance(arms, NotEstimable) else mean_effect(*arms)
        if isinstance(effect, Effect):
            found[metric] = effect
    return found


def _watch(effect: Effect | NotEstimable, tuned_at: float, level: float) -> Measure:
    return effect if isinstance(effect, NotEstimable) else always_valid_estimate(effect, tuned_at=tuned_at, level=level)


def _better(measure: Measure, sign: float) -> Measure:
    if isinstance(measure, NotEstimable) or sign > 0:
        return measure
    return msgspec.structs.replace(measure, value=-measure.value, low=-measure.high, high=-measure.low)


def _z(effect: Effect) -> float:
    """Give the normal deviate of the t statistic: the same as it where units are many."""
    t = effect.value / effect.error
    # The far tail has no inverse in double precision; there z and t are both beyond any bound.
    tail = float(special.stdtr(effect.df, -abs(t)))
    z = -float(special.ndtri(tail)) if tail > 1e-300 else abs(t)
    return z if t >= 0 else -z


def _z_of(effect: Effect | NotEstimable) -> float | None:
    return None if isinstance(effect, NotEstimable) else _z(effect)
