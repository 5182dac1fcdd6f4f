"""What a campaign asks, of whom, and how often: the plan a room is opened with, and whether it holds together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from martello.errors import DataError, nearest
from martello.label.choose_fixed import FixedPlan
from martello.label.choose_gold import GoldPlan
from martello.label.choose_training import TrainingPlan
from martello.label.contract import Purpose

__all__ = ["RoomPlan", "check_plan"]


class RoomPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign, as it was agreed.

    Attributes
    ----------
    name, question
        Of the task.
    classes
        The possible answers, in the order of their keys.
    positive
        The answer that counts as yes; None for a task that is not binary.
    purpose
        ``gold`` proves, ``training`` teaches.
    overlap
        Share of units that two people see.
    check_share
        Share of an annotator's units that are hidden checks.
    checks
        Known answers by unit; units of the pool. A check unit that is drawn is settled by its known answer.
    lease_seconds
        How long a unit stays with one annotator.
    seed
        Fixes every draw and every chance.
    guidelines_path
        Where the guidelines are kept; default: ``guidelines.md`` beside the book.
    """

    name: str
    question: str
    classes: tuple[str, ...]
    purpose: Purpose
    positive: str | None = None
    overlap: float = 0.1
    check_share: float = 0.05
    checks: Mapping[str, str] = {}
    lease_seconds: float = 1800.0
    seed: int = 0
    guidelines_path: Path | None = None


def check_plan(
    plan: RoomPlan,
    position_of: Mapping[str, int],
    *,
    gold: GoldPlan | FixedPlan | None,
    training: TrainingPlan | None,
) -> None:
    """Refuse a plan that does not hold together, by name."""
    given = gold if plan.purpose == "gold" else training
    shares = (plan.overlap, plan.check_share)
    faults = [
        (
            given is None or (gold is None) == (training is None),
            f"a {plan.purpose} campaign needs its own plan and no other",
        ),
        (
            len(set(plan.classes)) != len(plan.classes) or len(plan.classes) < 2,
            "a campaign needs two or more different classes",
        ),
        (not all(0 <= share <= 1 for share in shares), f"shares are {shares}, not between 0 and 1"),
        (plan.lease_seconds <= 0, "a lease must last"),
        (
            plan.positive is not None and plan.positive not in plan.classes,
            f"{plan.positive!r} is not one of the classes",
        ),
    ]
    for is_wrong, what in faults:
        if is_wrong:
            raise DataError("label.bad-plan", what, where=f"campaign {plan.name!r}")
    if isinstance(gold, GoldPlan) and plan.positive is None:
        raise DataError(
            "label.engine-binary-only",
            f"certification for {len(plan.classes)} classes: it proves requirements on yes and no",
            where=f"campaign {plan.name!r}",
            expected="the answer that counts as yes",
            fix="ask gold of a fixed size (FixedPlan), and judge it with exact intervals",
        )
    _check_checks(plan, position_of)


def _check_checks(plan: RoomPlan, position_of: Mapping[str, int]) -> None:
    for unit, answer in plan.checks.items():
        where = f"check unit {unit!r}"
        if unit not in position_of:
            raise DataError(
                "label.unknown-unit", f"there is no unit {unit!r}", where=where, expected="a unit of the pool"
            )
        if answer not in plan.classes:
            near = nearest(answer, plan.classes) or ""
            raise DataError("label.unknown-class", f"{answer!r} is not a class of this task", where=where, fix=near)
