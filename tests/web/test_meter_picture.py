"""What the meter draws, held to the numbers it was given; and how often it is computed."""

from __future__ import annotations

import re

from martello.label.contract import ClaimMeter, Meter
from martello.stats.estimate import Estimate, NotEstimable, Verdict
from martello.web.meter_picture import pictures
from martello.web.meter_view import MeterView
from martello.web.pages import written


def estimate(value: float, half: float) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, level=0.95, n=100, method="confidence sequence")


def meter(*claims: ClaimMeter, n_needed: int | None = 200) -> Meter:
    return Meter(
        purpose="gold",
        sentence="precision so far",
        n_labels=100,
        n_needed=n_needed,
        n_needed_range=None,
        claims=claims,
        verdict=Verdict.UNDECIDED,
        is_done=False,
        saved="",
        next_step="",
    )


def claim(name: str = "precision", value: float = 0.84, half: float = 0.05, floor: float = 0.8) -> ClaimMeter:
    history = tuple((n, value - 5 * half / n**0.35, value, value + 5 * half / n**0.35) for n in range(1, 101))
    return ClaimMeter(name=name, floor=floor, estimate=estimate(value, half), history=history)


def test_higher_shares_stand_higher_and_the_floor_where_it_belongs():
    drawn = pictures(meter(claim()))[0][0]
    assert drawn.last_high < drawn.last_y < drawn.floor_y < drawn.last_low
    marks = {tick.text: tick.at for tick in drawn.y_ticks}
    assert abs(drawn.floor_y - marks["80 %"]) < 1e-6


def test_the_band_is_closed_and_stays_inside_the_picture():
    drawn = pictures(meter(claim()))[0][0]
    assert drawn.band.startswith("M")
    assert drawn.band.endswith("Z")
    for sign, number in re.findall(r"([HV])(-?[\d.]+)", drawn.band):
        low, high = (drawn.left, drawn.right) if sign == "H" else (drawn.top, drawn.bottom)
        assert low - 0.1 <= float(number) <= high + 0.1


def test_words_in_the_picture_never_stand_on_each_other():
    for value in (0.79, 0.8, 0.801, 0.81):
        drawn = pictures(meter(claim(value=value)))[0][0]
        assert abs(drawn.value.at - drawn.floor.at) >= 16


def test_the_claim_that_is_worst_off_is_drawn_first():
    safe, short = claim("recall", value=0.9, floor=0.3), claim("precision", value=0.78)
    assert [each.title for each in pictures(meter(safe, short))[0]] == ["precision", "recall"]


def test_what_is_not_known_yet_is_said_and_not_drawn_empty():
    unknown = ClaimMeter(
        name="precision", floor=0.8, estimate=NotEstimable(reason="no label", needs="about 20 labels"), history=()
    )
    part = written("meter.html", meter=meter(unknown), pictures=pictures(meter(unknown))[0], claims=(unknown,))
    assert "It takes <bdi>about 20 labels</bdi>" in part
    assert "<svg" not in part


def test_no_forecast_leaves_no_promise():
    drawn = pictures(meter(claim(), n_needed=None))[0][0]
    assert drawn.forecast_x is None
    assert [tick.text for tick in drawn.x_ticks] == ["0", "100 labels"]


class Room:
    """A room whose meter takes a second of the test's own clock."""

    def __init__(self) -> None:
        self.time, self.looks = 0.0, 0

    def meter(self) -> Meter:
        self.time += 1.0
        self.looks += 1
        return meter(claim())


def test_a_meter_that_takes_a_second_is_computed_every_five_at_most():
    room = Room()
    view = MeterView(room, clock=lambda: room.time)
    for _ in range(30):
        view.now()
        room.time += 0.5
    assert room.looks == 4
