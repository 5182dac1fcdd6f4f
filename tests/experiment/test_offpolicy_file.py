from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from martello.engines.duckdb import DuckDBEngine
from martello.errors import DataError
from martello.experiment.offpolicy_file import LogColumns, OffPolicy, evaluate_log
from martello.stats.estimate import Estimate, NotEstimable

RNG = np.random.default_rng(2)
N = 3000
ACTION = RNG.integers(0, 4, N)
CHANCE, TARGET = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.1, 0.1, 0.2, 0.6])
REWARD = (RNG.random(N) < CHANCE[ACTION]).astype(float)
TABLE = {
    "click": REWARD,
    "p": np.full(N, 0.25),
    "q": TARGET[ACTION],
    "fit": CHANCE[ACTION],
    "fit_q": np.full(N, TARGET @ CHANCE),
    "rare": np.zeros(N),
}


def evaluate(tmp_path: Path, columns: LogColumns, **changes: np.ndarray) -> OffPolicy:
    pq.write_table(pa.table(TABLE | changes), tmp_path / "log.parquet")
    with DuckDBEngine(tmp_path) as engine:
        return evaluate_log(engine, "log.parquet", columns)


def test_every_estimator_the_columns_allow_finds_the_truth(tmp_path: Path) -> None:
    plain = evaluate(tmp_path, LogColumns(reward="click", propensity="p", target="q"))
    assert list(plain.values) == ["ips", "snips"]
    full = LogColumns(
        reward="click", propensity="p", target="q", fitted="fit", fitted_target="fit_q", fitted_rare="rare"
    )
    found = evaluate(tmp_path, full)
    assert list(found.values) == ["ips", "snips", "doubly_robust", "switch"]
    for one in found.values.values():
        assert isinstance(one, Estimate)
        assert one.low < TARGET @ CHANCE < one.high
    assert isinstance(found.relative, Estimate)
    weight = TARGET[ACTION] / 0.25
    assert found.relative.value == pytest.approx((weight * REWARD).mean() / REWARD.mean())
    assert found.effective_n == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert found.statement.startswith("This policy would have earned 0.3")


def test_a_log_that_never_did_it_cannot_say(tmp_path: Path) -> None:
    found = evaluate(
        tmp_path, LogColumns(reward="click", propensity="p", target="q"), q=np.where(ACTION == 9, 1.0, 0.0)
    )
    assert isinstance(found.values["ips"], NotEstimable)
    assert isinstance(found.relative, NotEstimable)
    assert "cannot say" in found.statement


def test_columns_that_are_missing_or_no_numbers_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="write click"):
        evaluate(tmp_path, LogColumns(reward="clic", propensity="p", target="q"))
    with pytest.raises(DataError, match="wrong-type"):
        evaluate(tmp_path, LogColumns(reward="click", propensity="p", target="q"), click=np.array(["x"] * N))
