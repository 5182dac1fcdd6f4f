"""What a task declares as history: sources of events, and aggregates over them in a window.

Declared as data, checked here, and brought into groups: features over the same events and keys are computed in one
pass. The clock of a source is `known_at`, when an event became known to us; what had not arrived does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from martello.errors import IntegrityError, SpecError
from martello.features.expressions.check import Checked, check
from martello.features.expressions.declare import EXPRESSIONS_VERSION
from martello.features.expressions.tree import Place, from_json, to_json
from martello.features.history.faults import feature_faults, source_faults, unknown_column, wrong_arguments
from martello.features.history.shapes import HistoryFeature, Source, Where
from martello.records import Finding, content_id

__all__ = ["Group", "History", "declare_history", "load_history"]

#: Raised whenever a history feature would have another value than before; part of `History.definition`.
HISTORY_VERSION = 1


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Features over the same events of the same keys."""

    name: str
    source_name: str
    source: Source
    key: tuple[tuple[str, str], ...]  # column of the events, and the name that a request gives it
    conditions: tuple[Checked, ...]
    features: dict[str, HistoryFeature]

    @property
    def values(self) -> tuple[str, ...]:
        """Name the columns that are aggregated, without the clock, which is there anyway."""
        named = dict.fromkeys(each.value for each in self.features.values() if each.value)
        return tuple(name for name in named if name != self.source.clock)

    @property
    def span(self) -> int:
        """Give the longest window in microseconds."""
        return max(each.span for each in self.features.values())


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All history features of a task, checked."""

    sources: dict[str, Source]
    features: dict[str, HistoryFeature]
    wheres: dict[str, Where]
    groups: tuple[Group, ...]
    findings: tuple[Finding, ...]

    @property
    def types(self) -> dict[str, tuple[str, bool]]:
        """Give type and "may be null" of every feature, as row expressions take them."""
        return {name: (_type_of(each, self.sources[each.source]), True) for name, each in self.features.items()}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Name what a request must give to be looked up."""
        return tuple(dict.fromkeys(name for group in self.groups for _, name in group.key))

    @property
    def definition(self) -> str:
        """Hash of what is computed."""
        return content_id(
            "definition", msgspec.json.encode([HISTORY_VERSION, EXPRESSIONS_VERSION, self.dump().decode()])
        )

    def of_sources(self, names: Collection[str]) -> History:
        """Give the part over some of the sources."""
        kept = {name: each for name, each in self.features.items() if each.source in names}
        return _checked({name: each for name, each in self.sources.items() if name in names}, kept, self.wheres)

    def dump(self) -> bytes:
        """Write it as JSON, for `load_history`; reading it back parses no expression."""
        return msgspec.json.encode(_Stored(sources=self.sources, features=self.features, wheres=self.wheres))


class _Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sources: dict[str, Source]
    features: dict[str, HistoryFeature]
    wheres: dict[str, Where]


def load_history(stored: bytes) -> History:
    """Read what `History.dump` wrote, and check it as a declaration is checked.

    Raises
    ------
    IntegrityError
        ``features.not-a-tree`` when it is something else; SpecError as `declare_history`.
    """
    try:
        found = msgspec.json.decode(stored, type=_Stored)
    except (msgspec.DecodeError, RecursionError) as err:
        raise IntegrityError(
            "features.not-a-tree",
            f"the stored history features cannot be read: {err}",
            expected="features as `History.dump` wrote them",
            fix="make the release again from martello.toml",
        ) from err
    return _checked(found.sources, found.features, found.wheres)


def declare_history(sources: Mapping[str, Source], features: Mapping[str, HistoryFeature]) -> History:
    """Check declarations against each other and bring them into groups.

    Raises
    ------
    SpecError
        All faults at once: ``features.unknown-source``, ``features.unknown-aggregate``,
        ``features.window-unbounded``, ``features.aggregate-arguments``, ``features.unknown-name``, or those of an
        expression in `where`.

    Examples
    --------
    >>> opens = Source(
    ...     table="opens", id="open_id", key=("user_id",), time="opened_at",
    ...     columns={"open_id": "integer", "user_id": "category", "opened_at": "time"},
    ... )
    >>> week = HistoryFeature(source="opens", agg="count", window="7d")
    >>> history = declare_history({"opens": opens}, {"opens_7d": week})
    >>> history.types
    {'opens_7d': ('integer', True)}
    >>> [finding.code for finding in history.findings]
    ['features.no-arrival-clock']
    """
    return _checked(sources, features, None)


def _checked(
    sources: Mapping[str, Source], features: Mapping[str, HistoryFeature], wheres: Mapping[str, Where] | None
) -> History:
    """Check everything; conditions are read from the texts, or taken as they were read before."""
    faults = [fault for name, source in sources.items() for fault in source_faults(name, source)]
    read: dict[str, Where] = {}
    groups: dict[tuple[object, ...], Group] = {}
    for name, feature in features.items():
        found = list(feature_faults(name, feature, sources))
        faults.extend(found)
        if found or faults:
            continue
        try:
            if feature.where:
                read[name] = _read(name, feature.where) if wheres is None else wheres.get(name, Where())
            _sort_in(groups, name, feature, sources[feature.source], read.get(name, Where()))
        except SpecError as fault:
            faults.append(fault)
    if faults:
        faults[0].others = tuple(faults[1:])
        raise faults[0]
    return History(
        sources=dict(sources),
        features=dict(features),
        wheres=read,
        groups=tuple(groups.values()),
        findings=tuple(_no_clock(name, source) for name, source in sources.items() if source.known_at is None),
    )


def _sort_in(
    groups: dict[tuple[object, ...], Group], name: str, feature: HistoryFeature, source: Source, where: Where
) -> None:
    """Add a feature to the group over its events, or begin one."""
    conditions = _conditions(name, feature, source, where)
    key = tuple({**{column: column for column in source.key}, **where.bound}.items())
    identity = (feature.source, key, tuple(each.node for each in conditions))
    earlier = groups.get(identity)
    groups[identity] = Group(
        name=earlier.name if earlier else f"g{len(groups)}",
        source_name=feature.source,
        source=source,
        key=key,
        conditions=conditions,
        features={**(earlier.features if earlier else {}), name: feature},
    )


def _read(name: str, text: str) -> Where:
    """Read `where`: what must hold of an event, and which of its columns equals what the request gives."""
    # SQLGlot is needed to declare, not to serve.
    from martello.features.expressions.parse import conjuncts

    nodes, bound = conjuncts(text, Place(name, text))
    return Where(trees=tuple(map(to_json, nodes)), bound=bound)


def _conditions(name: str, feature: HistoryFeature, source: Source, where: Where) -> tuple[Checked, ...]:
    """Check what must hold of an event against the columns of its source."""
    for column in where.bound:
        if column not in source.columns:
            raise unknown_column(name, column, source.columns)
    types = {column: (str(kind), True) for column, kind in source.columns.items()}
    checked = tuple(check(from_json(tree), types, {}, Place(name)) for tree in where.trees)
    for each in checked:
        if each.type != "boolean":
            raise wrong_arguments(name, f"where of {name} is no condition", "conditions on the columns of the events")
    return checked


def _type_of(feature: HistoryFeature, source: Source) -> str:
    if feature.agg in ("count", "distinct_count"):
        return "integer"
    if feature.agg in ("sum", "mean", "rate"):
        return "number"
    kind = source.columns[feature.value or source.clock]
    return f"list[{'text' if kind == 'category' else kind}]" if feature.agg == "last_k" else kind


def _no_clock(name: str, source: Source) -> Finding:
    return Finding(
        code="features.no-arrival-clock",
        what=f"source {name} does not say when an event became known (known_at), so training may count events that "
        f"serving had not received yet. What that costs grows with the delay: simulated, with a minute of delay one "
        f"count in ten differs for a decision made in the ten minutes after an event; with a nightly load, nearly all.",
        severity="warning",
        columns=(source.time,),
    )
