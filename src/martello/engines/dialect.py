"""The SQL that differs by engine, and what a stored value means as a declared type, which does not.

A `Dialect` writes SQL text and runs nothing. The rules of reading stand here once, in portable SQL; an engine fills in
the few forms that engines write differently. What counts as a number, a whole number, yes or no, or a moment is decided
by a pattern and not by an engine's own parser, so that one table gives the same values everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

__all__ = ["Dialect", "Kind", "literal", "quote"]

#: Families of stored types: `moment` has no time zone and is taken as UTC, `zoned` has one.
Kind = Literal["text", "integer", "float", "decimal", "boolean", "date", "moment", "zoned", "other"]

# More digits of an exponent are beyond every double.
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?0*[0-9]{1,3})?"
_WHOLE = r"[+-]?[0-9]+(\.0*)?"  # with ".0", as files write integers that have gaps
_DATE = (
    r"([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    r"|02-(0[1-9]|1[0-9]|2[0-8]))"
    r"|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
)
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
_ZONE = r"(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
_MOMENT = f"{_DATE}([T ]{_CLOCK}{_ZONE}?)?"
_SPACES = "' \t\n\r'"
_NO_VALUE = {
    "number": "CAST(NULL AS DOUBLE PRECISION)",
    "integer": "CAST(NULL AS BIGINT)",
    "boolean": "CAST(NULL AS BOOLEAN)",
    "time": "CAST(NULL AS TIMESTAMP)",
}


def quote(name: str) -> str:
    """Write a column name as a SQL identifier.

    Examples
    --------
    >>> quote('Recommended "IND"')
    '"Recommended ""IND\"""'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Write a text as a SQL literal.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


class Dialect(ABC):
    """How an engine writes the SQL that is not portable; every value goes in and out as SQL text."""

    @abstractmethod
    def kind(self, stored: str) -> Kind:
        """Give the family of one of the engine's type names."""

    @abstractmethod
    def matches(self, text: str, pattern: str) -> str:
        """Write whether the whole of a text has the form of a regular expression."""

    @abstractmethod
    def text(self, value: str, kind: Kind) -> str:
        """Write a value as text: the same letters on every engine, in an order of bytes."""

    @abstractmethod
    def is_nan(self, value: str) -> str:
        """Write whether a float is not a number."""

    @abstractmethod
    def double(self, text: str) -> str:
        """Write a number of a text that has the form of one; null beyond the largest."""

    @abstractmethod
    def long(self, value: str) -> str:
        """Write the 64-bit integer of an integer, or of a text that has the form of a whole number; null beyond."""

    @abstractmethod
    def stamp(self, value: str, kind: Kind) -> str:
        """Write a date, moment or text of one as a timestamp in UTC; null where infinite."""

    @abstractmethod
    def micros(self, stamp: str) -> str:
        """Write the microseconds since 1970 of a timestamp in UTC."""

    @abstractmethod
    def fingerprint(self, columns: tuple[str, ...]) -> str:
        """Write the aggregate, as text, of the engine's own hash of these columns: free of the order of rows."""

    def shown(self, value: str, kind: Kind) -> str:
        """Write a stored value as it is given to a person."""
        return value

    def present(self, value: str, kind: Kind, declared: str, missing: tuple[str, ...]) -> str:
        """Write a stored value that is null where the source says "no value"."""
        if kind == "float":
            return f"(CASE WHEN {self.is_nan(value)} THEN NULL ELSE {value} END)"  # Parquet says "missing" with NaN
        if kind == "text":
            value = self.text(value, kind)
            for marker in missing:
                value = f"nullif({value}, {literal(marker)})"
            if declared not in ("category", "text"):
                value = f"nullif(trim({value}, {_SPACES}), '')"
        return value

    def cast(self, value: str, kind: Kind, declared: str) -> str:
        """Write a present value as its declared type; null where it does not read as one."""
        if declared in ("category", "text"):
            return self.text(value, kind)
        if kind == "decimal" and declared in ("number", "integer"):  # by its digits: engines divide differently
            value, kind = self.text(value, kind), "text"
        read = {"number": self._number, "integer": self._integer, "boolean": self._boolean, "time": self._time}
        return read[declared](value, kind) or _NO_VALUE[declared]

    def order(self, value: str, kind: Kind) -> str:
        """Write the number by which units are ordered in time: microseconds, or an integer as it stands."""
        return self.long(value) if kind == "integer" else self.micros(self.cast(value, kind, "time"))

    def _number(self, value: str, kind: Kind) -> str | None:
        match kind:
            case "float" | "integer":
                return f"CAST({value} AS DOUBLE PRECISION)"
            case "boolean":
                return f"CAST(CAST({value} AS INTEGER) AS DOUBLE PRECISION)"
            case "text":
                return f"(CASE WHEN {self.matches(value, _NUMBER)} THEN {self.double(value)} END)"
            case _:
                return None

    def _integer(self, value: str, kind: Kind) -> str | None:
        match kind:
            case "integer":
                return self.long(value)
            case "boolean":
                return f"CAST(CAST({value} AS INTEGER) AS BIGINT)"
            case "float":  # a plain cast would round 3.7 to 4; only whole numbers are integers
                fits = f"{value} = floor({value}) AND {value} >= -9223372036854775808 AND {value} < 9223372036854775808"
                return f"(CASE WHEN {fits} THEN CAST({value} AS BIGINT) END)"
            case "text":
                return f"(CASE WHEN {self.matches(value, _WHOLE)} THEN {self.long(value)} END)"
            case _:
                return None

    def _boolean(self, value: str, kind: Kind) -> str | None:
        match kind:
            case "boolean":
                return value
            case "integer" | "float" | "decimal":
                return f"(CASE WHEN {value} = 1 THEN TRUE WHEN {value} = 0 THEN FALSE END)"
            case "text":
                return (
                    f"(CASE WHEN lower({value}) IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
                    f"WHEN lower({value}) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END)"
                )
            case _:
                return None

    def _time(self, value: str, kind: Kind) -> str | None:
        match kind:
            case "date" | "moment" | "zoned":
                return self.stamp(value, kind)
            case "text":
                is_moment = f"{self.matches(value, _MOMENT)} AND {value} NOT LIKE '0000%'"
                # Seconds where they are left out, and no more than microseconds.
                whole = f"regexp_replace({value}, '^(.{{16}})(Z|[+-]|$)', '\\1:00\\2')"
                whole = f"regexp_replace({whole}, '(\\.[0-9]{{6}})[0-9]+', '\\1')"
                return f"(CASE WHEN {is_moment} THEN {self.stamp(whole, kind)} END)"
            case _:  # an integer is an order, not a moment
                return None
