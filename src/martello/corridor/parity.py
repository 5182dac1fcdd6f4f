"""Logged features held against a backfill: which decisions are looked at, what was found, what follows from it.

A feature that disagreed in the last check of its declaration may not train on backfill: the features stage waits, and
the gate stays shut, until the declaration or the events are mended and another check agrees.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from martello.corridor.agreement import declared_features
from martello.errors import EnvironmentFault
from martello.records import Condition
from martello.spec.schema import Spec
from martello.stats.estimate import Verdict
from martello.store.blobs import write_atomically

if TYPE_CHECKING:  # the stages ask for the last check only, which needs no engine
    from martello.features.declared import DeclaredFeatures
    from martello.features.parity import FeatureParity
    from martello.serve.entries import Decision
    from martello.settings import Settings

__all__ = ["PARITY", "Parity", "check_parity", "disagreeing", "log_directory", "parity_condition"]

#: The condition of the gate.
PARITY = "serving saw what training computes"

#: Decisions recomputed where nothing else is said: 95 % sure to meet a fault that touches one decision in 300.
MOST = 1000


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    Attributes
    ----------
    definition
        Hash of what the model sees.
    n_logged, n_other
        Decisions in the log of this definition, and of others, which nobody can recompute any more.
    n_checked
        How many of the former were recomputed: those with the smallest hashes of their ids.
    n_after
        How many of these lie after the newest event of a declared table, which may not be whole yet.
    features
        Feature by feature.
    checked_at
        When.
    """

    definition: str
    n_logged: int
    n_other: int
    n_checked: int
    n_after: int
    features: tuple[FeatureParity, ...]
    checked_at: datetime

    @property
    def disagreeing(self) -> tuple[str, ...]:
        """Name the features with any mismatch."""
        return tuple(each.name for each in self.features if each.n_mismatches)


class _Last(msgspec.Struct, frozen=True):
    """What the stages must know of the last check."""

    disagreeing: tuple[str, ...]
    n_checked: int


def log_directory(directory: Path) -> Path:
    """Give where a project's server logs unless told otherwise."""
    return directory / ".martello" / "log"


def _definition(spec: Spec, declared: DeclaredFeatures) -> str:
    from martello.features.values import Reader

    return declared.definition(Reader(spec.input, spec.population.missing).definition)


def _kept(directory: Path, definition: str) -> Path:
    return directory / ".martello" / "parity" / f"{definition}.json"


def check_parity(
    directory: Path, spec: Spec, settings: Settings, *, log: Path | None = None, most: int = MOST
) -> Parity | None:
    """Recompute a hash sample of the logged decisions by backfill, keep what was found, and give it.

    Parameters
    ----------
    directory, spec, settings
        The project.
    log
        Where the server logged; the project's own log when None.
    most
        How many decisions are recomputed at most.

    Returns
    -------
    Parity or None
        None where no feature is declared, or the log holds no decision of these features.

    Raises
    ------
    DataError
        Faults of the tables of events.
    """
    declared = declared_features(spec)
    if declared is None:
        return None
    definition = _definition(spec, declared)
    tally = {"logged": 0, "other": 0}
    chosen = heapq.nsmallest(most, _decisions(log or log_directory(directory), definition, tally), key=_digest)
    if not chosen:
        return None
    features, n_after = _recomputed(chosen, declared, spec, directory, settings)
    found = Parity(
        definition=definition,
        n_logged=tally["logged"],
        n_other=tally["other"],
        n_checked=len(chosen),
        n_after=n_after,
        features=features,
        checked_at=datetime.now(UTC),
    )
    path = _kept(directory, definition)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.encode(_Last(found.disagreeing, found.n_checked)))
    return found


def _digest(decision: Decision) -> bytes:
    return hashlib.sha256(decision.id.encode()).digest()


def _decisions(log: Path, definition: str, tally: dict[str, int]) -> Iterator[Decision]:
    """Give the decisions of a definition, and count those of others."""
    from martello.serve.entries import Decision
    from martello.serve.reading import read_log

    if not log.is_dir():
        return
    for entry in read_log(log):
        if isinstance(entry, Decision):
            is_ours = entry.definition == definition
            tally["logged" if is_ours else "other"] += 1
            if is_ours:
                yield entry


def _recomputed(
    decisions: list[Decision], declared: DeclaredFeatures, spec: Spec, directory: Path, settings: Settings
) -> tuple[tuple[FeatureParity, ...], int]:
    """Compare, and count the decisions that lie after the newest event of a source."""
    from martello.engines import open_engine
    from martello.engines.base import quote
    from martello.features.parity import compare_features
    from martello.features.table import compute_table, event_table

    ids = [each.id for each in decisions]
    moments = [each.as_of if isinstance(each.as_of, int) else each.at for each in decisions]
    inputs: dict[str, list[Any]] = {
        field.name: [each.values.get(field.name) for each in decisions] for field in spec.input
    }

    def engine(table: str) -> Any:
        return open_engine(table, directory, settings)

    computed = compute_table(declared, inputs, moments, engine, units=ids)
    logged = {name: [each.values.get(name) for each in decisions] for name in declared.names}
    newest = []
    for name, source in declared.history.sources.items():
        with engine(source.table) as opened:
            relation = event_table(opened, name, source)
            known = opened.arrow(f"select max({quote(source.clock)}) as newest from {relation} as events")
            newest.append(known["newest"][0].as_py())
    until = min((each for each in newest if each is not None), default=None)
    n_after = 0 if until is None else sum(moment > until for moment in moments)
    return compare_features(ids, logged, computed.columns), n_after


def _last(directory: Path, spec: Spec) -> _Last | None:
    """Give what the last check of the features as they are declared now found, None where there was none."""
    declared = declared_features(spec)
    if declared is None:
        return None
    path = _kept(directory, _definition(spec, declared))
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Last)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as err:
        raise EnvironmentFault(
            "features.parity-unreadable",
            f"what the last check found cannot be read: {err}",
            where=str(path),
            expected="a file written by `martello features check`",
            fix="martello features check",
        ) from err


def disagreeing(directory: Path, spec: Spec) -> tuple[str, ...]:
    """Name the features that disagreed in the last check of these declarations."""
    last = _last(directory, spec)
    return last.disagreeing if last else ()


def parity_condition(directory: Path, spec: Spec, settings: Settings) -> Condition | None:
    """Give the condition of the gate, None where nothing of these features was served yet."""
    last = _last(directory, spec)
    if last is None:
        found = check_parity(directory, spec, settings)
        last = _Last(found.disagreeing, found.n_checked) if found else None
    if last is None:
        return None
    if last.disagreeing:
        because = (
            f"Of {last.n_checked:,} logged decisions some saw other values than a backfill gives, in: "
            f"{', '.join(last.disagreeing)}. `martello features check` shows them."
        )
        return Condition(name=PARITY, verdict=Verdict.NOT_MET, because=because)
    because = f"Every feature of {last.n_checked:,} logged decisions, drawn by hash, is what a backfill gives."
    return Condition(name=PARITY, verdict=Verdict.MET, because=because)
