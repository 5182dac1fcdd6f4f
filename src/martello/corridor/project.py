"""The corridor: opens a project directory, runs the table of stages, writes the ledger. It holds no stage's logic.

A stage is run again only when the parts of the spec it reads or the records it stands on have changed, or when
something it made is gone. Each stage is kept as soon as it ends, so an interrupted run resumes where it stopped.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from martello._version import __version__
from martello.corridor.agreement import load_agreement
from martello.corridor.stages import STAGES, Listener, Stage, StageContext, Waiting
from martello.errors import EnvironmentFault, IntegrityError, SpecError, nearest
from martello.records import AnyRecord, Gate, content_id, kind_of, record_id
from martello.settings import Settings, read_settings
from martello.spec.lint import notes
from martello.spec.schema import Spec
from martello.stats.estimate import Verdict
from martello.store import Store
from martello.store.ledger import Ledger, LedgerLine

__all__ = ["Project", "Run", "StageState", "open_project"]

SPEC_FILE = "martello.toml"


class StageState(msgspec.Struct, frozen=True, kw_only=True):
    """Where one word of the loop stands."""

    word: str
    state: Literal["done", "refused", "waiting", "not begun"]
    records: tuple[str, ...] = ()
    at: str | None = None
    why: str = ""  # for waiting and refused: what a person can do


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one `run` did."""

    states: tuple[StageState, ...]
    repeated: tuple[str, ...]  # words whose stage ran in this run; the others stood
    verdict: Verdict | None  # of the gate, once it was reached


class _Silent:
    """A listener that nobody listens to."""

    def started(self, word: str) -> None: ...

    def advanced(self, done: int, total: int) -> None: ...

    def finished(self, word: str, seconds: float, *, was_kept: bool) -> None: ...


class Project:
    """A directory with a `martello.toml`: one task and everything made for it.

    Parameters
    ----------
    directory
        The directory that holds `martello.toml`.
    settings
        Where and as whom to run; read from the environment when None.

    Raises
    ------
    SpecError
        When `martello.toml` is missing or faulty.

    Examples
    --------
    >>> import martello
    >>> project = martello.open("people")                      # doctest: +SKIP
    >>> project.run().verdict                                  # doctest: +SKIP
    <Verdict.MET: 'met'>
    """

    def __init__(self, directory: Path, *, settings: Settings | None = None) -> None:
        self.directory = directory
        self.settings = settings or read_settings()
        self.spec: Spec = load_agreement(directory / SPEC_FILE)
        self.state_directory = directory / ".martello"
        self.store = Store(self.state_directory)
        self._ledger: Ledger | None = None

    @property
    def ledger(self) -> Ledger:
        """The ledger, opened when first asked for."""
        if self._ledger is None:
            try:
                self.state_directory.mkdir(parents=True, exist_ok=True)
            except OSError as err:
                raise EnvironmentFault(
                    "project.not-writable",
                    f"{self.directory} cannot be written: {err.strerror}",
                    where=str(self.state_directory),
                    expected="a directory this user may write to",
                    fix="change its rights, or copy the project elsewhere",
                ) from err
            url = self.settings.ledger or f"sqlite:///{self.state_directory / 'ledger.sqlite'}"
            self._ledger = Ledger(url, who=self.settings.who)
        return self._ledger

    def close(self) -> None:
        """Let go of the ledger."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, *, until: str | None = None, listener: Listener | None = None, fresh: bool = False) -> Run:
        """Go round the loop as far as possible without a person.

        Parameters
        ----------
        until
            Last word to run; all of them when None.
        listener
            Told when a stage starts, advances and ends.
        fresh
            Repeat every stage, also those that stand.

        Raises
        ------
        MartelloError
            The fault of the stage that could not be done; the stages before it are kept.
        """
        _check_word(until)
        listener = listener or _Silent()
        repeated: list[str] = []
        with self._lock():
            records: dict[str, AnyRecord] = {}
            for stage in STAGES:
                if self._do(stage, records, listener, fresh=fresh):
                    repeated.append(stage.word)
                if stage.word == until:
                    break
        return Run(
            states=self.states(), repeated=tuple(repeated), verdict=gate.verdict if (gate := _gate(records)) else None
        )

    def _do(self, stage: Stage, records: dict[str, AnyRecord], listener: Listener, *, fresh: bool) -> bool:
        """Run one stage unless what it made still stands; say whether it ran."""
        key = self._key(stage, records)
        if key is None or isinstance(stage.ready(self.directory, self.spec, records), Waiting):
            return False
        line = self.ledger.find(key)
        kept = None if fresh or line is None else self._kept(line)
        started = time.monotonic()
        listener.started(stage.word)
        if kept is None:
            made = stage.run(self._context(stage, listener), records)
            ids = [self.store.put_record(record) for record in made]
            parents = [record_id(records[kind]) for kind in stage.inputs if kind in records]
            seconds = time.monotonic() - started
            self.ledger.append(
                word=stage.word, key=key, records=ids, parents=parents, seconds=seconds, version=__version__
            )
        listener.finished(stage.word, time.monotonic() - started, was_kept=kept is not None)
        for record in kept or made:
            records[kind_of(record)] = record
        return kept is None

    def _key(self, stage: Stage, records: Mapping[str, AnyRecord]) -> str | None:
        """Name what a stage would do by its word, what it reads of the spec and what it stands on, if that is there."""
        if any(kind not in records for kind in stage.inputs):
            return None
        does: list[object] = [stage.word, __version__, stage.reads(self.spec)]
        does.append([record_id(records[kind]) for kind in stage.inputs])
        if watched := stage.watches(self.directory, self.spec, self.ledger):
            does.append(watched)
        content = msgspec.json.encode(does, order="deterministic")
        return content_id(stage.word, content)

    def _kept(self, line: LedgerLine) -> list[AnyRecord] | None:
        """Give what a line made, or None when any of it is gone or changed."""
        try:
            made = [self.store.get_record(id) for id in line.records]
        except IntegrityError:
            return None
        if not all(self.store.holds(record) for record in made):
            return None
        stage = next(stage for stage in STAGES if stage.word == line.word)
        return made if stage.stands(self.directory, made) else None

    def _context(self, stage: Stage, listener: Listener) -> StageContext:
        parts = stage.reads(self.spec)
        return StageContext(
            directory=self.directory,
            store=self.store,
            ledger=self.ledger,
            settings=self.settings,
            spec=self.spec,
            spec_id=content_id("spec", msgspec.json.encode(parts, order="deterministic")),
            tick=listener.advanced,
        )

    def records(self) -> dict[str, AnyRecord]:
        """Give the current record of each kind, as far as the loop has come with the spec as it is now."""
        found: dict[str, AnyRecord] = {}
        for stage in STAGES:
            key = self._key(stage, found)
            line = self.ledger.find(key) if key else None
            for record in (self._kept(line) if line else None) or ():
                found[kind_of(record)] = record
        return found

    def states(self) -> tuple[StageState, ...]:
        """Say where each word of the loop stands."""
        records = self.records()
        spec = StageState(word="spec", state="done", why="; ".join(note.what for note in notes(self.spec)))
        return (spec, *(self._state(stage, records) for stage in STAGES))

    def _state(self, stage: Stage, records: Mapping[str, AnyRecord]) -> StageState:
        key = self._key(stage, records)
        line = self.ledger.find(key) if key else None
        if line is not None and all(kind in records for kind in stage.makes):
            gate = _gate(records) if "gate" in stage.makes else None
            is_refused = gate is not None and gate.verdict is not Verdict.MET
            return StageState(
                word=stage.word,
                state="refused" if is_refused else "done",
                records=line.records,
                at=line.at,
                why=_refusal(gate) if gate is not None and is_refused else "",
            )
        waiting = stage.ready(self.directory, self.spec, records)
        if isinstance(waiting, Waiting):
            return StageState(word=stage.word, state="waiting", why=waiting.what_to_do)
        return StageState(word=stage.word, state="not begun")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep a second run out of the same directory; the lock goes with the process, also when it is killed."""
        _ = self.ledger  # makes the directory
        with open(self.state_directory / "lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as err:
                raise EnvironmentFault(
                    "project.busy",
                    "another run is at work in this project",
                    where=str(self.directory),
                    expected="one run at a time",
                    fix="wait for it to end, or stop it: what it finished is kept",
                ) from err
            yield


def _gate(records: Mapping[str, AnyRecord]) -> Gate | None:
    gate = records.get("gate")
    return gate if isinstance(gate, Gate) else None


def _refusal(gate: Gate) -> str:
    return " ".join(each.because for each in gate.conditions if each.verdict is not Verdict.MET)


def _check_word(word: str | None) -> None:
    words = [stage.word for stage in STAGES]
    if word is not None and word not in words:
        near = nearest(word, words)
        raise SpecError(
            "project.no-such-word",
            f"there is no stage {word!r}",
            expected="one of " + ", ".join(words),
            fix=f"write {near!r}" if near else "",
        )


def open_project(path: str | Path = ".") -> Project:
    """Open the project in a directory, or the one whose `martello.toml` is named.

    Raises
    ------
    SpecError
        When there is no `martello.toml`, or it is faulty.
    """
    path = Path(path).resolve()
    return Project(path.parent if path.name == SPEC_FILE else path)
