"""A release opened for use: every file verified, the reader and the scorer made from them, one function that decides.

Part of the corridor: it joins what `features`, `train` and `ship` made into what `serve` serves. It imports no
database, no data frame and no training library, since it lives in the serving process.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from martello.errors import EnvironmentFault, IntegrityError
from martello.features.declared import DeclaredFeatures
from martello.features.history.state import State
from martello.features.online import OnlineFeatures
from martello.features.values import Reader
from martello.serve.contract import Decided, EventsTaken
from martello.ship.release import MANIFEST, open_release
from martello.ship.selftest import decode_selftest, run_selftest
from martello.spec.schema import Field
from martello.train.learner import Scorer, load_model

__all__ = [
    "DECLARATION",
    "MODEL_PREFIX",
    "Contract",
    "FeaturedRelease",
    "OpenedRelease",
    "make_release",
    "open_served",
    "release_name",
    "state_file",
]

MODEL_PREFIX = "model-"
#: The file of a release that holds its features.
DECLARATION = "declaration.json"


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

    def __init__(self, release_id: str, contract: Contract, scorer: Scorer, definition: str | None = None) -> None:
        self.release_id = release_id
        self.name = contract.name
        self.question = contract.question
        self.fields = contract.fields
        self.classes = contract.classes
        self.positive = contract.positive
        self.threshold = contract.threshold
        self._reader = Reader(contract.fields, contract.missing)
        self._scorer = scorer
        if (definition or self._reader.definition) != contract.definition:
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


class FeaturedRelease(OpenedRelease):
    """A verified release whose model also sees computed features.

    Parameters
    ----------
    release_id, contract, scorer
        As of every release.
    declared
        Its features.
    state
        The file of the online state; None where history is always handed in.

    Attributes
    ----------
    definition
        Hash of everything that decides what the model sees.
    sources
        The columns of events with their types, by source.
    """

    def __init__(
        self, release_id: str, contract: Contract, scorer: Scorer, declared: DeclaredFeatures, state: Path | None = None
    ) -> None:
        self.definition = declared.definition(Reader(contract.fields, contract.missing).definition)
        super().__init__(release_id, contract, scorer, self.definition)
        self.declared = declared
        self.sources = {name: dict(source.columns) for name, source in declared.history.sources.items()}
        self._online = OnlineFeatures(declared)
        self._has_history = bool(declared.history.groups)
        self._path = state
        self._reading: State | None = None
        self._writing: State | None = None

    @property
    def wants_events(self) -> bool:
        """Say whether features look back on events and none was ever taken."""
        if self._reading is None and self._has_history:
            self._reading = self._open()
        return self._reading is not None and self._reading.newest is None

    def decide(self, record: Mapping[str, object]) -> Decided:
        """Read one raw record, compute its features as of this moment, score it, and give the output."""
        return self.decide_at(record, time.time_ns() // 1000)

    def decide_at(self, record: Mapping[str, object], now: int) -> Decided:
        """Decide as of a moment, from the events known strictly before it."""
        values: dict[str, Any] = dict(self._reader.read(record))
        values |= self._online.compute(values, now, self._history(values, now))
        scores = self._scores(values)
        return Decided(values=values, scores=scores, output=self.classes[self._choose(scores)])

    def scores_of(self, record: Mapping[str, object], now: int, history: Mapping[str, Any]) -> tuple[float, ...]:
        """Give the score of each class for one raw record with its history handed in."""
        values: dict[str, Any] = dict(self._reader.read(record))
        return self._scores(values | self._online.compute(values, now, history))

    def take_events(self, source: str, events: Sequence[Mapping[str, object]], now: int | None) -> EventsTaken:
        """Take events into the state; from one thread only, which need not be that of the decisions."""
        if self._writing is None:
            self._writing = self._open()
        taken = self._writing.put(source, events, now=now)
        return EventsTaken(accepted=taken.accepted, duplicates=taken.duplicates, late=taken.late, faults=taken.faults)

    def _history(self, values: Mapping[str, Any], now: int) -> dict[str, Any]:
        if not self._has_history:
            return {}
        if self._reading is None:
            self._reading = self._open()
        return self._reading.read(values, now)

    def _open(self) -> State:
        if self._path is None:
            raise EnvironmentFault(
                "serve.no-state",
                "the release looks back on events, and no place is named where they are kept",
                expected="a directory for the state",
                fix="martello serve --state DIR",
            )
        return State(self._path, self.declared.history)


def state_file(directory: Path, declared: DeclaredFeatures) -> Path:
    """Name the state of a declaration within a directory: another declaration has another file."""
    return directory / f"{declared.history.definition}.sqlite"


def make_release(
    release_id: str,
    contract: Contract,
    model: Mapping[str, bytes],
    declared: DeclaredFeatures | None,
    state: Path | None,
) -> OpenedRelease:
    """Make a release that decides from its parts; `state` is a directory."""
    inputs = contract.fields
    fields = declared.model_fields(inputs) if declared else tuple(each for each in inputs if not each.feature_only)
    scorer = load_model(contract.learner, classes=contract.classes, fields=fields, files=model)
    if declared is None:
        return OpenedRelease(release_id, contract, scorer)
    file = None if state is None else state_file(state, declared)
    return FeaturedRelease(release_id, contract, scorer, declared, file)


def release_name(manifest: bytes) -> str:
    """Name a release by its manifest, and so by every byte in it."""
    return f"release-{hashlib.sha256(manifest).hexdigest()[:12]}"


def open_served(directory: Path, *, state: Path | None = None) -> OpenedRelease:
    """Open a release: verify every hash, make the scorer, run the self-test rows.

    Parameters
    ----------
    directory
        The release.
    state
        Directory of the events its features look back on; None where history is handed in.

    Raises
    ------
    IntegrityError
        When a file is missing, changed or unexpected, or the self-test rows score differently here.
    """
    files = open_release(directory)
    contract = msgspec.json.decode(files["contract.json"], type=Contract)
    declared = DeclaredFeatures.load(files[DECLARATION]) if DECLARATION in files else None
    model = {name.removeprefix(MODEL_PREFIX): data for name, data in files.items() if name.startswith(MODEL_PREFIX)}
    opened = make_release(release_name((directory / MANIFEST).read_bytes()), contract, model, declared, state)
    score = opened.scores_of if isinstance(opened, FeaturedRelease) else opened.scores
    run_selftest(decode_selftest(files["selftest.json"]), score)
    return opened
