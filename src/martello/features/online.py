"""The features of one request: history from the state, then the same closure that training ran.

Part of the serving process: it imports neither Arrow nor an engine nor a parser.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from martello.features.declared import DeclaredFeatures
from martello.features.expressions.closure import RowFeatures
from martello.features.expressions.declare import NOW

__all__ = ["OnlineFeatures"]


class OnlineFeatures:
    """Compute the features of requests.

    Parameters
    ----------
    declared
        What is computed.

    Raises
    ------
    SpecError
        Should the declaration have been made by other rules.
    PluginError
        ``features.function-missing`` when a registered function is not installed in the declared version.

    Examples
    --------
    >>> from martello.features.declared import declare_features
    >>> from martello.spec.schema import Feature, Field
    >>> age, old = Field(name="age", type="integer"), Feature(name="old", expression="age > 65")
    >>> declared = declare_features((age,), (), (old,))
    >>> OnlineFeatures(declared).compute({"age": 70}, 0, {})
    {'old': True}
    """

    def __init__(self, declared: DeclaredFeatures) -> None:
        self._names = declared.names
        self._row = RowFeatures(declared.row).row if declared.row.features else None

    def compute(self, values: Mapping[str, Any], now: int, history: Mapping[str, Any]) -> dict[str, Any]:
        """Give every feature as of a moment.

        Parameters
        ----------
        values
            The typed inputs.
        now
            The moment, in microseconds.
        history
            The history features, as `State.read` or `history_table` gives them.
        """
        if self._row is None:
            return dict(history)
        found = {**history, **self._row({**values, **history, NOW: now})}
        return {name: found[name] for name in self._names}
