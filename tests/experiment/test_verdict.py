"""Each rule, by the smallest history that calls for it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from martello.errors import DataError
from martello.experiment.contract import Contract, Guardrail
from martello.experiment.history import ArmTotals, Checkpoint, History, encode_history, read_history
from martello.experiment.rules import Call
from martello.experiment.verdict import ExperimentVerdict, encode_verdict, judge_experiment
from martello.stats.estimate import Estimate, NotEstimable
from martello.stats.sums import Sums


def agreed(**changes: Any) -> Contract:
    usual: dict[str, Any] = {
        "metric": "click",
        "shares": {"old": 0.5, "new": 0.5},
        "control": "old",
        "treatment": "new",
        "looks": (7, 14),
        "minimum_effect": 0.1,
    }
    return Contract(**{**usual, **changes})


def totals(n: int, **rates: float) -> ArmTotals:
    return ArmTotals(n=n, metrics={name: Sums(n=n, y=rate * n, yy=rate * n) for name, rate in rates.items()})


def history(days: int, new: float, contract: Contract | None = None, *, daily: int = 500, **hide: float) -> History:
    """Users who click at 10 %, and at `new` with the change, the same every day."""
    old_hide = {"hide": 0.05} if hide else {}
    points = tuple(
        Checkpoint(
            day=day,
            arms={
                "old": totals(day * daily, click=0.1, **old_hide),
                "new": totals(day * daily, click=new, **hide),
            },
        )
        for day in range(1, days + 1)
    )
    return History(contract=contract or agreed(), checkpoints=points)


def judge(*args: Any, **named: Any) -> ExperimentVerdict:
    return judge_experiment(history(*args, **named))


GUARDED = agreed(guardrails=(Guardrail(metric="hide", margin=0.1, direction="down"),))


def test_before_the_first_look_it_waits_however_good_it_looks() -> None:
    found = judge(6, 0.2)
    assert (found.call, found.next_look, found.days_left) == (Call.WAIT, 7, 8)
    assert found.because == "the next look is in 1 day"


def test_at_a_look_a_clear_gain_ships() -> None:
    found = judge(7, 0.13)
    assert (found.call, found.day) == (Call.SHIP, 7)
    assert isinstance(found.effect, Estimate)
    assert found.effect.low > 0
    assert isinstance(found.relative, Estimate)
    assert found.relative.low > 0
    assert isinstance(found.shrunken, Estimate)
    assert 0 < found.shrunken.value < 0.03


def test_the_first_look_asks_for_more_than_the_last() -> None:
    """z is about 2.1 at both: not enough at half time, enough at the end."""
    assert judge(7, 0.1152).call is Call.WAIT
    assert judge(14, 0.1107).call is Call.SHIP


def test_harm_is_rolled_back_on_any_day() -> None:
    found = judge(3, 0.05)
    assert found.call is Call.ROLL_BACK
    assert found.day < 3
    assert isinstance(found.effect, Estimate)
    assert found.effect.high < 0


def test_less_is_better_where_that_was_agreed() -> None:
    down = agreed(direction="down")
    shipped = judge(7, 0.07, down)
    assert shipped.call is Call.SHIP
    assert isinstance(shipped.effect, Estimate)
    assert shipped.effect.high < 0
    assert isinstance(shipped.shrunken, Estimate)
    assert -0.03 < shipped.shrunken.value < 0
    assert judge(3, 0.2, down).call is Call.ROLL_BACK


def test_without_hope_it_stops_before_the_end_and_says_what_it_would_have_seen() -> None:
    found = judge(7, 0.096)
    assert (found.call, found.day) == (Call.STOP, 7)
    assert "below 10%" in found.because
    assert found.detectable == pytest.approx(2.8016 * (0.09 / 3500 + 0.096 * 0.904 / 3500) ** 0.5, rel=1e-3)
    assert judge(7, 0.096, agreed(minimum_effect=None)).call is Call.WAIT


def test_at_the_end_without_an_effect_it_stops() -> None:
    assert judge(14, 0.102).call is Call.STOP


def test_no_harm_ships_only_when_it_was_agreed_and_only_at_the_end() -> None:
    lenient = agreed(no_harm=0.2)
    assert judge(7, 0.1, lenient).call is Call.WAIT
    assert judge(14, 0.1, lenient).call is Call.SHIP_NO_HARM
    assert judge(14, 0.1).call is Call.STOP
    assert judge(14, 0.095, agreed(no_harm=0.06)).call is Call.STOP


def test_a_gain_with_an_unsure_guardrail_is_discussed_and_with_a_kept_one_shipped() -> None:
    unsure = judge(7, 0.14, GUARDED, hide=0.0525)
    assert (unsure.call, unsure.next_look) == (Call.DISCUSS, 14)
    assert unsure.guardrails[0].state == "unsure"
    kept = judge(7, 0.14, GUARDED, hide=0.03)
    assert kept.call is Call.SHIP
    assert kept.guardrails[0].state == "kept"
    assert judge(14, 0.14, GUARDED, hide=0.0525).call is Call.DISCUSS


def test_a_guardrail_beyond_its_margin_is_rolled_back_though_the_metric_is_up() -> None:
    found = judge(5, 0.14, GUARDED, hide=0.12)
    assert found.call is Call.ROLL_BACK
    assert found.because == "hide is worse by more than its margin"
    assert found.guardrails[0].state == "broken"


def test_the_first_final_call_stands_and_later_days_do_not_move_it() -> None:
    assert judge(13, 0.13).day == 7
    found = judge(14, 0.13)
    assert len(found.days) == 14
    assert (found.call, found.day) == (Call.SHIP, 7)


def test_late_days_take_the_looks_that_were_missed() -> None:
    whole = history(14, 0.13)
    late = msgspec.structs.replace(whole, checkpoints=whole.checkpoints[9:])
    assert judge_experiment(late).day == 10


def broken(day: int) -> History:
    sound = history(14, 0.13)
    points = [
        Checkpoint(day=one.day, arms={**one.arms, "new": totals(one.day * 500 - 400 * (one.day >= day), click=0.13)})
        for one in sound.checkpoints
    ]
    return History(contract=sound.contract, checkpoints=tuple(points))


def test_arms_of_the_wrong_size_make_it_invalid_even_after_it_shipped() -> None:
    found = judge_experiment(broken(12))
    assert found.call is Call.INVALID
    assert "against a plan of 0.5 to 0.5" in found.because
    assert isinstance(found.effect, NotEstimable)


def with_arms(**of_new: Any) -> History:
    sound = history(7, 0.13)
    points = [
        Checkpoint(
            day=point.day,
            arms={
                name: msgspec.structs.replace(
                    arm,
                    **{"exposed": arm.n, "rendered": arm.n, "violations": arm.n // 100}
                    | (of_new if name == "new" else {}),
                )
                for name, arm in point.arms.items()
            },
        )
        for point in sound.checkpoints
    ]
    return History(contract=sound.contract, checkpoints=tuple(points))


def test_exposure_order_and_alarms_make_it_invalid() -> None:
    assert judge_experiment(with_arms()).call is Call.SHIP
    assert "exposed" in judge_experiment(with_arms(exposed=300)).because
    assert "order of results" in judge_experiment(with_arms(violations=300)).because
    alarmed = msgspec.structs.replace(history(7, 0.13), alarms=("the spec changed on day 3",))
    assert judge_experiment(alarmed).because == "the spec changed on day 3"
    few = with_arms()
    same = {name: msgspec.structs.replace(arm, exposed=arm.n // 2) for name, arm in few.checkpoints[-1].arms.items()}
    thin = History(contract=few.contract, checkpoints=(Checkpoint(day=7, arms=same),))
    assert "met the change" in judge_experiment(thin).because


def test_a_covariate_is_used_where_both_arms_have_one() -> None:
    def arm(n: int, mean: float) -> ArmTotals:
        # A covariate with the variance of the metric and a correlation of 0.9 with it.
        spread = 4.0 * (n - 1)
        both = Sums(
            n=n, y=n * mean, yy=n * mean**2 + spread, x=n * 5.0, xx=n * 25.0 + spread, xy=n * 5.0 * mean + 0.9 * spread
        )
        return ArmTotals(n=n, metrics={"click": both})

    contract = agreed(looks=(7,))
    point = Checkpoint(day=7, arms={"old": arm(1000, 10.0), "new": arm(1000, 10.1)})
    found = judge_experiment(History(contract=contract, checkpoints=(point,)))
    assert isinstance(found.effect, Estimate)
    width = 2 * 1.96 * (2 * 4.0 * (1 - 0.81) / 1000) ** 0.5
    assert found.effect.high - found.effect.low == pytest.approx(width, rel=0.01)


def test_secondary_metrics_are_listed_and_decide_nothing() -> None:
    found = judge(7, 0.13, agreed(secondary=("hide",)), hide=0.03)
    assert found.call is Call.SHIP
    assert [(one.name, one.is_found) for one in found.secondary] == [("hide", True)]


def test_the_same_history_gives_the_same_bytes_and_another_does_not() -> None:
    one = history(10, 0.11)
    again = read_history(encode_history(one), where="a file")
    assert again == one
    assert encode_verdict(judge_experiment(one)) == encode_verdict(judge_experiment(again))
    assert judge_experiment(one).inputs != judge_experiment(history(10, 0.1101)).inputs


def test_an_arm_without_units_is_waited_for_and_given_up_at_the_end() -> None:
    empty = Checkpoint(day=1, arms={"old": totals(3, click=0.0), "new": totals(0, click=0.0)})
    assert judge_experiment(History(contract=agreed(), checkpoints=(empty,))).call is Call.WAIT
    late = msgspec.structs.replace(empty, day=14)
    assert judge_experiment(History(contract=agreed(), checkpoints=(late,))).call is Call.STOP


@pytest.mark.parametrize(
    "wrong",
    [
        {"treatment": "newer"},
        {"treatment": "old"},
        {"shares": {"old": 0.5, "new": 0.4}},
        {"looks": ()},
        {"looks": (14, 7)},
        {"minimum_effect": -0.1},
        {"level": 95},
    ],
)
def test_contracts_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="contract-unclear"):
        agreed(**wrong)


def test_histories_that_are_none_are_refused_with_what_was_meant() -> None:
    good = history(3, 0.1)
    with pytest.raises(DataError, match="history-unclear"):
        History(contract=agreed(), checkpoints=())
    with pytest.raises(DataError, match="do not grow"):
        History(contract=agreed(), checkpoints=good.checkpoints[::-1])
    with pytest.raises(DataError, match="write click"):
        History(contract=agreed(metric="clicks"), checkpoints=good.checkpoints)
    shrunk = Checkpoint(day=4, arms={"old": totals(10, click=0.1), "new": totals(10, click=0.1)})
    with pytest.raises(DataError, match="fewer units"):
        History(contract=agreed(), checkpoints=(*good.checkpoints, shrunk))
    for data in (b"{", b"[]", b'{"checkpoints": []}', encode_history(good).replace(b'"day"', b'"dya"', 1)):
        with pytest.raises(DataError, match="history-unclear"):
            read_history(data, where="sums.json")
    impossible = encode_history(good).replace(b'"yy":50.0', b'"yy":0.1')
    assert impossible != encode_history(good)
    with pytest.raises(DataError, match="sums-impossible"):
        read_history(impossible, where="sums.json")
