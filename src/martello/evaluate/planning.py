"""Before there are labels: what it would cost to prove a requirement, and whether any number of labels could."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from martello.errors import DataError
from martello.evaluate.shortfall import DOMAINS
from martello.stats.estimate import NotEstimable
from martello.stats.power_floor import information_bound, labels_for_floor

__all__ = ["LabelPlan", "plan_labels"]

#: A difference of at most this much is called by its cost.
_CLOSE = 0.01


class LabelPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one floor would cost, if the truth is what was guessed.

    Attributes
    ----------
    metric, floor, expected
        What is required, and the guess of what is true.
    of
        What a label is of: a flagged unit for precision, a positive one for recall.
    labels
        Of a gold set of fixed size: enough for the power to show on which side of the floor the truth is.
    bound
        Expected labels below which no rule can decide, however it picks and stops.
    units
        Units drawn at random from all that hold so many labels on average; None where the share that counts is not
        known (`--prevalence`, and for precision the expected recall).
    statement
        The same in a sentence.
    """

    metric: str
    floor: float
    expected: float
    of: str
    labels: int | NotEstimable
    bound: float | NotEstimable
    units: int | None
    statement: str


def plan_labels(
    floors: Mapping[str, float],
    expected: Mapping[str, float],
    *,
    level: float = 0.95,
    power: float = 0.8,
    prevalence: float | None = None,
) -> tuple[LabelPlan, ...]:
    """Say for each floor how many labels it takes.

    Parameters
    ----------
    floors
        ``precision`` or ``recall`` to its floor.
    expected
        The same to the guess of what is true.
    level
        Confidence of the verdict, one-sided.
    power
        Chance that the labels show it.
    prevalence
        Share of positive units among all, if known.

    Raises
    ------
    DataError
        ``evaluate.options-disagree`` when a floor has no guess.

    Examples
    --------
    >>> (plan,) = plan_labels({"precision": 0.80}, {"precision": 0.86})
    >>> plan.labels, round(plan.bound)
    (271, 216)
    """
    plans = []
    for metric, floor in floors.items():
        if metric not in DOMAINS or metric not in expected:
            raise DataError(
                "evaluate.options-disagree",
                f"there is no plan for {metric}" if metric not in DOMAINS else f"nothing is expected of {metric}",
                where="the command line",
                expected="floors of precision or recall, and a guess for each",
                fix="--require precision=0.8 --expect precision=0.86",
            )
        guess = expected[metric]
        labels = labels_for_floor(guess, floor, power=power, level=level)
        share = _share_that_counts(metric, expected, prevalence)
        plans.append(
            LabelPlan(
                metric=metric,
                floor=floor,
                expected=guess,
                of=DOMAINS[metric],
                labels=labels,
                bound=information_bound(guess, floor, level=level),
                units=math.ceil(labels / share) if isinstance(labels, int) and share else None,
                statement=_statement(metric, floor, guess, labels),
            )
        )
    return tuple(plans)


def _share_that_counts(metric: str, expected: Mapping[str, float], prevalence: float | None) -> float | None:
    """Give the share of all units that count: the positive, or the flagged, prevalence * recall / precision."""
    if prevalence is None or metric == "recall":
        return prevalence
    found = expected.get("recall")
    return None if found is None else min(prevalence * found / expected["precision"], 1.0)


def _statement(metric: str, floor: float, guess: float, labels: int | NotEstimable) -> str:
    if isinstance(labels, NotEstimable):
        return f"No plan for {metric} {guess:g} against {floor:g}: {labels.reason}; needs {labels.needs}."
    if abs(guess - floor) <= _CLOSE + 1e-9:
        return (
            f"A {metric} of {guess:g} cannot be told from the floor {floor:g} for under about {labels:,} labels: "
            "change the floor or the model, or plan to leave it undecided."
        )
    side = "above" if guess > floor else "below"
    return f"About {labels:,} labeled {DOMAINS[metric]} units show that a {metric} of {guess:g} is {side} {floor:g}."
