"""Against GrowthBook's vectors, tea-tasting, scipy and statsmodels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from martello.errors import DataError
from martello.stats.arms import ArmMean, adjusted_arms, arm_mean
from martello.stats.belief import flat_belief
from martello.stats.confidence_sequence import always_valid_estimate
from martello.stats.effects import (
    Effect,
    effect_estimate,
    mean_effect,
    p_value,
    poststratified_effect,
    relative_effect,
    relative_estimate,
)
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.sums import Sums, sums_of

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "data" / "ab_reference_vectors" / "vectors.json"
ROW = np.arange(2000)


def known(number: int) -> np.ndarray:
    """A column anyone can make again, without a random generator."""
    return ((ROW * 7919 * number + 13 * number * number) % 10007) / 10007


ARM = (known(3) < 0.5).astype(int)
BEFORE = np.floor(6 * known(5))
SHOWN = 1 + np.floor(4 * known(7))
CLICKED = np.minimum(SHOWN, np.floor((BEFORE / 6 + 2 * known(11)) * (1 + 0.15 * ARM)))
VALUE = np.exp(BEFORE / 6 + known(13)) * (1 + 0.04 * ARM)


def by_arm(**columns: np.ndarray) -> list[Sums]:
    return [sums_of(**{name: values[k == ARM] for name, values in columns.items()}) for k in (0, 1)]


def sure(effect: Effect | NotEstimable) -> Effect:
    assert isinstance(effect, Effect)
    return effect


def mean_of(sums: Sums) -> ArmMean:
    found = arm_mean(sums)
    assert isinstance(found, ArmMean)
    return found


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text())["cases"]
    return found


def case_arm(case: dict[str, Any], side: str) -> ArmMean:
    n, total = case["inputs"][f"n_{side}"], case["inputs"][f"sum_{side}"]
    if case["kind"] == "mean":
        return mean_of(Sums(n=n, y=total, yy=case["inputs"][f"ss_{side}"]))
    # GrowthBook takes p(1 − p) for a share, without n / (n − 1).
    return ArmMean(n=n, mean=total / n, variance=total / n * (1 - total / n))


@pytest.mark.shared_data
@pytest.mark.skipif(not VECTORS.exists(), reason=f"there is no {VECTORS}")
def test_all_52_reference_vectors_come_out() -> None:
    assert len(cases()) == 52
    for case in cases():
        old, new = case_arm(case, "a"), case_arm(case, "b")
        effect = sure((mean_effect if case["difference_type"] == "absolute" else relative_effect)(old, new))
        fixed, belief = effect_estimate(effect), flat_belief(effect)
        watched = always_valid_estimate(effect, tuned_at=5000, least_units=2)
        assert isinstance(watched, Estimate)
        want = case["outputs"]
        exact = {"rel": 1e-9, "abs": 1e-13}
        assert (fixed.value, fixed.low, fixed.high) == pytest.approx(
            (want["fixed_t"]["expected"], *want["fixed_t"]["ci"]), **exact
        )
        assert effect.error == pytest.approx(want["fixed_t"]["uplift"]["stddev"], **exact)
        assert p_value(effect) == pytest.approx(want["fixed_t"]["p_value"], **exact)
        assert (watched.low, watched.high) == pytest.approx(want["sequential_t_5000"]["ci"], **exact)
        flat = want["bayes_flat"]
        assert (belief.better, belief.loss_of_a, belief.loss_of_b) == pytest.approx(
            (flat["chance_to_win"], *flat["risk"]), **exact
        )
        z = stats.norm.ppf(0.975)
        assert (effect.value - z * effect.error, effect.value + z * effect.error) == pytest.approx(flat["ci"], **exact)


def test_means_and_ratios_are_as_tea_tasting_1_14_0_has_them() -> None:
    """Computed with tea-tasting 1.14.0: `Mean("value")` and `RatioOfMeans("clicked", "shown")` of these columns."""
    for columns, low, high, p in (
        ({"y": VALUE}, -0.09094237341394666, 0.10732643310307981, 0.8712735562089452),
        ({"y": CLICKED, "d": SHOWN}, 0.04393995440500306, 0.09471366899466396, 9.512294843989327e-08),
    ):
        effect = sure(mean_effect(*map(mean_of, by_arm(**columns))))
        found = effect_estimate(effect)
        assert (found.low, found.high, p_value(effect)) == pytest.approx((low, high, p), rel=1e-9)


def test_adjusted_effects_are_as_tea_tasting_1_14_0_has_them_but_for_its_slope() -> None:
    """`Mean("value", "before")`, `RatioOfMeans("clicked", "shown", "before")`.

    Its slope is taken over all units at once, ours within arms, which leaves less variance: a hundredth of an error.
    """
    for columns, value, low, high in (
        ({"y": VALUE}, 0.08239904162665335, 0.009781511880824989, 0.1550165713724817),
        ({"y": CLICKED, "d": SHOWN}, 0.0783057267415051, 0.054322920659885046, 0.10228853282312515),
    ):
        arms = adjusted_arms(*by_arm(x=BEFORE, **columns))
        assert not isinstance(arms, NotEstimable)
        found = effect_estimate(sure(mean_effect(*arms)))
        error = (high - low) / 3.92
        assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=0.02 * error)
        assert found.high - found.low <= high - low


def test_relative_effects_are_near_tea_tasting_1_14_0_which_works_on_the_log_scale() -> None:
    for columns, low, high in (
        ({"y": VALUE}, -0.03230570629151186, 0.03951500724296708),
        ({"y": CLICKED, "d": SHOWN}, 0.12770329320998997, 0.29843892292943663),
    ):
        found = relative_estimate(*map(mean_of, by_arm(**columns)))
        assert isinstance(found, Estimate)
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.001)


def test_the_difference_is_welchs_test() -> None:
    a, b = VALUE[ARM == 0][:40], VALUE[ARM == 1][:25]
    effect = sure(mean_effect(mean_of(sums_of(a)), mean_of(sums_of(b))))
    theirs = stats.ttest_ind(b, a, equal_var=False)
    assert (p_value(effect), effect.df) == pytest.approx((theirs.pvalue, theirs.df))
    interval = theirs.confidence_interval(0.9)
    found = effect_estimate(effect, level=0.9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("shift", [0.0, 0.4, 0.8, 1.2, 2.0])
def test_the_relative_interval_never_contradicts_the_absolute_one(shift: float) -> None:
    rng = np.random.default_rng(3)
    old, new = rng.exponential(2.0, 60), rng.exponential(2.0, 60) + shift
    arms = mean_of(sums_of(old)), mean_of(sums_of(new))
    absolute, relative = effect_estimate(sure(mean_effect(*arms))), relative_estimate(*arms)
    assert isinstance(relative, Estimate)
    assert (absolute.low > 0) == (relative.low > 0)


def test_the_trap_of_the_delta_method_is_avoided() -> None:
    """The same data: p = .0202 of the difference and p = .0619 of its ratio, by GrowthBook's own vector."""
    arms = ArmMean(n=3407, mean=0.41, variance=15.2), ArmMean(n=3461, mean=0.70, variance=38.4)
    assert p_value(sure(mean_effect(*arms))) < 0.05 < p_value(sure(relative_effect(*arms)))
    found = relative_estimate(*arms)
    assert isinstance(found, Estimate)
    assert found.low > 0


def test_fieller_is_the_set_of_ratios_a_t_test_does_not_reject() -> None:
    arms = ArmMean(n=50, mean=2.0, variance=9.0), ArmMean(n=70, mean=2.6, variance=7.0)
    found = relative_estimate(*arms)
    assert isinstance(found, Estimate)
    t = stats.t.ppf(0.975, sure(mean_effect(*arms)).df)
    for end in (found.low, found.high):
        ratio = 1 + end
        error = np.sqrt(7.0 / 70 + ratio**2 * 9.0 / 50)
        assert abs(2.6 - ratio * 2.0) / error == pytest.approx(t)


def test_a_mean_that_may_be_0_has_no_relative_effect() -> None:
    nothing = ArmMean(n=10, mean=0.1, variance=4.0), ArmMean(n=10, mean=0.2, variance=4.0)
    assert isinstance(relative_estimate(*nothing), NotEstimable)
    assert isinstance(relative_effect(ArmMean(n=9, mean=0.0, variance=1.0), nothing[1]), NotEstimable)
    assert isinstance(
        mean_effect(ArmMean(n=9, mean=0.0, variance=0.0), ArmMean(n=9, mean=1.0, variance=0.0)), NotEstimable
    )


def test_strata_are_averaged_with_their_shares() -> None:
    rng = np.random.default_rng(8)
    strata = [
        tuple(mean_of(sums_of(rng.normal(level + k, 1.0, n))) for k, n in ((0, 30), (1, 20))) for level in (0.0, 50.0)
    ]
    found = sure(poststratified_effect(strata, [0.3, 0.7]))  # type: ignore[arg-type]
    parts = [sure(mean_effect(*pair)) for pair in strata]
    assert found.value == pytest.approx(0.3 * parts[0].value + 0.7 * parts[1].value)
    assert found.error**2 == pytest.approx((0.3 * parts[0].error) ** 2 + (0.7 * parts[1].error) ** 2)
    with pytest.raises(DataError, match="shares-unclear"):
        poststratified_effect(strata, [0.3, 0.3])  # type: ignore[arg-type]
