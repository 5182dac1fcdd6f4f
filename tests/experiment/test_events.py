"""Sums from events against the same sums made with pandas, one day after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.experiment.contract import Contract
from martello.experiment.events import EventColumns, baseline_of_events, history_of_events
from martello.stats.sums import sums_of

COLUMNS = EventColumns(unit="user", time="at", arm="arm", covariate="before")
CONTRACT = Contract(
    metric="click/shown",
    secondary=("click",),
    shares={"a": 0.5, "b": 0.5},
    control="a",
    treatment="b",
    looks=(14,),
    minimum_effect=0.1,
)


def log(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    users = 300
    first, arm, before = rng.integers(0, 10, users), rng.integers(0, 2, users), rng.poisson(3, users)
    of = np.concatenate([np.arange(users), rng.integers(0, users, 900)])
    day = first[of] + np.r_[np.zeros(users, int), rng.integers(0, 5, 900)]
    frame = pd.DataFrame(
        {
            "user": [f"u{u}" for u in of],
            "arm": np.array(["a", "b"])[arm[of]],
            "at": pd.Timestamp("2026-03-01")
            + pd.to_timedelta(day, unit="D")
            + pd.to_timedelta(rng.random(len(of)), unit="h"),
            "click": np.where(rng.random(len(of)) < 0.2, rng.exponential(size=len(of)), 0.0),
            "shown": rng.integers(1, 4, len(of)).astype(float),
            "before": before[of].astype(float),
        }
    )
    return frame.sample(frac=1, random_state=1)


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    log().to_parquet(tmp_path / "events.parquet")
    log().to_csv(tmp_path / "events.csv", index=False)
    return DuckDBEngine(tmp_path)


def per_unit(frame: pd.DataFrame, arm: str) -> pd.DataFrame:
    grouped = frame[frame.arm == arm].groupby("user")
    return grouped.agg(click=("click", "sum"), shown=("shown", "sum"), before=("before", "max"))


@pytest.mark.parametrize("source", ["events.parquet", "events.csv"])
def test_the_running_sums_of_every_day_are_those_of_the_users_so_far(engine: DuckDBEngine, source: str) -> None:
    frame = log()
    history = history_of_events(engine, source, COLUMNS, CONTRACT)
    assert [point.day for point in history.checkpoints] == list(range(1, 15))
    assert history.alarms == ()
    for point in history.checkpoints:
        so_far = frame[frame["at"] < pd.Timestamp("2026-03-01") + pd.Timedelta(days=point.day)]
        for arm in ("a", "b"):
            units = per_unit(so_far, arm)
            want = sums_of(units.click, d=units.shown, x=units.before)
            found = point.arms[arm].metrics["click/shown"]
            assert found.n == point.arms[arm].n == want.n
            for name in ("y", "yy", "d", "dd", "yd", "x", "xx", "xy", "xd"):
                assert getattr(found, name) == pytest.approx(getattr(want, name), rel=1e-9, abs=1e-9), name


def test_with_a_window_a_user_counts_once_when_it_has_passed(engine: DuckDBEngine) -> None:
    frame = log()
    frame["day"] = (frame["at"] - pd.Timestamp("2026-03-01")).dt.days
    start = frame.groupby("user").day.transform("min")
    windowed = COLUMNS.__class__(unit="user", time="at", arm="arm", window=3)
    history = history_of_events(engine, "events.parquet", windowed, CONTRACT)
    inside = frame[(frame.day - start < 3) & (start + 2 <= frame.day.max())]
    for arm in ("a", "b"):
        units = per_unit(inside, arm)
        found = history.checkpoints[-1].arms[arm].metrics["click"]
        assert (found.n, found.y, found.yy) == pytest.approx((len(units), units.click.sum(), (units.click**2).sum()))
    assert sum(arm.n for arm in history.checkpoints[0].arms.values()) == (frame[start == 0].user.nunique())


def test_users_in_both_arms_are_left_out_and_too_many_of_them_are_an_alarm(tmp_path: Path) -> None:
    frame = log()
    twice = frame.head(40).assign(arm=np.where(frame.head(40).arm == "a", "b", "a"))
    pd.concat([frame, twice]).to_parquet(tmp_path / "events.parquet")
    with DuckDBEngine(tmp_path) as engine:
        history = history_of_events(engine, "events.parquet", COLUMNS, CONTRACT)
    mixed = twice.user.nunique()
    assert sum(arm.n for arm in history.checkpoints[-1].arms.values()) == 300 - mixed
    assert history.alarms == (f"{mixed} of 300 units are in more than one arm",)


def test_a_day_without_events_is_an_alarm(tmp_path: Path) -> None:
    frame = log()
    gone = (frame["at"] >= "2026-03-06") & (frame["at"] < "2026-03-07")
    frame[~gone].to_parquet(tmp_path / "events.parquet")
    with DuckDBEngine(tmp_path) as engine:
        assert history_of_events(engine, "events.parquet", COLUMNS, CONTRACT).alarms == ("there is no event on day 6",)


def test_columns_and_arms_that_are_not_there_are_named(engine: DuckDBEngine) -> None:
    with pytest.raises(DataError, match="write click"):
        history_of_events(engine, "events.parquet", COLUMNS, Contract(**{**_fields(), "metric": "clicks"}))
    renamed = Contract(**{**_fields(), "shares": {"a": 0.5, "c": 0.5}, "treatment": "c"})
    with pytest.raises(DataError, match="no-such-arm"):
        history_of_events(engine, "events.parquet", COLUMNS, renamed)


def _fields() -> dict[str, object]:
    return {name: getattr(CONTRACT, name) for name in CONTRACT.__struct_fields__}


def test_the_baseline_is_that_of_the_units_of_the_log(engine: DuckDBEngine) -> None:
    found = baseline_of_events(engine, "events.parquet", EventColumns(unit="user", time="at"), "click")
    units = log().groupby("user").click.sum()
    assert (found.mean, found.variance) == pytest.approx((units.mean(), units.var()))
    assert found.daily_units == pytest.approx(300 / 14)
