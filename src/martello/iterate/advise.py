"""The next step in a sentence: which arm is worth it, or that none is."""

from __future__ import annotations

from martello.records import Advice, Arm, Finding, Gate, Measure
from martello.stats.estimate import Estimate, Verdict

__all__ = ["advise"]

# A gain under one percent of what the model knows beyond the constant rule is not worth a round of work.
_WORTHWHILE = 0.01
# The share of what the model knows from which one input is named.
_MUCH = 0.25
_STEPS = {
    "more labels": ("label more units", "brought"),
    "other features": ("look for another input", "brings"),
    "another algorithm": ("change the algorithm", "brings"),
}


def advise(
    arms: tuple[Arm, ...], *, skill: Measure, gate: Gate, gold_gain: Measure, is_later: bool, parents: tuple[str, ...]
) -> Advice:
    """Weigh the measured arms and say what to do next.

    Parameters
    ----------
    arms
        The measured arms.
    skill
        Log loss of the constant rule minus the model's, on dev: the unit in which gains are judged.
    gate
        What the gate said.
    gold_gain
        The same as `skill`, on gold.
    is_later
        Whether gold is later than dev.
    parents
        Ids of the records this stands on.
    """
    scale = skill.value if isinstance(skill, Estimate) and skill.low > 0 else None
    proven = [arm for arm in arms if isinstance(arm.gain, Estimate) and arm.gain.low > 0]
    worthwhile = [arm for arm in proven if scale is not None and _estimate(arm).value >= _WORTHWHILE * scale]
    hopeless = [arm for arm in arms if isinstance(arm.gain, Estimate) and scale and arm.gain.high < _WORTHWHILE * scale]
    measured = [arm for arm in arms if isinstance(arm.gain, Estimate)]
    is_plateau = bool(measured) and len(hopeless) == len(measured)
    return Advice(
        parents=parents,
        next_step=_lost_on_gold(gold_gain, is_later) or _sentence(worthwhile, gate, scale, is_plateau),
        is_plateau=is_plateau,
        arms=arms,
        findings=_pillars(arms, scale) if scale else (),
    )


def _estimate(arm: Arm) -> Estimate:
    assert isinstance(arm.gain, Estimate)
    return arm.gain


def _lost_on_gold(gold_gain: Measure, is_later: bool) -> str | None:
    """Say that what dev showed does not hold on gold; then no gain measured on dev means anything."""
    if not isinstance(gold_gain, Estimate) or gold_gain.high >= 0:
        return None
    why = (
        "gold is later than dev, so the world has changed: look at what drifts, and train on newer units"
        if is_later
        else "look for a leak, and at how dev and gold were divided"
    )
    return f"On gold the model is worse than the constant rule, with certainty; {why}, before anything else."


def _sentence(worthwhile: list[Arm], gate: Gate, scale: float | None, is_plateau: bool) -> str:
    is_ready = gate.verdict is Verdict.MET
    if scale is None:
        return (
            "Nothing beats the constant rule with certainty: look at the labels and at what the inputs could know, "
            "before more work on models."
        )
    start = "The requirement is met: ship it. " if is_ready else ""
    if worthwhile:
        best = max(worthwhile, key=lambda arm: _estimate(arm).value)
        gain = _estimate(best)
        share = f"{_percent(gain.value / scale)} ({_percent(gain.low / scale)} to {_percent(gain.high / scale)})"
        when = "If there is another round, " if is_ready else "Next, "
        what, verb = _STEPS[best.kind]
        return f"{start}{when}{what}: {best.what} {verb} {share} of what the model knows."
    if is_plateau:
        end = (
            "move on to another problem."
            if is_ready
            else "a new source of information is needed, not more of the same."
        )
        return f"{start}Plateau: no measured step brings even {_percent(_WORTHWHILE, 0)} of what the model knows; {end}"
    end = "move on, and gather online data." if is_ready else "dev is too small to tell the small gains apart."
    return f"{start}No step is shown to be worth {_percent(_WORTHWHILE, 0)} of what the model knows: {end}"


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _pillars(arms: tuple[Arm, ...], scale: float) -> tuple[Finding, ...]:
    """Name the inputs that carry so much by themselves that somebody should know when they are known."""
    return tuple(
        Finding(
            code="iterate.carries-much",
            what=f"without {name!r} the model loses {_percent(worth.value / scale, 0)} of what it knows: "
            "make sure that it is known, and the same, at the moment of the decision",
            severity="note",
            columns=(name,),
        )
        for arm in arms
        if arm.kind == "other features"
        for name, worth in arm.detail
        if isinstance(worth, Estimate) and worth.low >= _MUCH * scale
    )
