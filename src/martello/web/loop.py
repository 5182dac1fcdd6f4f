"""The loop as a map: thirteen words, each with its state, its one number and its place on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from martello.ship.gate import floors
from martello.ship.known import Known
from martello.ship.words import count, name_of, percent, say_compact
from martello.stats.estimate import Verdict

__all__ = ["Step", "loop_of", "next_action"]

State = Literal["done", "next", "waiting", "refused", "not begun", "later"]


@dataclass(frozen=True, slots=True)
class Step:
    """One word of the loop."""

    word: str
    state: State
    number: str = ""
    href: str = ""  # where the page shows what the word made


def _spec(known: Known) -> str:
    agreed = floors(known.spec.requirement)
    return ", ".join(f"{metric} ≥ {percent(floor)}" for metric, floor in agreed.items()) or "no floor"


def _sample(known: Known) -> str | None:
    if known.sample is None:
        return None
    return count(sum(s.n_units for s in known.sample.splits if s.split in {"train", "dev", "gold"}), "unit")


def _label(known: Known) -> str | None:
    if known.labels is None:
        return None
    if known.labels.positive is None:
        return count(len(known.labels.classes), "class", "classes")
    share = known.labels.shares[1]
    return f"yes: {say_compact(share)}"


def _features(known: Known) -> str | None:
    return count(len(known.features.columns), "input") if known.features else None


def _train(known: Known) -> str | None:
    return known.model.learner if known.model else None


def _evaluate(known: Known) -> str | None:
    evaluation = known.evaluation
    if evaluation is None:
        return None
    for metric in ("precision", "macro_precision", known.spec.metric.offline.name):
        measure = evaluation.metrics.get(metric)
        if measure is not None:
            return f"{name_of(metric)} {say_compact(measure, metric)}"
    return "judged"


def _ship(known: Known) -> str | None:
    if known.gate is None or (known.gate.verdict is Verdict.MET and known.release is None):
        return None
    return f"gate {known.gate.verdict}"


def _serve(known: Known) -> str | None:
    return count(known.rehearsal.n_decisions, "decision") if known.rehearsal else None


def _experiment(known: Known) -> str | None:
    experiment = known.experiment
    return f"{name_of(experiment.metric)} {say_compact(experiment.online, experiment.metric)}" if experiment else None


def _iterate(known: Known) -> str | None:
    if known.advice is None:
        return None
    return "plateau" if known.advice.is_plateau else count(len(known.advice.arms), "measured arm")


#: The words in order; a word gives its one number once it is done, None before. A word without a rule is not built yet.
_WORDS: dict[str, Callable[[Known], str | None] | None] = {
    "spec": _spec,
    "sample": _sample,
    "label": _label,
    "probe": None,
    "features": _features,
    "train": _train,
    "evaluate": _evaluate,
    "ship": _ship,
    "serve": _serve,
    "order": None,
    "experiment": _experiment,
    "iterate": _iterate,
    "plan": None,
}


_PLACES = {
    "sample": "#table-sample",
    "label": "#table-labels",
    "features": "#table-inputs",
    "train": "#table-candidates",
    "evaluate": "#table-metrics",
    "ship": "#table-gate",
    "serve": "#table-lineage",
    "experiment": "#figure-in-use",
    "iterate": "#figure-arms",
}


def loop_of(known: Known) -> list[Step]:
    """Give the thirteen words with their states."""
    steps: list[Step] = []
    is_open = True  # until the first word that is not done, which is next
    for word, rule in _WORDS.items():
        number = rule(known) if rule else None
        if rule is None:
            steps.append(Step(word, "later"))
        elif number is None:
            steps.append(Step(word, "next" if is_open else "not begun"))
            is_open = False
        else:
            state = _state_of_gate(known) if word == "ship" else "done"
            is_open = is_open and state == "done"
            steps.append(Step(word, state, number, _PLACES.get(word, "")))
    return steps


def _state_of_gate(known: Known) -> State:
    states: dict[Verdict, State] = {Verdict.MET: "done", Verdict.NOT_MET: "refused", Verdict.UNDECIDED: "waiting"}
    return states[known.gate.verdict] if known.gate else "not begun"


def next_action(steps: list[Step]) -> str:
    """Say where the loop stands and what to do, commands between backticks; empty when it went all the way round."""
    for step in steps:
        if step.state == "next":
            return (
                f"The loop stands before {step.word}. `martello run` goes on from there; what is done is not repeated."
            )
        if step.state == "refused":
            return "The gate refused, so nothing was released. The conditions below say what would have to change."
        if step.state == "waiting":
            return "The gate waits: gold cannot tell yet. The conditions below say what is missing."
    return ""
