"""The confidence sequence as a picture: a band that narrows, the requirement as a line across it with its name.

Geometry only; the template `meter.html` draws it, with classes for colors, so one picture serves light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from martello.label.contract import ClaimMeter, Meter
from martello.ship.words import percent, say_between, say_short
from martello.stats.estimate import Estimate

__all__ = ["Picture", "Tick", "pictures"]

_WIDTH, _HEIGHT = 440.0, 216.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 96.0, 14.0, 30.0
#: Labels nearer to each other than this would overlap.
_APART = 17.0
#: Claims drawn; the rest stand in the table. The one that is worst off comes first.
_MOST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis and where it stands."""

    at: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One claim as drawn, in units of the picture."""

    name: str
    title: str
    description: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    band: str  # path; empty while there is nothing to draw
    line: str
    last_x: float
    last_y: float
    last_low: float
    last_high: float
    value: Tick
    floor: Tick
    floor_y: float
    forecast_x: float | None  # where the labels are expected to end
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    missing: str  # why there is no picture; else ""


@dataclass(frozen=True, slots=True)
class _Axes:
    """From labels and shares to places."""

    most: float
    low: float
    high: float

    def x(self, labels: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * labels / self.most

    def y(self, share: float) -> float:
        inside = min(max(share, self.low), self.high)
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (self.high - inside) / (self.high - self.low)


def pictures(meter: Meter) -> tuple[tuple[Picture, ...], tuple[ClaimMeter, ...]]:
    """Give the claims that are drawn, worst off first, and all of them for the table."""
    ordered = tuple(sorted(meter.claims, key=_room_left))
    drawn = tuple(_picture(claim, meter, f"claim-{i}") for i, claim in enumerate(ordered[:_MOST]))
    return drawn, ordered


def _room_left(claim: ClaimMeter) -> float:
    return claim.estimate.low - claim.floor if isinstance(claim.estimate, Estimate) else -1.0


def _picture(claim: ClaimMeter, meter: Meter, name: str) -> Picture:
    history = claim.history
    labels = history[-1][0] if history else 0
    most = max(labels, meter.n_needed or 0, 10) * 1.02
    axes = _Axes(most, *_range(claim))
    last = history[-1] if history else (0, 0.0, 0.5, 1.0)
    value_y, floor_y = _apart(axes.y(last[2]), axes.y(claim.floor))
    return Picture(
        name=name,
        title=claim.name,
        description=_told(claim, labels),
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=_WIDTH - _RIGHT,
        top=_TOP,
        bottom=_HEIGHT - _BOTTOM,
        band=_band(history, axes),
        line=_steps(((n, value) for n, _, value, _ in history), axes),
        last_x=axes.x(last[0]),
        last_y=axes.y(last[2]),
        last_low=axes.y(last[1]),
        last_high=axes.y(last[3]),
        value=Tick(at=value_y, text=say_short(claim.estimate)),
        floor=Tick(at=floor_y, text=f"need {percent(claim.floor)}"),
        floor_y=axes.y(claim.floor),
        forecast_x=axes.x(meter.n_needed) if meter.n_needed and meter.n_needed > labels else None,
        x_ticks=_x_ticks(axes, labels, meter.n_needed),
        y_ticks=tuple(Tick(at=axes.y(share), text=percent(share)) for share in _round_shares(axes)),
        missing="" if len(history) > 1 else str(getattr(claim.estimate, "needs", "")) or "more labels",
    )


def _told(claim: ClaimMeter, labels: int) -> str:
    if not isinstance(claim.estimate, Estimate):
        return f"Not known yet: {claim.estimate.reason}."
    between = say_between(claim.estimate)
    return f"After {labels:,} labels {say_short(claim.estimate)}, {between}; {percent(claim.floor)} is needed."


def _range(claim: ClaimMeter) -> tuple[float, float]:
    """Show what the later half of the labels says, and the floor; the first bounds are everything and say nothing."""
    later = claim.history[len(claim.history) // 3 :]
    lows = [low for _, low, _, _ in later] + [claim.floor - 0.05]
    highs = [high for _, _, _, high in later] + [claim.floor + 0.05]
    low = max(0.0, min(lows) - 0.02)
    high = min(1.0, max(highs) + 0.02)
    return (int(low * 20) / 20, min(1.0, -(-high * 20 // 1) / 20)) if high > low else (0.0, 1.0)


def _round_shares(axes: _Axes) -> list[float]:
    step = 0.05 if axes.high - axes.low <= 0.2 else 0.1 if axes.high - axes.low <= 0.5 else 0.25
    first = -(-axes.low // step) * step
    return [share for i in range(12) if (share := round(first + i * step, 4)) <= axes.high + 1e-9]


def _x_ticks(axes: _Axes, labels: int, needed: int | None) -> tuple[Tick, ...]:
    """Mark nothing, now, and where the labels are expected to end; now matters most where there is no room for all."""
    if needed is None or needed <= labels:
        now, end = Tick(at=axes.x(labels), text=f"{labels:,} labels"), None
    else:
        now = Tick(at=axes.x(labels), text=f"{labels:,}")
        end = Tick(at=_WIDTH - _RIGHT, text=f"about {needed:,} labels", anchor="end")
    ticks = [Tick(at=_LEFT, text="0", anchor="start")] if now.at - _LEFT > 16 + 4 * len(now.text) else []
    ticks.append(now)
    if end is not None and end.at - 7 * len(end.text) - now.at > 4 * len(now.text):
        ticks.append(end)
    return tuple(ticks)


def _apart(value: float, floor: float) -> tuple[float, float]:
    """Move two labels away from each other until both can be read."""
    push = max(0.0, (_APART - abs(value - floor)) / 2)
    up, down = (-push, push) if value <= floor else (push, -push)
    return value + up, floor + down


def _steps(points: Iterable[tuple[int, float]], axes: _Axes) -> str:
    """Draw what holds until the next label: level, then a step."""
    parts: list[str] = []
    for n, share in points:
        x, y = axes.x(n), axes.y(share)
        parts.append(f"H{x:.1f}V{y:.1f}" if parts else f"M{x:.1f} {y:.1f}")
    return "".join(parts)


def _band(history: tuple[tuple[int, float, float, float], ...], axes: _Axes) -> str:
    if len(history) < 2:
        return ""
    above = _steps(((n, high) for n, _, _, high in history), axes)
    # Back along the lower end: first the step, then level, so that both edges step at the same place.
    back = [f"V{axes.y(history[-1][1]):.1f}"]
    for (n, _, _, _), (_, low, _, _) in zip(reversed(history[1:]), reversed(history[:-1]), strict=True):
        back.append(f"H{axes.x(n):.1f}V{axes.y(low):.1f}")
    back.append(f"H{axes.x(history[0][0]):.1f}")
    return f"{above}{''.join(back)}Z"
