"""What may be wrong with the declaration of a source or of a history feature: one function each, all faults at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from martello.errors import SpecError, nearest
from martello.features.history.shapes import AGGREGATES, MOST_KEPT, WINDOW, HistoryFeature, Source

__all__ = ["feature_faults", "source_faults", "unknown_column", "wrong_arguments"]

_WITH_VALUE = ("last", "first", "sum", "mean", "distinct_count", "last_k")


def source_faults(name: str, source: Source) -> Iterator[SpecError]:
    """Say what is wrong with a source."""
    used = (source.id, *source.key, source.time, *([source.known_at] if source.known_at else []))
    for column in used:
        if column not in source.columns:
            yield unknown_column(name, column, source.columns)
    for column in {source.time, source.clock}:
        if source.columns.get(column, "time") != "time":
            yield wrong_arguments(
                name, f"{column} of source {name} is a {source.columns[column]}", "a column of type time"
            )
    for column in (source.id, *source.key):
        if source.columns.get(column) not in (None, "integer", "category"):
            what = f"{column} of source {name} is a {source.columns[column]}"
            yield wrong_arguments(name, what, "keys and ids of type integer or category")
    if not source.key:
        yield wrong_arguments(name, f"source {name} has no key", 'key = ["user_id"]')


def feature_faults(name: str, feature: HistoryFeature, sources: Mapping[str, Source]) -> Iterator[SpecError]:
    """Say what is wrong with a feature over these sources."""
    source = sources.get(feature.source)
    if source is None:
        near = nearest(feature.source, sources)
        yield SpecError(
            "features.unknown-source",
            f"{name} is taken from {feature.source}, which is not declared",
            where=f"feature {name}",
            expected="one of: " + ", ".join(sources),
            fix=f"did you mean {near}?" if near else f"declare [source.{feature.source}]",
        )
    if feature.agg not in AGGREGATES:
        near = nearest(feature.agg, AGGREGATES)
        yield SpecError(
            "features.unknown-aggregate",
            f"{name} asks for {feature.agg}, which is no aggregate",
            where=f"feature {name}",
            expected="one of: " + ", ".join(AGGREGATES),
            fix=f"did you mean {near}?" if near else "",
        )
    if not WINDOW.fullmatch(feature.window or ""):
        yield SpecError(
            "features.window-unbounded",
            f"{name} has no window" if feature.window is None else f"the window {feature.window} cannot be read",
            where=f"feature {name}",
            expected="a number and one of s, m, h, d, w: what is older is forgotten, so that reading stays quick",
            fix='window = "365d"',
        )
    if source is not None and feature.agg in AGGREGATES:
        yield from _argument_faults(name, feature, source)


def _argument_faults(name: str, feature: HistoryFeature, source: Source) -> Iterator[SpecError]:
    agg, value = feature.agg, feature.value
    if (value is not None) != (agg in _WITH_VALUE):
        expected = "value = a column of the events" if agg in _WITH_VALUE else "no value: it counts events"
        yield wrong_arguments(name, f"{agg} {'has no' if value is None else 'takes no'} value in {name}", expected)
    elif value is not None and value not in source.columns:
        yield unknown_column(name, value, source.columns)
    elif value is not None and agg in ("sum", "mean") and source.columns[value] not in ("number", "integer"):
        yield wrong_arguments(name, f"{agg} of {value}, which is a {source.columns[value]}", "a number or an integer")
    elif value is not None and agg == "last_k" and source.columns[value] == "boolean":
        yield wrong_arguments(name, f"last_k of {value}, which is a boolean", "a list of numbers, texts or times")
    if (feature.k is None) != (agg != "last_k") or (feature.k is not None and not 1 <= feature.k <= MOST_KEPT):
        expected = f"k from 1 to {MOST_KEPT}" if agg == "last_k" else "k for last_k only"
        yield wrong_arguments(name, f"k is {feature.k} in {name}", expected)


def unknown_column(name: str, column: str, columns: Mapping[str, str]) -> SpecError:
    """Say that a source does not declare this column."""
    near = nearest(column, columns)
    return SpecError(
        "features.unknown-name",
        f"{name} uses {column}, which its source does not declare",
        where=f"feature {name}",
        expected="one of: " + ", ".join(columns),
        fix=f"did you mean {near}?" if near else f'columns = {{ {column} = "…" }}',
    )


def wrong_arguments(name: str, what: str, expected: str) -> SpecError:
    """Say that an aggregate is given what it cannot take."""
    return SpecError("features.aggregate-arguments", what, where=f"feature {name}", expected=expected)
