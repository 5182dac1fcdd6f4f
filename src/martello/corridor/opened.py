"""A release opened for use: every file verified, the reader and the scorer made from them, one function that decides.

Part of the corridor: it joins what `features`, `train` and `ship` made into what `serve` serves. It imports no
database, no data frame and no training library, since it lives in the serving process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from martello.errors import IntegrityError
from martello.features.values import Reader
from martello.serve.contract import Decided
from martello.ship.release import MANIFEST, open_release
from martello.ship.selftest import decode_selftest, run_selftest
from martello.spec.schema import Field
from martello.train.learner import Scorer, load_model

__all__ = ["MODEL_PREFIX", "Contract", "OpenedRelease", "open_served", "release_name"]

MODEL_PREFIX = "model-"


class Contract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a release agrees to take and give, and how its model is read: `contract.json` of the release."""

    name: str
    question: str
    fields: tuple[Field, ...]
    missing: tuple[str, ...]
    definition: str
    learner: str
    classes: tuple[str, ...]
    positive: str | None
    threshold: float | None


class OpenedRelease:
    """A verified release that decides.

    Attributes
    ----------
    release_id
        Its digest, written on every decision.
    name, question, fields, classes, positive, threshold
        The contract, as `serve` shows it.
    """

    def __init__(self, release_id: str, contract: Contract, scorer: Scorer) -> None:
        self.release_id = release_id
        self.name = contract.name
        self.question = contract.question
        self.fields = contract.fields
        self.classes = contract.classes
        self.positive = contract.positive
        self.threshold = contract.threshold
        self._reader = Reader(contract.fields, contract.missing)
        self._scorer = scorer
        if self._reader.definition != contract.definition:
            raise IntegrityError(
                "ship.other-definition",
                "this version of Martello reads values by other rules than the release was trained with",
                expected=contract.definition,
                fix="serve it with the version that made it, or train again",
            )

    def scores(self, record: Mapping[str, object]) -> tuple[float, ...]:
        """Give the score of each class for one raw record."""
        return self._scores(self._reader.read(record))

    def decide(self, record: Mapping[str, object]) -> Decided:
        """Read one raw record, score it, and give the output."""
        values: dict[str, Any] = dict(self._reader.read(record))
        scores = self._scores(values)
        return Decided(values=values, scores=scores, output=self.classes[self._choose(scores)])

    def _scores(self, values: Mapping[str, Any]) -> tuple[float, ...]:
        row = self._scorer.scores({name: [value] for name, value in values.items()})[0]
        return tuple(row.tolist())

    def _choose(self, scores: tuple[float, ...]) -> int:
        if self.threshold is not None:
            return int(scores[1] >= self.threshold)
        return max(range(len(scores)), key=scores.__getitem__)


def release_name(manifest: bytes) -> str:
    """Name a release by its manifest, and so by every byte in it."""
    return f"release-{hashlib.sha256(manifest).hexdigest()[:12]}"


def open_served(directory: Path) -> OpenedRelease:
    """Open a release: verify every hash, make the scorer, run the self-test rows.

    Raises
    ------
    IntegrityError
        When a file is missing, changed or unexpected, or the self-test rows score differently here.
    """
    files = open_release(directory)
    contract = msgspec.json.decode(files["contract.json"], type=Contract)
    model = {name.removeprefix(MODEL_PREFIX): data for name, data in files.items() if name.startswith(MODEL_PREFIX)}
    scorer = load_model(contract.learner, classes=contract.classes, fields=contract.fields, files=model)
    opened = OpenedRelease(release_name((directory / MANIFEST).read_bytes()), contract, scorer)
    run_selftest(decode_selftest(files["selftest.json"]), opened.scores)
    return opened
