"""The next step in a sentence: which arm is worth it, or that none is."""

from __future__ import annotations

from martello.records import Advice, Arm, Finding, Gate, Measure
from martello.stats.estimate import Estimate, Verdict

__all__ = ["advise"]

# A gain under one percent of what the model knows beyond the constant rule is not worth a round of work.
_WORTHWHILE = 0.01
# One input that carries this much of what the model knows is more often a leak than a discovery.
_SUSPICIOUS = 0.25


def advise(arms: tuple[Arm, ...], *, skill: Measure, gate: Gate | None, parents: tuple[str, ...]) -> Advice:
    """Weigh the measured arms and say what to do next.

    Parameters
    ----------
    arms
        The measured arms.
    skill
        Log loss of the constant rule minus the model's, on dev: the unit in which gains are judged.
    gate
        What the gate said; None when it was not reached.
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
        next_step=_sentence(worthwhile, gate, scale, is_plateau),
        is_plateau=is_plateau,
        arms=arms,
        findings=_suspicions(arms, scale),
    )


def _estimate(arm: Arm) -> Estimate:
    assert isinstance(arm.gain, Estimate)
    return arm.gain


def _sentence(worthwhile: list[Arm], gate: Gate | None, scale: float | None, is_plateau: bool) -> str:
    is_ready = gate is not None and gate.verdict is Verdict.MET
    if scale is None:
        return (
            "Nothing beats the constant rule with certainty: look at the labels and at what the inputs could know, "
            "before more work on models."
        )
    start = "The requirement is met: ship it. " if is_ready else ""
    if worthwhile:
        best = max(worthwhile, key=lambda arm: _estimate(arm).value)
        gain = _estimate(best)
        share = f"{gain.value / scale:.1%} ({gain.low / scale:.1%} to {gain.high / scale:.1%}) of what the model knows"
        what = {
            "more labels": "label more units",
            "other features": "look for another input",
            "another algorithm": "change the algorithm",
        }[best.kind]
        return f"{start}{'If there is another round, ' if is_ready else 'Next, '}{what}: {best.what} brought {share}."
    if is_plateau:
        end = (
            "move on to another problem."
            if is_ready
            else "a new source of information is needed, not more of the same."
        )
        return f"{start}Plateau: no measured step brings even {_WORTHWHILE:.0%} of what the model knows; {end}"
    end = "move on, and gather online data." if is_ready else "dev is too small to tell the small gains apart."
    return f"{start}No step is shown to be worth {_WORTHWHILE:.0%} of what the model knows: {end}"


def _suspicions(arms: tuple[Arm, ...], scale: float | None) -> tuple[Finding, ...]:
    """Name the inputs that carry so much by themselves that somebody should ask when they are known."""
    if scale is None:
        return ()
    return tuple(
        Finding(
            code="iterate.looks-like-a-leak",
            what=f"{name!r} looks like a leak: without it the model loses {worth.value / scale:.0%} of what it knows; "
            "is it known before the decision?",
            severity="warning",
            columns=(name,),
        )
        for arm in arms
        if arm.kind == "other features"
        for name, worth in arm.detail
        if isinstance(worth, Estimate) and worth.low >= _SUSPICIOUS * scale
    )
