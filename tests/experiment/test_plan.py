from __future__ import annotations

import msgspec
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower

from martello.errors import DataError
from martello.experiment.plan import Baseline, plan_experiment

BASE = Baseline(mean=0.10, variance=0.09, daily_units=1100)


def test_users_per_arm_are_those_of_the_textbook_and_a_little_for_the_looks() -> None:
    """Base 10 %, +10 %: 14.7 thousand per arm for one look (statsmodels' arcsine-free normal formula)."""
    once = NormalIndPower().solve_power(effect_size=0.01 / 0.3, power=0.8, alpha=0.05, alternative="two-sided")
    four_weeks = plan_experiment(BASE, 0.10).detectable[2]
    assert four_weeks.weeks == 4
    factor = (four_weeks.units / 2 / once) * (four_weeks.effect / 0.01) ** 2
    assert 1.0 < factor < 1.03


def test_with_one_look_the_detectable_effect_is_the_classic_one() -> None:
    one = plan_experiment(BASE, 0.10, min_days=56).detectable[3]
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert one.effect == pytest.approx(z * (0.09 * 4 / (56 * 1100)) ** 0.5, rel=1e-6)


def test_the_weeks_are_the_fewest_that_reach_the_power() -> None:
    plan = plan_experiment(BASE, 0.09)
    assert plan.weeks is not None
    assert plan.power is not None
    assert plan.power >= 0.8
    shorter = plan_experiment(msgspec.structs.replace(BASE, daily_units=1100 * (plan.weeks - 1) / plan.weeks), 0.09)
    assert shorter.weeks == plan.weeks + 1


def test_looks_are_ends_of_weeks_not_before_the_first_day_allowed() -> None:
    plan = plan_experiment(BASE, 0.075, min_days=10)
    assert plan.weeks is not None
    assert plan.looks[0] == 14
    assert plan.looks[-1] == 7 * plan.weeks
    assert all(look % 7 == 0 for look in plan.looks)
    assert len(plan.looks) <= 4


def test_a_covariate_saves_its_share_of_the_units() -> None:
    plan = plan_experiment(msgspec.structs.replace(BASE, explained=0.5), 0.08)
    plain = plan_experiment(BASE, 0.08)
    assert plan.weeks_without_covariate == plain.weeks
    assert plan.detectable[3].effect == pytest.approx(plain.detectable[3].effect * 0.5**0.5)
    assert "Without the covariate" in plan.statement


def test_dilution_costs_its_square() -> None:
    diluted = plan_experiment(msgspec.structs.replace(BASE, kept=0.8), 0.10).detectable[3]
    assert diluted.effect == pytest.approx(plan_experiment(BASE, 0.10).detectable[3].effect / 0.8, rel=0.005)


def test_what_eight_weeks_cannot_decide_is_refused_with_alternatives() -> None:
    plan = plan_experiment(msgspec.structs.replace(BASE, kept=0.7, explained=0.1), 0.07)
    assert plan.weeks is None
    assert plan.looks == ()
    said = " ".join(plan.alternatives)
    for word in ("order", "CUPED", "larger change", "proxy", "interleaving", "guardrails only"):
        assert word in said
    # What is named as enough is enough: a covariate that explains as much as it says.
    share = float(said.split("explains ")[1].split("%")[0]) / 100
    assert plan_experiment(msgspec.structs.replace(BASE, kept=0.7, explained=share + 0.005), 0.07).weeks is not None


def test_an_effect_far_out_of_reach_is_not_met_by_any_covariate() -> None:
    said = " ".join(plan_experiment(BASE, 0.005).alternatives)
    assert "CUPED" not in said
    assert "order" not in said


def test_absolute_and_relative_effects_mean_the_same() -> None:
    absolute, relative = plan_experiment(BASE, 0.01, is_relative=False), plan_experiment(BASE, 0.10)
    assert (absolute.weeks, absolute.looks) == (relative.weeks, relative.looks)
    assert (absolute.effect, absolute.relative, absolute.power) == pytest.approx((0.01, 0.1, relative.power))
    centered = msgspec.structs.replace(BASE, mean=0.0)
    assert plan_experiment(centered, 0.01, is_relative=False).relative is None


@pytest.mark.parametrize(
    "wrong",
    [{"effect": 0.0}, {"effect": 0.1, "share": 1.0}, {"effect": 0.1, "min_days": 90}, {"effect": 0.1, "level": 1.5}],
)
def test_plans_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match="plan-unclear"):
        plan_experiment(BASE, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"variance": 0.0}, {"daily_units": 0.0}, {"explained": 1.0}, {"kept": 0.0}, {"mean": float("nan")}]
)
def test_baselines_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match="plan-unclear"):
        Baseline(**({"mean": 0.1, "variance": 0.09, "daily_units": 10.0} | wrong))
