"""What `ship` and `serve` are handed: the gate's evidence, the files of a release, the rows of a rehearsal."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import msgspec
import pyarrow as pa
from msgspec import UNSET, UnsetType

from martello.corridor.agreement import declared_features
from martello.corridor.filling import fill_state
from martello.corridor.learning import candidate_of, scorer_of
from martello.corridor.opened import (
    DECLARATION,
    MODEL_PREFIX,
    Contract,
    FeaturedRelease,
    OpenedRelease,
    make_release,
    open_served,
    state_file,
)
from martello.corridor.parity import PARITY, parity_condition
from martello.corridor.units import Side, units_of
from martello.errors import IntegrityError, MartelloError
from martello.features.declared import DeclaredFeatures
from martello.records import (
    AnyRecord,
    Evaluation,
    FeatureSet,
    Gate,
    Labels,
    Model,
    OperatingPoint,
    Rehearsal,
    Release,
    Sample,
    encode_record,
    record_id,
    the,
)
from martello.serve.rehearse import rehearse
from martello.settings import Settings
from martello.ship.cards import datasheet, model_card, runbook
from martello.ship.gate import assess_gate
from martello.ship.release import open_release, seal, write_release
from martello.ship.selftest import SelftestRow, encode_selftest
from martello.spec.load import spec_json
from martello.spec.schema import Field, Spec
from martello.stats.estimate import Verdict
from martello.store import Store
from martello.store.blobs import write_atomically

__all__ = ["gate_and_release", "rehearsal_of", "release_directory", "release_stands"]

Records = Mapping[str, AnyRecord]
_SELFTEST_ROWS = 50


def gate_and_release(
    store: Store, directory: Path, settings: Settings, spec: Spec, records: Records
) -> tuple[AnyRecord, ...]:
    """Hold the evidence against the gate and, when it opens, write the release."""
    evaluation, model = the(Evaluation, records), the(Model, records)
    findings = [finding for record in records.values() for finding in getattr(record, "findings", ())]
    gate: Gate = assess_gate(
        evaluation=evaluation,
        model=model,
        owners=spec.owners,
        requirement=spec.requirement,
        findings=findings,
        parents=(record_id(evaluation), record_id(model)),
        parity=parity_condition(directory, spec, settings),
    )
    if gate.verdict is not Verdict.MET:
        return (gate,)
    files = _release_files(store, directory, spec, {**records, "gate": gate})
    target, manifest = _write(directory, files)
    write_atomically(directory / "releases" / "current", target.name.encode())
    release = Release(
        parents=(record_id(gate), *(record_id(record) for record in records.values())),
        digest=manifest.digest,
        files={name: seal.sha256 for name, seal in manifest.files.items()},
        n_selftest=_SELFTEST_ROWS,
    )
    return gate, release


def _write(directory: Path, files: Mapping[str, bytes]) -> tuple[Path, Any]:
    """Write the release under the name of its digest."""
    target = release_directory(directory, seal(files).digest)
    return target, write_release(target, files)


def release_directory(directory: Path, digest: str) -> Path:
    """Give the place of a release in a project."""
    return directory / "releases" / f"release-{digest[:12]}"


def release_stands(directory: Path, made: Sequence[AnyRecord]) -> bool:
    """Say whether the release directory of a gate that opened is still there and untouched.

    A gate that features kept shut does not stand: what serving saw may agree by now.
    """
    gates = (record for record in made if isinstance(record, Gate))
    if any(each.name == PARITY and each.verdict is not Verdict.MET for gate in gates for each in gate.conditions):
        return False
    release = next((record for record in made if isinstance(record, Release)), None)
    if release is None:
        return True
    try:
        open_release(release_directory(directory, release.digest), digest=release.digest)
    except MartelloError:
        return False
    return True


def _release_files(store: Store, directory: Path, spec: Spec, records: Records) -> dict[str, bytes]:
    model, labels, point = the(Model, records), the(Labels, records), the(OperatingPoint, records)
    features = the(FeatureSet, records)
    learner = candidate_of(model, model.learner)
    parts = {name: store.get_bytes(ref) for name, ref in learner.files.items()}
    contract = Contract(
        name=spec.task.name,
        question=spec.task.question,
        fields=spec.input,
        missing=spec.population.missing,
        definition=features.definition,
        learner=model.learner,
        classes=labels.classes,
        positive=labels.positive,
        threshold=point.threshold,
    )
    declared = declared_features(spec)
    opened = make_release("being made", contract, parts, declared, None)
    gold = units_of(store, the(Sample, records), labels, features, "gold", only_labeled=False)
    trained = scorer_of(store, spec, model, model.learner).scores(gold.columns)
    asked = [_asked(spec.input, declared, gold, row) for row in range(len(gold.unit))]
    _check_serving_path(opened, trained.tolist(), asked)
    return {
        "contract.json": _json(contract),
        "spec.json": spec_json(spec),
        "spec.toml": (directory / "martello.toml").read_bytes(),
        "features.json": _pretty(encode_record(features)),
        "operating_point.json": _pretty(encode_record(point)),
        "evaluation.json": _pretty(encode_record(the(Evaluation, records))),
        "gate.json": _pretty(encode_record(the(Gate, records))),
        "selftest.json": _selftest(opened, asked),
        **({DECLARATION: declared.dump()} if declared else {}),
        "MODEL_CARD.md": model_card(spec, records).encode(),
        "DATASHEET.md": datasheet(spec, records).encode(),
        "RUNBOOK.md": runbook(spec, records).encode(),
        **{MODEL_PREFIX + name: data for name, data in parts.items()},
    }


class _Asked(NamedTuple):
    """A unit as a client would send it, with the moment and the history it was trained on where features need them."""

    record: dict[str, Any]
    now: int | UnsetType
    history: dict[str, Any] | UnsetType


def _asked(fields: tuple[Field, ...], declared: DeclaredFeatures | None, side: Side, row: int) -> _Asked:
    record = wire_record(fields, side.columns, row)
    if declared is None:
        return _Asked(record, UNSET, UNSET)
    history = {name: side.columns[name][row] for name in declared.history.features}
    return _Asked(record, side.time[row] or 0, history)


def _score(opened: OpenedRelease, asked: _Asked) -> tuple[float, ...]:
    if isinstance(opened, FeaturedRelease) and asked.now is not UNSET and asked.history is not UNSET:
        return opened.scores_of(asked.record, asked.now, asked.history)
    return opened.scores(asked.record)


def _check_serving_path(opened: OpenedRelease, scores: list[list[float]], asked: Sequence[_Asked]) -> None:
    """Score every gold row one by one, as the server will, and refuse a release that differs in one bit."""
    n_different = sum(_score(opened, each) != tuple(own) for each, own in zip(asked, scores, strict=True))
    if n_different:
        raise IntegrityError(
            "ship.serving-differs",
            f"{n_different} of {len(asked)} gold rows score differently one by one than in training",
            expected="equal scores, bit for bit",
            fix="this is a fault in the learner: see check_learner in martello.testing",
        )


def _selftest(opened: OpenedRelease, asked: Sequence[_Asked]) -> bytes:
    return encode_selftest(
        SelftestRow(record=each.record, scores=_score(opened, each), now=each.now, history=each.history)
        for each in asked[:_SELFTEST_ROWS]
    )


def wire_record(fields: tuple[Field, ...], columns: Mapping[str, list[Any]], row: int) -> dict[str, Any]:
    """Write one row of typed values as a client would send it: no key for "no value", times as RFC 3339 text."""
    record = {}
    for field in fields:
        value = columns[field.name][row]
        if value is not None:
            record[field.name] = _rfc3339(value) if field.type == "time" else value
    return record


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _rfc3339(microseconds: int) -> str:
    return _moment(microseconds).isoformat().replace("+00:00", "Z")


def rehearsal_of(
    store: Store,
    directory: Path,
    settings: Settings,
    spec: Spec,
    records: Records,
    tick: Callable[[int, int], None],
) -> Rehearsal:
    """Send rows outside training through the real server, tell it what happened, and read the log back."""
    release, labels = the(Release, records), the(Labels, records)
    rows_from, rows = _rehearsal_rows(store, spec, records)
    place = release_directory(directory, release.digest)
    log = directory / ".martello" / "log" / "rehearsal"
    declared = declared_features(spec)
    sent = [wire_record(spec.input, rows.columns, row) for row in range(len(rows.unit))]
    with TemporaryDirectory(prefix="rehearsal-", dir=directory / ".martello") as folder:
        state = Path(folder)
        command = [sys.executable, "-m", "martello", "serve", "--json", "--port", "0", "--project", str(directory)]
        command += ["--release", str(place), "--log", str(log)]
        if declared is not None:
            # The rows lie in the past: their state holds all that was known of whom they concern, and forgets nothing.
            fill_state(state_file(state, declared), declared, directory, settings, only=rows.columns)
            command += ["--state", str(state), "--events", "none"]
        done = rehearse(
            command,
            sent,
            rows.unit,
            [labels.classes[code] if code >= 0 else None for code in rows.codes],
            token=secrets.token_urlsafe(24),
            log_dir=log,
            at=[_moment(time or 0) for time in rows.time] if declared and declared.uses_now else None,
            progress=tick,
        )
    offline = open_served(place)
    asked = {unit: _asked(spec.input, declared, rows, row) for row, unit in enumerate(rows.unit)}
    return Rehearsal(
        parents=(record_id(release),),
        n_sent=done.n_sent,
        n_decisions=done.n_decisions,
        n_outcomes=done.n_outcomes,
        n_score_differences=sum(unit.scores != _score(offline, asked[unit.unit]) for unit in done.units),
        rows_from=rows_from,
        table=store.put_table(
            pa.table(
                {
                    "unit": [unit.unit for unit in done.units],
                    "score": [unit.scores[-1] for unit in done.units],
                    "output": [unit.output for unit in done.units],
                    "outcome": pa.array([unit.outcome for unit in done.units], pa.string()),
                }
            )
        ),
    )


def _rehearsal_rows(store: Store, spec: Spec, records: Records) -> tuple[Literal["reserve", "gold"], Side]:
    sample, labels, features = the(Sample, records), the(Labels, records), the(FeatureSet, records)
    # Where people answer, nobody was asked about these rows: they are sent without an outcome.
    only_labeled = labels.source == "column"
    reserve = units_of(store, sample, labels, features, "reserve", only_labeled=only_labeled)
    if reserve.unit:
        return "reserve", reserve
    gold = units_of(store, sample, labels, features, "gold", only_labeled=only_labeled)
    most = min(spec.serve.rehearsal, len(gold.unit))
    return "gold", msgspec.structs.replace(
        gold,
        unit=gold.unit[:most],
        codes=gold.codes[:most],
        columns={name: values[:most] for name, values in gold.columns.items()},
        time=gold.time[:most],
    )


def _json(value: msgspec.Struct) -> bytes:
    return _pretty(msgspec.json.encode(value, order="deterministic"))


def _pretty(data: bytes) -> bytes:
    return msgspec.json.format(data, indent=2) + b"\n"
