"""A rule that the team already has, judged like any other candidate.

The rule is a pure Python function registered under the entry-point group ``martello.rules``; it is given one row, as
values by field name, None where missing, and gives a class. How often each of its answers is right is counted on
training rows, so that its scores are chances. Only its name and these counts are stored: serving needs the
package that brings it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

import msgspec
import numpy as np

from martello.errors import PluginError, SpecError, nearest
from martello.spec.schema import Field
from martello.train.learner import UNIT, Columns, Fitted, Floats, TrainingData

__all__ = ["Rule"]

_GROUP = "martello.rules"

Function = Callable[[Mapping[str, Any]], str]


class _Stored(msgspec.Struct, frozen=True):
    """The rule's name and, by its answer, the chances of the classes."""

    rule: str
    chances: list[list[float]]


class Rule:
    """Ask a registered function.

    Parameters
    ----------
    rule
        Its name in the entry-point group ``martello.rules``.
    """

    name = "rule"

    def __init__(self, rule: str = "") -> None:
        self._rule = rule

    def fit(self, data: TrainingData, *, seed: int, settings: Mapping[str, Any] | None = None) -> Fitted:
        """Count how often each answer of the rule is which class; one row is spread as the classes are in training.

        Raises
        ------
        SpecError
            ``train.unknown-rule``.
        PluginError
            ``train.bad-rule`` when the rule fails or answers no class.
        """
        if not self._rule:
            raise _unknown("")
        answers = _Asked(self._rule, data.classes).answers(data.columns, len(data))
        prior = np.bincount(data.codes, weights=data.weights, minlength=len(data.classes))
        counts = np.tile(prior / prior.sum(), (len(data.classes), 1))
        np.add.at(counts, (answers, data.codes), data.weights)
        chances = counts / counts.sum(axis=1, keepdims=True)
        stored = _Stored(rule=self._rule, chances=chances.tolist())
        return Fitted(settings={"rule": self._rule}, files={"rule.json": msgspec.json.encode(stored)})

    def load(self, files: Mapping[str, bytes], *, fields: tuple[Field, ...], classes: tuple[str, ...]) -> _Rated:
        """Find the rule again by its name."""
        stored = msgspec.json.decode(files["rule.json"], type=_Stored)
        return _Rated(_Asked(stored.rule, classes), fields[0].name, np.array(stored.chances))


class _Rated:
    def __init__(self, asked: _Asked, any_field: str, chances: Floats) -> None:
        self._asked = asked
        self._any_field = any_field
        self._chances = chances

    def scores(self, columns: Columns) -> Floats:
        scores: Floats = self._chances[self._asked.answers(columns, len(columns[self._any_field]))]
        return scores


class _Asked:
    """A rule found by name, and its answers as class indices."""

    def __init__(self, rule: str, classes: tuple[str, ...]) -> None:
        self._rule = rule
        self._function = _find(rule)
        self._codes = {name: k for k, name in enumerate(classes)}

    def answers(self, columns: Columns, n: int) -> Any:
        """Ask about each row."""
        inputs = {name: own for name, own in columns.items() if name != UNIT}
        return np.array([self._answer({name: own[i] for name, own in inputs.items()}) for i in range(n)], np.int64)

    def _answer(self, row: Mapping[str, Any]) -> int:
        try:
            answer = self._function(row)
        except Exception as err:
            raise self._bad(f"fails with {type(err).__name__}: {err}") from err
        if not isinstance(answer, str) or answer not in self._codes:
            raise self._bad(f"answers {answer!r}")
        return self._codes[answer]

    def _bad(self, what: str) -> PluginError:
        return PluginError(
            "train.bad-rule",
            f"the rule {self._rule} {what}",
            where=f"{_GROUP}: {self._rule}",
            expected="one of: " + ", ".join(self._codes),
            fix="mend the rule: it is given every declared input, None where missing",
        )


def _find(rule: str) -> Function:
    for point in entry_points(group=_GROUP, name=rule):
        function: Function = point.load()
        return function
    raise _unknown(rule)


def _unknown(rule: str) -> SpecError:
    known = sorted(point.name for point in entry_points(group=_GROUP))
    near = nearest(rule, known)
    return SpecError(
        "train.unknown-rule",
        f"there is no rule called {rule}" if rule else "no rule is named",
        where="[train.options.rule] rule",
        expected="one of: " + (", ".join(known) or f"none is installed in the entry-point group {_GROUP}"),
        fix=f'did you mean "{near}"?' if near else "install the package that brings it, and name it",
    )
