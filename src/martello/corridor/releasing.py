"""What `ship` and `serve` are handed: the gate's evidence, the files of a release, the rows of a rehearsal."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa

from martello.corridor.learning import candidate_of
from martello.corridor.opened import MODEL_PREFIX, Contract, OpenedRelease, open_served
from martello.corridor.units import Side, units_of
from martello.errors import IntegrityError, MartelloError
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
from martello.ship.cards import datasheet, model_card, runbook
from martello.ship.gate import assess_gate
from martello.ship.release import open_release, seal, write_release
from martello.ship.selftest import SelftestRow, encode_selftest
from martello.spec.load import spec_json
from martello.spec.schema import Field, Spec
from martello.stats.estimate import Verdict
from martello.store import Store
from martello.store.blobs import write_atomically
from martello.train.learner import load_model

__all__ = ["gate_and_release", "rehearsal_of", "release_directory", "release_stands"]

Records = Mapping[str, AnyRecord]
_SELFTEST_ROWS = 50


def gate_and_release(store: Store, directory: Path, spec: Spec, records: Records) -> tuple[AnyRecord, ...]:
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
    """Say whether the release directory of a gate that opened is still there and untouched."""
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
    scorer = load_model(model.learner, classes=labels.classes, fields=spec.input, files=parts)
    opened = OpenedRelease("being made", contract, scorer)
    gold = units_of(store, the(Sample, records), labels, features, "gold", only_labeled=False)
    _check_serving_path(opened, scorer.scores(gold.columns).tolist(), spec.input, gold)
    return {
        "contract.json": _json(contract),
        "spec.json": spec_json(spec),
        "spec.toml": (directory / "martello.toml").read_bytes(),
        "features.json": _pretty(encode_record(features)),
        "operating_point.json": _pretty(encode_record(point)),
        "evaluation.json": _pretty(encode_record(the(Evaluation, records))),
        "gate.json": _pretty(encode_record(the(Gate, records))),
        "selftest.json": _selftest(opened, spec.input, gold),
        "MODEL_CARD.md": model_card(spec, records).encode(),
        "DATASHEET.md": datasheet(spec, records).encode(),
        "RUNBOOK.md": runbook(spec, records).encode(),
        **{MODEL_PREFIX + name: data for name, data in parts.items()},
    }


def _check_serving_path(
    opened: OpenedRelease, scores: list[list[float]], fields: tuple[Field, ...], gold: Side
) -> None:
    """Score every gold row one by one, as the server will, and refuse a release that differs in one bit."""
    n_different = sum(
        opened.scores(wire_record(fields, gold.columns, row)) != tuple(scores[row]) for row in range(len(gold.unit))
    )
    if n_different:
        raise IntegrityError(
            "ship.serving-differs",
            f"{n_different} of {len(gold.unit)} gold rows score differently one by one than in training",
            expected="equal scores, bit for bit",
            fix="this is a fault in the learner: see check_learner in martello.testing",
        )


def _selftest(opened: OpenedRelease, fields: tuple[Field, ...], gold: Side) -> bytes:
    records = [wire_record(fields, gold.columns, row) for row in range(min(_SELFTEST_ROWS, len(gold.unit)))]
    return encode_selftest(SelftestRow(record=record, scores=opened.scores(record)) for record in records)


def wire_record(fields: tuple[Field, ...], columns: Mapping[str, list[Any]], row: int) -> dict[str, Any]:
    """Write one row of typed values as a client would send it: no key for "no value", times as RFC 3339 text."""
    record = {}
    for field in fields:
        value = columns[field.name][row]
        if value is not None:
            record[field.name] = _rfc3339(value) if field.type == "time" else value
    return record


def _rfc3339(microseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.isoformat().replace("+00:00", "Z")


def rehearsal_of(
    store: Store, directory: Path, spec: Spec, records: Records, tick: Callable[[int, int], None]
) -> Rehearsal:
    """Send rows outside training through the real server, tell it what happened, and read the log back."""
    release, labels = the(Release, records), the(Labels, records)
    rows_from, rows = _rehearsal_rows(store, spec, records)
    place = release_directory(directory, release.digest)
    log = directory / ".martello" / "log" / "rehearsal"
    command = [sys.executable, "-m", "martello", "serve", "--json", "--port", "0"]
    command += ["--project", str(directory), "--release", str(place), "--log", str(log)]
    done = rehearse(
        command,
        [wire_record(spec.input, rows.columns, row) for row in range(len(rows.unit))],
        rows.unit,
        [labels.classes[code] if code >= 0 else None for code in rows.codes],
        token=secrets.token_urlsafe(24),
        log_dir=log,
        progress=tick,
    )
    offline = open_served(place)
    expected = {unit: offline.scores(wire_record(spec.input, rows.columns, row)) for row, unit in enumerate(rows.unit)}
    return Rehearsal(
        parents=(record_id(release),),
        n_sent=done.n_sent,
        n_decisions=done.n_decisions,
        n_outcomes=done.n_outcomes,
        n_score_differences=sum(unit.scores != expected[unit.unit] for unit in done.units),
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
    )


def _json(value: msgspec.Struct) -> bytes:
    return _pretty(msgspec.json.encode(value, order="deterministic"))


def _pretty(data: bytes) -> bytes:
    return msgspec.json.format(data, indent=2) + b"\n"
