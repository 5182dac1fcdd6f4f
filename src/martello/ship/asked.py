"""How gold was asked where its labels cost something, in plain words: one by one, or a size fixed beforehand.

Gate, card and report say it; who decided it is `evaluate`.
"""

from __future__ import annotations

from martello.records import BoughtGold, Evaluation
from martello.ship.words import count, join, name_of, percent

__all__ = ["asked_rows", "asked_sentences", "asked_short", "gain_is_of_dev"]

_DRAWN = {
    "weighted": "at random, more often where one answer tells more",
    "random": "plainly at random",
}


def gain_is_of_dev(evaluation: Evaluation) -> bool:
    """Whether the gain over the constant rule was measured on dev: labels drawn for the floors do not measure it."""
    return evaluation.bought is not None and not evaluation.bought.is_fixed


def asked_short(bought: BoughtGold) -> list[str]:
    """Say in a phrase or two how many labels it took, and of whom the verdict speaks."""
    if bought.is_fixed:
        return [f"{count(bought.n_labels)} of {count(bought.n_pool, 'gold unit')} were drawn plainly and answered"]
    asked = f"{count(bought.n_labels, 'label')} taken one by one from a pool of {count(bought.n_pool, 'unit')}"
    if bought.holds_for == "pool":
        return [f"{asked}, of which the verdict speaks"]
    needed = _needed(bought)
    return [f"{asked}; {needed} had to be shown there for the population it stands for"] if needed else [asked]


def asked_sentences(bought: BoughtGold) -> tuple[str, ...]:
    """Say it in whole sentences, for somebody who was not there.

    Examples
    --------
    >>> bought = BoughtGold(n_pool=900, n_labels=60, n_unsure=0, budget=200, sampler="random", seed=1, restarts=0,
    ...                     holds_for="pool", floors={})
    >>> asked_sentences(bought)[0]
    'Gold was asked one label at a time, until the verdict was known: 60 of at most 200, from a pool of 900 units.'
    """
    if bought.is_fixed:
        said = [
            f"Gold was a plain random draw of {count(bought.n_labels)} from {count(bought.n_pool, 'unit')}; how many "
            "was fixed before the first answer, and all were judged together, once."
        ]
    else:
        most = f" of at most {count(bought.budget)}" if bought.budget is not None else ""
        said = [
            f"Gold was asked one label at a time, until the verdict was known: {count(bought.n_labels)}{most}, "
            f"from a pool of {count(bought.n_pool, 'unit')}.",
            f"Units were drawn {_DRAWN[bought.sampler]}. Intervals hold at whatever moment one looks.",
            _about(bought),
            "Labels that were drawn for these floors measure nothing else: no curve, calibration or confusion is "
            "known of gold.",
        ]
    if bought.n_unsure:
        said.append(f"People were unsure of {count(bought.n_unsure, 'unit')}; that counts as an error.")
    if bought.restarts:
        said.append(f"The evidence began anew {count(bought.restarts, 'time')}, since the model had changed.")
    return tuple(said)


def _about(bought: BoughtGold) -> str:
    if bought.holds_for == "pool":
        return "The verdict is about these units themselves."
    needed = _needed(bought)
    shown = f" For that, {needed} had to be shown of the pool." if needed else ""
    return f"The verdict is about the population that the pool was drawn from.{shown}"


def _needed(bought: BoughtGold) -> str:
    return join(
        f"{percent(bought.floors[name], 1)} {name}" for name in ("precision", "recall") if name in bought.floors
    )


def asked_rows(bought: BoughtGold) -> list[tuple[str, str]]:
    """Give the same as names and values."""
    speaks = "these units" if bought.holds_for == "pool" else "the population they were drawn from"
    rows = [
        ("Answers", count(bought.n_labels)),
        ("Answered unsure", count(bought.n_unsure)),
        ("Pool", count(bought.n_pool, "unit")),
        (
            "Fixed beforehand" if bought.is_fixed else "At most",
            "the pool" if bought.budget is None else count(bought.budget),
        ),
        ("Drawn", _DRAWN[bought.sampler]),
        ("The verdict speaks of", speaks),
        ("Seed", str(bought.seed)),
    ]
    rows += [
        (f"Shown of the pool: {name_of(name)}", f"at least {percent(floor, 1)}")
        for name, floor in bought.floors.items()
        if " | " not in name
    ]
    return rows
