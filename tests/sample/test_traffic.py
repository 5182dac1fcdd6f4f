"""Sample against traffic: oracles are known populations, pandas, and real sets with and without drift."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from martello.errors import DataError
from martello.sample.traffic import TrafficComparison, compare_traffic
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.shift import ShiftVerdict

SHIFTED, NOT_SHIFTED, UNDECIDED = ShiftVerdict.SHIFTED, ShiftVerdict.NOT_SHIFTED, ShiftVerdict.UNDECIDED


def compared(sample: dict, traffic: dict, **options) -> TrafficComparison:
    return compare_traffic(pa.table(sample), pa.table(traffic), **options)[0]


def effects(found: TrafficComparison) -> dict:
    return {(one.column, one.aspect): one for one in found.effects}


def test_a_category_differs_by_the_share_of_rows_that_would_have_to_change() -> None:
    sample, traffic = ["a"] * 600 + ["b"] * 400, ["a"] * 300 + ["b"] * 400 + ["c"] * 300
    shares = pd.concat([pd.Series(side).value_counts(normalize=True) for side in (sample, traffic)], axis=1).fillna(0)
    expected = 0.5 * float((shares.iloc[:, 0] - shares.iloc[:, 1]).abs().sum())
    one = effects(compared({"kind": sample}, {"kind": traffic}))["kind", "values"]
    assert one.effect.value == pytest.approx(expected, abs=0.01)
    assert one.effect.low < expected < one.effect.high
    assert (one.verdict, one.change) == (SHIFTED, "a: 60.0 % to 30.0 %")


def test_a_value_that_most_rows_have_does_not_hide_the_others() -> None:
    rng = np.random.default_rng(0)
    sides = [np.where(rng.uniform(size=5000) < share, 999, rng.integers(0, 20, 5000)) for share in (0.98, 0.84)]
    one = effects(compared({"days": sides[0]}, {"days": sides[1]}))["days", "values"]
    assert one.effect.value == pytest.approx(0.14, abs=0.02)
    assert one.verdict is SHIFTED


def test_the_missing_share_is_an_effect_of_its_own() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=8000), rng.normal(size=8000)
    y[rng.uniform(size=8000) < 0.3] = np.nan
    found = effects(compared({"x": x}, {"x": y}))
    assert found["x", "missing"].effect.value == pytest.approx(np.isnan(y).mean(), abs=0.01)
    assert (found["x", "missing"].verdict, found["x", "values"].verdict) == (SHIFTED, NOT_SHIFTED)


def test_the_classifier_finds_what_two_normals_allow_and_not_more() -> None:
    rng = np.random.default_rng(2)
    shift = np.array([0.5, 0.4, 0.0])
    found = compared(
        dict(zip("abc", rng.normal(size=(3, 7000)), strict=True)),
        dict(zip("abc", rng.normal(size=(3, 7000)) + shift[:, None], strict=True)),
    )
    best = stats.norm.cdf(np.linalg.norm(shift) / np.sqrt(2))
    assert best - 0.03 < found.together.value < best + 0.01
    assert found.together_verdict is SHIFTED


def test_a_shift_that_no_column_shows_is_found_together() -> None:
    rng = np.random.default_rng(3)
    a, b, c, d = rng.normal(size=(4, 9000))
    found = compared({"x": a, "y": 0.7 * a + 0.3 * b}, {"x": c, "y": -0.7 * c + 0.3 * d})
    assert {one.verdict for one in found.effects} == {NOT_SHIFTED}
    assert (found.together_verdict, found.verdict) == (SHIFTED, SHIFTED)


def test_a_sample_drawn_unevenly_on_purpose_is_cleared_by_its_weights() -> None:
    rng = np.random.default_rng(4)
    pool = rng.normal(size=60_000)
    pi = np.where(pool > 0, 0.4, 0.15)
    drawn = rng.uniform(size=pool.size) < pi
    traffic = {"x": rng.normal(size=12_000)}
    assert compared({"x": pool[drawn]}, traffic).verdict is SHIFTED
    assert compared({"x": pool[drawn]}, traffic, weight=1 / pi[drawn]).verdict is NOT_SHIFTED


def test_the_expected_change_covers_what_labels_on_traffic_would_have_shown() -> None:
    rng = np.random.default_rng(5)

    def right(x: np.ndarray) -> np.ndarray:
        return rng.uniform(size=x.size) < stats.norm.cdf(1 - x)

    truth = stats.norm.cdf((1 - 0.5) / np.sqrt(2)) - stats.norm.cdf(1 / np.sqrt(2))  # E Φ(1 - N(μ, 1))
    covered = 0
    for _ in range(8):
        x, y = rng.normal(size=1500), rng.normal(0.5, 1, 1500)
        change = compared({"x": x}, {"x": y}, loss=right(x).astype(float)).change
        assert isinstance(change, Estimate)
        assert change.high < 0
        covered += change.low <= truth <= change.high
    assert covered >= 7


def test_the_expected_change_of_nothing_mostly_holds_zero_and_the_sample_keeps_its_worth() -> None:
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(5):
        sample, traffic = (pa.table({"x": rng.normal(size=800), "y": rng.normal(size=800)}) for _ in range(2))
        found, ratio = compare_traffic(sample, traffic, loss=np.asarray(sample["x"]) > 0)
        held += found.change.low < 0 < found.change.high
        assert found.effective_n == pytest.approx(ratio.sum() ** 2 / (ratio**2).sum())
        assert found.effective_n > 0.95 * 800
    assert held >= 4


def test_traffic_unlike_any_sampled_row_leaves_the_change_unknown_and_says_what_it_takes() -> None:
    rng = np.random.default_rng(7)
    found = compared({"x": rng.normal(size=500)}, {"x": rng.normal(9, 1, 500)}, loss=np.ones(500))
    assert isinstance(found.change, NotEstimable)
    assert "labels drawn from traffic" in found.change.needs


def test_rows_that_were_not_judged_are_not_counted_as_judged() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=1000)
    loss = np.where(np.arange(1000) < 600, (x > 0).astype(float), np.nan)
    assert compared({"x": x}, {"x": rng.normal(size=1000)}, loss=loss).change.n == 600
    none = compared({"x": x}, {"x": x}, loss=np.full(1000, np.nan)).change
    assert isinstance(none, NotEstimable)


def test_texts_are_compared_by_their_lengths_and_moments_by_what_recurs() -> None:
    rng = np.random.default_rng(9)
    words = ["good", "dress", "very", "size 12"]
    short, long = ([" ".join(rng.choice(words, k)) for _ in range(400)] for k in (5, 9))
    day = np.timedelta64(1, "D")
    march = np.datetime64("2026-03-02T09:00:00") + rng.integers(0, 28, 400) * day  # 2 March 2026 is a Monday
    june = np.datetime64("2026-06-01T09:00:00") + rng.integers(0, 4, 400) * 7 * day  # Mondays only
    found = effects(compared({"note": short, "at": march}, {"note": long, "at": june}))
    assert found["note", "words"].verdict is SHIFTED
    assert found["note", "characters"].verdict is SHIFTED
    assert found["at", "weekday"].effect.value == pytest.approx(6 / 7, abs=0.06)
    assert found["at", "hour"].effect.value == 0


def test_one_column_written_in_two_ways_is_one_column() -> None:
    rng = np.random.default_rng(10)
    n, flag = rng.integers(0, 50, 9000), rng.uniform(size=9000) < 0.4
    at = np.datetime64("2026-01-01T00:00:00") + rng.integers(0, 10**6, 9000) * np.timedelta64(1, "s")
    sample = {"n": n, "flag": flag, "at": at.astype("datetime64[us]")}
    traffic = {"n": [str(v) for v in n], "flag": np.where(flag, "True", "false"), "at": [f"{v}Z" for v in at]}
    found = compared(sample, traffic)
    assert {one.effect.value for one in found.effects} == {0.0}
    assert not found.left_out


def test_names_and_columns_of_one_side_are_left_out_and_named() -> None:
    ids = [f"u{i}" for i in range(200)]
    found = compared({"id": ids, "x": range(200), "old": ids}, {"id": ids, "x": range(200), "new": ids})
    assert found.left_out.keys() == {"id", "old", "new"}
    assert {one.column for one in found.effects} == {"x"}


def test_traffic_that_meets_the_sampled_rows_again_is_not_taken_for_shifted() -> None:
    rng = np.random.default_rng(14)
    x, y = rng.normal(size=(2, 8000))
    assert compared({"x": x, "y": y}, {"x": x, "y": y}).verdict is NOT_SHIFTED
    nearly = compared({"x": x, "y": y}, {"x": x, "y": np.where(np.arange(8000) < 4000, rng.permutation(y), y)})
    assert nearly.together_verdict is not SHIFTED


def test_a_few_types_of_row_are_told_apart_by_their_shares() -> None:
    rng = np.random.default_rng(15)
    p = np.array([[0.5, 0.0], [0.0, 0.5]])
    a, b = ({"x": cells // 2, "y": cells % 2} for cells in (rng.choice(4, 900, p=q.ravel()) for q in (p, p[::-1])))
    assert compared(a, b).together.value == pytest.approx(1.0, abs=0.01)


def test_rare_categories_are_never_called_not_shifted() -> None:
    rng = np.random.default_rng(11)
    sample, traffic = ([f"{side}{i}" for i in rng.integers(0, 20_000, 10_000)] for side in "ab")  # nothing in common
    one = effects(compared({"town": sample}, {"town": traffic}))["town", "values"]
    assert (one.verdict, one.effect.high) == (UNDECIDED, 1.0)


def test_many_columns_of_one_population_are_rarely_called_shifted() -> None:
    rng = np.random.default_rng(12)
    for _ in range(4):
        sides = [{f"c{i}": rng.choice(list("abcdefgh"), 400) for i in range(15)} for _ in range(2)]
        found = compared(*sides)
        assert found.verdict is UNDECIDED
        assert all(isinstance(one.effect, Estimate) and one.effect.level > 0.996 for one in found.effects)


def halves(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = rows.sample(frac=1, random_state=0)
    return rows.iloc[: len(rows) // 2], rows.iloc[len(rows) // 2 :]


def verdicts(sample: pd.DataFrame, traffic: pd.DataFrame) -> dict:
    found = compare_traffic(*(pa.Table.from_pandas(side, preserve_index=False) for side in (sample, traffic)))[0]
    return {"all": found.verdict, **{(one.column, one.aspect): one.verdict for one in found.effects}}


def assert_no_flip(sample: pd.DataFrame, traffic: pd.DataFrame, seeds: range) -> dict:
    whole = verdicts(sample, traffic)
    for seed in seeds:
        tenth = verdicts(*(side.sample(frac=0.1, random_state=seed) for side in (sample, traffic)))
        for key, verdict in tenth.items():
            assert {verdict, whole.get(key, verdict)} != {SHIFTED, NOT_SHIFTED}, key
    return whole


@pytest.mark.parametrize("name", ["german_credit", "telco_churn"])
def test_random_halves_are_never_called_shifted_also_at_a_tenth(data: Path, name: str) -> None:
    whole = assert_no_flip(*halves(pd.read_parquet(data / f"{name}.parquet")), range(2))
    assert SHIFTED not in whole.values()


@pytest.mark.shared_data
def test_the_bank_s_late_months_have_shifted_also_at_a_tenth(shared: Callable[[str], Path]) -> None:
    rows = pd.read_parquet(shared("bank_marketing"))
    rows = rows.drop(columns=["row_order"])
    cut = int(0.8 * len(rows))
    whole = assert_no_flip(rows.iloc[:cut], rows.iloc[cut:], range(1))
    assert whole["all"] is SHIFTED
    assert whole["pdays", "values"] is SHIFTED
    assert whole["loan", "values"] is NOT_SHIFTED
    assert assert_no_flip(*halves(rows), range(1))["all"] is NOT_SHIFTED


def test_the_same_rows_give_the_same_answer() -> None:
    rng = np.random.default_rng(13)
    sides = [{"x": rng.normal(size=300), "c": rng.choice(list("abc"), 300)} for _ in range(2)]
    assert compared(*sides) == compared(*sides)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: compared({"a": [1]}, {"b": [1]}), "sample.no-common-column"),
        (lambda: compared({"a": []}, {"a": [1]}), "stats.empty"),
        (lambda: compared({"a": [1]}, {"a": [1]}, material=0), "stats.material-size"),
        (lambda: compared({"a": [1, 2]}, {"a": [1]}, weight=[1.0]), "stats.length-mismatch"),
        (lambda: compared({"a": [1, 2]}, {"a": [1]}, weight=[1.0, 0.0]), "stats.weight-not-positive"),
        (lambda: compared({"a": [1, 2]}, {"a": [1]}, level=1), "stats.level-out-of-range"),
    ],
)
def test_bad_input_is_refused_by_name(call: Callable[[], object], code: str) -> None:
    with pytest.raises(DataError) as fault:
        call()
    assert fault.value.code == code
