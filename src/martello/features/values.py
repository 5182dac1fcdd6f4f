"""The one way from a raw value to a typed value, used row by row in serving and column by column in training.

A `Reader` is made from the declared inputs; it holds one function per input, so that a JSON request and a training
table cannot disagree on what a value means. The functions themselves are `convert`; where raw values come from is not
its business: tables are brought into plain Python values by `source`, requests by the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from martello.errors import DataError, nearest
from martello.features.convert import EXPECTED, LONGEST_TEXT, Convert, Refused, TypedValue, converter
from martello.records import content_id
from martello.spec.schema import Field

__all__ = ["RULES_VERSION", "Reader"]

#: Raised whenever a raw value would be read differently from before; part of `Reader.definition`.
RULES_VERSION = 1

#: Faults named at once; a request of a million unknown fields is not answered field by field.
_MOST_FAULTS = 20


class Reader:
    """Read raw values as the declared types.

    Parameters
    ----------
    fields
        The declared inputs.
    missing
        Texts that mean "no value" for every type but text; the empty text always means it.

    Examples
    --------
    >>> reader = Reader((Field(name="age", type="integer"), Field(name="job", type="category", optional=True)), ("?",))
    >>> reader.read({"age": 39, "job": "?"})
    {'age': 39, 'job': None}
    >>> reader.read_columns({"age": [39, 50], "job": ["clerk", None]}, ["a", "b"])
    {'age': [39, 50], 'job': ['clerk', None]}
    """

    def __init__(self, fields: tuple[Field, ...], missing: tuple[str, ...] = ()) -> None:
        self.fields = fields
        self.missing = missing
        absent = frozenset(missing) | {""}
        self._plan = tuple((field.name, converter(field.type, absent), field.optional) for field in fields)
        self._names = frozenset(field.name for field in fields)

    @property
    def definition(self) -> str:
        """Hash of the declarations and of the rules' version: equal definitions read every value alike."""
        declared = [(field.name, field.type, field.optional) for field in self.fields]
        return content_id("definition", msgspec.json.encode([RULES_VERSION, declared, sorted(set(self.missing))]))

    def read(self, record: Mapping[str, object]) -> dict[str, TypedValue]:
        """Read one JSON object.

        Raises
        ------
        DataError
            ``features.missing-field``, ``features.unknown-field``, ``features.wrong-type``, ``features.not-finite`` or
            ``features.text-too-long``: the first fault, with the rest in `others`.
        """
        values: dict[str, TypedValue] = {}
        try:
            for name, convert, optional in self._plan:
                raw = record.get(name)
                value = None if raw is None else convert(raw)
                if value is None and not optional:
                    raise Refused("features.missing-field")
                values[name] = value
        except Refused:
            raise _all_of(self._faults_of(record)) from None
        if not self._names.issuperset(record):
            raise _all_of(self._faults_of(record))
        return values

    def _faults_of(self, record: Mapping[str, object]) -> Iterable[DataError]:
        """Go through a record again, slowly, and name everything that is wrong with it."""
        for field, (name, convert, _) in zip(self.fields, self._plan, strict=True):
            code = _refusal(convert, record.get(name), field)
            if code:
                yield _fault(code, field, record.get(name), where=f"field {name}")
        for name in record:
            if name not in self._names:
                yield _unknown(name, self._names)

    def read_columns(
        self, columns: Mapping[str, Sequence[object]], units: Sequence[str]
    ) -> dict[str, list[TypedValue]]:
        """Read whole columns with the same functions as `read`.

        Parameters
        ----------
        columns
            Raw values by field name, each as long as `units`.
        units
            Names of the rows, for the faults.

        Raises
        ------
        DataError
            As `read`; each fault names the column, the first unit it was seen in, and how many there are.
        """
        faults = [_unknown(name, self._names) for name in columns if name not in self._names]
        typed: dict[str, list[TypedValue]] = {}
        for field, (name, convert, optional) in zip(self.fields, self._plan, strict=True):
            if name not in columns:
                if not optional:
                    faults.append(_fault("features.missing-field", field, None, where=f"column {name}"))
                typed[name] = [None] * len(units)
                continue
            try:
                values = [None if raw is None else convert(raw) for raw in columns[name]]
            except Refused:
                values = None
            if values is None or (not optional and None in values):
                faults.extend(_column_faults(field, convert, columns[name], units))
            else:
                typed[name] = values
        if faults:
            raise _all_of(faults)
        return typed


def _refusal(convert: Convert, raw: object, field: Field) -> str | None:
    """Give the code of what is wrong with one raw value, or None."""
    try:
        value = None if raw is None else convert(raw)
    except Refused as refused:
        return refused.code
    return "features.missing-field" if value is None and not field.optional else None


def _column_faults(
    field: Field, convert: Convert, column: Sequence[object], units: Sequence[str]
) -> Iterable[DataError]:
    """Name each kind of fault of a column once, with its first unit and its count."""
    seen: dict[str, list[int]] = {}
    for position, raw in enumerate(column):
        code = _refusal(convert, raw, field)
        if code:
            seen.setdefault(code, []).append(position)
    for code, positions in seen.items():
        where = f"column {field.name}, unit {units[positions[0]]}"
        yield _fault(code, field, column[positions[0]], where=where, count=len(positions))


def _all_of(faults: Iterable[DataError]) -> DataError:
    """Make the first fault carry the others, as many as a person will read."""
    first, *others = islice(faults, _MOST_FAULTS)
    first.others = tuple(others)
    return first


def _fault(code: str, field: Field, raw: object, *, where: str, count: int = 1) -> DataError:
    """Say what is wrong with a value of a field, and in how many units."""
    times = f" ({count:,} units)" if count > 1 else ""
    if code == "features.missing-field":
        return DataError(
            "features.missing-field",
            f"{field.name} has no value{times}",
            where=where,
            expected=EXPECTED[field.type],
            fix=f"give {field.name}, or declare it with optional = true",
        )
    if code == "features.not-finite":
        return DataError(
            "features.not-finite",
            f"{field.name} is {_shown(raw)}, not a finite number{times}",
            where=where,
            expected=EXPECTED[field.type],
            fix="leave the value out where it is not known",
        )
    if code == "features.text-too-long":
        return DataError(
            "features.text-too-long",
            f"{field.name} has more than {LONGEST_TEXT:,} characters{times}",
            where=where,
            expected=f"at most {LONGEST_TEXT:,} characters",
            fix="shorten the text before it is sent",
        )
    return DataError(
        "features.wrong-type",
        f"{field.name} is {_shown(raw)}, not of type {field.type}{times}",
        where=where,
        expected=EXPECTED[field.type],
        fix=f"send {EXPECTED[field.type]}, or declare another type for {field.name}",
    )


def _unknown(name: str, known: Iterable[str]) -> DataError:
    """Say that nobody declared this field."""
    near = nearest(str(name), sorted(known))
    return DataError(
        "features.unknown-field",
        f"{_shown(name)} is not a declared input",
        where=f"field {str(name)[:80]}",
        expected="one of: " + ", ".join(sorted(known)),
        fix=f"did you mean {near}?" if near else "leave it out",
    )


def _shown(raw: object) -> str:
    """Show a raw value in at most forty characters."""
    text = f'"{raw}"' if isinstance(raw, str) else str(raw)
    return text if len(text) <= 40 else text[:37] + "..."
