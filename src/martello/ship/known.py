"""What is known of one round of the loop: the agreement and whichever records exist so far, by kind.

Cards and report are written from this one value, at any point of the loop: a record that is not there yet is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from martello.records import (
    Advice,
    AnyRecord,
    Evaluation,
    Experiment,
    FeatureSet,
    Frame,
    Gate,
    Labels,
    Model,
    OperatingPoint,
    Rehearsal,
    Release,
    Sample,
)
from martello.spec.schema import Spec

__all__ = ["Known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One round of the loop, as far as it went; the field names are the kinds of record."""

    spec: Spec
    frame: Frame | None = None
    sample: Sample | None = None
    labels: Labels | None = None
    features: FeatureSet | None = None
    model: Model | None = None
    operating_point: OperatingPoint | None = None
    evaluation: Evaluation | None = None
    gate: Gate | None = None
    release: Release | None = None
    rehearsal: Rehearsal | None = None
    experiment: Experiment | None = None
    advice: Advice | None = None

    @classmethod
    def of(cls, spec: Spec, records: Mapping[str, AnyRecord]) -> Known:
        """Sort records by kind, whatever they are keyed by; of two of a kind the later one stands."""
        kinds = {str(record.__struct_config__.tag): record for record in records.values()}
        return cls(spec=spec, **kinds)  # type: ignore[arg-type]  # the tag of a record is the name of its field here
