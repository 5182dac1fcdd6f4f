"""Gold of a fixed size, answered by people: what is asked of which units, and whether all of it is there.

Part of the corridor: it joins dev, the model and gold into the plan that the labelling room is handed, for tasks with
more than two classes. `judging` takes the answers to the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from martello.corridor.judging import all_gold, ask_gold, operating_point_of
from martello.corridor.learning import Records, scorer_of, scores_of, side_of
from martello.corridor.units import Side
from martello.errors import DataError
from martello.evaluate.assess import error_of_look
from martello.evaluate.fixed import against_the_claim, agreed_floors, labels_to_ask, read_floors
from martello.evaluate.units import ScoredUnits
from martello.label.choose_fixed import FixedPlan
from martello.label.settled import fixed_answers
from martello.records import Measure, Model, Sample, the
from martello.spec.schema import Spec
from martello.store import Store
from martello.store.ledger import Ledger

__all__ = ["fixed_plan", "what_is_missing"]


def fixed_plan(store: Store, ledger: Ledger, spec: Spec, records: Records) -> tuple[list[str], FixedPlan]:
    """Give the pool and what is asked of it; that gold is asked is written down, for people see how it stands.

    Raises
    ------
    DataError
        ``label.nothing-to-prove`` without a floor, or when gold was asked as often as was agreed.
    """
    model, pool, dev = the(Model, records), all_gold(store, records), side_of(store, records, "dev")
    requirement, seed = spec.requirement, spec.sample.seed
    agreed = agreed_floors(requirement, pool.slices)
    if not agreed:
        raise _nothing("there is no floor to prove", "set precision or recall under [requirement]")
    look = ask_gold(ledger, spec, records, operating_point_of(store, spec, records, dev, len(pool.unit)))
    error = error_of_look(requirement, look)
    if error is None:
        fix = "renew gold: another sample.seed, or a new population.source"
        raise _nothing("gold was asked as often as was agreed", fix)
    scores = scorer_of(store, spec, model, model.learner).scores(pool.columns)

    def read(positions: Sequence[int], codes: Sequence[int | None]) -> Mapping[str, Measure]:
        order = np.argsort(positions)  # the gate's order: resampling depends on it
        rows = np.asarray(positions, dtype=np.int64)[order]
        given = np.asarray([-1 if code is None else code for code in codes], dtype=np.int64)[order]
        units = _scored(pool, against_the_claim(given, scores[rows]), scores[rows], rows)
        return read_floors(units, requirement=requirement, level=1 - 2 * error, seed=seed)

    on_dev = scores_of(store.get_table(model.scores), model.learner, len(model.classes))
    known = _scored(dev, dev.codes, on_dev, np.arange(len(dev.unit)))
    size = labels_to_ask(known, requirement=requirement, error=error, n_pool=len(pool.unit), seed=seed)
    return pool.unit, FixedPlan(size=size, agreed=agreed, read=read)


def _scored(side: Side, truth: NDArray[np.int64], scores: NDArray[np.float64], rows: NDArray[np.int64]) -> ScoredUnits:
    return ScoredUnits(
        truth=truth,
        scores=scores,
        weight=side.weight[rows],
        cluster=None if side.cluster is None else side.cluster[rows],
        slices={name: [values[i] for i in rows] for name, values in side.slices.items()},
    )


def _nothing(why: str, fix: str) -> DataError:
    return DataError(
        "label.nothing-to-prove", why, where="gold", expected="a requirement these units can show", fix=fix
    )


def what_is_missing(book: Path, store: Store, spec: Spec, records: Records) -> str:
    """Say what gold still waits for; empty when every answer that was declared is there."""
    units = store.get_table(the(Sample, records).units)
    sides = zip(units["unit"].to_pylist(), units["split"].to_pylist(), strict=True)
    pool = [str(unit) for unit, side in sides if side == "gold"]
    found = fixed_answers(book, pool, spec.sample.seed)
    if found is None:
        return "a model waits for its verdict: `martello label` asks people about gold"
    declared = min(spec.requirement.label_budget or found.size, len(pool))
    if len(found.answers) < found.size or declared > found.size:
        done = f"{len(found.answers):,} of {max(declared, found.size):,}"
        return f"{done} gold answers are there: `martello label` opens the page; all are judged together"
    return ""
