"""From a file to a verdict: sums in JSON, or events where they lie."""

from __future__ import annotations

from pathlib import Path

import msgspec

from martello.engines.base import Engine
from martello.errors import DataError
from martello.experiment.contract import Contract
from martello.experiment.events import EventColumns, history_of_events
from martello.experiment.history import History, read_history
from martello.experiment.verdict import ExperimentVerdict, judge_experiment

__all__ = ["analyze_events", "analyze_sums", "read_contract"]


def analyze_sums(path: Path, *, contract: Contract | None = None) -> ExperimentVerdict:
    """Judge a history that lies in a JSON file.

    Raises
    ------
    DataError
        ``data.not-found`` and what `read_history` refuses.
    """
    return judge_experiment(read_history(_bytes_of(path), where=path.name, contract=contract))


def analyze_events(
    engine: Engine, source: str, columns: EventColumns, contract: Contract, *, one_look: bool = False
) -> tuple[History, ExperimentVerdict]:
    """Judge an event log; the history, too, so that it can be kept and judged again.

    Parameters
    ----------
    one_look
        Whether no looks were agreed: then the last day is the only one, which holds if nobody looked before.

    Raises
    ------
    DataError
        What `history_of_events` refuses.
    """
    history = history_of_events(engine, source, columns, contract)
    if one_look:
        agreed = msgspec.structs.replace(contract, looks=(history.checkpoints[-1].day,))
        history = msgspec.structs.replace(history, contract=agreed)
    return history, judge_experiment(history)


def read_contract(path: Path) -> Contract:
    """Read a contract from JSON.

    Raises
    ------
    DataError
        ``data.not-found``, ``experiment.contract-unclear``.
    """
    try:
        return msgspec.json.decode(_bytes_of(path), type=Contract)
    except (msgspec.ValidationError, msgspec.DecodeError) as err:
        if isinstance(err.__cause__, DataError):
            raise err.__cause__ from None
        raise DataError(
            "experiment.contract-unclear",
            f"{path.name} is no contract: {err}",
            where=str(path),
            expected='{"metric": …, "shares": {…}, "control": …, "treatment": …, "looks": […]}',
            fix="martello experiment plan … --out contract.json writes one",
        ) from None


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(
            "data.not-found",
            f"there is no file {path}",
            where=str(path.absolute()),
            expected="a JSON file",
            fix="check the path; it starts at the current directory",
        )
    return path.read_bytes()
