"""Which column of a flat file is which value of an answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from martello.errors import DataError, nearest
from martello.label.formats.raw import FIELDS

__all__ = ["OWN_NAMES", "chosen_columns"]

#: What a value is called in files of other tools, where nothing else is said.
OWN_NAMES = {"at": ("at", "updated_at"), "seconds": ("seconds", "lead_time")}
_NEEDED = ("unit", "annotator", "answer")


def chosen_columns(
    there: Collection[str], columns: Mapping[str, str], *, file: str, is_authored: bool
) -> dict[str, str]:
    """Give the column of each value that a file has, by the names of `AnswerRow`.

    Parameters
    ----------
    there
        Names of the file's columns.
    columns
        Which column holds which value, where it has another name.
    file
        For the error.
    is_authored
        Whether the annotator is known without a column.

    Raises
    ------
    DataError
        ``data.no-such-column``.
    """
    chosen = {}
    for field in FIELDS:
        names = (columns[field],) if field in columns else OWN_NAMES.get(field, (field,))
        found = next((name for name in names if name in there), None)
        if found is not None:
            chosen[field] = found
        elif field in columns or (field in _NEEDED and not (field == "annotator" and is_authored)):
            raise _missing(field, names[0], there, file)
    return chosen


def _missing(field: str, name: str, there: Collection[str], file: str) -> DataError:
    option = "--label" if field == "answer" else f"--{field}"
    near = nearest(name, there)
    return DataError(
        "data.no-such-column",
        f"{file} has no column {name!r}, which would hold the {field}",
        where=file,
        expected="one of " + ", ".join(list(there)[:12]),
        fix=f"{option} {near}" if near else f"name the column with {option}",
    )
