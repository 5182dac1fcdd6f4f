"""Gold whose labels are bought one by one: the certification engine judges, and stops asking when the answer is known.

`terms_of` says before the first label what must be shown of the pool for the requirement to hold of the population;
the engine runs wherever answers come from (a column, people in the labelling room); `judge_bought` turns where it
stopped into an `Evaluation`. What the labels cannot say, since they were drawn for one question, is not estimable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.errors import DataError
from martello.evaluate.claims import overall_verdict
from martello.records import BoughtGold, Claim, Evaluation, Measure, SliceResult, WorstSlice
from martello.spec.schema import Requirement
from martello.stats.certification import Certification
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.stats.intervals import mean_estimate
from martello.stats.label_sampler import Sampler
from martello.stats.pool_margin import PoolFloor, independent_units, pool_floor, population_ends

__all__ = ["DevTruth", "GoldPool", "Terms", "begin", "buy_labels", "judge_bought", "read_bought", "terms_of"]

#: Part of the error that may be spent on the step from the pool to its population; the rest is the engine's.
_STEP = 0.5
# Answers asked for at once: fewer would only cost time, more would overshoot the decision.
_BATCH = 10


class GoldPool(msgspec.Struct, frozen=True, kw_only=True):
    """Units whose labels may be bought.

    Attributes
    ----------
    scores
        The model's score of yes, shape (N,).
    weight
        1 / inclusion probability, shape (N,).
    cluster
        What belongs together; None when units are independent.
    slices
        Column name to the value of each unit.
    """

    scores: NDArray[np.float64]
    weight: NDArray[np.float64]
    cluster: NDArray[np.str_] | None
    slices: dict[str, list[str | None]]

    @property
    def named_slices(self) -> dict[str, list[str]]:
        """Slices with a name for the units that have no value."""
        return {
            name: ["(none)" if value is None else value for value in values] for name, values in self.slices.items()
        }


class DevTruth(msgspec.Struct, frozen=True, kw_only=True):
    """What dev says of how common yes is: only this is known before the first gold label."""

    truth: NDArray[np.bool_]
    weight: NDArray[np.float64]
    cluster: NDArray[np.str_] | None
    slices: dict[str, list[str | None]]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be shown of the pool.

    Attributes
    ----------
    floors
        Claim, as the engine names it, to the shares of the pool that settle it.
    unreachable
        Claims that this pool could not show of its population, and what they would need.
    level
        One minus the engine's share of the error.
    n_about
        Independent units of the pool that a claim is about, at the least; empty where the pool stands for itself.
    """

    floors: dict[str, PoolFloor]
    unreachable: dict[str, NotEstimable]
    level: float
    n_about: dict[str, int]


def terms_of(pool: GoldPool, dev: DevTruth, *, threshold: float, requirement: Requirement, error: float) -> Terms:
    """Say what must be shown of the pool, before a label is bought.

    Parameters
    ----------
    pool, dev
        The units, and what dev knows of yes.
    threshold
        The operating point.
    requirement
        The floors and whom they hold for.
    error
        Error that this look at gold may spend.

    Raises
    ------
    DataError
        ``evaluate.pool-drawn-unequally`` when the pool does not stand for its population unit by unit.
    """
    agreed = {name: floor for name in ("precision", "recall") if (floor := getattr(requirement, name)) is not None}
    scopes: list[tuple[str, str | None, str | None]] = [("", None, None)]
    scopes += [(f" | {c}={v}", c, v) for c, values in pool.named_slices.items() for v in sorted(set(values))]
    if requirement.holds_for == "pool":
        floors = {
            f"{name}{suffix}": PoolFloor(raised=floor, lowered=floor)
            for name, floor in agreed.items()
            for suffix, _, _ in scopes
        }
        return Terms(floors=floors, unreachable={}, level=1 - error, n_about={})
    _check_equal_chances(pool)
    step = _STEP * error
    found: dict[str, PoolFloor] = {}
    unreachable: dict[str, NotEstimable] = {}
    about: dict[str, int] = {}
    for name, floor in agreed.items():
        for suffix, column, value in scopes:
            inside = _inside(pool.slices, column, value, len(pool.scores))
            n, spent = _units_about(name, pool, dev, inside, (column, value), threshold, step)
            about[f"{name}{suffix}"] = n
            settled = pool_floor(floor, n, level=1 - (step - spent))
            if isinstance(settled, NotEstimable):
                unreachable[f"{name}{suffix}"] = settled
            else:
                found[f"{name}{suffix}"] = settled
    return Terms(floors=found, unreachable=unreachable, level=1 - (error - step), n_about=about)


def _check_equal_chances(pool: GoldPool) -> None:
    if len(pool.weight) and not np.allclose(pool.weight, pool.weight[0], rtol=1e-9):
        raise DataError(
            "evaluate.pool-drawn-unequally",
            f"gold units were drawn with chances from {1 / pool.weight.max():.3g} to {1 / pool.weight.min():.3g}: "
            "their plain shares are not those of the population",
            where="requirement.label_budget",
            expected="a design that draws all units alike",
            fix='draw by "bernoulli" or "simple"; or leave label_budget out; or say holds_for = "pool"',
        )


def _inside(slices: Mapping[str, Sequence[str | None]], column: str | None, value: str | None, n: int) -> NDArray[Any]:
    if column is None:
        return np.ones(n, dtype=bool)
    return np.asarray([("(none)" if each is None else each) == value for each in slices[column]], dtype=bool)


def _units_about(
    name: str,
    pool: GoldPool,
    dev: DevTruth,
    inside: NDArray[np.bool_],
    scope: tuple[str | None, str | None],
    threshold: float,
    step: float,
) -> tuple[int, float]:
    """Give how many independent units a claim is about, at the least, and the error spent on knowing that."""
    if name == "precision":
        rows = inside & (pool.scores >= threshold)
        return independent_units(None if pool.cluster is None else pool.cluster[rows], int(rows.sum())), 0.0
    known = _inside(dev.slices, *scope, len(dev.truth))
    share = (
        mean_estimate(
            dev.truth[known].astype(np.float64),
            weight=dev.weight[known],
            cluster=None if dev.cluster is None else dev.cluster[known],
            level=1 - step,
        )
        if known.any()
        else NotEstimable(reason="no dev unit", needs="dev units")
    )
    positive = int(share.low * inside.sum()) if isinstance(share, Estimate) else 0
    alike = independent_units(None if pool.cluster is None else pool.cluster[inside], int(inside.sum()))
    return int(positive * alike / max(int(inside.sum()), 1)), step / 2


def begin(
    pool: GoldPool, terms: Terms, *, threshold: float, requirement: Requirement, sampler: Sampler, seed: int
) -> Certification:
    """Begin the process that judges these terms."""
    return Certification(
        pool.scores,
        precision=requirement.precision,
        recall=requirement.recall,
        threshold=threshold,
        slices=pool.named_slices,
        floors=terms.floors,
        sampler=sampler,
        level=terms.level,
        budget=requirement.label_budget,
        seed=seed,
    )


def buy_labels(process: Certification, terms: Terms, truth: NDArray[np.int64]) -> None:
    """Answer from a column that holds every answer, one by one, until the process knows or may ask no more.

    Where some claim cannot be shown with this pool, no label is spent on the others.
    """
    while process.verdict is Verdict.UNDECIDED and not terms.unreachable:
        asked = np.asarray(process.next(_BATCH).position)
        if len(asked) == 0:
            return
        process.observe(asked, truth[asked])


def judge_bought(
    process: Certification,
    terms: Terms,
    *,
    requirement: Requirement,
    look: int,
    error: float,
    gain_over_constant: Measure,
    parents: tuple[str, ...],
    worst_slices: tuple[WorstSlice, ...] = (),
) -> Evaluation:
    """Write down what the labels that were bought have shown.

    Parameters
    ----------
    process
        The certification, as far as it has come.
    terms
        What had to be shown.
    requirement, look, error
        The agreement, the number of this look at gold, and the error it may spend.
    gain_over_constant
        Measured on dev: labels that were drawn for one question measure no other.
    parents, worst_slices
        As for `evaluate_on_gold`.
    """
    claims = _claims(process, terms, requirement, error)
    return Evaluation(
        parents=parents,
        n_gold=process.n_labeled,
        look=look,
        looks_left=max(0, requirement.gold_looks - look),
        level=requirement.level,
        level_of_look=1 - error,
        metrics={claim.metric: claim.estimate for claim in claims if claim.population == "everyone"},
        classes=(),
        slices=_slices(claims),
        calibration=(),
        curve=None,
        confusion=(),
        gain_over_constant=gain_over_constant,
        claims=claims,
        verdict=overall_verdict(claims),
        worst_slices=worst_slices,
        bought=BoughtGold(
            n_pool=len(process.scores),
            n_labels=process.n_labeled,
            n_unsure=process.summary.n_unsure,
            budget=process.budget,
            sampler=process.sampler,
            seed=process.seed,
            restarts=process.restarts,
            holds_for=requirement.holds_for,
            floors={name: settled.raised for name, settled in terms.floors.items()},
        ),
    )


def _claims(process: Certification, terms: Terms, requirement: Requirement, error: float) -> tuple[Claim, ...]:
    agreed = {"precision": requirement.precision, "recall": requirement.recall}
    shown = read_bought(process, terms, level=requirement.level)
    judged = read_bought(process, terms, level=1 - 2 * error)
    below = _below(process)
    claims = []
    for name in [*terms.floors, *terms.unreachable]:
        metric, _, scope = name.partition(" | ")
        bounds = judged[name]
        verdict = Verdict.UNDECIDED
        if name in below:
            verdict = Verdict.NOT_MET
        elif process.verdict is Verdict.MET and name not in terms.unreachable:
            verdict = Verdict.MET
        floor = agreed[metric]
        assert floor is not None
        claims.append(
            Claim(
                metric=metric,
                floor=floor,
                population=scope.replace("=", " = ", 1) if scope else "everyone",
                estimate=shown[name],
                low=bounds.low if isinstance(bounds, Estimate) else None,
                high=bounds.high if isinstance(bounds, Estimate) else None,
                verdict=verdict,
            )
        )
    return tuple(claims)


def read_bought(process: Certification, terms: Terms, *, level: float) -> dict[str, Measure]:
    """Give every claim's two-sided interval of whom the verdict is about: the pool's, widened where it stands for more.

    At 1 minus twice the error of a look, an end and the verdict agree.
    """
    if not terms.n_about:
        return dict(process.interval_at(0, level=level))
    error = 1 - level
    found: dict[str, Measure] = dict(terms.unreachable)
    for name, pool in process.interval_at(0, level=1 - (1 - _STEP) * error).items():
        if name in terms.unreachable:
            continue
        if isinstance(pool, Estimate):
            low, high = population_ends(pool.low, pool.high, terms.n_about[name], level=1 - _STEP * error)
            method = f"{pool.method} on the pool, exact to its population"
            pool = msgspec.structs.replace(pool, low=low, high=high, level=level, method=method)
        found[name] = pool
    return found


def _below(process: Certification) -> tuple[str, ...]:
    """Name the claim that is refuted."""
    if process.verdict is not Verdict.NOT_MET:
        return ()
    evidence = process.e_values  # the requirement fails as a whole; the claim most against it is named
    return (max(evidence, key=lambda name: evidence[name][1]),)


def _slices(claims: tuple[Claim, ...]) -> tuple[SliceResult, ...]:
    scopes = dict.fromkeys(claim.population for claim in claims if claim.population != "everyone")
    return tuple(
        SliceResult(
            column=scope.partition(" = ")[0],
            value=scope.partition(" = ")[2],
            n=next((c.estimate.n for c in claims if c.population == scope and isinstance(c.estimate, Estimate)), 0),
            metrics={claim.metric: claim.estimate for claim in claims if claim.population == scope},
        )
        for scope in scopes
    )
