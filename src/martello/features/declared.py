"""All features of a task as one value: what is looked up, what is computed from it, what the model sees.

Made from the tables of `martello.toml`, stored in a release as JSON, and read back there without a parser. History is
`history`, expressions are `expressions`; what joins them for a table is `table`, for a request `online`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from martello.errors import IntegrityError, SpecError, nearest
from martello.features.expressions.declare import NOW, Declaration, declare
from martello.features.history.declare import History, declare_history, load_history
from martello.features.history.shapes import HistoryFeature
from martello.features.history.shapes import Source as EventSource
from martello.records import content_id
from martello.spec.schema import FIELD_TYPES, Feature, Field, Source

__all__ = ["DeclaredFeatures", "declare_features"]

_TEXTS = ("category", "text")
# Columns beside the keys in the table of moments.
_RESERVED = ("row", "now")


class DeclaredFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """The features of a task, checked.

    Attributes
    ----------
    history, row
        What is aggregated from events, and what is computed from inputs, history and other features.
    names
        All features, in the order of the file.
    seen
        Those that the model sees: not those for other features alone, and no lists.
    """

    history: History
    row: Declaration
    names: tuple[str, ...]
    seen: tuple[str, ...]

    @property
    def types(self) -> dict[str, tuple[str, bool]]:
        """Give type and "may be null" of every feature, in the order of the file."""
        found = self.history.types | {each.name: (each.type, each.optional) for each in self.row.features}
        return {name: found[name] for name in self.names}

    @property
    def uses_now(self) -> bool:
        """Say whether any value depends on the moment of the decision."""
        return bool(self.history.groups) or any(each.name == NOW for each in self.row.inputs)

    def model_fields(self, inputs: tuple[Field, ...]) -> tuple[Field, ...]:
        """Give what the model sees: inputs, then features, each with its type."""
        types = self.types
        features = (Field(name=name, type=types[name][0], optional=types[name][1]) for name in self.seen)  # type: ignore[arg-type]
        return (*(field for field in inputs if not field.feature_only), *features)

    def definition(self, inputs: str) -> str:
        """Hash of everything that decides what the model sees, given the hash of how inputs are read."""
        parts = [inputs, self.history.definition, self.row.definition, self.seen]
        return content_id("definition", msgspec.json.encode(parts))

    def dump(self) -> bytes:
        """Write it as JSON, for a release; reading it back parses no expression."""
        stored = _Stored(
            history=msgspec.Raw(self.history.dump()),
            row=msgspec.Raw(self.row.dump()),
            names=self.names,
            seen=self.seen,
        )
        return msgspec.json.format(msgspec.json.encode(stored), indent=1) + b"\n"

    @classmethod
    def load(cls, stored: bytes) -> DeclaredFeatures:
        """Read what `dump` wrote, and check it as a declaration is checked.

        Raises
        ------
        IntegrityError
            ``features.not-a-tree`` when it is something else; SpecError as `declare_history`.
        """
        try:
            found = msgspec.json.decode(stored, type=_Stored)
        except (msgspec.DecodeError, RecursionError) as err:
            raise _not_declared(str(err)) from err
        history, row = load_history(bytes(found.history)), Declaration.load(bytes(found.row))
        declared = cls(history=history, row=row, names=found.names, seen=found.seen)
        there = [*history.features, *(each.name for each in row.features)]
        if sorted(found.names) != sorted(there) or not set(found.seen) <= set(there):
            raise _not_declared("names and features differ")
        return declared


class _Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    history: msgspec.Raw
    row: msgspec.Raw
    names: tuple[str, ...]
    seen: tuple[str, ...]


def declare_features(
    inputs: tuple[Field, ...], sources: tuple[Source, ...], features: tuple[Feature, ...]
) -> DeclaredFeatures:
    """Check the features of a task against its inputs and sources.

    Raises
    ------
    SpecError
        All faults of history at once, else all faults of expressions: those of `declare_history` and `declare`, and
        ``features.key-not-input`` when a request does not say whom the events concern.

    Examples
    --------
    >>> declared = declare_features(
    ...     (Field(name="title", type="text"),), (), (Feature(name="n", expression="length(title)"),)
    ... )
    >>> declared.model_fields((Field(name="title", type="text"),))[1].type
    'integer'
    >>> DeclaredFeatures.load(declared.dump()) == declared
    True
    """
    history = declare_history(
        {each.name: _event_source(each) for each in sources},
        {each.name: _history_feature(each) for each in features if each.expression is None},
    )
    faults = list(_key_faults(history, {field.name: field for field in inputs}))
    if faults:
        faults[0].others = tuple(faults[1:])
        raise faults[0]
    row = declare(
        {each.name: each.expression for each in features if each.expression is not None},
        {field.name: (field.type, field.optional) for field in inputs} | history.types,
    )
    types = history.types | {each.name: (each.type, each.optional) for each in row.features}
    return DeclaredFeatures(
        history=history,
        row=row,
        names=tuple(each.name for each in features),
        seen=tuple(each.name for each in features if not each.feature_only and types[each.name][0] in FIELD_TYPES),
    )


def _event_source(source: Source) -> EventSource:
    return EventSource(
        table=source.table,
        id=source.id,
        key=source.key,
        time=source.time,
        known_at=source.known_at,
        columns=source.columns,
    )


def _history_feature(feature: Feature) -> HistoryFeature:
    return HistoryFeature(
        source=feature.source or "",
        agg=feature.agg or "",
        value=feature.value,
        window=feature.window,
        where=feature.where,
        k=feature.k,
    )


def _key_faults(history: History, inputs: dict[str, Field]) -> Iterator[SpecError]:
    """See that a request says whom the events concern, in the type the events have."""
    told = set()
    for group in history.groups:
        for column, name in group.key:
            kind = group.source.columns[column]
            given = inputs.get(name)
            fits = given is not None and (given.type == kind or (given.type in _TEXTS and kind in _TEXTS))
            fits = fits and name not in _RESERVED
            if fits or (name, kind) in told:
                continue
            told.add((name, kind))
            near = nearest(name, inputs)
            yield SpecError(
                "features.key-not-input",
                f"source {group.source_name} is looked up by {name}, "
                + ("which is no input" if given is None else f"which is an input of type {given.type}"),
                where=f"feature {next(iter(group.features))}",
                expected=f"an input of type {kind}, called neither {' nor '.join(_RESERVED)}",
                fix=f"did you mean {near}?"
                if near and given is None
                else f'{name} = {{ type = "{kind}", feature_only = true }}, under [input]',
            )


def _not_declared(why: str) -> IntegrityError:
    return IntegrityError(
        "features.not-a-tree",
        f"the stored features cannot be read: {why}",
        expected="features as `DeclaredFeatures.dump` wrote them",
        fix="make the release again from martello.toml",
    )
