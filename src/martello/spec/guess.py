"""What the counts of `look` suggest: which column names, ties or orders units, goes in, or stays out, and why.

Every guess carries its reason in words, for the comments of the draft. It decides nothing: a person reads the draft.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from martello.spec.known_afterwards import looks_known_afterwards, name_words
from martello.spec.look import ColumnFacts, SourceFacts

__all__ = ["Guesses", "InputGuess", "guess_columns", "guess_positive"]

_UNIT_WORDS = frozenset(("id", "ids", "uuid", "guid", "identifier", "key", "pk", "index", "email"))
_GROUP_WORDS = frozenset(("id", "ids", "uuid", "guid", "identifier", "email"))
_ORDER_WORDS = frozenset(("order", "seq", "sequence", "step", "ordinal", "time", "timestamp", "ts", "epoch"))
_SPLIT_WORDS = frozenset(("split", "fold", "partition", "subset", "train", "holdout"))
_FUSED_ID = re.compile(r"(?:customer|user|client|account|person|patient|member|employee|order|session|case|product)id")
# Fewer things than this that repeat are a category, not groups that could be divided among train, dev and gold.
_MIN_GROUPS = 10
_MAX_SPLITS = 10
_MIN_ROWS_FOR_NAMES = 20
_LONGEST_NAME = 200
_YES_AND_NO = (("yes", "no"), ("true", "false"), ("1", "0"), ("1.0", "0.0"), ("y", "n"), ("t", "f"), ("1", "-1"))


class InputGuess(NamedTuple):
    """One line of `[input]`."""

    name: str
    type: str
    is_optional: bool
    suspicion: str | None  # why its name looks like a leak
    remarks: tuple[str, ...]


class Guesses(NamedTuple):
    """Roles of columns by name, each with its reason."""

    unit: tuple[str, str] | None
    group: tuple[str, str] | None
    time: tuple[str, str] | None
    inputs: tuple[InputGuess, ...]
    left_out: tuple[tuple[str, str], ...]


def guess_columns(facts: SourceFacts, label: str) -> Guesses:
    """Give each column but the label a role, or a reason to leave it out."""
    columns = [column for column in facts.columns if column.name != label and _has_plain_name(column)]
    unit, group, time = _guess_unit(columns), _guess_group(columns), _guess_time(columns)
    taken = {role[0] for role in (unit, group, time) if role}
    rest = [column for column in facts.columns if column.name not in {*taken, label}]
    reasons = {column.name: _why_left_out(column) for column in rest}
    if all(reasons.values()):
        # Texts that look like names are all there is: then they are what the task is about.
        reasons.update({column.name: None for column in rest if _reads_like_names(column) and column.copy_of is None})
    return Guesses(
        unit,
        group,
        time,
        tuple(_guess_input(column) for column in rest if reasons[column.name] is None),
        tuple((name, why) for name, why in reasons.items() if why),
    )


def guess_positive(labels: tuple[tuple[str, int], ...]) -> tuple[str, str]:
    """Give which of two answers counts as yes, and why.

    Examples
    --------
    >>> guess_positive((("No", 73), ("Yes", 27)))
    ('Yes', 'it reads as yes')
    >>> guess_positive((("1", 700), ("2", 300)))
    ('2', 'it is the rarer of the two')
    """
    known = {value.strip().lower(): value for value, _ in labels}
    for yes, no in _YES_AND_NO:
        if {yes, no} == set(known):
            return known[yes], "it reads as yes"
    return labels[-1][0], "it is the rarer of the two"


def _has_plain_name(column: ColumnFacts) -> bool:
    return 0 < len(column.name) <= _LONGEST_NAME


def _names_something(name: str, words: frozenset[str]) -> bool:
    return bool(words.intersection(name_words(name))) or _FUSED_ID.fullmatch(name.lower()) is not None


def _can_be_key(column: ColumnFacts) -> bool:
    return column.family == "integer" or (column.family == "text" and column.mean_words < 2)


def _guess_unit(columns: list[ColumnFacts]) -> tuple[str, str] | None:
    unique = [column for column in columns if column.is_unique and _can_be_key(column)]
    for column in unique:
        if _names_something(column.name, _UNIT_WORDS):
            return column.name, "no two rows share a value, and the name reads like a key"
    for column in unique:
        if column.is_running:
            return column.name, "no two rows share a value, and it counts up through the file"
    return None


def _guess_group(columns: list[ColumnFacts]) -> tuple[str, str] | None:
    for column in columns:
        if _ties_units(column):
            n = f"{column.n_distinct:,}"
            return column.name, f"the name reads like a key, and {n} values repeat over {column.n_rows:,} rows"
    return None


def _ties_units(column: ColumnFacts) -> bool:
    return (
        _can_be_key(column)
        and _names_something(column.name, _GROUP_WORDS)
        and column.n_missing == 0
        and _MIN_GROUPS <= column.n_distinct < column.n_rows
    )


def _guess_time(columns: list[ColumnFacts]) -> tuple[str, str] | None:
    whole = [column for column in columns if column.n_missing == 0 and column.n_distinct > 1]
    for column in whole:
        if column.family == "time" and looks_known_afterwards(column.name) is None:
            return column.name, "it holds a time in every row"
    for column in whole:
        if column.is_running and _names_something(column.name, _ORDER_WORDS) and not _ties_units(column):
            return column.name, "it counts up through the file, and the name reads like an order"
    return None


def _why_left_out(column: ColumnFacts) -> str | None:
    """Say why a column should not go in; None when it may."""
    return next(_reasons(column), None)


def _reasons(column: ColumnFacts) -> Iterator[str]:
    if column.n_distinct == 0:
        yield "it has no value at all"
    if column.n_distinct == 1 and column.n_missing == 0:
        yield "it has the same value in every row"
    if not _has_plain_name(column):
        yield f"its name is empty or longer than {_LONGEST_NAME} characters"
    if column.family == "other":
        yield "its values are not numbers, texts, booleans or times"
    if not column.is_rfc3339 and column.family == "time":
        yield "its times have no seconds; an input is written like 2026-03-01T12:00:00Z"
    if column.gives_label_away:
        yield "it gives the answer away: each of its values goes with one answer only"
    if column.copy_of is not None:
        yield f"it is an exact copy of {column.copy_of}"
    if column.is_unique and _can_be_key(column) and _names_something(column.name, _UNIT_WORDS):
        yield "it names one row each, which says nothing about the next"
    if _ties_units(column):
        yield "it names things that repeat; it could be a group instead"
    if _reads_like_names(column):
        yield "every value is another one, as with names or codes"
    if _divides_rows(column):
        yield "it says how someone divided the rows before; a new unit has no such value"


def _reads_like_names(column: ColumnFacts) -> bool:
    is_all_different = column.n_distinct == column.n_present >= _MIN_ROWS_FOR_NAMES
    return column.family == "text" and is_all_different and column.mean_words < 4


def _divides_rows(column: ColumnFacts) -> bool:
    return bool(_SPLIT_WORDS.intersection(name_words(column.name))) and column.n_distinct <= _MAX_SPLITS


def _guess_input(column: ColumnFacts) -> InputGuess:
    type_ = _text_or_category(column) if column.family == "text" else column.family
    suspicion = looks_known_afterwards(column.name)
    return InputGuess(column.name, type_, column.n_missing > 0, suspicion, tuple(_remarks(column)))


def _text_or_category(column: ColumnFacts) -> str:
    """Tell sentences from names of things: sentences have many words and seldom repeat."""
    rows_per_value = column.n_present / max(column.n_distinct, 1)
    if column.n_distinct <= 20:
        return "text" if column.mean_words >= 5 and rows_per_value < 2 else "category"
    is_sentence = column.mean_words >= 4 and rows_per_value < 10
    return "text" if is_sentence or rows_per_value < 2 else "category"


def _remarks(column: ColumnFacts) -> Iterator[str]:
    if column.n_missing:
        yield f"missing in {column.n_missing:,} of {column.n_rows:,} rows"
    if column.n_infinite:
        yield f"{column.n_infinite:,} infinite values, which will be refused"
