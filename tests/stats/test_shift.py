"""Effect sizes of shift: oracles are scipy, scikit-learn, known populations, and real sets with and without drift."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from martello.errors import DataError
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.shift import ShiftVerdict, judge_shift, quantile_bins, total_variation, two_sample_auc

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
MATERIAL = 0.1


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=20, max_size=60),
    st.lists(st.integers(3, 15), min_size=20, max_size=60),
)
def test_the_two_sample_auc_is_the_mann_whitney_share(x, y):
    auc = two_sample_auc(x, y)
    assert isinstance(auc, Estimate)
    assert auc.value == pytest.approx(stats.mannwhitneyu(y, x).statistic / (len(x) * len(y)))
    assert 0 <= auc.low < auc.high <= 1
    assert auc.low <= auc.value <= auc.high


def test_the_interval_is_delongs_on_the_logit_scale():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=25), rng.normal(0.7, 1, 35)
    wins = (x[:, None] < y[None, :]).astype(float)
    variance = np.var(wins.mean(axis=1), ddof=1) / 25 + np.var(wins.mean(axis=0), ddof=1) / 35
    auc = two_sample_auc(x, y, level=0.9)
    half = stats.norm.ppf(0.95) * np.sqrt(variance) / (auc.value * (1 - auc.value))
    odds = np.log(auc.value / (1 - auc.value)) + np.array([-half, half])
    assert (auc.low, auc.high) == pytest.approx(tuple(1 / (1 + np.exp(-odds))))


def test_weights_count_as_repeated_rows_in_the_estimate():
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=80), rng.normal(0.5, 1, 60), rng.integers(1, 5, 80)
    expected = roc_auc_score(np.repeat([0, 1], [80, 60]), np.concatenate([x, y]), sample_weight=[*w, *np.ones(60)])
    assert two_sample_auc(x, y, sample_weight=w).value == pytest.approx(expected)


def test_a_sample_drawn_unevenly_on_purpose_is_not_called_shifted_when_weighted():
    rng = np.random.default_rng(1)
    pool = rng.normal(size=40_000)
    pi = np.where(pool > 0, 0.2, 0.02)
    drawn = rng.uniform(size=pool.size) < pi
    traffic = rng.normal(size=4000)
    plain = two_sample_auc(pool[drawn], traffic)
    weighted = two_sample_auc(pool[drawn], traffic, sample_weight=1 / pi[drawn])
    assert judge_shift(plain, material=MATERIAL, neutral=0.5) is ShiftVerdict.SHIFTED
    assert judge_shift(weighted, material=MATERIAL, neutral=0.5) is ShiftVerdict.NOT_SHIFTED


def test_complete_separation_has_an_exact_bound():
    auc = two_sample_auc(np.arange(30), np.arange(100, 140))
    expected = stats.binomtest(30, 30).proportion_ci(0.95, "exact").low
    assert (auc.value, auc.high) == (1.0, 1.0)
    assert auc.low == pytest.approx(expected)
    tied = two_sample_auc(np.zeros(30), np.zeros(40))
    assert (tied.low, tied.value, tied.high) == pytest.approx((expected / 2, 0.5, 1 - expected / 2))
    mirrored = two_sample_auc(np.arange(100, 140), np.arange(30))
    assert (mirrored.low, mirrored.high) == pytest.approx((0.0, 1 - expected))


def test_total_variation_of_two_known_shares():
    effect = total_variation(["a"] * 5000 + ["b"] * 5000, ["a"] * 8000 + ["c"] * 2000)
    assert effect.value == pytest.approx(0.5, abs=0.01)
    assert effect.low < 0.5 < effect.high


def test_total_variation_of_the_same_population_is_near_nothing_where_the_plain_one_is_not():
    rng = np.random.default_rng(2)
    values, plain = [], []
    for _ in range(200):
        x, y = rng.integers(0, 40, 300), rng.integers(0, 40, 300)
        values.append(total_variation(x, y).value)
        plain.append(0.5 * np.abs(np.bincount(x, minlength=40) - np.bincount(y, minlength=40)).sum() / 300)
    assert np.mean(plain) > 0.12
    assert np.mean(values) < 0.4 * np.mean(plain)


def test_total_variation_over_many_categories_is_not_overstated():
    rng = np.random.default_rng(4)
    p, q = np.full(40, 1 / 40), np.repeat([1.4, 0.6], 20) / 40  # total variation 0.2
    draws = [total_variation(rng.choice(40, 500, p=p), rng.choice(40, 500, p=q)) for _ in range(200)]
    assert np.mean([d.value for d in draws]) == pytest.approx(0.2, abs=0.04)  # the plain one: 0.25
    assert all(d.low <= 0.2 <= d.high for d in draws)


def test_missing_values_are_a_category_and_a_change_of_spread_is_seen():
    rng = np.random.default_rng(3)
    x, wide = rng.normal(size=4000), rng.normal(0, 3, 4000)
    assert judge_shift(two_sample_auc(x, wide), material=MATERIAL, neutral=0.5) is ShiftVerdict.NOT_SHIFTED
    assert judge_shift(total_variation(*quantile_bins(x, wide)), material=MATERIAL) is ShiftVerdict.SHIFTED
    gone = np.where(rng.uniform(size=4000) < 0.3, np.nan, rng.normal(size=4000))
    effect = total_variation(*quantile_bins(x, gone))
    assert effect.value == pytest.approx(0.3, abs=0.04)
    assert total_variation([None, "a"] * 50, [float("nan"), "a"] * 50).value == 0.0


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50), st.integers(2, 10))
def test_equal_values_share_a_bin_and_bins_keep_the_order(values, bins):
    codes, _ = quantile_bins(values, values, bins=bins)
    assert len(set(codes)) < 3 * bins
    assert [c for _, c in sorted(zip(values, codes, strict=True))] == sorted(codes)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=60), st.lists(st.integers(0, 8), max_size=60), st.integers(2, 9)
)
def test_heavy_values_are_alone_in_their_bins_and_no_other_bin_is_large(x, y, bins):
    values = x + y
    here, there = quantile_bins(x, y, bins=bins)
    members = {}
    for value, code in zip(values, here + there, strict=True):
        members.setdefault(code, []).append(value)
    for inside in members.values():
        if len(set(inside)) > 1:
            assert all(inside.count(value) * bins < len(values) for value in inside)
            assert len(inside) < 2 * len(values) / bins + 1
    assert len(members) < 3 * bins
    assert all(len({c for v, c in zip(values, here + there, strict=True) if v == value}) == 1 for value in values)


@pytest.mark.parametrize("heavy", [999.0, -1.0, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_a_heavy_value_does_not_hide_a_shift_of_the_rest(heavy, seed):
    rng = np.random.default_rng(seed)
    x, y = (np.where(rng.random(20_000) < 0.9, heavy, rng.random(20_000) + move) for move in (0.0, 1.0))
    effect = total_variation(*quantile_bins(x, y))
    assert effect.low < 0.1 < effect.high  # a tenth of the rows moved from [0, 1) to [1, 2): nothing stayed in common
    assert effect.value == pytest.approx(0.1, abs=0.012)
    assert judge_shift(effect, material=0.05) is ShiftVerdict.SHIFTED


@pytest.mark.parametrize("seed", range(5))
def test_a_heavy_value_that_becomes_rarer_is_seen_by_as_much(seed):
    rng = np.random.default_rng(seed)
    x, y = (np.where(rng.random(20_000) < share, 999.0, rng.random(20_000)) for share in (0.95, 0.79))
    assert total_variation(*quantile_bins(x, y)).value == pytest.approx(0.16, abs=0.012)


def columns(sample, traffic):
    """Every column's effect, at a level shared among the columns: its verdicts are about all of them at once."""
    level = 1 - 0.05 / (2 * sample.shape[1])
    for name in sample:
        x, y = sample[name], traffic[name]
        if pd.api.types.is_numeric_dtype(x):
            x, y = x.to_numpy(float, na_value=np.nan), y.to_numpy(float, na_value=np.nan)
            auc = two_sample_auc(x[~np.isnan(x)], y[~np.isnan(y)], level=level)
            yield (name, "auc"), judge_shift(auc, material=MATERIAL, neutral=0.5), auc.value - 0.5
            x, y = quantile_bins(x, y)
        effect = total_variation(x, y, level=level)
        yield (name, "tv"), judge_shift(effect, material=MATERIAL), effect.value


def split(name):
    rows = pd.read_parquet(DATA / name / f"{name}.parquet")
    if name == "bank_marketing":
        cut = int(0.8 * len(rows))
        return rows.iloc[:cut].drop(columns=["row_order"]), rows.iloc[cut:].drop(columns=["row_order"])
    rows = rows.sample(frac=1, random_state=0)
    return rows.iloc[: len(rows) // 2], rows.iloc[len(rows) // 2 :]


@pytest.mark.skipif(not DATA.exists(), reason=f"the real sets are not at {DATA}")
@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["bank_marketing", "adult"])
def test_verdicts_on_real_columns_do_not_flip_when_rows_are_cut_to_a_tenth(name):
    sample, traffic = split(name)
    whole = {key: (verdict, effect) for key, verdict, effect in columns(sample, traffic)}
    clear = {key for key, (_, effect) in whole.items() if abs(effect) > 2.5 * MATERIAL}
    small = {key for key, (_, effect) in whole.items() if abs(effect) < 0.1 * MATERIAL}
    assert all(whole[key][0] is ShiftVerdict.SHIFTED for key in clear)
    assert all(whole[key][0] is ShiftVerdict.NOT_SHIFTED for key in small if key[1] == "auc")
    assert (len(clear) >= 5) == (name == "bank_marketing")
    opposite = {ShiftVerdict.SHIFTED: ShiftVerdict.NOT_SHIFTED, ShiftVerdict.NOT_SHIFTED: ShiftVerdict.SHIFTED}
    for seed in range(5):
        tenth = columns(sample.sample(frac=0.1, random_state=seed), traffic.sample(frac=0.1, random_state=seed))
        for key, verdict, _ in tenth:
            assert verdict is not opposite.get(whole[key][0])
            if key in clear:
                assert verdict is ShiftVerdict.SHIFTED
            if name == "adult":
                assert verdict is not ShiftVerdict.SHIFTED


def test_few_rows_are_not_estimable_and_undecided():
    refusal = two_sample_auc(np.arange(19), np.arange(500))
    assert isinstance(refusal, NotEstimable)
    assert isinstance(total_variation(["a"] * 500, ["b"] * 19), NotEstimable)
    assert judge_shift(refusal, material=MATERIAL) is ShiftVerdict.UNDECIDED


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.12, 0.2, "shifted"), (-0.2, -0.1, "shifted"), (-0.05, 0.09, "not shifted"), (0.05, 0.2, "undecided"),
     (-0.2, 0.2, "undecided"), (-0.1, 0.05, "undecided")],
)  # fmt: skip
def test_the_verdict_asks_the_interval_not_the_point(low, high, verdict):
    effect = Estimate(value=(low + high) / 2, low=low, high=high, level=0.95, n=100, method="given")
    assert judge_shift(effect, material=MATERIAL) == verdict


X = np.arange(30.0)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: two_sample_auc([*X, np.nan], X), "stats.value-not-finite"),
        (lambda: two_sample_auc(X, X, sample_weight=np.zeros(30)), "stats.weight-not-positive"),
        (lambda: two_sample_auc(X, X, traffic_weight=np.ones(3)), "stats.length-mismatch"),
        (lambda: two_sample_auc([], X), "stats.empty"),
        (lambda: total_variation(X, X, level=0), "stats.level-out-of-range"),
        (lambda: judge_shift(two_sample_auc(X, X), material=0), "stats.material-size"),
    ],
)
def test_bad_input_is_refused_by_name(call, code):
    with pytest.raises(DataError) as fault:
        call()
    assert fault.value.code == code
