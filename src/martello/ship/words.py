"""Numbers in plain words: how a share, an interval or a missing number reads to somebody who is not in the field.

Percent lives here and on screens only; records hold shares in [0, 1]. Cards, gate, report and terminal use these words,
so a number reads the same everywhere. Nothing here computes a statistic.
"""

from __future__ import annotations

from collections.abc import Iterable

from martello.records import Measure
from martello.stats.estimate import NotEstimable

__all__ = [
    "count",
    "is_share",
    "join",
    "meaning",
    "name_of",
    "percent",
    "say",
    "say_between",
    "say_compact",
    "say_short",
]

#: Metric -> (how it is called, what it means to a reader). A metric that is not listed is called by its own name.
_METRICS: dict[str, tuple[str, str]] = {
    "precision": ("precision", "of what it flags, the share that is right"),
    "recall": ("recall", "of all cases, the share it finds"),
    "positive_rate": ("share flagged", "of all units, the share it flags"),
    "flagged_share": ("share flagged", "of all units, the share it flags"),
    "specificity": ("specificity", "of all non-cases, the share it leaves alone"),
    "f1": ("F1", "one number for precision and recall together; 100 % is best"),
    "accuracy": ("share right", "of all answers, the share that is right"),
    "macro_precision": (
        "mean precision of classes",
        "of its answers the share that is right, every class counting the same",
    ),
    "macro_recall": ("mean recall of classes", "of each class the share it finds, every class counting the same"),
    "macro_f1": ("mean F1 of classes", "precision and recall together, every class counting the same; 100 % is best"),
    "average_precision": ("average precision", "quality of the ranking, over all thresholds; 1 is best"),
    "roc_auc": ("AUC", "chance that a case scores above a non-case; 0.5 is a coin, 1 is best"),
    "log_loss": ("log loss", "how surprised the score is by what is true; 0 is best"),
    "brier_score": ("Brier score", "mean squared error of the score; 0 is best"),
    "calibration_error": ("calibration error", "mean distance between score and what happens; 0 is best"),
    "gain_over_constant": (
        "gain over the constant rule",
        "log loss of the constant rule minus ours; above 0 is better",
    ),
}
_SHARES = frozenset(
    {"precision", "recall", "positive_rate", "flagged_share", "specificity", "f1", "accuracy"}
    | {"macro_precision", "macro_recall", "macro_f1"}
)
#: Gains in log loss are small; three decimals would hide them.
_FINE = frozenset({"gain"})
#: An interval narrower than this many percentage points is written with a decimal.
_NARROW = 2.0


def count(n: int, thing: str = "", things: str = "") -> str:
    """Give a whole number with thousands set off, and its noun.

    Examples
    --------
    >>> count(48842), count(1, "unit"), count(3, "class", "classes")
    ('48,842', '1 unit', '3 classes')
    """
    noun = thing if n == 1 else (things or (f"{thing}s" if thing else ""))
    return f"{n:,} {noun}".strip()


def percent(share: float, digits: int = 0) -> str:
    """Give a share as percent, never rounded to a certainty it is not.

    Examples
    --------
    >>> percent(0.8312), percent(0.8312, 1), percent(0.0004), percent(0.9999), percent(1.0)
    ('83 %', '83.1 %', 'under 1 %', 'over 99 %', '100 %')
    """
    shown = f"{100 * share:.{digits}f}"
    smallest = f"{10.0**-digits:.{digits}f}"
    if 0 < share < 1 and float(shown) == 0:
        return f"under {smallest} %"
    if 0 < share < 1 and float(shown) == 100:
        return f"over {100 - float(smallest):.{digits}f} %"
    return f"{shown} %"


def is_share(metric: str) -> bool:
    """Tell whether a metric is read in percent."""
    return metric in _SHARES or metric.endswith("_share")


def name_of(metric: str) -> str:
    """Give the name a metric goes by in prose."""
    return _METRICS.get(metric, (metric.replace("_", " "), ""))[0]


def meaning(metric: str) -> str:
    """Say what a metric means, in a few words; empty for a metric this page does not know."""
    return _METRICS.get(metric, ("", ""))[1]


def _decimal(value: float, metric: str) -> str:
    return f"{value:.{4 if metric in _FINE else 3}f}".replace("-", "−")


def _digits(low: float, high: float) -> int:
    return 0 if 100 * (high - low) >= _NARROW else 1


def say_between(measure: Measure, metric: str = "precision", digits: int | None = None) -> str:
    """Give the interval of a measure, or why there is none.

    Examples
    --------
    >>> from martello.stats.estimate import Estimate
    >>> say_between(Estimate(value=0.83, low=0.81, high=0.86, level=0.95, n=9, method="exact"))
    'between 81 and 86'
    """
    if isinstance(measure, NotEstimable):
        return f"not known: {measure.reason}"
    if not is_share(metric):
        return f"between {_decimal(measure.low, metric)} and {_decimal(measure.high, metric)}"
    places = _digits(measure.low, measure.high) if digits is None else digits
    return f"between {100 * measure.low:.{places}f} and {100 * measure.high:.{places}f}"


def say_short(measure: Measure, metric: str = "precision", digits: int | None = None) -> str:
    """Give the value alone, in the unit a reader expects; for places where the interval stands beside it."""
    if isinstance(measure, NotEstimable):
        return "not known"
    if not is_share(metric):
        return _decimal(measure.value, metric)
    return percent(measure.value, _digits(measure.low, measure.high) if digits is None else digits)


def say_compact(measure: Measure, metric: str = "precision") -> str:
    """Give a value with its interval in as few signs as can be, for pictures and tables.

    Examples
    --------
    >>> from martello.stats.estimate import Estimate
    >>> say_compact(Estimate(value=0.83, low=0.81, high=0.86, level=0.95, n=900, method="exact"))
    '83 % (81 to 86)'
    """
    if isinstance(measure, NotEstimable):
        return "not known"
    between = say_between(measure, metric).removeprefix("between ").replace(" and ", " to ")
    return f"{say_short(measure, metric)} ({between})"


def say(measure: Measure, metric: str = "precision", digits: int | None = None) -> str:
    """Give a value with its interval, or why there is none and what it would take.

    Examples
    --------
    >>> from martello.stats.estimate import Estimate
    >>> say(Estimate(value=0.83, low=0.81, high=0.86, level=0.95, n=900, method="exact"))
    '83 % (between 81 and 86)'
    >>> say(NotEstimable(reason="no unit was flagged", needs="at least 1 flagged unit"))
    'not known: no unit was flagged (needs at least 1 flagged unit)'
    """
    if isinstance(measure, NotEstimable):
        return f"not known: {measure.reason} (needs {measure.needs})"
    return f"{say_short(measure, metric, digits)} ({say_between(measure, metric, digits)})"


def join(parts: Iterable[str]) -> str:
    """Join words as a sentence does.

    Examples
    --------
    >>> join(["age"]), join(["age", "sex"]), join(["age", "sex", "race"])
    ('age', 'age and sex', 'age, sex and race')
    """
    words = list(parts)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
