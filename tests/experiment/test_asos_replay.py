"""78 real experiments of a fashion shop, day by day (Liu et al. 2021): means, variances, counts at each checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from martello.experiment.contract import Contract
from martello.experiment.history import ArmTotals, Checkpoint, History
from martello.experiment.rules import Call
from martello.experiment.verdict import encode_verdict, judge_experiment
from martello.stats.sums import Sums

pytestmark = pytest.mark.shared_data


def arm(n: float, mean: float, variance: float) -> ArmTotals:
    return ArmTotals(n=int(n), metrics={"m": Sums(n=int(n), y=n * mean, yy=variance * (n - 1) + n * mean**2)})


def streams(table: pd.DataFrame) -> Iterator[tuple[tuple[str, int, int], History]]:
    """Every stream with a checkpoint at the end of two days or more, units never fewer than before."""
    for key, one in table.groupby(["experiment_id", "variant_id", "metric_id"]):
        days = one[(one.time_since_start % 1 == 0)].dropna()
        days = days[(days.count_c > 1) & (days.count_t > 1)]
        days = days[(days.count_c.diff().fillna(0) >= 0) & (days.count_t.diff().fillna(0) >= 0)]
        if len(days) < 2:
            continue
        end = int(days.time_since_start.iloc[-1])
        looks = tuple(sorted({max(1, end * k // 4) for k in (1, 2, 3, 4)}))
        points = tuple(
            Checkpoint(
                day=int(row.time_since_start),
                arms={
                    "c": arm(row.count_c, row.mean_c, row.variance_c),
                    "t": arm(row.count_t, row.mean_t, row.variance_t),
                },
            )
            for row in days.itertuples()
        )
        contract = Contract(metric="m", shares={"c": 0.5, "t": 0.5}, control="c", treatment="t", looks=looks)
        yield key, History(contract=contract, checkpoints=points)


def test_every_day_of_every_stream_can_be_judged(shared: Callable[[str], Path]) -> None:
    found = {key: judge_experiment(one) for key, one in streams(pd.read_parquet(shared("asos_experiments")))}
    calls = Counter(one.call for one in found.values())
    assert len(found) == 269
    assert calls[Call.WAIT] == 0  # all have ended
    # Arms meant for other shares than halves, and those that are not as meant: the same in all metrics of a variant.
    invalid = {key[:2] for key, one in found.items() if one.call is Call.INVALID}
    assert all(one.call is Call.INVALID for key, one in found.items() if key[:2] in invalid)
    assert calls[Call.STOP] > calls[Call.SHIP] > calls[Call.ROLL_BACK] > 0


def test_the_verdict_of_a_prefix_is_the_verdict_until_it_is_final(shared: Callable[[str], Path]) -> None:
    """Replayed day by day: a call, once final, is made on that day and on no other."""
    table = pd.read_parquet(shared("asos_experiments"))
    for _, whole in list(streams(table))[:24]:
        end = judge_experiment(whole)
        if end.call is Call.INVALID:
            continue
        for length in range(1, len(whole.checkpoints) + 1):
            part = History(contract=whole.contract, checkpoints=whole.checkpoints[:length])
            found = judge_experiment(part)
            if part.checkpoints[-1].day >= end.day:
                assert (found.call, found.day) == (end.call, end.day)
            else:
                assert found.call is Call.WAIT
            assert encode_verdict(found) == encode_verdict(judge_experiment(part))
