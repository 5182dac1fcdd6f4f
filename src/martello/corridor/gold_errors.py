"""Errors on gold, for people to look at, without spoiling what is left of gold.

Taking only the worst errors out would leave a gold set that is too kind to the model. So a tenth of gold is opened at
random, as whole clusters; the worst of that tenth are shown, and all of it judges no more.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from martello.corridor.learning import scorer_of
from martello.corridor.project import Project
from martello.corridor.units import Side, units_of
from martello.errors import DataError
from martello.records import FeatureSet, Labels, Model, Sample, the
from martello.stats.compare import unit_losses
from martello.stats.design import hash_order

__all__ = ["GoldError", "show_gold_errors"]


# Large enough to hold errors of every common kind, small enough to leave nine looks like it.
_OPENED = 0.1


class GoldError(msgspec.Struct, frozen=True, kw_only=True):
    """One gold unit the model gets badly wrong, with what it saw."""

    unit: str
    truth: str
    score: float  # what the model gave to the true class
    loss: float
    inputs: dict[str, Any]


def show_gold_errors(project: Project, n: int) -> list[GoldError]:
    """Open a tenth of gold, and give its units with the highest log loss; the ledger is told before anything is shown.

    Raises
    ------
    DataError
        ``evaluate.nothing-asked`` when gold has not been asked yet: then looking at its rows would be looking ahead.
    """
    records = project.records()
    if "evaluation" not in records:
        raise DataError(
            "evaluate.nothing-asked",
            "gold has not been asked yet",
            where=str(project.directory),
            expected="an evaluation, before its errors are looked at",
            fix="martello evaluate",
        )
    labels, model = the(Labels, records), the(Model, records)
    gold = units_of(project.store, the(Sample, records), labels, the(FeatureSet, records), "gold")
    scores = scorer_of(project.store, project.spec, model, model.learner).scores(gold.columns)
    losses = unit_losses(gold.codes, scores)
    opened = _opened(gold, f"{project.spec.sample.seed}|show|{len(project.ledger.shown_units())}")
    worst = opened[np.argsort(-losses[opened], kind="stable")][:n]
    project.ledger.show_gold([gold.unit[row] for row in opened])
    return [
        GoldError(
            unit=gold.unit[row],
            truth=labels.classes[gold.codes[row]],
            score=float(scores[row, gold.codes[row]]),
            loss=float(losses[row]),
            inputs={field.name: gold.columns[field.name][row] for field in project.spec.input},
        )
        for row in worst
    ]


def _opened(gold: Side, salt: str) -> NDArray[np.intp]:
    """Draw about a tenth of the gold units by the hash of what belongs together, whatever their answers."""
    clusters = gold.unit if gold.cluster is None else gold.cluster.tolist()
    return np.flatnonzero(hash_order(clusters, salt) < _OPENED)
